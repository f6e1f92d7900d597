//! The section of a sweep: its targets, charts, then a table of levels per target.

use crate::metrics::{Latency, Metric, Rate, Stat};
use crate::report::chart;
use crate::report::chart::palette::SeriesColor;
use crate::report::page::{Block, Column, Grid, Remarks, Row, Section};
use crate::results::curve;
use crate::results::sweep::{Level, Sweep, SweptTarget};
use crate::text::figures;
use crate::text::printable::one_line;

/// The metrics that fit in a table. CSV has every metric.
const SHOWN: [Metric; 8] = [
    Metric::Rate(Rate::OutputTokensPerS),
    Metric::Rate(Rate::RequestsPerS),
    Metric::Rate(Rate::SuccessRate),
    Metric::Latency(Latency::Ttft, Stat::P50),
    Metric::Latency(Latency::Ttft, Stat::P95),
    Metric::Latency(Latency::Tpot, Stat::P50),
    Metric::Latency(Latency::Tpot, Stat::P95),
    Metric::Latency(Latency::E2e, Stat::P95),
];

/// `number` maps a target's name to its number.
pub(crate) fn section(sweep: &Sweep, number: &dyn Fn(&str) -> usize) -> Section {
    let warnings = sweep.targets.iter().flat_map(|target| {
        target
            .warnings
            .iter()
            .map(|warning| format!("Warning: {}: {}", one_line(&target.name), one_line(warning)))
    });
    let own = sweep.warnings.iter().map(|warning| format!("Warning: {}", one_line(warning)));
    let mut blocks = vec![Block::Grid(targets(sweep, number))];
    let charts = chart::sweep::charts(sweep, &|name| SeriesColor::Target(number(name)));
    blocks.extend(charts.into_iter().map(Block::Chart));
    blocks
        .extend(sweep.targets.iter().map(|target| Block::Grid(levels(sweep, target, number(&target.name)))));
    blocks.push(Block::Remarks(Remarks::untitled(own.chain(warnings))));
    Section {
        name: format!("sweep-{}", sweep.run.id),
        heading: format!("Sweep over {}", sweep.axis.name()),
        target: None,
        lead: lead(sweep),
        blocks,
    }
}

fn lead(sweep: &Sweep) -> String {
    let limits = if sweep.limits.is_empty() { String::new() } else { format!(" Limits: {}.", sweep.limits) };
    let interrupted = if sweep.interrupted { " The sweep was interrupted." } else { "" };
    format!("{}.{limits}{interrupted}", one_line(&sweep.workload))
}

/// Where each target slows down, and up to which level it meets the limits.
fn targets(sweep: &Sweep, number: &dyn Fn(&str) -> usize) -> Grid {
    let rows = sweep.targets.iter().map(|target| {
        let cells = [one_line(&target.name), engine(target), knee(target), limits_met(sweep, target)];
        Row::new(cells).of(number(&target.name))
    });
    let columns = ["target", "engine", "starts to slow down", "meets the limits"].map(Column::left);
    let grid = Grid { title: String::new(), target: None, columns: columns.into(), rows: rows.collect() };
    grid.without_empty_columns()
}

fn engine(target: &SweptTarget) -> String {
    let environment = target.environment.as_ref();
    let shown = environment.map(|environment| {
        format!("{}{} with {}", environment.engine, environment.over(), environment.model)
    });
    one_line(&shown.or_else(|| target.trouble.clone()).unwrap_or_default())
}

fn knee(target: &SweptTarget) -> String {
    match target.knee {
        Some(knee) => format!("between {} and {}", knee.after, knee.by),
        None if curve::can_have_knee(&curve::throughput(&target.levels)) => "not within these levels".into(),
        None => String::new(),
    }
}

fn limits_met(sweep: &Sweep, target: &SweptTarget) -> String {
    match target.meets_limits_up_to {
        Some(at) => format!("up to {}", sweep.axis.level(at)),
        None if sweep.limits.is_empty() || target.levels.is_empty() => String::new(),
        None => "not at the lowest level".into(),
    }
}

/// A row per metric and a column per level, because metrics are many and have long names.
fn levels(sweep: &Sweep, target: &SweptTarget, number: usize) -> Grid {
    let row = |name: String, value: &dyn Fn(&Level) -> Option<String>| {
        let cells = target.levels.iter().map(|level| value(level).unwrap_or_default());
        Row::new(std::iter::once(name).chain(cells).collect::<Vec<_>>())
    };
    let metrics = SHOWN
        .map(|metric| row(metric.to_string(), &|level| Some(metric.format(level.summary.value(metric)?))));
    let goodput = row("within limits".into(), &|level| Some(figures::percent(level.goodput?.share)));
    let at = target.levels.iter().map(|level| Column::right(level.at.to_string()));
    Grid {
        title: one_line(&target.name),
        target: Some(number),
        columns: std::iter::once(Column::left(sweep.axis.name())).chain(at).collect(),
        rows: metrics.into_iter().chain([goodput]).filter(|row| !row.is_empty()).collect(),
    }
}
