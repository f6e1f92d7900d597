//! A sweep: its targets, then level by level.

use crate::figures;
use crate::metric::{Latency, Metric, Rate, Stat};
use crate::report::chart;
use crate::report::chart::palette::Tint;
use crate::report::page::{Align, Grid, Row, Section};
use crate::report::printable::one_line;
use crate::report::sweep::{Level, Sweep, SweptTarget};

/// What a level's row shows, as a table has room for it. CSV has every metric.
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

/// `number` tells a target by its name.
pub fn section(sweep: &Sweep, number: &dyn Fn(&str) -> usize) -> Section {
    let warnings = sweep.targets.iter().flat_map(|target| {
        target
            .warnings
            .iter()
            .map(|warning| format!("Warning: {}: {}", one_line(&target.name), one_line(warning)))
    });
    let own = sweep.warnings.iter().map(|warning| format!("Warning: {}", one_line(warning)));
    Section {
        name: format!("sweep-{}", sweep.run.id),
        heading: format!("Sweep over {}", sweep.axis.name()),
        target: None,
        lead: lead(sweep),
        grids: vec![targets(sweep, number), levels(sweep, number)],
        charts: chart::sweep::charts(sweep, &|name| Tint::Target(number(name))),
        remarks: own.chain(warnings).collect(),
    }
}

fn lead(sweep: &Sweep) -> String {
    let limits = match sweep.limits.is_empty() {
        true => String::new(),
        false => format!(" Wanted: {}.", sweep.limits),
    };
    let cut = if sweep.interrupted { " It was interrupted." } else { "" };
    format!("{}.{limits}{cut}", one_line(&sweep.workload))
}

/// Where each target slows down, and up to where it is good enough.
pub fn targets(sweep: &Sweep, number: &dyn Fn(&str) -> usize) -> Grid {
    let rows = sweep.targets.iter().map(|target| Row {
        target: Some(number(&target.name)),
        cells: vec![one_line(&target.name), engine(target), knee(target), limits_met(sweep, target)],
    });
    Grid {
        title: String::new(),
        head: ["target", "engine", "starts to slow down", "meets the limits"].map(str::to_owned).into(),
        align: vec![Align::Left; 4],
        rows: rows.collect(),
    }
}

fn engine(target: &SweptTarget) -> String {
    let environment = target.environment.as_ref();
    let shown = environment.map(|environment| format!("{} with {}", environment.engine, environment.model));
    one_line(&shown.or_else(|| target.trouble.clone()).unwrap_or_default())
}

fn knee(target: &SweptTarget) -> String {
    match target.knee {
        Some(knee) => format!("between {} and {}", knee.after, knee.by),
        None if target.levels.len() < 2 => String::new(),
        None => "not within these levels".into(),
    }
}

fn limits_met(sweep: &Sweep, target: &SweptTarget) -> String {
    match target.meets_limits_up_to {
        Some(at) => format!("up to {at} {}", sweep.axis.name()),
        None if sweep.limits.is_empty() => String::new(),
        None => "at no level".into(),
    }
}

/// A row per target and level.
pub fn levels(sweep: &Sweep, number: &dyn Fn(&str) -> usize) -> Grid {
    let head = ["target", sweep.axis.name()].map(str::to_owned).into_iter();
    let rows = sweep.targets.iter().flat_map(|target| {
        target
            .levels
            .iter()
            .map(|level| Row { target: Some(number(&target.name)), cells: cells(target, level) })
    });
    Grid {
        title: String::new(),
        head: head.chain(SHOWN.map(|metric| metric.to_string())).chain(["goodput".to_owned()]).collect(),
        align: [vec![Align::Left], vec![Align::Right; SHOWN.len() + 2]].concat(),
        rows: rows.collect(),
    }
}

fn cells(target: &SweptTarget, level: &Level) -> Vec<String> {
    let figures = SHOWN.map(|metric| {
        level.summary.value(metric).map(|value| figures::value(metric, value)).unwrap_or_default()
    });
    let goodput = level.goodput.map(|goodput| figures::percent(goodput.share)).unwrap_or_default();
    [one_line(&target.name), level.at.to_string()].into_iter().chain(figures).chain([goodput]).collect()
}
