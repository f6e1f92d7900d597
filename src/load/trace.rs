//! The recorded requests of a service: when they came, and how long they were.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::fingerprint::fingerprint_of_all;
use crate::units::Nanos;

/// The tokens in a block of a traced prompt, as in Mooncake's traces.
pub(crate) const BLOCK_TOKENS: u32 = 512;

/// A report names a trace without holding its requests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    pub file: String,
    /// The fingerprint of all its requests.
    pub fingerprint: String,
    /// The average rate.
    pub requests_per_s: f64,
    #[serde(skip)]
    requests: Arc<[TracedRequest]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedRequest {
    /// Time since the first request.
    pub at_ns: Nanos,
    pub input_tokens: u32,
    pub output_tokens: u32,
    /// The blocks of the prompt, [`BLOCK_TOKENS`] each: prompts that begin with the same blocks begin with the same text.
    /// Empty if the trace does not say.
    pub blocks: Vec<u64>,
}

impl Trace {
    /// Sorts the requests by time.
    pub fn new(file: &str, mut requests: Vec<TracedRequest>) -> Trace {
        requests.sort_by_key(|request| request.at_ns);
        let begin_ns = requests.first().map_or(0, |request| request.at_ns);
        requests.iter_mut().for_each(|request| request.at_ns -= begin_ns);
        let last_s = requests.last().map_or(0.0, |request| request.at_ns as f64 / 1e9);
        let gaps = requests.len().saturating_sub(1) as f64;
        Trace {
            file: file.to_owned(),
            fingerprint: fingerprint_of_all(&requests),
            requests_per_s: if last_s > 0.0 { gaps / last_s } else { 0.0 },
            requests: requests.into(),
        }
    }

    /// The same trace with prompts of one length.
    pub fn with_input_tokens(&self, input_tokens: u32) -> Trace {
        let requests = self.requests.iter().cloned();
        Trace::new(&self.file, requests.map(|request| TracedRequest { input_tokens, ..request }).collect())
    }

    pub fn requests(&self) -> &[TracedRequest] {
        &self.requests
    }
}

impl PartialEq for Trace {
    fn eq(&self, other: &Trace) -> bool {
        self.fingerprint == other.fingerprint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(at_ns: Nanos) -> TracedRequest {
        TracedRequest { at_ns, input_tokens: 3, output_tokens: 4, blocks: Vec::new() }
    }

    #[test]
    fn times_count_from_the_first_request_in_their_order() {
        let trace = Trace::new("a", vec![request(9), request(5), request(7)]);
        let times: Vec<Nanos> = trace.requests().iter().map(|request| request.at_ns).collect();
        assert_eq!(times, [0, 2, 4]);
        assert_eq!(trace, Trace::new("b", vec![request(0), request(2), request(4)]));
        assert_ne!(trace, Trace::new("a", vec![request(0), request(2)]));
    }

    #[test]
    fn a_report_names_a_trace_without_holding_it() {
        let trace = Trace::new("a", vec![request(9)]);
        let read: Trace = serde_json::from_str(&serde_json::to_string(&trace).unwrap()).unwrap();
        assert_eq!(read, trace);
        assert!(read.requests().is_empty());
    }
}
