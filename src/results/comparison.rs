//! The report of a comparison: how targets compare, and which one is recommended.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Metric;
use crate::metrics::summary::RequestCounts;
use crate::results::Kind;
use crate::results::limits::{Goodput, Limits};
use crate::results::sweep::{Axis, Knee};
use crate::target::Environment;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comparison {
    pub kind: Kind,
    /// The version of this format.
    pub version: u32,
    pub tollgate: String,
    /// The unit of [`ComparedLevel::at`].
    pub axis: Axis,
    pub limits: Limits,
    /// Differences between the targets other than the engine, such as their models. Shown first.
    pub caveats: Vec<String>,
    /// In the order used for every list of targets.
    pub targets: Vec<ComparedTarget>,
    /// Levels measured on more than one target, in ascending order.
    pub levels: Vec<ComparedLevel>,
    pub crossings: Vec<Crossing>,
    pub recommendation: Recommendation,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComparedTarget {
    /// Unique within the comparison.
    pub name: String,
    /// The report that it comes from.
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knee: Option<Knee>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meets_limits_up_to: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComparedLevel {
    pub at: f64,
    pub metrics: Vec<ComparedMetric>,
    /// The targets measured at this level.
    pub targets: Vec<TargetAtLevel>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetAtLevel {
    pub target: String,
    pub requests: RequestCounts,
    /// Throughput relative to what it would be if every user added as much as each does at the target's lowest level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_ideal: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Goodput>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComparedMetric {
    pub metric: Metric,
    /// The target that is better than all others; absent if there is a tie for the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winner: Option<String>,
    /// Best first.
    pub standings: Vec<Standing>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    pub target: String,
    pub value: f64,
    /// How many times worse than the best, 1 or more: 2 is half the throughput, or twice the latency.
    pub times_worse: f64,
    /// The interval of `times_worse`; absent for the best target, and if one side has only one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// Whether the difference is too small or too uncertain to count.
    pub tied_with_best: bool,
}

/// Where the curves of two targets cross.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crossing {
    pub metric: Metric,
    /// Better up to `up_to`.
    pub before: String,
    pub up_to: f64,
    /// Better from `from`.
    pub after: String,
    pub from: f64,
    /// Where the curves cross, on straight lines between the levels.
    pub at: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recommendation {
    /// As given by the user; criteria without data are left out of the scores.
    pub weights: BTreeMap<Criterion, f64>,
    /// What was left out, and why.
    pub left_out: BTreeMap<Criterion, String>,
    pub classes: Vec<ClassAdvice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Criterion {
    Performance,
    Reliability,
    Efficiency,
    Simplicity,
}

/// A traffic class, by number of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Traffic {
    /// 1 to 5.
    Low,
    /// 10 to 20.
    Medium,
    /// 50 or more.
    High,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassAdvice {
    pub traffic: Traffic,
    /// The levels that represent this class; empty if none was measured near it.
    pub levels: Vec<f64>,
    pub advice: Advice,
    /// In plain words.
    pub reasons: Vec<String>,
    /// From 0 to 100, by criterion and target.
    pub scores: BTreeMap<Criterion, BTreeMap<String, f64>>,
    /// The weighted mean of a target's scores.
    pub totals: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Advice {
    Take(String),
    TooCloseToCall(Vec<String>),
    NotMeasured,
}

impl Criterion {
    pub(crate) const ALL: [Criterion; 4] =
        [Criterion::Performance, Criterion::Reliability, Criterion::Efficiency, Criterion::Simplicity];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Criterion::Performance => "performance",
            Criterion::Reliability => "reliability",
            Criterion::Efficiency => "efficiency",
            Criterion::Simplicity => "simplicity",
        }
    }
}

impl Traffic {
    pub(crate) const ALL: [Traffic; 3] = [Traffic::Low, Traffic::Medium, Traffic::High];

    /// The lowest and the highest number of users.
    pub(crate) fn users(self) -> (f64, f64) {
        match self {
            Traffic::Low => (1.0, 5.0),
            Traffic::Medium => (10.0, 20.0),
            Traffic::High => (50.0, f64::INFINITY),
        }
    }
}

/// `low traffic (1–5 users)`.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Traffic::Low => "low traffic (1–5 users)",
            Traffic::Medium => "medium traffic (10–20 users)",
            Traffic::High => "high traffic (50 or more users)",
        })
    }
}
