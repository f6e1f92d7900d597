//! An HTTP/1.1 request.

use crate::client::message::{REQUEST_ID, RequestHead};

pub(crate) struct Http1Request {
    /// Up to the request ID.
    head: Vec<u8>,
    takes_id: bool,
    body: Vec<u8>,
}

impl Http1Request {
    pub(crate) fn new(request_head: RequestHead, route: &str, body: Vec<u8>) -> Http1Request {
        let mut head = format!("POST {} HTTP/1.1\r\n", request_head.address.target(route)).into_bytes();
        request_head.headers(body.len(), |name, value| {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        });
        Http1Request { head, takes_id: request_head.takes_id(), body }
    }

    pub(crate) fn write(&self, id: &str, outbox: &mut Vec<u8>) {
        outbox.extend_from_slice(&self.head);
        if self.takes_id {
            for part in [REQUEST_ID.as_str(), ": ", id, "\r\n"] {
                outbox.extend_from_slice(part.as_bytes());
            }
        }
        outbox.extend_from_slice(b"\r\n");
        outbox.extend_from_slice(&self.body);
    }
}
