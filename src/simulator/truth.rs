//! The server's own timestamps, served at `/truth`, for measuring the error of a client on the same machine.

use crate::metrics::truth::{RequestTruth, Truth};

/// Keeps the newest requests, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct TruthLog {
    truth: Truth,
    tokens: usize,
}

const MAX_REQUESTS: usize = 100_000;
/// 64 MB, together with their due times.
const MAX_TOKENS: usize = 4_000_000;

impl TruthLog {
    pub(crate) fn push(&mut self, request: RequestTruth) {
        self.tokens += request.token_written_ns.len();
        self.truth.requests.push_back(request);
        while self.truth.requests.len() > MAX_REQUESTS || self.tokens > MAX_TOKENS {
            let Some(oldest) = self.truth.requests.pop_front() else { break };
            self.tokens -= oldest.token_written_ns.len();
        }
    }

    pub(crate) fn truth(&self) -> &Truth {
        &self.truth
    }

    pub(crate) fn take(&mut self) -> Truth {
        std::mem::take(self).truth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: usize, tokens: usize) -> RequestTruth {
        RequestTruth { id: id.to_string(), token_written_ns: vec![1; tokens], ..RequestTruth::default() }
    }

    #[test]
    fn the_oldest_request_is_dropped_if_there_are_too_many() {
        let mut log = TruthLog::default();
        (0..=MAX_REQUESTS).for_each(|id| log.push(request(id, 1)));
        assert_eq!(log.truth().requests.len(), MAX_REQUESTS);
        assert_eq!(log.truth().requests[0].id, "1");
    }

    #[test]
    fn the_oldest_requests_are_dropped_for_too_many_tokens() {
        let mut log = TruthLog::default();
        (0..5).for_each(|id| log.push(request(id, MAX_TOKENS / 4)));
        let kept: Vec<_> = log.truth().requests.iter().map(|request| request.id.as_str()).collect();
        assert_eq!(kept, ["1", "2", "3", "4"]);
    }

    #[test]
    fn taking_the_truth_empties_the_log() {
        let mut log = TruthLog::default();
        log.push(request(1, 3));
        assert_eq!(log.take().requests.len(), 1);
        assert!(log.take().requests.is_empty());
    }
}
