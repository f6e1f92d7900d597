//! The results of a benchmark, as plain numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::bench::plan::BenchPlan;
use crate::config::hash_of;
use crate::metrics::distribution::Distribution;
use crate::metrics::health::ClientHealth;
use crate::metrics::{self, Latency, Metric, Rate, Stat};
use crate::results::Session;
use crate::target::Environment;
use crate::text::figures;
use crate::verdict::{Evidence, bottleneck};

/// The results of a benchmark. Latencies and token counts cover successful requests only.
///
/// A number that could not be measured is NaN (`null` in JSON), such as [`tpot_ms`](Summary::tpot_ms) and
/// [`itl_ms`](Summary::itl_ms) of single-token responses. Comparisons with NaN are false, so
/// `assert!(summary.tpot_ms.p95 < 30.0)` fails instead of passing silently.
///
/// `{}` prints a table of throughput, success rate, and latencies, and every warning.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Name and version of the engine, such as `vllm 0.11.0`.
    pub engine: String,
    /// The model's name.
    pub model: String,
    /// Request counts by outcome.
    pub requests: RequestTotals,
    /// The time window of the rates, in s: from the first request to the end of the last response, without a ramp-up
    /// and without the tail in which users have nothing left to send.
    pub window_s: f64,
    /// Tokens of all prompts, as counted by the server.
    pub input_tokens: u64,
    /// Tokens of all responses, as counted by the server, or one per chunk if the server reports no count.
    pub output_tokens: u64,
    /// Output tokens per second within the window.
    #[serde(deserialize_with = "nan_of_null")]
    pub output_tokens_per_s: f64,
    /// Input and output tokens per second within the window.
    #[serde(deserialize_with = "nan_of_null")]
    pub total_tokens_per_s: f64,
    /// Successful requests per second within the window.
    #[serde(deserialize_with = "nan_of_null")]
    pub requests_per_s: f64,
    /// Successful requests as a share of those sent, from 0 to 1.
    pub success_rate: f64,
    /// Time to first token: from when the request was sent (with a rate or a trace: due) to the first content.
    pub ttft_ms: Percentiles,
    /// Time per output token after the first: (E2E − TTFT) / (output tokens − 1), one value per request.
    pub tpot_ms: Percentiles,
    /// Inter-token latency: the gaps between chunks with content, one value per gap.
    pub itl_ms: Percentiles,
    /// End-to-end latency: from the same moment as TTFT to the last content.
    pub e2e_ms: Percentiles,
    /// Why the load client may have distorted the numbers: it was busy more than 90 % of the time, or its own timing
    /// error may exceed 5 % of a p95 latency. `None` if the client was healthy.
    pub client_warning: Option<String>,
    /// Other reasons to doubt the numbers, such as token counts that differ between the engine's counters and its
    /// responses.
    pub warnings: Vec<String>,
    pub(super) measured: Measured,
}

/// Request counts by outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RequestTotals {
    /// Requests sent, including those that the engine left no room for.
    pub sent: u64,
    /// Requests that completed.
    pub succeeded: u64,
    /// All other requests.
    pub failed: u64,
    /// Requests that were due but not sent because the load client was late; not included in `sent`.
    pub late: u64,
}

/// One latency over all requests (ITL: over all gaps), in ms. All fields are NaN if `count` is 0.
///
/// Percentiles come from an HDR histogram with 0.1 % precision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Percentiles {
    /// The number of measured values.
    pub count: u64,
    /// The arithmetic mean, in ms.
    #[serde(deserialize_with = "nan_of_null")]
    pub mean: f64,
    /// The median, in ms.
    #[serde(deserialize_with = "nan_of_null")]
    pub p50: f64,
    /// The 90th percentile, in ms.
    #[serde(deserialize_with = "nan_of_null")]
    pub p90: f64,
    /// The 95th percentile, in ms.
    #[serde(deserialize_with = "nan_of_null")]
    pub p95: f64,
    /// The 99th percentile, in ms.
    #[serde(deserialize_with = "nan_of_null")]
    pub p99: f64,
    /// The smallest, in ms.
    #[serde(deserialize_with = "nan_of_null")]
    pub min: f64,
    /// The largest, in ms.
    #[serde(deserialize_with = "nan_of_null")]
    pub max: f64,
}

/// The data that gates and comparisons are judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    summary: metrics::summary::Summary,
    health: ClientHealth,
    open: bool,
    /// A fingerprint of prompts and load.
    pub(super) hash: String,
    /// What the fingerprint is of, to name what differs; empty in summaries that were stored before it existed.
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
}

/// The largest share of a p95 latency that the client's own error may account for.
const MOST_TIMING_ERROR: f64 = 0.05;

impl Summary {
    pub(super) fn of(
        session: Session,
        environment: &Environment,
        plan: &BenchPlan,
        warnings: Vec<String>,
    ) -> Summary {
        let open = plan.load.is_open();
        let hash = hash_of(&plan.workload, &plan.load, &plan.run);
        let Session { summary, health, .. } = session;
        let rate = |rate| summary.value(Metric::Rate(rate)).unwrap_or(f64::NAN);
        let latency = |latency| Percentiles::of(summary.distribution(latency));
        let requests = &summary.requests;
        Summary {
            engine: environment.engine.clone(),
            model: environment.model.clone(),
            requests: RequestTotals {
                sent: requests.sent,
                succeeded: requests.succeeded,
                failed: requests.failures(),
                late: requests.late,
            },
            window_s: summary.window_s,
            input_tokens: summary.input_tokens,
            output_tokens: summary.output_tokens,
            output_tokens_per_s: rate(Rate::OutputTokensPerS),
            total_tokens_per_s: rate(Rate::TotalTokensPerS),
            requests_per_s: rate(Rate::RequestsPerS),
            success_rate: rate(Rate::SuccessRate),
            ttft_ms: latency(Latency::Ttft),
            tpot_ms: latency(Latency::Tpot),
            itl_ms: latency(Latency::Itl),
            e2e_ms: latency(Latency::E2e),
            client_warning: client_warning(&summary, &health, open),
            warnings,
            measured: Measured { summary, health, open, hash, settings: plan.settings() },
        }
    }

    /// A metric by its name in gates, such as `ttft_ms_p95`; `None` if it was not measured.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        self.measured.summary.value(metric)
    }

    pub(super) fn evidence(&self) -> Evidence<'_> {
        let Measured { summary, health, open, .. } = &self.measured;
        Evidence { summary, health, open: *open }
    }
}

/// Lets one run be passed like several.
impl AsRef<[Summary]> for Summary {
    fn as_ref(&self) -> &[Summary] {
        std::slice::from_ref(self)
    }
}

impl Percentiles {
    fn of(times: &Distribution) -> Percentiles {
        let stat = |stat| times.stat_ms(stat).unwrap_or(f64::NAN);
        Percentiles {
            count: times.count(),
            mean: stat(Stat::Mean),
            p50: stat(Stat::P50),
            p90: stat(Stat::P90),
            p95: stat(Stat::P95),
            p99: stat(Stat::P99),
            min: stat(Stat::Min),
            max: stat(Stat::Max),
        }
    }
}

fn client_warning(summary: &metrics::summary::Summary, health: &ClientHealth, open: bool) -> Option<String> {
    if let Some(reason) = bottleneck(health) {
        return Some(reason);
    }
    let p95s =
        [Latency::Ttft, Latency::Tpot, Latency::E2e].map(|latency| Metric::Latency(latency, Stat::P95));
    p95s.into_iter().find_map(|metric| {
        let error = health.timing_error(metric, summary, open)?;
        (error > MOST_TIMING_ERROR).then(|| {
            let error = figures::percent(error);
            format!("{error} of {metric} may be the load client's own delay; the machine may be busy with other work")
        })
    })
}

fn nan_of_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::<f64>::deserialize(deserializer).map(|number| number.unwrap_or(f64::NAN))
}
