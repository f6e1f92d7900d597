//! What an engine reports about its own work, to compare with what the client saw.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The engine's own times of its requests, each a mean in milliseconds. Every engine defines its own start and end of a
/// phase; unreported phases are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerTimes {
    /// Loading or waking up the model.
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub load_ms: Mean,
    /// Waiting in the queue.
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub queue_ms: Mean,
    /// Processing the prompt.
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub prefill_ms: Mean,
    /// Generating tokens after the first.
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub decode_ms: Mean,
    /// Prefill and decoding together.
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub inference_ms: Mean,
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub ttft_ms: Mean,
    /// One value per request.
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub tpot_ms: Mean,
    /// One value per gap between tokens.
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub itl_ms: Mean,
    #[serde(skip_serializing_if = "Mean::is_empty")]
    pub e2e_ms: Mean,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    pub count: u64,
    pub mean: f64,
}

/// An engine's counters, as far as it reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerCounts {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    /// Input tokens found in a prefix cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<u64>,
    /// How often a request was preempted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preemptions: Option<u64>,
}

/// Times and counters: since the engine's start, or of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerSide {
    pub counts: ServerCounts,
    pub times: ServerTimes,
}

impl ServerSide {
    /// The difference to an earlier reading; `None` if the engine restarted in between.
    pub fn since(&self, earlier: &ServerSide) -> Option<ServerSide> {
        Some(ServerSide {
            counts: self.counts.since(&earlier.counts)?,
            times: self.times.combined(&earlier.times, Mean::since)?,
        })
    }
}

impl ServerTimes {
    /// Every phase with its name.
    pub fn named(&self) -> [(&'static str, Mean); 9] {
        [
            ("load_ms", self.load_ms),
            ("queue_ms", self.queue_ms),
            ("prefill_ms", self.prefill_ms),
            ("decode_ms", self.decode_ms),
            ("inference_ms", self.inference_ms),
            ("ttft_ms", self.ttft_ms),
            ("tpot_ms", self.tpot_ms),
            ("itl_ms", self.itl_ms),
            ("e2e_ms", self.e2e_ms),
        ]
    }

    pub fn merge(&mut self, other: &ServerTimes) {
        let merged = self.combined(other, |mean, other| Some(mean.merged(other)));
        *self = merged.expect("any two means merge");
    }

    /// These times, filled in with those of `other` that are missing here.
    pub fn or(&self, other: &ServerTimes) -> ServerTimes {
        let filled = self.combined(other, |mean, other| Some(if mean.is_empty() { *other } else { *mean }));
        filled.expect("one of both is always there")
    }

    fn combined(
        &self,
        other: &ServerTimes,
        combine: impl Fn(&Mean, &Mean) -> Option<Mean>,
    ) -> Option<ServerTimes> {
        Some(ServerTimes {
            load_ms: combine(&self.load_ms, &other.load_ms)?,
            queue_ms: combine(&self.queue_ms, &other.queue_ms)?,
            prefill_ms: combine(&self.prefill_ms, &other.prefill_ms)?,
            decode_ms: combine(&self.decode_ms, &other.decode_ms)?,
            inference_ms: combine(&self.inference_ms, &other.inference_ms)?,
            ttft_ms: combine(&self.ttft_ms, &other.ttft_ms)?,
            tpot_ms: combine(&self.tpot_ms, &other.tpot_ms)?,
            itl_ms: combine(&self.itl_ms, &other.itl_ms)?,
            e2e_ms: combine(&self.e2e_ms, &other.e2e_ms)?,
        })
    }
}

impl Mean {
    pub fn of(value: f64) -> Mean {
        Mean { count: 1, mean: value }
    }

    pub fn of_total(count: u64, total: f64) -> Mean {
        if count == 0 { Mean::default() } else { Mean { count, mean: total / count as f64 } }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn total(&self) -> f64 {
        self.mean * self.count as f64
    }

    fn merged(&self, other: &Mean) -> Mean {
        Mean::of_total(self.count + other.count, self.total() + other.total())
    }

    fn since(&self, earlier: &Mean) -> Option<Mean> {
        // Floating-point means give totals back except for the last digits; no time is negative.
        let total = (self.total() - earlier.total()).max(0.0);
        Some(Mean::of_total(self.count.checked_sub(earlier.count)?, total))
    }
}

impl ServerCounts {
    fn since(&self, earlier: &ServerCounts) -> Option<ServerCounts> {
        Some(ServerCounts {
            input_tokens: since(self.input_tokens, earlier.input_tokens)?,
            output_tokens: since(self.output_tokens, earlier.output_tokens)?,
            cached_input_tokens: since(self.cached_input_tokens, earlier.cached_input_tokens)?,
            preemptions: since(self.preemptions, earlier.preemptions)?,
        })
    }
}

/// The outer `None` means that a counter went backwards. A counter that was missing before started at 0: some engines
/// show it only once it has counted something.
fn since(now: Option<u64>, earlier: Option<u64>) -> Option<Option<u64>> {
    match (now, earlier) {
        (Some(now), earlier) => Some(Some(now.checked_sub(earlier.unwrap_or(0))?)),
        (None, Some(_)) => None,
        (None, None) => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(output_tokens: u64, count: u64, decode_ms: f64) -> ServerSide {
        ServerSide {
            counts: ServerCounts { output_tokens: Some(output_tokens), ..ServerCounts::default() },
            times: ServerTimes { decode_ms: Mean { count, mean: decode_ms }, ..ServerTimes::default() },
        }
    }

    #[test]
    fn a_session_is_the_difference_to_its_start() {
        let session = counted(100, 5, 14.0).since(&counted(60, 2, 5.0)).unwrap();
        assert_eq!(session, counted(40, 3, 20.0));
    }

    #[test]
    fn no_phase_takes_negative_time() {
        let (now, earlier) = (counted(60, 49, 1.0 / 49.0), counted(40, 1, 1.0));
        assert!(now.times.decode_ms.total() < earlier.times.decode_ms.total());
        assert_eq!(now.since(&earlier).unwrap().times.decode_ms.mean, 0.0);
    }

    #[test]
    fn a_counter_that_appears_started_at_zero() {
        let session = counted(100, 5, 10.0).since(&ServerSide::default()).unwrap();
        assert_eq!(session, counted(100, 5, 10.0));
    }

    #[test]
    fn a_restarted_engine_has_no_session() {
        assert_eq!(counted(10, 1, 1.0).since(&counted(11, 1, 1.0)), None);
        assert_eq!(counted(10, 0, 0.0).since(&counted(10, 1, 1.0)), None);
        assert_eq!(ServerSide::default().since(&counted(11, 0, 0.0)), None);
    }

    #[test]
    fn merging_weights_by_count() {
        let mut times = counted(0, 1, 10.0).times;
        times.merge(&counted(0, 3, 30.0).times);
        assert_eq!(times.decode_ms, Mean { count: 4, mean: 25.0 });
    }

    #[test]
    fn times_in_responses_take_precedence_over_metrics() {
        let reported = counted(0, 1, 10.0).times;
        let metrics =
            ServerTimes { queue_ms: Mean::of(2.0), decode_ms: Mean::of(9.0), ..ServerTimes::default() };
        let both = reported.or(&metrics);
        assert_eq!((both.queue_ms, both.decode_ms), (Mean::of(2.0), Mean::of(10.0)));
    }

    #[test]
    fn missing_times_are_not_written() {
        let json = serde_json::to_value(counted(0, 2, 1.5).times).unwrap();
        assert_eq!(json, serde_json::json!({"decode_ms": {"count": 2, "mean": 1.5}}));
    }
}
