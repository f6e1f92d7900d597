//! The HTTP version of requests to a target.

use std::fmt;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, ValueEnum)]
pub enum HttpVersion {
    #[default]
    #[serde(rename = "1.1")]
    #[value(name = "1.1")]
    Http1,
    #[serde(rename = "2")]
    #[value(name = "2")]
    Http2,
}

impl HttpVersion {
    pub fn is_default(&self) -> bool {
        *self == HttpVersion::default()
    }
}

/// By hand, so that an error for the number 2 shows the valid strings.
impl<'de> Deserialize<'de> for HttpVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HttpVersion, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "1.1" => Ok(HttpVersion::Http1),
            "2" => Ok(HttpVersion::Http2),
            other => Err(de::Error::unknown_variant(other, &["1.1", "2"])),
        }
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
