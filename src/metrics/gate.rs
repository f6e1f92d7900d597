//! What a scenario requires of a metric.

use std::borrow::Cow;
use std::ops::Deref;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::metrics::{Better, Metric, Rate};
use crate::units::Percent;

/// A gate that can be judged: the only way to one is [`Gate::new`]. It reads like the [`GateSpec`] it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "GateSpec")]
pub struct Gate(GateSpec);

/// A metric with a tolerance, absolute limits, or both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Gate", deny_unknown_fields)]
pub struct GateSpec {
    pub metric: Metric,
    /// How much worse the metric may become, relative to the baseline: 0.03 is 3 %.
    pub tolerance: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// Why a gate could not be judged.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum GateError {
    #[error("the gate on `{0}` has no limit")]
    NoLimit(Metric),
    #[error("`{}` takes no tolerance: {}", .0, why_no_tolerance(*.0))]
    NoTolerance(Metric),
    #[error("a tolerance must be greater than 0")]
    Tolerance(f64),
    #[error("a tolerance of 100% or more on `{0}` could never be exceeded")]
    NeverExceeded(Metric),
    #[error("`max` makes no sense for {}: more of it is better", .0.spoken())]
    Max(Metric),
    #[error("`min` makes no sense for {}: less of it is better", .0.spoken())]
    Min(Metric),
    #[error("`{}` must be a number greater than 0", limit_key(*.0))]
    Limit(Metric, f64),
    #[error("{} is a share from 0 to 1, so `min = {}` can't be reached", .0.spoken(), .1)]
    Unreachable(Metric, f64),
}

/// A gate that can't be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{gate}` is no gate: {why}")]
pub struct MalformedGate {
    gate: String,
    why: String,
}

const EXPECTED: &str =
    "expected METRIC <= LIMIT, METRIC >= LIMIT or METRIC within PERCENT%, such as \"ttft_ms_p95 <= 800\"";

impl Gate {
    /// # Errors
    /// If nothing could break the gate, if nothing could pass it, or if its metric takes no such limit.
    pub fn new(spec: GateSpec) -> Result<Gate, GateError> {
        let GateSpec { metric, tolerance, min, max } = spec;
        if let Some(tolerance) = tolerance {
            check_tolerance(metric, tolerance)?;
        }
        let limit = match (metric.better(), min, max) {
            (Better::Higher, _, Some(_)) => return Err(GateError::Max(metric)),
            (Better::Lower, Some(_), _) => return Err(GateError::Min(metric)),
            (Better::Higher, limit, None) | (Better::Lower, None, limit) => limit,
        };
        match limit {
            Some(limit) if !limit.is_finite() || limit <= 0.0 => Err(GateError::Limit(metric, limit)),
            Some(limit) if metric == Metric::Rate(Rate::SuccessRate) && limit > 1.0 => {
                Err(GateError::Unreachable(metric, limit))
            }
            None if tolerance.is_none() => Err(GateError::NoLimit(metric)),
            _ => Ok(Gate(spec)),
        }
    }

    /// A gate on how much worse a metric may become.
    ///
    /// # Errors
    /// As [`Gate::new`].
    pub fn relative(metric: Metric, tolerance: f64) -> Result<Gate, GateError> {
        Gate::new(GateSpec { metric, tolerance: Some(tolerance), min: None, max: None })
    }

    /// The gate that every scenario has unless it says otherwise: an engine that fails fast must not look fast.
    pub fn every_request_succeeds() -> Gate {
        Gate(GateSpec { metric: Metric::Rate(Rate::SuccessRate), tolerance: None, min: Some(1.0), max: None })
    }
}

impl Deref for Gate {
    type Target = GateSpec;

    fn deref(&self) -> &GateSpec {
        &self.0
    }
}

impl JsonSchema for Gate {
    fn schema_name() -> Cow<'static, str> {
        GateSpec::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        GateSpec::json_schema(generator)
    }
}

impl TryFrom<GateSpec> for Gate {
    type Error = GateError;

    fn try_from(spec: GateSpec) -> Result<Gate, GateError> {
        Gate::new(spec)
    }
}

/// `METRIC <= LIMIT`, `METRIC >= LIMIT` or `METRIC within PERCENT%`.
impl FromStr for Gate {
    type Err = MalformedGate;

    fn from_str(text: &str) -> Result<Gate, MalformedGate> {
        read(text).map_err(|why| MalformedGate { gate: text.to_owned(), why })
    }
}

fn read(text: &str) -> Result<Gate, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [metric, operator, value] = words[..] else {
        return Err(EXPECTED.into());
    };
    let metric: Metric = metric.parse().map_err(|unknown| format!("{unknown}"))?;
    let number = || value.parse::<f64>().map_err(|_| format!("`{value}` is not a number"));
    let spec = GateSpec { metric, tolerance: None, min: None, max: None };
    let spec = match (operator, metric.better()) {
        ("<=", Better::Lower) => GateSpec { max: Some(number()?), ..spec },
        (">=", Better::Higher) => GateSpec { min: Some(number()?), ..spec },
        ("within", _) => {
            let Percent(tolerance) = value.parse::<Percent>().map_err(|error| error.to_string())?;
            GateSpec { tolerance: Some(tolerance), ..spec }
        }
        ("<=", Better::Higher) => return Err(format!("more {} is better: write >=", metric.spoken())),
        (">=", Better::Lower) => return Err(format!("less {} is better: write <=", metric.spoken())),
        _ => return Err(EXPECTED.into()),
    };
    Gate::new(spec).map_err(|error| error.to_string())
}

fn check_tolerance(metric: Metric, tolerance: f64) -> Result<(), GateError> {
    if !metric.takes_tolerance() {
        return Err(GateError::NoTolerance(metric));
    }
    if !tolerance.is_finite() || tolerance <= 0.0 {
        return Err(GateError::Tolerance(tolerance));
    }
    if tolerance >= 1.0 && metric.better() == Better::Higher {
        return Err(GateError::NeverExceeded(metric));
    }
    Ok(())
}

fn why_no_tolerance(metric: Metric) -> &'static str {
    match metric.better() {
        Better::Higher => "it is a share that should be 1",
        Better::Lower => "it is the load client's own lateness, not the engine's",
    }
}

/// The limit that a metric takes.
fn limit_key(metric: Metric) -> &'static str {
    match metric.better() {
        Better::Higher => "min",
        Better::Lower => "max",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(metric: &str, tolerance: Option<f64>, min: Option<f64>, max: Option<f64>) -> Option<GateError> {
        Gate::new(GateSpec { metric: metric.parse().unwrap(), tolerance, min, max }).err()
    }

    #[test]
    fn a_gate_needs_a_limit() {
        assert_eq!(error("ttft_ms_p95", Some(0.1), None, Some(800.0)), None);
        assert!(matches!(error("ttft_ms_p95", None, None, None), Some(GateError::NoLimit(_))));
    }

    #[test]
    fn a_limit_is_on_the_side_of_the_worse_values() {
        assert!(matches!(error("ttft_ms_p95", None, Some(1.0), None), Some(GateError::Min(_))));
        assert!(matches!(error("requests_per_s", None, None, Some(1.0)), Some(GateError::Max(_))));
    }

    #[test]
    fn limits_and_tolerances_are_finite_and_above_zero() {
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let tolerance = error("ttft_ms_p95", Some(wrong), None, None);
            assert!(matches!(tolerance, Some(GateError::Tolerance(_))), "{wrong}");
            let max = error("ttft_ms_p95", None, None, Some(wrong));
            assert!(matches!(max, Some(GateError::Limit(..))), "{wrong}");
        }
        let never = error("requests_per_s", Some(1.0), None, None);
        assert!(matches!(never, Some(GateError::NeverExceeded(_))));
        assert_eq!(error("ttft_ms_p95", Some(1.0), None, None), None);
    }

    #[test]
    fn a_success_rate_takes_a_reachable_minimum_only() {
        assert_eq!(error("success_rate", None, Some(0.99), None), None);
        let unreachable = error("success_rate", None, Some(100.0), None);
        assert!(matches!(unreachable, Some(GateError::Unreachable(..))));
        let relative = error("success_rate", Some(0.01), None, None);
        assert!(matches!(relative, Some(GateError::NoTolerance(_))));
    }

    #[test]
    fn a_wrong_gate_can_not_be_read_from_a_report() {
        let read = |json: &str| serde_json::from_str::<Gate>(json).map_err(|error| error.to_string());
        let gate = read(r#"{"metric": "ttft_ms_p95", "tolerance": 0.1, "min": null, "max": null}"#).unwrap();
        assert_eq!(gate, Gate::relative("ttft_ms_p95".parse().unwrap(), 0.1).unwrap());
        let error = read(r#"{"metric": "ttft_ms_p95", "tolerance": -1, "min": null, "max": null}"#);
        assert_eq!(error, Err("a tolerance must be greater than 0".to_owned()));
    }
}
