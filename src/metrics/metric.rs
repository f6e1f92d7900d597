//! Metrics: their names and units, and which direction is better.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::figures;
use crate::text::nearest::did_you_mean;

/// A number that a scenario yields and a gate can check, such as `ttft_ms_p95` or `output_tokens_per_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    Rate(Rate),
    Latency(Latency, Stat),
}

/// One value per round or session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::enum_variant_names)]
pub enum Rate {
    OutputTokensPerS,
    TotalTokensPerS,
    RequestsPerS,
    SuccessRate,
}

/// A time in milliseconds that every successful request (for ITL: every gap) yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Latency {
    Ttft,
    Tpot,
    Itl,
    E2e,
    QueueLag,
}

/// A point in a latency's distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stat {
    Mean,
    P50,
    P90,
    P95,
    P99,
    Min,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Whether requests are answered.
    Success,
    /// Queueing and prefill.
    FirstToken,
    /// The token stream: throughput, and the latencies that it determines.
    Flow,
    /// The load client itself.
    Client,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

impl Metric {
    /// A value for people: `2412`, `38.2`, `99.5 %`.
    pub fn format(self, value: f64) -> String {
        match self {
            Metric::Rate(Rate::SuccessRate) => figures::percent(value),
            _ => figures::number(value),
        }
    }

    /// All metrics, in the order of reports.
    pub fn all() -> impl Iterator<Item = Metric> {
        let latencies = Latency::ALL
            .into_iter()
            .flat_map(|latency| Stat::ALL.into_iter().map(move |stat| Metric::Latency(latency, stat)));
        Rate::ALL.into_iter().map(Metric::Rate).chain(latencies)
    }

    pub fn better(self) -> Better {
        match self {
            Metric::Rate(_) => Better::Higher,
            Metric::Latency(..) => Better::Lower,
        }
    }

    /// Whether a gate on it may have a tolerance. A relative change of a share that should be 100 % is meaningless, and
    /// one of the client's own lateness says nothing about the engine; those take absolute limits only.
    pub fn takes_tolerance(self) -> bool {
        !matches!(self.family(), Family::Success | Family::Client)
    }

    /// Whether the value depends on how many tokens the engine chose to produce, so that it can be compared only with a
    /// fixed output length.
    pub fn needs_fixed_output_length(self) -> bool {
        match self {
            Metric::Rate(rate) => rate != Rate::SuccessRate,
            Metric::Latency(latency, _) => latency == Latency::E2e,
        }
    }

    /// Metrics of one family move together, because they are views of the same thing.
    pub fn family(self) -> Family {
        match self {
            Metric::Rate(Rate::SuccessRate) => Family::Success,
            Metric::Rate(_) => Family::Flow,
            Metric::Latency(Latency::Ttft, _) => Family::FirstToken,
            Metric::Latency(Latency::QueueLag, _) => Family::Client,
            Metric::Latency(Latency::Tpot | Latency::Itl | Latency::E2e, _) => Family::Flow,
        }
    }

    /// Its name within a sentence.
    pub fn spoken(self) -> String {
        match self {
            Metric::Rate(Rate::OutputTokensPerS) => "output throughput".into(),
            Metric::Rate(Rate::TotalTokensPerS) => "total throughput".into(),
            Metric::Rate(Rate::RequestsPerS) => "request throughput".into(),
            Metric::Rate(Rate::SuccessRate) => "success rate".into(),
            Metric::Latency(latency, stat) => format!("{} {}", stat.name(), latency.spoken()),
        }
    }
}

impl Rate {
    pub const ALL: [Rate; 4] =
        [Rate::OutputTokensPerS, Rate::TotalTokensPerS, Rate::RequestsPerS, Rate::SuccessRate];

    pub fn name(self) -> &'static str {
        match self {
            Rate::OutputTokensPerS => "output_tokens_per_s",
            Rate::TotalTokensPerS => "total_tokens_per_s",
            Rate::RequestsPerS => "requests_per_s",
            Rate::SuccessRate => "success_rate",
        }
    }
}

impl Latency {
    pub const ALL: [Latency; 5] =
        [Latency::Ttft, Latency::Tpot, Latency::Itl, Latency::E2e, Latency::QueueLag];

    pub fn name(self) -> &'static str {
        match self {
            Latency::Ttft => "ttft_ms",
            Latency::Tpot => "tpot_ms",
            Latency::Itl => "itl_ms",
            Latency::E2e => "e2e_ms",
            Latency::QueueLag => "queue_lag_ms",
        }
    }

    fn spoken(self) -> &'static str {
        match self {
            Latency::Ttft => "time to first token",
            Latency::Tpot => "time per output token",
            Latency::Itl => "inter-token latency",
            Latency::E2e => "end-to-end latency",
            Latency::QueueLag => "queue lag",
        }
    }
}

impl Stat {
    pub const ALL: [Stat; 7] = [Stat::Mean, Stat::P50, Stat::P90, Stat::P95, Stat::P99, Stat::Min, Stat::Max];

    pub fn name(self) -> &'static str {
        match self {
            Stat::Mean => "mean",
            Stat::P50 => "p50",
            Stat::P90 => "p90",
            Stat::P95 => "p95",
            Stat::P99 => "p99",
            Stat::Min => "min",
            Stat::Max => "max",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Rate(rate) => f.pad(rate.name()),
            Metric::Latency(latency, stat) => f.pad(&format!("{}_{}", latency.name(), stat.name())),
        }
    }
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Metric, UnknownMetric> {
        Metric::all().find(|metric| metric.to_string() == name).ok_or_else(|| UnknownMetric(name.to_owned()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMetric(pub String);

impl fmt::Display for UnknownMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<String> = Metric::all().map(|metric| metric.to_string()).collect();
        let help = did_you_mean(&self.0, known.iter().map(String::as_str));
        write!(f, "unknown metric `{}`: {help}", self.0)
    }
}

impl std::error::Error for UnknownMetric {}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metric, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        name.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Metric {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<String> = Metric::all().map(|metric| metric.to_string()).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_reads_back_from_its_name() {
        for metric in Metric::all() {
            assert_eq!(metric.to_string().parse(), Ok(metric));
        }
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        let error = "ttft_p95_ms".parse::<Metric>().unwrap_err();
        assert_eq!(error.to_string(), "unknown metric `ttft_p95_ms`: did you mean `ttft_ms_p95`?");
    }
}
