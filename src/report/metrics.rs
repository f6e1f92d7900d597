//! Shows all metrics of a report, without a verdict.

use crate::load::Load;
use crate::metrics::health::ClientHealth;
use crate::metrics::server_side::ServerSide;
use crate::metrics::{Latency, Metric, Rate, Stat};
use crate::report::{table, window_line};
use crate::results::Report;
use crate::text::columns::{Align, Columns};
use crate::text::figures;
use crate::text::printable::printable;

const STATS: [Stat; 7] = [Stat::Mean, Stat::P50, Stat::P90, Stat::P95, Stat::P99, Stat::Min, Stat::Max];

/// The latencies to compare the client's error with; gaps between chunks can be close to zero.
const LATENCIES: [Latency; 3] = [Latency::Ttft, Latency::Tpot, Latency::E2e];
/// A larger error than this is visible in the printed digits.
const NOTICEABLE: f64 = 0.01;

/// A line per rate, a row per latency, then what went wrong.
pub(crate) fn metrics(report: &Report) -> String {
    let mut lines: Vec<String> = Rate::ALL.into_iter().filter_map(|rate| rate_line(report, rate)).collect();
    lines.push(String::new());
    lines.extend(latencies(report));
    lines.extend(table::engine(report).map(|engine| format!("Measured: {engine}.")));
    lines.extend(table::requests(report));
    lines.extend(window_line::window(report));
    lines.extend(client(report));
    lines.extend(report.sessions.iter().filter_map(|session| server_line(session.server.as_ref()?)));
    let failures = report.sessions.iter().flat_map(|session| &session.failures);
    lines.extend(failures.map(|failure| format!("  {}", printable(failure))));
    lines.extend(report.warnings.iter().map(|warning| format!("Warning: {}", printable(warning))));
    lines.join("\n")
}

/// How much the client itself adds to the figures, if that is visible.
fn client(report: &Report) -> Option<String> {
    let mut health = ClientHealth::default();
    report.sessions.iter().for_each(|session| health.merge(&session.health));
    let rates = Rate::ALL.into_iter().map(Metric::Rate);
    let latencies =
        LATENCIES.into_iter().flat_map(|latency| STATS[..4].iter().map(move |stat| (latency, *stat)));
    let metrics = rates.chain(latencies.map(|(latency, stat)| Metric::Latency(latency, stat)));
    let open = report.load.as_ref().is_some_and(Load::is_open);
    let error = |metric| Some((metric, health.timing_error(metric, &report.summary, open)?));
    let errors = metrics.filter_map(error);
    let (metric, error) = errors.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (error > NOTICEABLE).then(|| {
        format!(
            "Client: its own lateness may account for {} of {metric} (event loop late by {}); another process may be keeping the machine busy.",
            figures::percent(error),
            health.loop_lag_ms
        )
    })
}

fn rate_line(report: &Report, rate: Rate) -> Option<String> {
    let metric = Metric::Rate(rate);
    let value = metric.format(report.summary.value(metric)?);
    Some(format!("{:<20} {value}", rate.name()))
}

/// `Means reported by the engine: prefill 584 ms, decode 1546 ms. The engine counted 26 input and 12 output tokens.`
fn server_line(server: &ServerSide) -> Option<String> {
    let means = server.times.named().into_iter().filter(|(_, mean)| !mean.is_empty());
    let times: Vec<String> = means
        .map(|(name, mean)| format!("{} {} ms", name.trim_end_matches("_ms"), figures::number(mean.mean)))
        .collect();
    let counts = [("input", server.counts.input_tokens), ("output", server.counts.output_tokens)];
    let counts: Vec<String> =
        counts.into_iter().filter_map(|(what, count)| Some(format!("{} {what}", count?))).collect();
    let sentences = [
        (!times.is_empty()).then(|| format!("Means reported by the engine: {}.", times.join(", "))),
        (!counts.is_empty()).then(|| format!("The engine counted {} tokens.", counts.join(" and "))),
    ];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn latencies(report: &Report) -> Vec<String> {
    let mut columns = Columns::new(
        ["metric", "mean", "p50", "p90", "p95", "p99", "min", "max"],
        [
            Align::Left,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Right,
        ],
    );
    for latency in Latency::ALL {
        let distribution = report.summary.distribution(latency);
        let [mean, p50, p90, p95, p99, min, max] =
            STATS.map(|stat| distribution.stat_ms(stat).map(figures::number).unwrap_or_default());
        if !distribution.is_empty() {
            columns.row([latency.name().to_owned(), mean, p50, p90, p95, p99, min, max]);
        }
    }
    columns.lines()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    #[test]
    fn a_late_client_is_reported() {
        let mut report = example::ok();
        report.summary.ttft_ms.record_ms(100.0);
        report.sessions[0].health.loop_lag_ms.record_ms(0.1);
        assert_eq!(client(&report), None);
        let health = &mut report.sessions[0].health;
        (0..100).for_each(|_| health.loop_lag_ms.record_ms(20.0));
        let shown = metrics(&report);
        assert!(shown.contains("Client: its own lateness may account for 20 % of ttft_ms_p"), "{shown}");
    }
}
