//! How well the load client itself felt: what makes its figures believable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;

/// The client's own lateness over a round, or merged over a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientHealth {
    /// How late a thread that sleeps until an absolute moment wakes up: the machine's part.
    pub timer_lag_ms: Distribution,
    /// How late the client's event loop takes note of something that was due: what any packet suffers before it gets
    /// its time stamp.
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
        self.timer_lag_ms.merge(&other.timer_lag_ms);
        self.loop_lag_ms.merge(&other.loop_lag_ms);
    }
}
