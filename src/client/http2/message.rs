//! An HTTP/2 request.

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};

use crate::client::message::{REQUEST_ID, RequestHead};

pub(crate) struct Http2Request {
    head: Request<()>,
    takes_id: bool,
    body: Bytes,
}

impl Http2Request {
    pub(crate) fn new(request_head: RequestHead, route: &str, body: Vec<u8>) -> Http2Request {
        let mut headers = HeaderMap::new();
        // A pseudo-header replaces `Host` (RFC 9113, 8.3.1).
        let mut authority = request_head.address.host_value();
        request_head.headers(body.len(), |name, value| {
            if *name == HOST {
                authority = value.clone();
            } else {
                headers.append(name, value.clone());
            }
        });
        let uri = Uri::builder()
            .scheme(request_head.address.scheme())
            .authority(authority.as_bytes())
            .path_and_query(request_head.address.target(route))
            .build()
            .expect("URL and headers were validated when they were read");
        let mut head = Request::new(());
        (*head.method_mut(), *head.uri_mut(), *head.headers_mut()) = (Method::POST, uri, headers);
        Http2Request { head, takes_id: request_head.takes_id(), body: body.into() }
    }

    pub(crate) fn head(&self, id: &str) -> Request<()> {
        let mut head = self.head.clone();
        if self.takes_id
            && let Ok(id) = HeaderValue::from_str(id)
        {
            head.headers_mut().insert(REQUEST_ID, id);
        }
        head
    }

    pub(crate) fn body(&self) -> Bytes {
        self.body.clone()
    }
}
