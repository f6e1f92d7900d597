//! All metrics of a report, without any judgement.

use crate::figures;
use crate::metric::{Latency, Metric, Rate, Stat};
use crate::report::columns::{Align, Columns};
use crate::report::printable::printable;
use crate::report::{Report, table};
use crate::server_side::ServerSide;

const STATS: [Stat; 7] = [Stat::Mean, Stat::P50, Stat::P90, Stat::P95, Stat::P99, Stat::Min, Stat::Max];

/// Rates line by line, then a row per latency, then what went wrong.
pub fn metrics(report: &Report) -> String {
    let mut lines: Vec<String> = Rate::ALL.into_iter().filter_map(|rate| rate_line(report, rate)).collect();
    lines.push(String::new());
    lines.extend(latencies(report));
    lines.extend(table::engine(report).map(|engine| format!("Measured: {engine}.")));
    lines.extend(table::requests(report));
    lines.extend(report.sessions.iter().filter_map(|session| server_line(session.server.as_ref()?)));
    let failures = report.sessions.iter().flat_map(|session| &session.failures);
    lines.extend(failures.map(|failure| format!("  {}", printable(failure))));
    lines.extend(report.warnings.iter().map(|warning| format!("Warning: {}", printable(warning))));
    lines.join("\n")
}

fn rate_line(report: &Report, rate: Rate) -> Option<String> {
    let metric = Metric::Rate(rate);
    let value = figures::value(metric, report.summary.value(metric)?);
    Some(format!("{:<20} {value}", rate.name()))
}

/// `The engine's own means: prefill 584 ms, decode 1546 ms. It counted 26 input and 12 output tokens.`
fn server_line(server: &ServerSide) -> Option<String> {
    let told = server.times.named().into_iter().filter(|(_, mean)| !mean.is_empty());
    let times: Vec<String> = told
        .map(|(name, mean)| format!("{} {} ms", name.trim_end_matches("_ms"), figures::number(mean.mean)))
        .collect();
    let counts = [("input", server.counts.input_tokens), ("output", server.counts.output_tokens)];
    let counts: Vec<String> =
        counts.into_iter().filter_map(|(what, count)| Some(format!("{} {what}", count?))).collect();
    let sentences = [
        (!times.is_empty()).then(|| format!("The engine's own means: {}.", times.join(", "))),
        (!counts.is_empty()).then(|| format!("It counted {} tokens.", counts.join(" and "))),
    ];
    let told: Vec<String> = sentences.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(" "))
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
