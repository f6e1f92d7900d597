//! A comparison: what is recommended for whom, then who leads where.

use crate::figures;
use crate::report::chart;
use crate::report::chart::palette::Tint;
use crate::report::comparison::{Advice, ClassAdvice, ComparedMetric, Comparison, Standing};
use crate::report::page::{Align, Grid, Row, Section};
use crate::report::printable::one_line;

/// `number` tells a target by its name.
pub fn section(comparison: &Comparison, number: &dyn Fn(&str) -> usize) -> Section {
    let crossings = comparison.crossings.iter().map(|crossing| {
        one_line(&format!(
            "{}: {} is better up to {} {axis}, {} from {} on.",
            crossing.metric,
            crossing.before,
            crossing.up_to,
            crossing.after,
            crossing.from,
            axis = comparison.axis.name(),
        ))
    });
    let left_out = comparison.recommendation.left_out.iter();
    let left_out =
        left_out.map(|(criterion, why)| format!("Without {}: {}", criterion.name(), one_line(why)));
    let warnings = comparison.warnings.iter().map(|warning| format!("Warning: {}", one_line(warning)));
    Section {
        name: "comparison".into(),
        heading: "Which one to run".into(),
        target: None,
        lead: comparison.caveats.iter().map(|caveat| one_line(caveat)).collect::<Vec<_>>().join("\n"),
        grids: vec![advice(comparison), standings(comparison, number)],
        charts: chart::comparison::charts(comparison, &|name| Tint::Target(number(name))),
        remarks: crossings.chain(left_out).chain(warnings).collect(),
    }
}

fn advice(comparison: &Comparison) -> Grid {
    let rows = comparison.recommendation.classes.iter().map(|class| Row {
        target: None,
        cells: vec![class.traffic.to_string(), advised(class), reasons(class)],
    });
    Grid {
        title: String::new(),
        head: ["for", "take", "because"].map(str::to_owned).into(),
        align: vec![Align::Left; 3],
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

fn reasons(class: &ClassAdvice) -> String {
    one_line(&class.reasons.join(" "))
}

/// A row per level and metric.
fn standings(comparison: &Comparison, number: &dyn Fn(&str) -> usize) -> Grid {
    let rows = comparison.levels.iter().flat_map(|level| {
        level.metrics.iter().map(|compared| Row {
            target: compared.winner.as_deref().map(number),
            cells: vec![
                level.at.to_string(),
                compared.metric.to_string(),
                compared.winner.as_deref().map(one_line).unwrap_or_else(|| "tie".into()),
                placed(compared),
            ],
        })
    });
    Grid {
        title: String::new(),
        head: [comparison.axis.name(), "metric", "best", "all, from the best on"].map(str::to_owned).into(),
        align: vec![Align::Right, Align::Left, Align::Left, Align::Left],
        rows: rows.collect(),
    }
}

fn placed(compared: &ComparedMetric) -> String {
    let placed = compared.standings.iter().map(|standing| {
        let value = figures::value(compared.metric, standing.value);
        format!("{} {value}{}", one_line(&standing.target), behind(standing))
    });
    placed.collect::<Vec<_>>().join(" · ")
}

/// ` (1.40 times worse, 1.31 … 1.50)`; nothing for the best.
fn behind(standing: &Standing) -> String {
    let interval = standing.interval.map(|(low, high)| format!(", {low:.2} … {high:.2}")).unwrap_or_default();
    match standing.tied_with_best {
        _ if standing.times_worse == 1.0 => String::new(),
        true => " (tie)".into(),
        false => format!(" ({:.2} times worse{interval})", standing.times_worse),
    }
}
