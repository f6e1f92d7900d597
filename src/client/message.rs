//! A request as it goes over the wire.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};

use crate::client::address::Address;
use crate::client::{http1, http2};
use crate::engine::HttpVersion;

/// Of the version that is spoken; nothing of it remains to be computed but its id.
pub enum WireRequest {
    Http1(http1::Http1Request),
    Http2(Box<http2::Http2Request>),
}

/// What goes with all requests of a client.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    pub address: &'a Address,
    /// Of the target's own: key and others.
    pub headers: &'a HeaderMap,
}

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl RequestHead<'_> {
    /// A request to one of the engine's routes.
    pub fn message(self, route: &str, body: Vec<u8>) -> WireRequest {
        match self.address.http_version() {
            HttpVersion::Http1 => WireRequest::Http1(http1::Http1Request::new(self, route, body)),
            HttpVersion::Http2 => WireRequest::Http2(Box::new(http2::Http2Request::new(self, route, body))),
        }
    }

    /// All headers but the id. What the target's own say goes before what the client would say.
    pub fn headers(self, body_bytes: usize, mut say: impl FnMut(&HeaderName, &HeaderValue)) {
        for (name, value) in [
            (HOST, self.address.host_value()),
            (ACCEPT, HeaderValue::from_static("*/*")),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONTENT_LENGTH, HeaderValue::from(body_bytes)),
        ] {
            if !self.headers.contains_key(&name) {
                say(&name, &value);
            }
        }
        self.headers.iter().for_each(|(name, value)| say(name, value));
    }

    /// Whether the target has no word of its own for that.
    pub fn takes_id(self) -> bool {
        !self.headers.contains_key(REQUEST_ID)
    }
}
