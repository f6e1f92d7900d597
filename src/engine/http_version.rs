//! The HTTP version that a target is addressed with.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum HttpVersion {
    #[default]
    #[serde(rename = "1.1")]
    Http1,
    #[serde(rename = "2")]
    Http2,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown HTTP version `{0}`")]
pub struct UnknownHttpVersion(String);

impl HttpVersion {
    pub const NAMES: [&str; 2] = ["1.1", "2"];

    pub fn is_usual(&self) -> bool {
        *self == HttpVersion::default()
    }
}

impl FromStr for HttpVersion {
    type Err = UnknownHttpVersion;

    fn from_str(name: &str) -> Result<HttpVersion, UnknownHttpVersion> {
        match name {
            "1.1" => Ok(HttpVersion::Http1),
            "2" => Ok(HttpVersion::Http2),
            other => Err(UnknownHttpVersion(other.to_owned())),
        }
    }
}

/// Written by hand, so that the number 2 is answered with the text it should be.
impl<'de> Deserialize<'de> for HttpVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HttpVersion, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| de::Error::unknown_variant(&name, &HttpVersion::NAMES))
    }
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HttpVersion::Http1 => "HTTP/1.1",
            HttpVersion::Http2 => "HTTP/2",
        })
    }
}
