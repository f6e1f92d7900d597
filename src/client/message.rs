//! A request in its wire format.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};

use crate::client::address::Address;
use crate::client::{http1, http2};
use crate::engine::HttpVersion;

/// In the version in use; only its ID remains to be filled in.
pub(crate) enum WireRequest {
    Http1(http1::Http1Request),
    Http2(Box<http2::Http2Request>),
}

/// What all requests of a client share.
#[derive(Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    pub address: &'a Address,
    /// The target's own headers, including the key.
    pub headers: &'a HeaderMap,
}

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl RequestHead<'_> {
    /// A request to one of the engine's routes.
    pub(crate) fn message(self, route: &str, body: Vec<u8>) -> WireRequest {
        match self.address.http_version() {
            HttpVersion::Http1 => WireRequest::Http1(http1::Http1Request::new(self, route, body)),
            HttpVersion::Http2 => WireRequest::Http2(Box::new(http2::Http2Request::new(self, route, body))),
        }
    }

    /// All headers but the ID. The target's own headers override the client's.
    pub(crate) fn headers(self, body_bytes: usize, mut say: impl FnMut(&HeaderName, &HeaderValue)) {
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

    /// Whether the target's own headers leave the request ID to the client.
    pub(crate) fn takes_id(self) -> bool {
        !self.headers.contains_key(REQUEST_ID)
    }
}
