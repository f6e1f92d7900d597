//! Records as bytes: what a file of them holds. It reads and writes no file itself.
//!
//! # Format
//!
//! [`MAGIC`], a version byte, then frames: a kind (one byte), the body's length, the body. The first frame is the
//! header, as JSON. A round's records follow a frame that names session and round and says when that began; an end closes what one writer wrote
//! and says how many records that were, so a file that was cut off is known by its last frame. More may follow an end:
//! every session adds its own.
//!
//! Numbers are varints (LEB128), times nanoseconds. A token's time is written as what the gap before it differs by from
//! the gap before that, and an ID by what differs from the last one's: three bytes per token, and some thirty per request.

mod bytes;
mod codec;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::ScenarioId;
use crate::metrics::record::RequestRecord;
use crate::results::Run;
use crate::units::{Clock, Nanos};

pub use codec::{Decoder, Encoder};

pub const MAGIC: &[u8; 16] = b"tollgate-records";
pub const VERSION: u8 = 3;
/// The oldest that is still read.
pub const OLDEST_VERSION: u8 = 2;

/// A record takes less, whatever it is about; a longer frame is damage.
pub const FRAME_MAX_BYTES: u64 = 64 << 20;

/// What all records of a file have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub run: Run,
    pub scenario: ScenarioId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario_hash: Option<String>,
    /// What the records' times count from.
    pub clock: Clock,
}

/// Where a record belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// As people know it: `session 2`, `proof: new, start 3`.
    pub session: String,
    pub round: u32,
    /// When the round began.
    pub began_ns: Nanos,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Header(Box<Header>),
    /// The records that follow are of this part.
    Part(Part),
    Record(Box<RequestRecord>),
    /// Nothing more came of one writer, which wrote so many records.
    End {
        records: u64,
    },
}

/// What is wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage(pub String);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What files of records consist of, for tests.
#[cfg(test)]
pub mod example {
    use super::*;
    use crate::metrics::record::example::answered;

    pub fn header() -> Header {
        Header {
            run: Run { id: "r".into(), started: "s".into(), tollgate: "0".into(), root: None, worker: None },
            scenario: ScenarioId { file: "chat".into(), load: "users-4".into(), target: "sim".into() },
            scenario_hash: None,
            clock: Clock { boot: "b".into(), zero_unix_ns: 1 },
        }
    }

    pub fn part(session: &str) -> Part {
        Part { session: session.into(), round: 1, began_ns: 0 }
    }

    pub fn record(number: u64) -> RequestRecord {
        RequestRecord { id: format!("request-{number}"), ..answered(number, &[number + 3, number + 4], 2) }
    }
}
