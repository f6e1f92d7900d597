//! What was measured, and on what hardware.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::HttpVersion;
use crate::target::{ImageRef, SimulatorSettings};

/// What was measured, and on what hardware.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Environment that a baseline holds for: `l40s-qwen3-8b`, `simulator`.
    pub name: String,
    /// Name and version.
    pub engine: String,
    pub model: String,
    pub machine: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// HTTP version of the requests, if not HTTP/1.1.
    #[serde(default, skip_serializing_if = "HttpVersion::is_default")]
    pub http_version: HttpVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulator: Option<SimulatorSettings>,
    /// The container's image, with its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// The container's arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
}

impl Environment {
    /// A suffix for the engine's name that names the HTTP version, unless it is the default.
    pub fn over(&self) -> String {
        if self.http_version.is_default() { String::new() } else { format!(" over {}", self.http_version) }
    }

    /// What sets this engine apart from another one of the same name.
    pub fn apart_from(&self, other: &Environment) -> Option<String> {
        if let (Some(simulator), Some(others)) = (&self.simulator, &other.simulator) {
            return Some(simulator.apart_from(others));
        }
        let (image, others) = (self.image.as_ref()?, other.image.as_ref()?);
        if !image.is_same(others) {
            return Some(format!("image {image}"));
        }
        self.args.as_ref().filter(|args| other.args.as_ref() != Some(args)).map(|args| args.join(" "))
    }
}
