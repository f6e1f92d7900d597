//! The limits that a user sets, and how many requests met them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::summary::{Summary, Times};
use crate::metrics::{Better, Latency, Metric, Rate, UnknownMetric};

/// Bounds such as `ttft_ms_p95=800,tpot_ms_p95=50`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Limits(pub Vec<Limit>);

/// The maximum of a latency or the minimum of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    pub metric: Metric,
    pub bound: f64,
}

/// The success rate that is required if no limit is given for it.
pub(crate) const USUAL_SUCCESS_RATE: f64 = 0.99;

/// How much of a load met the limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Goodput {
    /// Whether the load as a whole meets every limit.
    pub met: bool,
    /// Requests that succeeded within the bounds of all limits on TTFT, TPOT, and E2E, whatever their percentile.
    pub requests: u64,
    /// The share of all requests sent.
    pub share: f64,
    pub requests_per_s: f64,
}

impl Limits {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a load as a whole meets every limit. A metric without a value doesn't meet its limit. Without a limit on
    /// the success rate, [`USUAL_SUCCESS_RATE`] is required.
    pub(crate) fn are_met_by(&self, summary: &Summary) -> bool {
        let success = Metric::Rate(Rate::SuccessRate);
        let usual = Limit { metric: success, bound: USUAL_SUCCESS_RATE };
        let is_given = self.0.iter().any(|limit| limit.metric == success);
        let limits = self.0.iter().chain((!is_given).then_some(&usual));
        limits.into_iter().all(|limit| summary.value(limit.metric).is_some_and(|value| limit.admits(value)))
    }

    /// Whether one answer's times are within all bounds. A bound on a percentile of TTFT, TPOT, or E2E applies to every
    /// request here, as goodput is defined by Zhong et al. 2024, "DistServe"; a bound on a rate doesn't apply to a
    /// request. An answer of a single token has no TPOT and can't miss a bound on it.
    pub(crate) fn admit(&self, times: &Times) -> bool {
        self.0.iter().all(|limit| {
            let Metric::Latency(latency, _) = limit.metric else { return true };
            let ms = match latency {
                Latency::Ttft => times.ttft_ms(),
                Latency::Tpot => times.tpot_ms,
                Latency::E2e => Some(times.e2e_ms()),
                Latency::Itl | Latency::QueueLag => None,
            };
            ms.is_none_or(|ms| limit.admits(ms))
        })
    }
}

impl Limit {
    fn admits(&self, value: f64) -> bool {
        match self.metric.better() {
            Better::Lower => value <= self.bound,
            Better::Higher => value >= self.bound,
        }
    }
}

impl Goodput {
    /// `within` is how many of the summary's requests met the bounds.
    pub(crate) fn of(limits: &Limits, within: u64, summary: &Summary) -> Goodput {
        let per = |whole: u64| if whole > 0 { within as f64 / whole as f64 } else { 0.0 };
        let requests_per_s = summary.value(Metric::Rate(Rate::RequestsPerS)).unwrap_or(0.0);
        Goodput {
            met: limits.are_met_by(summary),
            requests: within,
            share: per(summary.requests.sent),
            requests_per_s: per(summary.requests.succeeded) * requests_per_s,
        }
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum BadLimit {
    #[error("expected METRIC=BOUND such as ttft_ms_p95=800, found `{0}`")]
    Form(String),
    #[error(transparent)]
    Metric(#[from] UnknownMetric),
    #[error("the bound of {metric} is `{found}`: expected a number greater than 0")]
    Bound { metric: Metric, found: String },
    #[error("{0} is given twice")]
    Twice(Metric),
}

impl FromStr for Limits {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Limits, BadLimit> {
        let mut limits = Limits::default();
        for part in text.split(',') {
            let limit = limit(part.trim())?;
            if limits.0.iter().any(|other| other.metric == limit.metric) {
                return Err(BadLimit::Twice(limit.metric));
            }
            limits.0.push(limit);
        }
        Ok(limits)
    }
}

fn limit(text: &str) -> Result<Limit, BadLimit> {
    let (metric, bound) = text.split_once('=').ok_or_else(|| BadLimit::Form(text.to_owned()))?;
    let metric: Metric = metric.trim().parse()?;
    let found = bound.trim();
    match found.parse::<f64>() {
        Ok(bound) if bound.is_finite() && bound > 0.0 => Ok(Limit { metric, bound }),
        _ => Err(BadLimit::Bound { metric, found: found.to_owned() }),
    }
}

/// `ttft_ms_p95 ≤ 800`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.metric.better() {
            Better::Lower => '≤',
            Better::Higher => '≥',
        };
        write!(f, "{} {sign} {}", self.metric, self.metric.format(self.bound))
    }
}

/// `ttft_ms_p95 ≤ 800, tpot_ms_p95 ≤ 50`.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits: Vec<String> = self.0.iter().map(Limit::to_string).collect();
        f.write_str(&limits.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::summary::RequestCounts;

    fn limits() -> Limits {
        "ttft_ms_p95=100, tpot_ms_p95=20".parse().unwrap()
    }

    fn times(ttft_ms: u64, tpot_ms: Option<f64>) -> Times {
        Times { e2e_ns: 900_000_000, ttft_ns: Some(ttft_ms * 1_000_000), tpot_ms }
    }

    #[test]
    fn a_good_request_is_within_every_bound() {
        assert!(limits().admit(&times(100, Some(20.0))));
        assert!(!limits().admit(&times(101, Some(20.0))));
        assert!(!limits().admit(&times(100, Some(20.1))));
    }

    #[test]
    fn a_single_token_can_not_miss_a_bound_on_tpot() {
        assert!(limits().admit(&times(100, None)));
    }

    #[test]
    fn a_load_with_failed_requests_does_not_meet_its_limits() {
        let mut summary = Summary::default();
        for ms in 1..=100 {
            summary.ttft_ms.record_ms(f64::from(ms) / 2.0);
            summary.tpot_ms.record_ms(10.0);
        }
        summary.requests = RequestCounts { sent: 100, succeeded: 100, ..RequestCounts::default() };
        assert!(limits().are_met_by(&summary));
        summary.requests.sent = 110;
        assert!(!limits().are_met_by(&summary));
    }

    #[test]
    fn without_figures_no_limit_is_met() {
        assert!(!limits().are_met_by(&Summary::default()));
    }

    #[test]
    fn errors_say_what_was_expected() {
        let error = |text: &str| text.parse::<Limits>().unwrap_err().to_string();
        assert_eq!(
            error("ttft_ms_p95"),
            "expected METRIC=BOUND such as ttft_ms_p95=800, found `ttft_ms_p95`"
        );
        assert_eq!(error("ttft_ms_p59=1"), "unknown metric `ttft_ms_p59`: did you mean `ttft_ms_p95`?");
        assert_eq!(
            error("ttft_ms_p95=-1"),
            "the bound of ttft_ms_p95 is `-1`: expected a number greater than 0"
        );
        assert_eq!(error("ttft_ms_p95=1,ttft_ms_p95=2"), "ttft_ms_p95 is given twice");
    }

    #[test]
    fn limits_are_shown_as_inequalities() {
        let limits: Limits = "ttft_ms_p95=800,output_tokens_per_s=120".parse().unwrap();
        assert_eq!(limits.to_string(), "ttft_ms_p95 ≤ 800, output_tokens_per_s ≥ 120");
    }
}
