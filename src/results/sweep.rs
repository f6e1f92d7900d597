//! The report of a sweep: one load after another on one or several targets.

#[cfg(test)]
pub mod example;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::metrics::Metric;
use crate::metrics::summary::Summary;
use crate::metrics::timeline::{BUCKETS, Timeline};
use crate::results::limits::{Goodput, Limits};
use crate::results::{Kind, Run, Session};
use crate::target::Environment;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    pub kind: Kind,
    /// Of this format.
    pub version: u32,
    pub run: Run,
    /// What was asked, in words: `128 input tokens, 128 output tokens, seed 1`.
    pub workload: String,
    /// The workload's hash: sweeps of the same one asked the same.
    pub workload_hash: String,
    /// What [`Level::at`] counts.
    pub axis: Axis,
    /// What every level is held against; none if none were given.
    pub limits: Limits,
    /// Whether all targets ran at once and took turns level by level; else one after another.
    pub interleaved: bool,
    /// Whether it was cut off by Ctrl-C.
    pub interrupted: bool,
    pub targets: Vec<SweptTarget>,
    pub warnings: Vec<String>,
}

/// What a sweep's levels differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Users of a closed loop.
    Users,
    /// Requests per second of an open one.
    RequestsPerS,
}

/// One target's curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweptTarget {
    pub name: String,
    /// Absent where it could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// In rising order.
    pub levels: Vec<Level>,
    /// Where it starts to slow down, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knee: Option<Knee>,
    /// [`Level::at`] of the last level before the first that misses a limit; absent if the lowest does, or there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meets_limits_up_to: Option<f64>,
    /// Why there is not more of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    pub warnings: Vec<String>,
}

/// One load on one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Users, or requests per second: see [`Sweep::axis`].
    pub at: f64,
    pub load: Load,
    /// All of its sessions as one.
    pub summary: Summary,
    /// Where limits were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Goodput>,
    /// Of the first session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    pub sessions: Vec<Session>,
}

/// Where a target starts to slow down: between these two levels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Knee {
    /// The last level that still scales.
    pub after: f64,
    /// The first level that doesn't.
    pub by: f64,
    /// What one more user (or request per second) brought between them, relative to what each brought at the lowest
    /// level.
    pub gain: f64,
}

impl Axis {
    /// As a table's head or a chart's axis has it.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Users => "users",
            Axis::RequestsPerS => "requests/s",
        }
    }

    /// A level as people call it: `1 user`, `8 users`, `2.5 requests/s`.
    pub fn level(self, at: f64) -> String {
        match self {
            Axis::Users if at == 1.0 => "1 user".into(),
            _ => format!("{at} {}", self.name()),
        }
    }
}

impl Level {
    /// One value per session; where there is but one session, one per round.
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        let summaries: Vec<&Summary> = match self.sessions.as_slice() {
            [session] => session.rounds.iter().map(|round| &round.summary).collect(),
            sessions => sessions.iter().map(|session| &session.summary).collect(),
        };
        summaries.into_iter().filter_map(|summary| summary.value(metric)).collect()
    }

    /// Whether [`Level::values`] are sessions, and so contain what restarts scatter.
    pub fn has_sessions(&self) -> bool {
        self.sessions.len() > 1
    }
}

impl Sweep {
    /// What its types can't tell: that levels rise, and that lists which belong together are of one length.
    pub fn check(&self) -> Result<(), String> {
        for (number, target) in self.targets.iter().enumerate() {
            let at: Vec<f64> = target.levels.iter().map(|level| level.at).collect();
            let rise =
                at.iter().all(|at| at.is_finite() && *at > 0.0) && at.windows(2).all(|two| two[0] < two[1]);
            if !rise {
                return Err(format!(
                    "expected targets[{number}].levels above 0 and in rising order, found {at:?}"
                ));
            }
            for (of, level) in target.levels.iter().enumerate() {
                if level.timeline.as_ref().is_some_and(|timeline| !timeline.is_consistent()) {
                    return Err(format!(
                        "expected the lists of targets[{number}].levels[{of}].timeline to be of one length, up to \
                         {BUCKETS}, and its bucket_s above 0"
                    ));
                }
            }
        }
        Ok(())
    }
}
