//! What was measured, and on what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::HttpVersion;
use crate::target::{ImageRef, SimulatorSettings};

/// What was measured, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// What a baseline holds for: `l40s-qwen3-8b`, `simulator`.
    pub name: String,
    /// Name and version.
    pub engine: String,
    pub model: String,
    pub machine: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which HTTP it was asked in, where that is not HTTP/1.1.
    #[serde(default, skip_serializing_if = "HttpVersion::is_usual")]
    pub http_version: HttpVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulator: Option<SimulatorSettings>,
    /// The container's, with its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// What the container was started with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
}

impl Environment {
    /// How it was asked, where that is not the usual way; to be put behind the engine.
    pub fn over(&self) -> String {
        if self.http_version.is_usual() { String::new() } else { format!(" over {}", self.http_version) }
    }

    /// What sets its engine apart from another one of the same name.
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
