//! All metrics of a report, without any judgement.

use crate::figures;
use crate::metric::{Latency, Metric, Rate, Stat};
use crate::report::columns::{Align, Columns};
use crate::report::printable::printable;
use crate::report::{Report, table};

const STATS: [Stat; 7] = [Stat::Mean, Stat::P50, Stat::P90, Stat::P95, Stat::P99, Stat::Min, Stat::Max];

/// Rates line by line, then a row per latency, then what went wrong.
pub fn metrics(report: &Report) -> String {
    let mut lines: Vec<String> = Rate::ALL.into_iter().filter_map(|rate| rate_line(report, rate)).collect();
    lines.push(String::new());
    lines.extend(latencies(report));
    lines.extend(table::engine(report).map(|engine| format!("Measured: {engine}.")));
    lines.extend(table::requests(report));
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
