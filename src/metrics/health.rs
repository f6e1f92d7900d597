//! The load client's own health, which decides whether its figures are trustworthy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::distribution::Distribution;
use crate::metrics::summary::Summary;
use crate::metrics::{Latency, Metric, Rate, Stat};

// Unknown fields are accepted: reports up to version 2 have more of them.
/// The client's own lateness over a round, or merged over a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientHealth {
    /// How late the client's event loop notices that something was due, including stalls of the whole process: the time
    /// that any packet waits before it is read, and an upper bound on how late it is timestamped.
    pub loop_lag_ms: Distribution,
    /// Share of the time that the client's thread was computing; near 1, the client is the bottleneck.
    pub cpu_share: f64,
    /// How long the client was watched.
    pub watched_s: f64,
}

impl ClientHealth {
    pub fn merge(&mut self, other: &ClientHealth) {
        let watched_s = self.watched_s + other.watched_s;
        if watched_s > 0.0 {
            self.cpu_share =
                (self.cpu_share * self.watched_s + other.cpu_share * other.watched_s) / watched_s;
        }
        self.watched_s = watched_s;
        self.loop_lag_ms.merge(&other.loop_lag_ms);
    }

    /// How far the client's own lateness may have shifted a metric, relative to the metric; `None` if that is
    /// undefined, as for a metric of 0.
    ///
    /// A latency may be late by as much as the event loop was, taken at the same point of the distribution: in the
    /// worst case, the late moments hit the slow requests. If the latency counts from when a request was due (`open`),
    /// it may instead be late by the client's delay in getting to the request, if that is larger; the time to open a
    /// connection is not the client's fault. A rate in a closed loop loses the mean lateness of every request, because
    /// the user's next one starts that much later; an open load loses less, because nothing waits for a response. TPOT
    /// is a mean over a response's gaps, which share the lateness of its two ends.
    pub fn timing_error(&self, metric: Metric, summary: &Summary, open: bool) -> Option<f64> {
        let late_ms = |stat| self.loop_lag_ms.stat_ms(stat);
        let (late_ms, of_ms) = match metric {
            Metric::Rate(Rate::SuccessRate) => return None,
            // All of it is the client's own.
            Metric::Latency(Latency::QueueLag, _) => return Some(1.0),
            Metric::Rate(_) => (late_ms(Stat::Mean)?, summary.e2e_ms.stat_ms(Stat::Mean)?),
            Metric::Latency(latency, stat) => {
                let late_ms = match latency {
                    Latency::Tpot => late_ms(stat)? / summary.gaps_per_answer(),
                    Latency::Ttft | Latency::E2e if open => {
                        late_ms(stat)?.max(summary.queue_lag_ms.stat_ms(stat).unwrap_or(0.0))
                    }
                    _ => late_ms(stat)?,
                };
                (late_ms, summary.distribution(latency).stat_ms(stat)?)
            }
        };
        (of_ms > 0.0).then(|| late_ms / of_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ms: &[f64]) -> Distribution {
        let mut times = Distribution::new();
        ms.iter().for_each(|ms| times.record_ms(*ms));
        times
    }

    fn error(metric: &str, summary: &Summary, open: bool) -> Option<f64> {
        let health = ClientHealth { loop_lag_ms: times(&[1.0]), ..ClientHealth::default() };
        health.timing_error(metric.parse().unwrap(), summary, open)
    }

    #[test]
    fn queue_lag_counts_only_in_latencies_of_open_loads() {
        let summary = Summary {
            ttft_ms: times(&[100.0]),
            e2e_ms: times(&[1000.0]),
            itl_ms: times(&[10.0]),
            queue_lag_ms: times(&[50.0]),
            ..Summary::default()
        };
        let of = |metric| [false, true].map(|open| error(metric, &summary, open));
        assert_eq!(of("ttft_ms_p95"), [Some(0.01), Some(0.5)]);
        assert_eq!(of("e2e_ms_mean"), [Some(0.001), Some(0.05)]);
        // Counted from chunk to chunk, or by the window, and not from when a request was due.
        assert_eq!(of("itl_ms_p95"), [Some(0.1), Some(0.1)]);
        assert_eq!(of("output_tokens_per_s"), [Some(0.001), Some(0.001)]);
    }

    #[test]
    fn the_larger_lateness_counts() {
        let summary =
            Summary { ttft_ms: times(&[100.0]), queue_lag_ms: times(&[0.01]), ..Summary::default() };
        assert_eq!(error("ttft_ms_p95", &summary, true), Some(0.01));
    }

    #[test]
    fn a_metric_of_0_has_no_relative_error() {
        let summary = Summary { itl_ms: times(&[0.0, 0.0, 90.0]), ..Summary::default() };
        assert_eq!(error("itl_ms_p50", &summary, false), None);
        assert!(error("itl_ms_max", &summary, false).is_some());
    }
}
