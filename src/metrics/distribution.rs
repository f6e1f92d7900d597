//! A distribution of times: the only place where percentiles come from.

use std::fmt;
use std::str::FromStr;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Stat;

/// Times in milliseconds. Percentiles come from a histogram of microseconds with three significant digits, so that
/// distributions merge without loss; count, mean, standard deviation, minimum, and maximum are exact.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(into = "DistributionForm", try_from = "DistributionForm")]
#[schemars(with = "DistributionForm")]
pub struct Distribution {
    histogram: Histogram<u64>,
    mean: f64,
    /// Sum of squared distances from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

const US_PER_MS: f64 = 1000.0;
const DAY_US: f64 = 86_400e6;
/// The histogram bucket that contains one day ends slightly later.
const MOST_US: u64 = (DAY_US * 1.001) as u64;

impl Distribution {
    pub fn new() -> Distribution {
        let mut histogram = Histogram::new(3).expect("three significant digits are supported");
        histogram.auto(true);
        Distribution { histogram, mean: 0.0, squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }

    pub fn record_ns(&mut self, ns: u64) {
        self.record_ms(ns as f64 / 1e6);
    }

    pub fn record_ms(&mut self, ms: f64) {
        self.histogram.record(microseconds(ms)).expect("the histogram resizes itself");
        let count = self.count() as f64;
        let delta = ms - self.mean;
        self.mean += delta / count;
        self.squares += delta * (ms - self.mean);
        self.min = self.min.min(ms);
        self.max = self.max.max(ms);
    }

    /// Adds another distribution's times, as if they had been recorded here.
    ///
    /// Merges mean and variance as in Chan, Golub, and LeVeque (1979), "Updating formulae and a pairwise algorithm for
    /// computing sample variances".
    pub fn merge(&mut self, other: &Distribution) {
        if other.is_empty() {
            return;
        }
        let (a, b) = (self.count() as f64, other.count() as f64);
        let delta = other.mean - self.mean;
        self.mean += delta * b / (a + b);
        self.squares += other.squares + delta * delta * a * b / (a + b);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.histogram.add(&other.histogram).expect("both histograms resize themselves");
    }

    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    pub fn is_empty(&self) -> bool {
        self.histogram.is_empty()
    }

    pub fn mean_ms(&self) -> f64 {
        self.mean
    }

    pub fn stddev_ms(&self) -> f64 {
        match self.count() {
            0 | 1 => 0.0,
            count => (self.squares / (count - 1) as f64).sqrt(),
        }
    }

    /// The smallest time that at least a share `quantile` of all times do not exceed, to within the histogram's 0.1 %.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        let us = self.histogram.value_at_quantile(quantile);
        let middle = self.histogram.median_equivalent(us) as f64 / US_PER_MS;
        middle.clamp(self.min, self.max)
    }

    /// `None` if nothing was recorded.
    pub fn stat_ms(&self, stat: Stat) -> Option<f64> {
        (!self.is_empty()).then(|| match stat {
            Stat::Mean => self.mean,
            Stat::P50 => self.quantile_ms(0.50),
            Stat::P90 => self.quantile_ms(0.90),
            Stat::P95 => self.quantile_ms(0.95),
            Stat::P99 => self.quantile_ms(0.99),
            Stat::Min => self.min,
            Stat::Max => self.max,
        })
    }
}

/// No request takes a day; the bound keeps a broken clock from requesting memory for a century.
fn microseconds(ms: f64) -> u64 {
    (ms * US_PER_MS).round().clamp(0.0, DAY_US) as u64
}

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution::new()
    }
}

impl PartialEq for Distribution {
    fn eq(&self, other: &Distribution) -> bool {
        self.histogram == other.histogram && self.mean == other.mean && self.squares == other.squares
    }
}

/// Serialized form of a distribution: figures for people, and the histogram that merges. All fields but `count` and
/// `histogram_us` are absent if nothing was recorded.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Distribution")]
struct DistributionForm {
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stddev: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p90: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p95: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99: Option<f64>,
    /// `microseconds:count`, separated by spaces.
    histogram_us: String,
}

impl From<Distribution> for DistributionForm {
    fn from(distribution: Distribution) -> DistributionForm {
        let stat = |stat| distribution.stat_ms(stat);
        DistributionForm {
            count: distribution.count(),
            mean: stat(Stat::Mean),
            min: stat(Stat::Min),
            max: stat(Stat::Max),
            stddev: (!distribution.is_empty()).then(|| distribution.stddev_ms()),
            p50: stat(Stat::P50),
            p90: stat(Stat::P90),
            p95: stat(Stat::P95),
            p99: stat(Stat::P99),
            histogram_us: buckets_to_string(&distribution.histogram),
        }
    }
}

impl TryFrom<DistributionForm> for Distribution {
    type Error = BadHistogram;

    fn try_from(form: DistributionForm) -> Result<Distribution, BadHistogram> {
        let mut distribution = Distribution::new();
        for bucket in form.histogram_us.split_whitespace() {
            let (us, count) = bucket
                .split_once(':')
                .and_then(|(us, count)| Some((u64::from_str(us).ok()?, u64::from_str(count).ok()?)))
                .filter(|(us, _)| *us <= MOST_US)
                .ok_or_else(|| BadHistogram::Bucket(bucket.to_owned()))?;
            let recorded = distribution.histogram.record_n(us, count);
            recorded.map_err(|_| BadHistogram::Bucket(bucket.to_owned()))?;
        }
        if distribution.count() != form.count {
            return Err(BadHistogram::Count { stated: form.count, found: distribution.count() });
        }
        if form.count > 0 {
            let (Some(mean), Some(min), Some(max), Some(stddev)) =
                (form.mean, form.min, form.max, form.stddev)
            else {
                return Err(BadHistogram::Missing);
            };
            // Keep percentiles within the exact ends.
            let histogram = &distribution.histogram;
            let is_at = |ms: f64, us: u64| histogram.equivalent(microseconds(ms), us);
            let are_ends = is_at(min, histogram.min()) && is_at(max, histogram.max());
            // A mean comes from a sum and may be off by rounding.
            let is_between = min * (1.0 - 1e-9) <= mean && mean <= max * (1.0 + 1e-9);
            if !(are_ends && min <= max && is_between && stddev >= 0.0) {
                return Err(BadHistogram::Contradiction { min, mean, max, stddev });
            }
            distribution.mean = mean;
            distribution.squares = stddev * stddev * (form.count - 1) as f64;
            distribution.min = min;
            distribution.max = max;
        }
        Ok(distribution)
    }
}

fn buckets_to_string(histogram: &Histogram<u64>) -> String {
    let buckets: Vec<String> = histogram
        .iter_recorded()
        .map(|bucket| format!("{}:{}", bucket.value_iterated_to(), bucket.count_at_value()))
        .collect();
    buckets.join(" ")
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum BadHistogram {
    #[error("expected histogram buckets as `microseconds:count`, found `{0}`")]
    Bucket(String),
    #[error("the histogram holds {found} times but `count` says {stated}")]
    Count { stated: u64, found: u64 },
    #[error("a distribution with a count needs mean, min, max, and stddev")]
    Missing,
    #[error("min {min}, mean {mean}, max {max}, and stddev {stddev} don't match the histogram")]
    Contradiction { min: f64, mean: f64, max: f64, stddev: f64 },
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let p = |quantile| self.quantile_ms(quantile);
        write!(f, "p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", p(0.50), p(0.95), p(0.99))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Distribution {
        let mut distribution = Distribution::new();
        values.into_iter().for_each(|ms| distribution.record_ms(ms));
        distribution
    }

    #[test]
    fn a_quantile_is_within_a_thousandth() {
        let distribution = of((1..=1000).map(f64::from));
        let p95 = distribution.quantile_ms(0.95);
        assert!((p95 / 950.0 - 1.0).abs() < 1e-3, "{p95}");
    }

    #[test]
    fn merging_equals_recording_everything_in_one() {
        let (a, b) = ((1..500).map(|i| f64::from(i) * 0.37), (1..300).map(|i| f64::from(i * i) * 0.01));
        let whole = of(a.clone().chain(b.clone()));
        let mut merged = of(a);
        merged.merge(&of(b));
        assert_eq!(merged.histogram, whole.histogram);
        assert!((merged.mean_ms() - whole.mean_ms()).abs() < 1e-9);
        assert!((merged.stddev_ms() - whole.stddev_ms()).abs() < 1e-9);
    }

    #[test]
    fn merging_an_empty_distribution_changes_nothing() {
        let some = of([3.0, 4.0]);
        let mut empty = Distribution::new();
        empty.merge(&some);
        assert_eq!(empty, some);
        empty.merge(&Distribution::new());
        assert_eq!(empty, some);
    }

    #[test]
    fn a_written_distribution_reads_back_with_its_quantiles() {
        let distribution = of((1..=1000).map(|i| f64::from(i) * 1.7));
        let json = serde_json::to_string(&distribution).unwrap();
        let back: Distribution = serde_json::from_str(&json).unwrap();
        assert_eq!(back.histogram, distribution.histogram);
        assert!((back.stddev_ms() - distribution.stddev_ms()).abs() < 1e-6);
    }

    #[test]
    fn a_damaged_histogram_is_rejected() {
        let json = r#"{"count":2,"mean":1.0,"min":1.0,"max":1.0,"stddev":0.0,"histogram_us":"1000:1"}"#;
        let error = serde_json::from_str::<Distribution>(json).unwrap_err();
        assert!(error.to_string().contains("holds 1 times but `count` says 2"), "{error}");
    }

    #[test]
    fn a_min_or_max_outside_the_histogram_is_rejected() {
        let written = |min: f64, max: f64| {
            format!(
                r#"{{"count":2,"mean":1.5,"min":{min:?},"max":{max:?},"stddev":0.7,"histogram_us":"1000:1 2000:1"}}"#
            )
        };
        assert!(serde_json::from_str::<Distribution>(&written(1.0, 2.0)).is_ok());
        for (min, max) in [(2.0, 1.0), (0.5, 2.0), (1.0, 2.5), (1.0, 1.0)] {
            let error = serde_json::from_str::<Distribution>(&written(min, max)).unwrap_err();
            assert!(error.to_string().contains("don't match the histogram"), "{error}");
        }
    }

    #[test]
    fn an_empty_distribution_has_no_figures() {
        assert_eq!(of([]).stat_ms(Stat::P95), None);
        assert_eq!(serde_json::to_string(&Distribution::new()).unwrap(), r#"{"count":0,"histogram_us":""}"#);
    }
}
