//! A round, a session, or several sessions, reduced to totals and mergeable distributions.

mod form;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Load;
use crate::metrics::distribution::Distribution;
use crate::metrics::record::{Failure, FailureClass, Finish, RecordSink, RequestRecord, TokenCount};
use crate::metrics::window::{Cut, Edges, Window, WindowBuilder};
use crate::metrics::{Latency, Metric, Rate};
use crate::units::Nanos;

use form::SummaryForm;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "SummaryForm", try_from = "SummaryForm")]
#[schemars(with = "SummaryForm")]
pub struct Summary {
    /// Total length of the windows that rates are taken over, summed over rounds.
    pub window_s: f64,
    /// What lies outside of the windows. Counts include it; rates don't.
    pub cut: Cut,
    pub requests: RequestCounts,
    /// Of successful requests, like everything below.
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub tokens_counted_by: Option<TokenCount>,
    pub ttft_ms: Distribution,
    pub tpot_ms: Distribution,
    pub itl_ms: Distribution,
    pub e2e_ms: Distribution,
    /// From when a request was due until the client got to it, for all requests that were sent.
    pub queue_lag_ms: Distribution,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestCounts {
    /// Includes requests that `max_in_flight` kept from being sent, which count as failed.
    pub sent: u64,
    /// Due but not sent because the client was late. These are not the engine's failures and are in no other count.
    #[serde(default, alias = "not_sent")]
    pub late: u64,
    pub succeeded: u64,
    pub failed: BTreeMap<FailureClass, u64>,
    /// Successful requests whose response reached the requested length.
    pub ended_by_length: u64,
    /// Resent because the server had closed the idle connection that they were first sent on.
    pub reconnects: u64,
}

/// The latencies of one response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    /// From when it was sent (in an open load: due) to its last content.
    pub e2e_ns: Nanos,
    /// From the same time to its first content; `None` if responses are not streamed.
    pub ttft_ns: Option<Nanos>,
    /// (E2E − TTFT) / (tokens − 1); `None` for a single token.
    pub tpot_ms: Option<f64>,
}

/// Builds a round's summary as its requests end.
#[derive(Clone, Debug)]
pub(crate) struct SummaryBuilder {
    load: Load,
    streamed: bool,
    summary: Summary,
    /// Latencies of requests that were due before the ramp ended.
    rising: Summary,
    window: WindowBuilder,
}

impl SummaryBuilder {
    /// `streamed`: whether responses are streamed; otherwise there is no first token.
    pub(crate) fn new(load: &Load, streamed: bool) -> SummaryBuilder {
        let (summary, rising) = (Summary::default(), Summary::default());
        SummaryBuilder { load: load.clone(), streamed, summary, rising, window: WindowBuilder::new(load) }
    }

    /// There is no window if no request was sent.
    pub(crate) fn finish(self) -> (Summary, Option<Window>) {
        let Some((window, cut)) = self.window.finish() else { return (self.summary, None) };
        let summary = Summary { window_s: window.seconds(), cut, ..self.summary };
        match window.edges {
            Edges::NeverWhole => (Summary::merge([&summary, &self.rising]), Some(window)),
            Edges::Kept | Edges::Cut => (summary, Some(window)),
        }
    }
}

impl RecordSink for SummaryBuilder {
    fn begin(&mut self, at_ns: Nanos) {
        self.window.begin(at_ns);
    }

    fn take(&mut self, record: &RequestRecord) {
        self.window.take(record, self.streamed);
        self.summary.count(record);
        let latencies = if self.window.is_rising(record) { &mut self.rising } else { &mut self.summary };
        latencies.add_latencies(record, &self.load, self.streamed);
    }
}

impl Summary {
    fn count(&mut self, record: &RequestRecord) {
        if matches!(&record.outcome, Err(Failure { class: FailureClass::Late, .. })) {
            self.requests.late += 1;
            return;
        }
        self.requests.sent += 1;
        self.requests.reconnects += u64::from(record.reconnects);
        if let Err(failure) = &record.outcome {
            *self.requests.failed.entry(failure.class).or_default() += 1;
            return;
        }
        self.requests.succeeded += 1;
        self.requests.ended_by_length += u64::from(record.finish == Some(Finish::Length));
        self.input_tokens += u64::from(record.input_tokens.unwrap_or(0));
        self.output_tokens += u64::from(record.output_tokens);
        self.tokens_counted_by = self.tokens_counted_by.max(Some(record.tokens_counted_by));
    }

    fn add_latencies(&mut self, record: &RequestRecord, load: &Load, streamed: bool) {
        if record.is_sent() {
            self.queue_lag_ms.record_ns(record.taken_ns.saturating_sub(record.due_ns));
        }
        let Some(times) = Times::of(record, load, streamed) else { return };
        self.e2e_ms.record_ns(times.e2e_ns);
        let Some(ttft_ns) = times.ttft_ns else { return };
        self.ttft_ms.record_ns(ttft_ns);
        if let Some(tpot_ms) = times.tpot_ms {
            self.tpot_ms.record_ms(tpot_ms);
        }
        for gap in record.content_ns.windows(2) {
            self.itl_ms.record_ns(gap[1] - gap[0]);
        }
    }

    /// Combines several rounds or sessions. Distributions merge; percentiles are never averaged.
    pub fn merge<'a>(parts: impl IntoIterator<Item = &'a Summary>) -> Summary {
        let mut whole = Summary::default();
        for part in parts {
            whole.window_s += part.window_s;
            whole.cut.add(&part.cut);
            whole.requests.merge(&part.requests);
            whole.input_tokens += part.input_tokens;
            whole.output_tokens += part.output_tokens;
            whole.tokens_counted_by = whole.tokens_counted_by.max(part.tokens_counted_by);
            for latency in Latency::ALL {
                whole.distribution_mut(latency).merge(part.distribution(latency));
            }
        }
        whole
    }

    /// `None` if nothing was measured that could yield it.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Rate(rate) => self.rate(rate),
            Metric::Latency(latency, stat) => self.distribution(latency).stat_ms(stat),
        }
    }

    pub fn distribution(&self, latency: Latency) -> &Distribution {
        match latency {
            Latency::Ttft => &self.ttft_ms,
            Latency::Tpot => &self.tpot_ms,
            Latency::Itl => &self.itl_ms,
            Latency::E2e => &self.e2e_ms,
            Latency::QueueLag => &self.queue_lag_ms,
        }
    }

    /// Share of responses that had the requested length; `None` without any.
    pub fn share_ended_by_length(&self) -> Option<f64> {
        let succeeded = self.requests.succeeded;
        (succeeded > 0).then(|| self.requests.ended_by_length as f64 / succeeded as f64)
    }

    /// Average number of gaps between tokens in a response.
    pub fn gaps_per_answer(&self) -> f64 {
        (self.output_tokens as f64 / self.requests.succeeded as f64 - 1.0).max(1.0)
    }

    fn rate(&self, rate: Rate) -> Option<f64> {
        let per_s = |all: u64, cut: f64| (self.window_s > 0.0).then(|| (all as f64 - cut) / self.window_s);
        let (input_tokens, output_tokens) = (self.input_tokens, self.output_tokens);
        match rate {
            Rate::OutputTokensPerS => per_s(output_tokens, self.cut.output_tokens),
            Rate::TotalTokensPerS => {
                per_s(input_tokens + output_tokens, self.cut.input_tokens + self.cut.output_tokens)
            }
            Rate::RequestsPerS => per_s(self.requests.succeeded, self.cut.requests),
            Rate::SuccessRate => {
                let sent = self.requests.sent;
                (sent > 0).then(|| self.requests.succeeded as f64 / sent as f64)
            }
        }
    }

    fn distribution_mut(&mut self, latency: Latency) -> &mut Distribution {
        match latency {
            Latency::Ttft => &mut self.ttft_ms,
            Latency::Tpot => &mut self.tpot_ms,
            Latency::Itl => &mut self.itl_ms,
            Latency::E2e => &mut self.e2e_ms,
            Latency::QueueLag => &mut self.queue_lag_ms,
        }
    }
}

impl Times {
    /// `None` for a request that failed or got no content. `streamed`: as in [`SummaryBuilder::new`].
    pub(crate) fn of(record: &RequestRecord, load: &Load, streamed: bool) -> Option<Times> {
        if record.outcome.is_err() {
            return None;
        }
        let (first_ns, last_ns) = (record.first_content_ns()?, record.last_content_ns()?);
        let origin_ns = if load.is_open() { record.due_ns } else { record.sent_ns };
        let gaps = record.output_tokens.saturating_sub(1);
        let tpot_ms = (streamed && gaps > 0).then(|| (last_ns - first_ns) as f64 / 1e6 / f64::from(gaps));
        Some(Times { e2e_ns: last_ns - origin_ns, ttft_ns: streamed.then(|| first_ns - origin_ns), tpot_ms })
    }

    pub(crate) fn e2e_ms(&self) -> f64 {
        self.e2e_ns as f64 / 1e6
    }

    pub(crate) fn ttft_ms(&self) -> Option<f64> {
        self.ttft_ns.map(|ns| ns as f64 / 1e6)
    }
}

impl RequestCounts {
    /// Share of requests that the client was late with.
    pub fn share_late(&self) -> f64 {
        self.late as f64 / (self.sent + self.late).max(1) as f64
    }

    /// Requests not sent because too many were unanswered.
    pub fn without_room(&self) -> u64 {
        self.failed.get(&FailureClass::NoRoom).copied().unwrap_or(0)
    }

    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    pub fn merge(&mut self, other: &RequestCounts) {
        self.sent += other.sent;
        self.late += other.late;
        self.succeeded += other.succeeded;
        self.ended_by_length += other.ended_by_length;
        self.reconnects += other.reconnects;
        for (class, count) in &other.failed {
            *self.failed.entry(*class).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{ArrivalProcess, StopCondition};
    use crate::metrics::record::example::{answered, failed};

    fn closed() -> Load {
        Load::closed(2, StopCondition::Requests(2))
    }

    fn summary(records: &[RequestRecord], streamed: bool) -> Summary {
        let mut builder = SummaryBuilder::new(&closed(), streamed);
        records.iter().for_each(|record| builder.take(record));
        builder.finish().0
    }

    fn not_sent(class: FailureClass) -> RequestRecord {
        RequestRecord::not_sent(0, 500_000_000, Failure { class, detail: String::new() })
    }

    fn value(summary: &Summary, name: &str) -> f64 {
        summary.value(name.parse().unwrap()).unwrap()
    }

    #[test]
    fn metrics_follow_their_definitions() {
        let summary = summary(&[answered(1000, &[1100, 1120, 1160], 3)], true);
        assert_eq!(value(&summary, "ttft_ms_mean"), 100.0);
        assert_eq!(value(&summary, "e2e_ms_mean"), 160.0);
        assert_eq!(value(&summary, "tpot_ms_mean"), 30.0);
        assert_eq!((value(&summary, "itl_ms_min"), value(&summary, "itl_ms_max")), (20.0, 40.0));
        assert!((value(&summary, "output_tokens_per_s") - 3.0 / 0.16).abs() < 1e-9);
    }

    #[test]
    fn open_load_latencies_count_from_the_due_time() {
        let load = Load::open(10.0, ArrivalProcess::Constant, StopCondition::Requests(1));
        let late = RequestRecord { due_ns: 400_000_000, ..answered(1000, &[1100, 1200], 2) };
        let mut builder = SummaryBuilder::new(&load, true);
        builder.take(&late);
        let (summary, _) = builder.finish();
        assert_eq!(value(&summary, "ttft_ms_mean"), 700.0);
        assert_eq!(value(&summary, "e2e_ms_mean"), 800.0);
        assert_eq!(value(&summary, "tpot_ms_mean"), 100.0);
    }

    #[test]
    fn opening_a_connection_does_not_count_as_client_lateness() {
        let opened =
            RequestRecord { due_ns: 990_000_000, taken_ns: 991_000_000, ..answered(1000, &[1100], 1) };
        let refused = RequestRecord { taken_ns: 0, ..failed(0, 500) };
        let summary = summary(&[opened, refused], true);
        assert_eq!((value(&summary, "queue_lag_ms_min"), value(&summary, "queue_lag_ms_max")), (0.0, 1.0));
    }

    #[test]
    fn a_late_client_is_not_an_engine_failure() {
        let summary = summary(&[answered(0, &[100, 200], 2), not_sent(FailureClass::Late)], true);
        assert_eq!(value(&summary, "success_rate"), 1.0);
        assert_eq!((summary.requests.sent, summary.requests.late), (1, 1));
        assert_eq!(summary.requests.share_late(), 0.5);
        assert_eq!(summary.queue_lag_ms.count(), 1);
    }

    #[test]
    fn an_unsent_request_fails_and_has_no_latency() {
        let summary = summary(&[answered(0, &[100, 200], 2), not_sent(FailureClass::NoRoom)], true);
        assert_eq!(value(&summary, "success_rate"), 0.5);
        assert_eq!((summary.requests.sent, summary.requests.late), (2, 0));
        assert_eq!(summary.requests.without_room(), 1);
        assert_eq!((summary.ttft_ms.count(), summary.queue_lag_ms.count()), (1, 1));
        assert_eq!(summary.window_s, 0.2);
    }

    #[test]
    fn old_reports_count_unsent_requests_as_late() {
        let older = r#"{"sent":9,"not_sent":3,"succeeded":9,"failed":{},"ended_by_length":9,"reconnects":0}"#;
        assert_eq!(serde_json::from_str::<RequestCounts>(older).unwrap().late, 3);
    }

    #[test]
    fn several_tokens_in_one_chunk_count_for_tpot() {
        let summary = summary(&[answered(0, &[100, 200], 11)], true);
        assert_eq!(value(&summary, "tpot_ms_mean"), 10.0);
        assert_eq!(value(&summary, "itl_ms_mean"), 100.0);
    }

    #[test]
    fn a_failed_request_counts_as_failed_and_nowhere_else() {
        let summary = summary(&[answered(0, &[100, 200], 2), failed(0, 1000)], true);
        assert_eq!(value(&summary, "success_rate"), 0.5);
        assert_eq!(summary.ttft_ms.count(), 1);
        assert_eq!(summary.output_tokens, 2);
        assert_eq!(summary.requests.failed[&FailureClass::Timeout], 1);
    }

    #[test]
    fn a_whole_response_has_no_first_token() {
        let summary = summary(&[answered(0, &[500], 20)], false);
        assert!(summary.ttft_ms.is_empty() && summary.tpot_ms.is_empty());
        assert_eq!(value(&summary, "e2e_ms_mean"), 500.0);
    }

    #[test]
    fn merging_rounds_adds_windows_without_pauses() {
        let (a, b) = (answered(0, &[100, 1000], 10), answered(9000, &[9100, 10_000], 10));
        let rounds = [summary(&[a], true), summary(&[b], true)];
        let session = Summary::merge(&rounds);
        assert_eq!(session.window_s, 2.0);
        assert_eq!(value(&session, "output_tokens_per_s"), 10.0);
    }

    #[test]
    fn without_a_success_there_are_no_latencies() {
        let summary = summary(&[failed(0, 1000)], true);
        assert_eq!(summary.value("ttft_ms_p95".parse().unwrap()), None);
        assert_eq!(value(&summary, "success_rate"), 0.0);
    }

    #[test]
    fn what_is_written_reads_back() {
        let summary = summary(&[answered(0, &[100, 220], 2), failed(0, 1000)], true);
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["metrics"]["ttft_ms"]["p95"], 100.0);
        assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary);
    }
}
