//! The report of a sweep: one load after another on one or more targets.

#[cfg(test)]
pub(crate) mod example;

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
pub(crate) struct Sweep {
    pub kind: Kind,
    /// The version of this format.
    pub version: u32,
    pub run: Run,
    /// The workload, in words: `128 input tokens, 128 output tokens, seed 1`.
    pub workload: String,
    /// Equal for sweeps of the same workload.
    pub workload_hash: String,
    /// The unit of [`Level::at`].
    pub axis: Axis,
    /// The limits that every level is checked against; empty if none were given.
    pub limits: Limits,
    /// Whether all targets ran at the same time and alternated level by level; otherwise they ran one after another.
    pub interleaved: bool,
    /// Whether Ctrl-C cut it short.
    pub interrupted: bool,
    pub targets: Vec<SweptTarget>,
    pub warnings: Vec<String>,
}

/// The quantity that varies between a sweep's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Axis {
    /// Users of a closed loop.
    Users,
    /// Requests per second of an open load.
    RequestsPerS,
}

/// One target's curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SweptTarget {
    pub name: String,
    /// Absent if the target was not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// In ascending order.
    pub levels: Vec<Level>,
    /// Where it starts to slow down, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knee: Option<Knee>,
    /// [`Level::at`] of the last level before the first one that misses a limit; absent if the lowest level misses one,
    /// or without limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meets_limits_up_to: Option<f64>,
    /// Why there are no more levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    pub warnings: Vec<String>,
}

/// One load on one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Level {
    /// Users, or requests per second: see [`Sweep::axis`].
    pub at: f64,
    pub load: Load,
    /// All sessions combined.
    pub summary: Summary,
    /// Present if limits were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Goodput>,
    /// The first session's timeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    pub sessions: Vec<Session>,
}

/// Where a target starts to slow down: between these two levels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Knee {
    /// The last level that still scales.
    pub after: f64,
    /// The first level that doesn't.
    pub by: f64,
    /// How much each additional user (or request per second) adds between the two levels, relative to what each adds at
    /// the lowest level.
    pub gain: f64,
}

impl Axis {
    /// The unit, for table headings and axes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Axis::Users => "users",
            Axis::RequestsPerS => "requests/s",
        }
    }

    /// A level with its unit: `1 user`, `8 users`, `2.5 requests/s`.
    pub(crate) fn level(self, at: f64) -> String {
        match self {
            Axis::Users if at == 1.0 => "1 user".into(),
            _ => format!("{at} {}", self.name()),
        }
    }
}

impl Level {
    /// One value per session, or per round if there is only one session.
    pub(crate) fn values(&self, metric: Metric) -> Vec<f64> {
        let summaries: Vec<&Summary> = match self.sessions.as_slice() {
            [session] => session.rounds.iter().map(|round| &round.summary).collect(),
            sessions => sessions.iter().map(|session| &session.summary).collect(),
        };
        summaries.into_iter().filter_map(|summary| summary.value(metric)).collect()
    }
}

impl Sweep {
    /// Checks what the types can't express: that levels increase, and that related lists have equal lengths.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (number, target) in self.targets.iter().enumerate() {
            let at: Vec<f64> = target.levels.iter().map(|level| level.at).collect();
            let rise =
                at.iter().all(|at| at.is_finite() && *at > 0.0) && at.windows(2).all(|two| two[0] < two[1]);
            if !rise {
                return Err(format!(
                    "expected targets[{number}].levels above 0 and in ascending order, found {at:?}"
                ));
            }
            for (of, level) in target.levels.iter().enumerate() {
                if level.timeline.as_ref().is_some_and(|timeline| !timeline.is_consistent()) {
                    return Err(format!(
                        "expected the lists in targets[{number}].levels[{of}].timeline to have the same length, at most \
                         {BUCKETS}, and bucket_s to be above 0"
                    ));
                }
            }
        }
        Ok(())
    }
}
