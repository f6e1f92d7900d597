//! Counters of a simulated engine.

use crate::units::Nanos;

/// Counted in model time, as a real engine with this behavior would measure itself.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub running: usize,
    pub waiting: usize,
    /// Share of the KV cache in use.
    pub kv_cache_usage: f64,
    pub preemptions: u64,
    pub prompt_tokens: u64,
    pub generation_tokens: u64,
    pub finished_by_length: u64,
    /// Ended by the model before the requested length.
    pub stopped: u64,
    pub aborted: u64,
    pub prompt_lengths: Histogram,
    pub answer_lengths: Histogram,
    pub time_to_first_token: Histogram,
    pub inter_token_latency: Histogram,
    pub time_per_output_token: Histogram,
    pub queue_time: Histogram,
    pub prefill_time: Histogram,
    pub decode_time: Histogram,
    pub inference_time: Histogram,
    pub e2e_latency: Histogram,
}

/// A Prometheus histogram of seconds or tokens.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    upper_bounds: &'static [f64],
    /// One more than there are bounds: the last counts values beyond all of them.
    counts: Vec<u64>,
    pub sum: f64,
}

const TIME_TO_FIRST_TOKEN_S: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
    80.0, 160.0, 640.0, 2560.0,
];
const INTER_TOKEN_LATENCY_S: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
];
/// For whole requests and their phases.
const REQUEST_S: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0,
    960.0, 1920.0, 7680.0,
];
const TOKENS: &[f64] = &[1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0];

impl Metrics {
    pub(crate) fn new() -> Metrics {
        Metrics {
            running: 0,
            waiting: 0,
            kv_cache_usage: 0.0,
            preemptions: 0,
            prompt_tokens: 0,
            generation_tokens: 0,
            finished_by_length: 0,
            stopped: 0,
            aborted: 0,
            prompt_lengths: Histogram::new(TOKENS),
            answer_lengths: Histogram::new(TOKENS),
            time_to_first_token: Histogram::new(TIME_TO_FIRST_TOKEN_S),
            inter_token_latency: Histogram::new(INTER_TOKEN_LATENCY_S),
            time_per_output_token: Histogram::new(INTER_TOKEN_LATENCY_S),
            queue_time: Histogram::new(REQUEST_S),
            prefill_time: Histogram::new(REQUEST_S),
            decode_time: Histogram::new(REQUEST_S),
            inference_time: Histogram::new(REQUEST_S),
            e2e_latency: Histogram::new(REQUEST_S),
        }
    }
}

impl Histogram {
    fn new(upper_bounds: &'static [f64]) -> Histogram {
        Histogram { upper_bounds, counts: vec![0; upper_bounds.len() + 1], sum: 0.0 }
    }

    pub(crate) fn record_ns(&mut self, elapsed_ns: Nanos) {
        self.record(elapsed_ns as f64 / 1e9);
    }

    pub(crate) fn record_tokens(&mut self, tokens: u32) {
        self.record(f64::from(tokens));
    }

    /// Every bucket with its upper bound, as in the label, and its cumulative count.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (String, u64)> {
        let bounds = self.upper_bounds.iter().map(|bound| format!("{bound:?}")).chain(["+Inf".to_owned()]);
        bounds.zip(&self.counts).scan(0, |cumulated, (bound, count)| {
            *cumulated += count;
            Some((bound, *cumulated))
        })
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn record(&mut self, value: f64) {
        let bucket = self.upper_bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_include_their_bound() {
        let mut histogram = Histogram::new(&[0.01, 0.025]);
        for elapsed_ms in [1, 10, 11, 26] {
            histogram.record_ns(elapsed_ms * 1_000_000);
        }
        let buckets: Vec<(String, u64)> = histogram.buckets().collect();
        assert_eq!(buckets, [("0.01".into(), 2), ("0.025".into(), 3), ("+Inf".into(), 4)]);
        assert_eq!(histogram.count(), 4);
        assert!((histogram.sum - 0.048).abs() < 1e-12);
    }
}
