//! The section of a comparison: recommendations with reasons, charts, then the ranking at each level.

use crate::report::chart;
use crate::report::chart::palette::SeriesColor;
use crate::report::page::{Block, Column, Grid, Remarks, Row, Section};
use crate::report::sweep_table::failures;
use crate::results::comparison::{
    Advice, ClassAdvice, ComparedLevel, ComparedMetric, Comparison, TargetAtLevel,
};
use crate::text::figures;
use crate::text::printable::one_line;

/// `number` maps a target's name to its number.
pub(crate) fn section(comparison: &Comparison, number: &dyn Fn(&str) -> usize) -> Section {
    let mut blocks = vec![Block::Grid(advice(comparison, number))];
    blocks.extend(comparison.recommendation.classes.iter().map(|class| Block::Remarks(reasons(class))));
    blocks.push(Block::Remarks(Remarks::untitled(crossings(comparison).chain(left_out(comparison)))));
    let charts = chart::comparison::charts(comparison, &|name| SeriesColor::Target(number(name)));
    blocks.extend(charts.into_iter().map(Block::Chart));
    blocks.push(Block::Remarks(Remarks::untitled([HOW_TO_READ.to_owned()])));
    blocks.extend(comparison.levels.iter().map(|level| Block::Grid(standings(comparison, level, number))));
    let warnings = comparison.warnings.iter().map(|warning| format!("Warning: {}", one_line(warning)));
    blocks.push(Block::Remarks(Remarks::untitled(warnings)));
    Section {
        name: "comparison".into(),
        heading: "Which one to run".into(),
        target: None,
        lead: comparison.caveats.iter().map(|caveat| one_line(caveat)).collect::<Vec<_>>().join("\n"),
        blocks,
    }
}

const HOW_TO_READ: &str = "In parentheses: how many times worse than the best, and its 99.8 % interval.";

fn crossings(comparison: &Comparison) -> impl Iterator<Item = String> {
    comparison.crossings.iter().map(|crossing| {
        one_line(&format!(
            "{}: {} is better up to {} {axis}, {} from {}.",
            crossing.metric,
            crossing.before,
            crossing.up_to,
            crossing.after,
            crossing.from,
            axis = comparison.axis.name(),
        ))
    })
}

fn left_out(comparison: &Comparison) -> impl Iterator<Item = String> {
    let left_out = comparison.recommendation.left_out.iter();
    left_out.map(|(criterion, why)| format!("Left out {}: {}.", criterion.name(), one_line(why)))
}

/// The recommendation per traffic class, with each target's score.
fn advice(comparison: &Comparison, number: &dyn Fn(&str) -> usize) -> Grid {
    let rows = comparison.recommendation.classes.iter().map(|class| {
        let points = comparison.targets.iter().map(|target| {
            class.totals.get(&target.name).map(|total| format!("{total:.0}")).unwrap_or_default()
        });
        Row::new([class.traffic.to_string(), advised(class)].into_iter().chain(points).collect::<Vec<_>>())
    });
    let named = comparison.targets.iter().map(|target| {
        Column::right(format!("{} (out of 100)", one_line(&target.name))).of(number(&target.name))
    });
    Grid {
        title: String::new(),
        target: None,
        columns: [Column::left("traffic"), Column::left("use")].into_iter().chain(named).collect(),
        rows: rows.collect(),
    }
}

fn advised(class: &ClassAdvice) -> String {
    one_line(&match &class.advice {
        Advice::Take(target) => target.clone(),
        Advice::TooCloseToCall(targets) => format!("too close to call: {}", targets.join(", ")),
        Advice::NotMeasured => "not measured".into(),
    })
}

fn reasons(class: &ClassAdvice) -> Remarks {
    Remarks {
        title: match &class.advice {
            Advice::Take(target) => format!("For {}: use {}", class.traffic, one_line(target)),
            _ => format!("For {}: {}", class.traffic, advised(class)),
        },
        lines: class.reasons.iter().map(|reason| one_line(reason)).collect(),
    }
}

/// One level: a row per metric, a column per target.
fn standings(comparison: &Comparison, level: &ComparedLevel, number: &dyn Fn(&str) -> usize) -> Grid {
    let names: Vec<&str> = comparison.targets.iter().map(|target| target.name.as_str()).collect();
    let measured = level.metrics.iter().map(|compared| {
        let best = compared.winner.as_deref().map_or_else(|| "tie".into(), one_line);
        let cells = names.iter().map(|name| placed(compared, name));
        Row::new([compared.metric.to_string()].into_iter().chain(cells).chain([best]).collect::<Vec<_>>())
    });
    let counted = |name: &str, describe: &dyn Fn(&TargetAtLevel) -> String| {
        let cells = names.iter().map(|name| {
            level.targets.iter().find(|target| target.target == *name).map(describe).unwrap_or_default()
        });
        Row::new([name.to_owned()].into_iter().chain(cells).chain([String::new()]).collect::<Vec<_>>())
    };
    let share = |share: Option<f64>| share.map(figures::percent).unwrap_or_default();
    let counted = [
        counted("share of ideal", &|target| share(target.share_of_ideal)),
        counted("within limits", &|target| share(target.goodput.map(|goodput| goodput.share))),
        counted("answered", &answered),
    ];
    let of_targets = names.iter().map(|name| Column::right(one_line(name)).of(number(name)));
    Grid {
        title: comparison.axis.level(level.at),
        target: None,
        columns: [Column::left("")].into_iter().chain(of_targets).chain([Column::left("best")]).collect(),
        rows: measured.chain(counted).filter(|row| !row.is_empty()).collect(),
    }
}

/// `612 (1.44, 1.31 … 1.58)`; only the value for the best.
fn placed(compared: &ComparedMetric, name: &str) -> String {
    let Some(standing) = compared.standings.iter().find(|standing| standing.target == name) else {
        return String::new();
    };
    let value = compared.metric.format(standing.value);
    let interval = standing.interval.map(|(low, high)| format!(", {low:.2} … {high:.2}")).unwrap_or_default();
    if standing.times_worse == 1.0 {
        value
    } else if standing.tied_with_best {
        format!("{value} (tie)")
    } else {
        format!("{value} ({:.2}{interval})", standing.times_worse)
    }
}

/// `40 of 40`, `38 of 40: 2 timeout`.
fn answered(target: &TargetAtLevel) -> String {
    let requests = &target.requests;
    let answered = format!("{} of {}", requests.succeeded, requests.sent);
    match requests.failures() {
        0 => answered,
        _ => format!("{answered}: {}", failures(requests)),
    }
}
