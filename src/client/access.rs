//! A server's address and credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;

use crate::engine::HttpVersion;
use crate::text::secret::Secret;

#[derive(Clone, Debug, Default)]
pub struct Access {
    /// With or without a trailing `/v1`.
    pub url: String,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// Sent with every request. They override the client's own headers, including the key's.
    pub headers: BTreeMap<String, Secret>,
    /// PEM file of the certificate authorities to trust for this server, instead of the system's.
    pub ca_file: Option<PathBuf>,
    pub http_version: HttpVersion,
    /// Whether both ends of a connection count toward this process's limit on open files.
    pub is_in_this_process: bool,
}

/// Messages don't show the value, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("the API key contains characters that are not allowed in an HTTP header")]
    ApiKey,
    #[error("`{0}` is not a valid HTTP header name")]
    HeaderName(String),
    #[error("the value of header `{0}` contains characters that are not allowed in an HTTP header")]
    HeaderValue(String),
    #[error("header `{0}` controls an HTTP/1.1 connection and does not exist in HTTP/2: remove it")]
    OfConnection(String),
    #[error("the value of header `host` is not a host")]
    Host,
}

/// Headers that HTTP/2 forbids (RFC 9113, 8.2.2).
const OF_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

impl Access {
    pub fn to(url: impl Into<String>) -> Access {
        Access { url: url.into(), ..Access::default() }
    }

    /// The key and all other headers.
    pub(super) fn header_map(&self) -> Result<HeaderMap, AccessError> {
        let mut map = HeaderMap::new();
        if let Some(key) = &self.api_key {
            let bearer = sensitive(&format!("Bearer {}", key.reveal())).ok_or(AccessError::ApiKey)?;
            map.insert(AUTHORIZATION, bearer);
        }
        for (name, value) in &self.headers {
            let key = HeaderName::try_from(name).map_err(|_| AccessError::HeaderName(name.clone()))?;
            let value = sensitive(value.reveal()).ok_or_else(|| AccessError::HeaderValue(name.clone()))?;
            map.insert(key, value);
        }
        if self.http_version == HttpVersion::Http2
            && let Some(name) = OF_CONNECTION.iter().find(|name| map.contains_key(*name))
        {
            return Err(AccessError::OfConnection(name.to_string()));
        }
        if map.get(HOST).is_some_and(|host| Authority::try_from(host.as_bytes()).is_err()) {
            return Err(AccessError::Host);
        }
        Ok(map)
    }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        given.iter().map(|(name, value)| (name.to_string(), Secret::new(*value))).collect()
    }

    #[test]
    fn a_configured_header_overrides_the_key() {
        let access = Access {
            api_key: Some(Secret::new("k")),
            headers: headers(&[("x-team", "a"), ("Authorization", "Basic b")]),
            ..Access::to("http://h")
        };
        let map = access.header_map().unwrap();
        assert_eq!(
            (map.len(), &map["authorization"], &map["x-team"]),
            (2, &"Basic b".parse().unwrap(), &"a".parse().unwrap())
        );
    }

    #[test]
    fn invalid_header_values_are_rejected_without_showing_them() {
        let refused = |access: Access| access.header_map().unwrap_err().to_string();
        let key = refused(Access { api_key: Some(Secret::new("s3\ncret")), ..Access::default() });
        let value = refused(Access { headers: headers(&[("x-key", "s3\ncret")]), ..Access::default() });
        assert!(!format!("{key} {value}").contains("s3"), "{key} {value}");
        assert!(value.contains("`x-key`"), "{value}");
        let name = refused(Access { headers: headers(&[("a b", "1")]), ..Access::default() });
        assert_eq!(name, "`a b` is not a valid HTTP header name");
    }
}
