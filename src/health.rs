//! How well the load client itself felt: what makes its figures believable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;
use crate::metric::{Latency, Metric, Rate, Stat};
use crate::summary::Summary;

// Fields that are not known are not refused: reports up to version 2 have more of them.
/// The client's own lateness over a round, or merged over a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientHealth {
    /// How late the client's event loop takes note of something that was due, its whole process's stalls included: what
    /// any packet waits before it is read, and the most that it can be dated late by.
    pub loop_lag_ms: Distribution,
    /// The share of the time that the client's thread computed: near 1 it is the bottleneck.
    pub cpu_share: f64,
    /// How long it was watched.
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

    /// How far the client's own lateness may have shifted a metric, relative to it.
    ///
    /// A latency is late by as much as the event loop was, taken at the same point of the distribution: in the worst
    /// case the late moments fell on the slow requests. A rate in a closed loop loses the mean lateness of every
    /// request, since the user's next one starts that much later. TPOT is a mean over an answer's gaps, which share
    /// the lateness of its two ends.
    pub fn timing_error(&self, metric: Metric, summary: &Summary) -> Option<f64> {
        let mean_lag_ms = self.loop_lag_ms.stat_ms(Stat::Mean)?;
        match metric {
            Metric::Rate(Rate::SuccessRate) => None,
            Metric::Rate(_) => Some(mean_lag_ms / summary.e2e_ms.stat_ms(Stat::Mean)?),
            Metric::Latency(Latency::Tpot, stat) => {
                let gaps = (summary.output_tokens as f64 / summary.requests.succeeded as f64 - 1.0).max(1.0);
                Some(self.loop_lag_ms.stat_ms(stat)? / gaps / summary.tpot_ms.stat_ms(stat)?)
            }
            // All of it is the client's own.
            Metric::Latency(Latency::QueueLag, _) => Some(1.0),
            Metric::Latency(latency, stat) => {
                Some(self.loop_lag_ms.stat_ms(stat)? / summary.distribution(latency).stat_ms(stat)?)
            }
        }
    }
}
