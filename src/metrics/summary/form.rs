//! Serialized form of a summary.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Rate;
use crate::metrics::distribution::Distribution;
use crate::metrics::record::TokenCount;
use crate::metrics::summary::{RequestCounts, Summary};
use crate::metrics::window::Cut;

/// Serialized form of a summary: totals, then every metric by name. Rates follow from the totals and are not read back.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Summary")]
pub struct SummaryForm {
    /// Total length of the windows for rates, summed over rounds.
    window_s: f64,
    /// What lies outside of the windows: ramp-up and tail. Counts include it; rates don't.
    #[serde(default)]
    cut: Cut,
    requests: RequestCounts,
    input_tokens: u64,
    output_tokens: u64,
    tokens_counted_by: Option<TokenCount>,
    metrics: MetricsForm,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Metrics")]
pub(crate) struct MetricsForm {
    output_tokens_per_s: Option<f64>,
    total_tokens_per_s: Option<f64>,
    requests_per_s: Option<f64>,
    success_rate: Option<f64>,
    /// Time to first token: from sending (in an open load: from when the request was due) to the first content.
    ttft_ms: Distribution,
    /// Time per output token after the first, one value per request.
    tpot_ms: Distribution,
    /// Gaps between chunks with content, one value per gap.
    itl_ms: Distribution,
    /// From the same start to the last content.
    e2e_ms: Distribution,
    /// From when a request was due until it was sent.
    queue_lag_ms: Distribution,
}

impl From<Summary> for SummaryForm {
    fn from(summary: Summary) -> SummaryForm {
        SummaryForm {
            metrics: MetricsForm {
                output_tokens_per_s: summary.rate(Rate::OutputTokensPerS),
                total_tokens_per_s: summary.rate(Rate::TotalTokensPerS),
                requests_per_s: summary.rate(Rate::RequestsPerS),
                success_rate: summary.rate(Rate::SuccessRate),
                ttft_ms: summary.ttft_ms,
                tpot_ms: summary.tpot_ms,
                itl_ms: summary.itl_ms,
                e2e_ms: summary.e2e_ms,
                queue_lag_ms: summary.queue_lag_ms,
            },
            window_s: summary.window_s,
            cut: summary.cut,
            requests: summary.requests,
            input_tokens: summary.input_tokens,
            output_tokens: summary.output_tokens,
            tokens_counted_by: summary.tokens_counted_by,
        }
    }
}

impl TryFrom<SummaryForm> for Summary {
    type Error = BadSummary;

    fn try_from(form: SummaryForm) -> Result<Summary, BadSummary> {
        form.check()?;
        Ok(Summary {
            window_s: form.window_s,
            cut: form.cut,
            requests: form.requests,
            input_tokens: form.input_tokens,
            output_tokens: form.output_tokens,
            tokens_counted_by: form.tokens_counted_by,
            ttft_ms: form.metrics.ttft_ms,
            tpot_ms: form.metrics.tpot_ms,
            itl_ms: form.metrics.itl_ms,
            e2e_ms: form.metrics.e2e_ms,
            queue_lag_ms: form.metrics.queue_lag_ms,
        })
    }
}

/// JSON numbers are exact up to here; no count is larger.
const MOST: u64 = 1 << 53;

impl SummaryForm {
    fn check(&self) -> Result<(), BadSummary> {
        let RequestCounts { sent, late, succeeded, failed, ended_by_length, reconnects } = &self.requests;
        let counts = [*sent, *late, *succeeded, *reconnects, self.input_tokens, self.output_tokens];
        if let Some(found) = counts.iter().chain(failed.values()).find(|count| **count > MOST) {
            return Err(BadSummary::TooMany(*found));
        }
        let failed: u64 = failed.values().sum();
        if succeeded + failed > *sent || ended_by_length > succeeded {
            let (sent, succeeded, ended_by_length) = (*sent, *succeeded, *ended_by_length);
            return Err(BadSummary::Contradiction { sent, succeeded, failed, ended_by_length });
        }
        if self.window_s.is_nan() || self.window_s < 0.0 {
            return Err(BadSummary::Window(self.window_s));
        }
        let Cut { seconds, requests, input_tokens, output_tokens } = self.cut;
        let cut = [
            ("requests", requests, *succeeded),
            ("input tokens", input_tokens, self.input_tokens),
            ("output tokens", output_tokens, self.output_tokens),
            ("seconds", seconds, MOST),
        ];
        // Sums of shares may be off in their last digits.
        match cut.into_iter().find(|(_, cut, of)| !(0.0..=*of as f64 + 1e-3).contains(cut)) {
            None => Ok(()),
            Some((what, cut, of)) => Err(BadSummary::Cut { what, cut, of }),
        }
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum BadSummary {
    #[error("expected counts of requests and tokens up to 2^53, found {0}")]
    TooMany(u64),
    #[error(
        "the counts of requests contradict each other: {sent} sent, {succeeded} succeeded, {failed} failed, \
         {ended_by_length} ended by length"
    )]
    Contradiction { sent: u64, succeeded: u64, failed: u64, ended_by_length: u64 },
    #[error("expected window_s to be 0 or more, found {0}")]
    Window(f64),
    #[error("expected 0 to {of} {what} outside of the windows, found {cut}")]
    Cut { what: &'static str, cut: f64, of: u64 },
}
