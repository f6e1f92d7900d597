//! The result of one request, with times relative to when it was sent.

use crate::load::Load;
use crate::metrics::record::RequestRecord;
use crate::metrics::summary::Times;
use crate::units::Nanos;

/// The result of one measured request.
///
/// [`Summary`](crate::Summary) is computed from these latencies.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RequestResult {
    /// Sent as the `X-Request-Id` header, to find the request in the server's log.
    pub id: String,
    /// When it was sent, in ms since the measured load began.
    pub sent_ms: f64,
    /// Time to first token, in ms; `None` if the request failed.
    pub ttft_ms: Option<f64>,
    /// Time per output token after the first, in ms; `None` if the request failed or its response has a single token.
    pub tpot_ms: Option<f64>,
    /// From when it was sent (with a rate or a trace: due) to its last token, in ms; `None` if the request failed.
    pub e2e_ms: Option<f64>,
    /// When each chunk with content arrived, in ms since the request was sent. Several tokens may share a chunk.
    pub chunks_ms: Vec<f64>,
    /// As counted by the server; `None` if it reports no count.
    pub input_tokens: Option<u32>,
    /// As counted by the server, or one per chunk if it reports no count.
    pub output_tokens: u32,
    /// Why it failed, such as `timeout: after 120 s`; `None` if it succeeded.
    pub failure: Option<String>,
}

impl RequestResult {
    pub(super) fn of(record: &RequestRecord, load: &Load, began_ns: Nanos) -> RequestResult {
        let times = Times::of(record, load, true);
        let since = |from_ns: Nanos, at_ns: Nanos| at_ns.saturating_sub(from_ns) as f64 / 1e6;
        RequestResult {
            id: record.id.clone(),
            sent_ms: since(began_ns, record.sent_ns),
            ttft_ms: times.and_then(|times| times.ttft_ms()),
            tpot_ms: times.and_then(|times| times.tpot_ms),
            e2e_ms: times.map(|times| times.e2e_ms()),
            chunks_ms: record.content_ns.iter().map(|at_ns| since(record.sent_ns, *at_ns)).collect(),
            input_tokens: record.input_tokens,
            output_tokens: record.output_tokens,
            failure: record.outcome.as_ref().err().map(ToString::to_string),
        }
    }
}
