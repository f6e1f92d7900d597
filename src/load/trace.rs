//! What a service was once asked: when, and how much.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::fingerprint::fingerprint_of_all;
use crate::units::Nanos;

/// How many tokens a block of a traced prompt has: Mooncake's.
pub const BLOCK_TOKENS: u32 = 512;

/// A report names it and does not hold it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    pub file: String,
    /// Of all that it holds.
    pub fingerprint: String,
    /// On average.
    pub requests_per_s: f64,
    #[serde(skip)]
    requests: Arc<[TracedRequest]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedRequest {
    /// Since the first one.
    pub at_ns: Nanos,
    pub input_tokens: u32,
    pub output_tokens: u32,
    /// What its prompt consists of, [`BLOCK_TOKENS`] each: prompts that begin with the same blocks begin alike. Empty
    /// where nothing is known of that.
    pub blocks: Vec<u64>,
}

impl Trace {
    /// In the order of their times.
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

    /// The same with prompts of one length.
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
    fn a_report_names_a_trace_and_does_not_hold_it() {
        let trace = Trace::new("a", vec![request(9)]);
        let read: Trace = serde_json::from_str(&serde_json::to_string(&trace).unwrap()).unwrap();
        assert_eq!(read, trace);
        assert!(read.requests().is_empty());
    }
}
