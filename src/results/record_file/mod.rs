//! The binary format of records files. This module does no I/O itself.
//!
//! # Format
//!
//! [`MAGIC`], a version byte, then frames: a kind (one byte), the body's length, and the body. The first frame is the
//! header, as JSON. A round's records follow a frame with the session, the round, and its start time. An end frame
//! closes what one writer wrote and holds the number of its records, so a truncated file is recognized by its last
//! frame. More frames may follow an end: every session appends its own.
//!
//! Numbers are varints (LEB128), times are nanoseconds. A token's time is stored as the difference between the gap
//! before it and the gap before that, and an ID as its difference from the previous ID. That takes three bytes per
//! token and about thirty per request.

mod bytes;
mod codec;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::ScenarioId;
use crate::metrics::record::RequestRecord;
use crate::results::Run;
use crate::units::{Clock, Nanos};

pub(crate) use codec::{Decoder, Encoder};

pub(crate) const MAGIC: &[u8; 16] = b"tollgate-records";
pub(crate) const VERSION: u8 = 3;
/// The oldest version that can still be read.
pub(crate) const OLDEST_VERSION: u8 = 2;

/// No record is larger than this; a longer frame is damage.
pub(crate) const FRAME_MAX_BYTES: u64 = 64 << 20;

/// What all records of a file have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub run: Run,
    pub scenario: ScenarioId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario_hash: Option<String>,
    /// The clock of the records' times.
    pub clock: Clock,
}

/// The session and round of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// As shown to users: `session 2`, `proof: new, start 3`.
    pub session: String,
    pub round: u32,
    /// When the round began.
    pub began_ns: Nanos,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    Header(Box<Header>),
    /// The following records belong to this part.
    Part(Part),
    Record(Box<RequestRecord>),
    /// The end of what one writer wrote, with the number of its records.
    End {
        records: u64,
    },
}

/// What is wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage(pub String);

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The contents of a records file, for tests.
#[cfg(test)]
pub(crate) mod example {
    use super::*;
    use crate::metrics::record::example::answered;

    pub(crate) fn header() -> Header {
        Header {
            run: Run { id: "r".into(), started: "s".into(), tollgate: "0".into(), root: None, worker: None },
            scenario: ScenarioId { file: "chat".into(), load: "users-4".into(), target: "sim".into() },
            scenario_hash: None,
            clock: Clock { boot: "b".into(), zero_unix_ns: 1 },
        }
    }

    pub(crate) fn part(session: &str) -> Part {
        Part { session: session.into(), round: 1, began_ns: 0 }
    }

    pub(crate) fn record(number: u64) -> RequestRecord {
        RequestRecord { id: format!("request-{number}"), ..answered(number, &[number + 3, number + 4], 2) }
    }
}
