//! How an engine is asked: when requests arrive, and when a round is over.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A load is data; one scheduler consumes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    pub arrival: Arrival,
    pub stop: Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// So many users, each sending its next request when the last one is answered.
    Closed { concurrency: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// A round is over when this many requests have ended.
    Requests(u32),
    /// No request starts later than this after the round's begin; those in flight are awaited.
    DurationMs(u64),
}

impl Load {
    pub fn closed(concurrency: u32, stop: Stop) -> Load {
        Load { arrival: Arrival::Closed { concurrency }, stop }
    }

    /// The most requests that can be in flight at once.
    pub fn connections(&self) -> u32 {
        match (self.arrival, self.stop) {
            (Arrival::Closed { concurrency }, Stop::Requests(requests)) => concurrency.min(requests),
            (Arrival::Closed { concurrency }, Stop::DurationMs(_)) => concurrency,
        }
    }
}

impl Stop {
    pub fn duration(&self) -> Option<Duration> {
        match self {
            Stop::Requests(_) => None,
            Stop::DurationMs(ms) => Some(Duration::from_millis(*ms)),
        }
    }

    pub fn requests(&self) -> Option<u32> {
        match self {
            Stop::Requests(requests) => Some(*requests),
            Stop::DurationMs(_) => None,
        }
    }
}
