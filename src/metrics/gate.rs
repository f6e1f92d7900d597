//! What a scenario requires of a metric.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Metric;

/// A metric with a tolerance, absolute limits, or both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub metric: Metric,
    /// How much worse the metric may become, relative to the baseline: 0.03 is 3 %.
    pub tolerance: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}
