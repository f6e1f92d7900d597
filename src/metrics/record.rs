//! The record of one request.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::server_side::ServerTimes;
use crate::units::Nanos;

/// One request, from when it was due to its last byte.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRecord {
    /// Sent as `X-Request-Id`, so that the request can be found in the server's own log.
    pub id: String,
    /// When the load wanted to send it.
    pub due_ns: Nanos,
    /// When the client got to it. Delay up to here is the client's own; opening a connection comes after it.
    pub taken_ns: Nanos,
    /// When it was handed to the connection.
    pub sent_ns: Nanos,
    /// When each chunk with content arrived; several tokens may share one.
    pub content_ns: Vec<Nanos>,
    /// When the last byte of the response arrived, or the request failed.
    pub end_ns: Nanos,
    pub input_tokens: Option<u32>,
    pub output_tokens: u32,
    pub tokens_counted_by: TokenCount,
    pub finish: Option<Finish>,
    /// As measured by the engine.
    pub server_times: ServerTimes,
    /// How often it was resent because the server had closed the idle connection that it was first sent on.
    pub reconnects: u32,
    pub outcome: Result<(), Failure>,
}

/// Takes every record when its request has ended, so that nothing keeps them all: a run may have any length.
///
/// The load client's event loop calls it between two events, so it may compute for microseconds but must not wait.
pub trait RecordSink {
    /// The following records belong to a round that begins at this time.
    fn begin(&mut self, _at_ns: Nanos) {}

    fn take(&mut self, record: &RequestRecord);
}

impl RecordSink for Vec<RequestRecord> {
    fn take(&mut self, record: &RequestRecord) {
        self.push(record.clone());
    }
}

/// Where the number of output tokens comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenCount {
    /// The server reported it.
    Usage,
    /// The server did not report it: one per chunk with content, which may undercount.
    Chunks,
}

/// Why the engine stopped generating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It reached the requested output length.
    Length,
    /// The model ended the response.
    Stop,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    pub class: FailureClass,
    /// The error message, with the HTTP status or the engine's own message if there is one.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The client got to it too late to send it. This says nothing about the engine, which never saw the request.
    Late,
    /// It was not sent because the maximum number of requests was unanswered when it was due: the engine did not keep
    /// up.
    NoRoom,
    /// No byte of the request reached the engine.
    Connect,
    /// The response was not complete within the scenario's `request_timeout`.
    Timeout,
    /// An HTTP status other than 200.
    HttpStatus,
    /// The response broke off.
    BrokenStream,
    /// The engine reported an error inside a 200 response.
    InStreamError,
    /// The engine ended the response with a `finish_reason` that is no known good one, such as `abort`.
    EngineAborted,
    /// The response did not have the engine's format.
    BadPayload,
}

impl RequestRecord {
    /// A request that was due but not sent.
    pub fn not_sent(due_ns: Nanos, at_ns: Nanos, why: Failure) -> RequestRecord {
        RequestRecord {
            id: String::new(),
            due_ns,
            taken_ns: at_ns,
            sent_ns: at_ns,
            content_ns: Vec::new(),
            end_ns: at_ns,
            input_tokens: None,
            output_tokens: 0,
            tokens_counted_by: TokenCount::Chunks,
            finish: None,
            server_times: ServerTimes::default(),
            reconnects: 0,
            outcome: Err(why),
        }
    }

    pub fn is_sent(&self) -> bool {
        !matches!(&self.outcome, Err(Failure { class: FailureClass::Late | FailureClass::NoRoom, .. }))
    }

    pub fn first_content_ns(&self) -> Option<Nanos> {
        self.content_ns.first().copied()
    }

    pub fn last_content_ns(&self) -> Option<Nanos> {
        self.content_ns.last().copied()
    }
}

impl TokenCount {
    pub fn name(self) -> &'static str {
        match self {
            TokenCount::Usage => "usage",
            TokenCount::Chunks => "chunks",
        }
    }
}

impl Finish {
    pub fn name(self) -> &'static str {
        match self {
            Finish::Length => "length",
            Finish::Stop => "stop",
            Finish::Other => "other",
        }
    }
}

impl FailureClass {
    /// Stored as indices: only ever append.
    pub const ALL: [FailureClass; 9] = [
        FailureClass::Connect,
        FailureClass::Timeout,
        FailureClass::HttpStatus,
        FailureClass::BrokenStream,
        FailureClass::InStreamError,
        FailureClass::BadPayload,
        FailureClass::Late,
        FailureClass::NoRoom,
        FailureClass::EngineAborted,
    ];

    pub fn name(self) -> &'static str {
        match self {
            FailureClass::Late => "late",
            FailureClass::NoRoom => "no_room",
            FailureClass::Connect => "connect",
            FailureClass::Timeout => "timeout",
            FailureClass::HttpStatus => "http_status",
            FailureClass::BrokenStream => "broken_stream",
            FailureClass::InStreamError => "in_stream_error",
            FailureClass::EngineAborted => "engine_aborted",
            FailureClass::BadPayload => "bad_payload",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.name(), self.detail)
    }
}

/// Hand-made records for tests.
#[cfg(test)]
pub(crate) mod example {
    use super::*;

    pub(crate) fn answered(sent_ms: u64, content_ms: &[u64], output_tokens: u32) -> RequestRecord {
        let ns = |ms: &u64| ms * 1_000_000;
        RequestRecord {
            id: String::new(),
            due_ns: ns(&sent_ms),
            taken_ns: ns(&sent_ms),
            sent_ns: ns(&sent_ms),
            content_ns: content_ms.iter().map(ns).collect(),
            end_ns: ns(content_ms.last().unwrap()),
            input_tokens: Some(10),
            output_tokens,
            tokens_counted_by: TokenCount::Usage,
            finish: Some(Finish::Length),
            server_times: ServerTimes::default(),
            reconnects: 0,
            outcome: Ok(()),
        }
    }

    pub(crate) fn failed(sent_ms: u64, end_ms: u64) -> RequestRecord {
        let failure = Failure { class: FailureClass::Timeout, detail: "after 1 s".into() };
        RequestRecord { outcome: Err(failure), ..answered(sent_ms, &[end_ms], 5) }
    }
}
