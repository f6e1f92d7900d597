//! Which HTTP a target is asked in.

use std::fmt;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ValueEnum,
)]
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
    pub fn is_usual(&self) -> bool {
        *self == HttpVersion::default()
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
