//! The charts of a scenario's report: how its figures changed, the proof's pairs, and latency distributions.

use crate::metrics::distribution::Distribution;
use crate::metrics::summary::Summary;
use crate::metrics::{Better, Gate, Latency, Metric};
use crate::report::chart::palette::SeriesColor;
use crate::report::chart::{
    Across, Axis, Chart, DataPoint, Figure, Guide, Marks, Panel, Scale, Series, cumulative,
};
use crate::results::{Proof, Report};
use crate::verdict::{GateOutcome, Side};

const LATENCIES: [(Latency, &str, &str); 3] = [
    (Latency::Ttft, "ttft", "Time to first token"),
    (Latency::Tpot, "tpot", "Time per output token"),
    (Latency::E2e, "e2e", "End-to-end latency"),
];

/// All charts that are not empty. `color` is the target's color.
pub(crate) fn charts(report: &Report, color: SeriesColor) -> Vec<Chart> {
    let mut charts = vec![changes(report, color)];
    charts.extend(match &report.proof {
        Some(proof) => Some(pairs(report, proof, color)),
        None => sessions(report, color),
    });
    charts.extend(distributions(report, color));
    charts.retain(|chart| !chart.is_empty());
    charts
}

/// Every gate's change with its interval and the allowed change.
fn changes(report: &Report, color: SeriesColor) -> Chart {
    let changed: Vec<&GateOutcome> = report.gates.iter().filter(|gate| gate.change.is_some()).collect();
    let changes = changed.iter().zip(0..).filter_map(|(outcome, at)| {
        let change = outcome.change?;
        let interval = change.interval.map(|(low, high)| (low * 100.0, high * 100.0));
        Some(DataPoint { x: f64::from(at), y: change.relative * 100.0, interval })
    });
    let allowed = changed
        .iter()
        .zip(0..)
        .filter_map(|(outcome, at)| Some(DataPoint::new(f64::from(at), tolerated(&outcome.gate)?)));
    let names = changed.iter().map(|outcome| outcome.gate.metric.to_string()).collect();
    let panel = Panel {
        title: String::new(),
        x: Axis::new("", Scale::Categories(names)),
        y: Axis::new("change (%)", Scale::Linear),
        series: vec![
            Series {
                name: "allowed".into(),
                color: SeriesColor::Limit,
                marks: Marks::Limits(allowed.collect()),
            },
            Series { name: "change".into(), color, marks: Marks::Dots(changes.collect()) },
        ],
        guides: vec![no_change()],
    };
    let caption = "How much each gated metric changed from the old to the new version, with the 99.8 % interval if there \
                   is one, and how much it may change.";
    Chart::of_panel("changes", "What changed", caption, panel)
}

/// Each round of the old engine paired with one of the new engine.
fn pairs(report: &Report, proof: &Proof, color: SeriesColor) -> Chart {
    let panels = proof.pairs.iter().map(|(metric, pairs)| {
        let points = pairs.iter().zip(1..).filter(|(pair, _)| pair.old != 0.0);
        let points = points
            .map(|(pair, number)| DataPoint::new(f64::from(number), (pair.new / pair.old - 1.0) * 100.0));
        let series = Series { name: "new vs. old".into(), color, marks: Marks::Dots(points.collect()) };
        changes_of(report, *metric, "pair", vec![series])
    });
    Chart {
        name: "pairs".into(),
        title: "Proof pairs".into(),
        caption: "How much each round of the new version differs from its paired round of the old version."
            .into(),
        figure: Figure::Panels(panels.collect()),
    }
}

/// Each session relative to the baseline's mean.
fn sessions(report: &Report, color: SeriesColor) -> Option<Chart> {
    let baseline = report.baseline.as_ref()?;
    let panels = report.gates.iter().filter_map(|outcome| {
        let metric = outcome.gate.metric;
        let (old, mean) = (baseline.values.get(&metric)?, outcome.old.filter(|old| *old != 0.0)?);
        outcome.gate.tolerance?;
        let relative = |value: f64| (value / mean - 1.0) * 100.0;
        let new = report.sessions.iter().filter_map(|session| session.summary.value(metric));
        let dots = |values: Vec<f64>, after: usize| {
            let points = values.into_iter().enumerate();
            Marks::Dots(
                points.map(|(at, value)| DataPoint::new((after + at + 1) as f64, relative(value))).collect(),
            )
        };
        let series = vec![
            Series { name: "baseline".into(), color: SeriesColor::Old, marks: dots(old.clone(), 0) },
            Series { name: "now".into(), color, marks: dots(new.collect(), old.len()) },
        ];
        Some(changes_of(report, metric, "session", series))
    });
    Some(Chart {
        name: "sessions".into(),
        title: "Sessions vs. baseline".into(),
        caption: "One value per session, relative to the baseline's mean.".into(),
        figure: Figure::Panels(panels.collect()),
    })
}

fn changes_of(report: &Report, metric: Metric, of_what: &str, series: Vec<Series>) -> Panel {
    let gate = report.gates.iter().find(|outcome| outcome.gate.metric == metric);
    let allowed = gate.and_then(|outcome| tolerated(&outcome.gate)).map(|at| Guide {
        across: Across::AtY(at),
        label: "allowed".into(),
        color: SeriesColor::Limit,
    });
    Panel {
        title: metric.to_string(),
        x: Axis::new(of_what, Scale::Linear),
        y: Axis::new("change (%)", Scale::Linear),
        series,
        guides: std::iter::once(no_change()).chain(allowed).collect(),
    }
}

fn no_change() -> Guide {
    Guide { across: Across::AtY(0.0), label: String::new(), color: SeriesColor::Remark }
}

/// In percent, in the direction in which the metric gets worse.
fn tolerated(gate: &Gate) -> Option<f64> {
    let sign = match gate.metric.better() {
        Better::Higher => -1.0,
        Better::Lower => 1.0,
    };
    gate.tolerance.map(|tolerance| sign * tolerance * 100.0)
}

fn distributions(report: &Report, color: SeriesColor) -> Vec<Chart> {
    let side = |proof: &Proof, side: Side| {
        let sessions = proof.sessions.iter().filter(|session| session.side == side);
        Summary::merge(sessions.map(|session| &session.session.summary))
    };
    let (old, new) = match &report.proof {
        Some(proof) => (Some(side(proof, Side::Old)), side(proof, Side::New)),
        None => (None, report.summary.clone()),
    };
    let charts = LATENCIES.into_iter().map(|(latency, name, title)| {
        let label = format!("{} (ms)", name.to_uppercase());
        let mut sides: Vec<(String, SeriesColor, &Distribution)> = Vec::new();
        sides.extend(old.as_ref().map(|old| ("old".to_owned(), SeriesColor::Old, old.distribution(latency))));
        let now = if old.is_some() { "new" } else { "now" };
        sides.push((now.to_owned(), color, new.distribution(latency)));
        let caption = "The share of requests that took at most this long. Farther left is faster; steeper is more consistent.";
        Chart::of_panel(&format!("{name}-distribution"), title, caption, cumulative::panel(&label, &sides))
    });
    charts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    fn names(report: &Report) -> Vec<String> {
        charts(report, SeriesColor::Target(0)).into_iter().map(|chart| chart.name).collect()
    }

    #[test]
    fn a_proof_shows_its_pairs_and_the_distributions() {
        let report = example::proven();
        assert_eq!(names(&report), ["changes", "pairs", "ttft-distribution"]);
        let charts = charts(&report, SeriesColor::Target(0));
        let Figure::Panels(panels) = &charts[2].figure else { panic!("not panels") };
        let colors: Vec<SeriesColor> = panels[0].series.iter().map(|series| series.color).collect();
        assert_eq!(colors, [SeriesColor::Old, SeriesColor::Target(0)]);
    }

    #[test]
    fn the_allowed_change_is_on_the_worse_side() {
        let gate = |metric: &str| Gate::relative(metric.parse().unwrap(), 0.1).unwrap();
        assert_eq!(tolerated(&gate("output_tokens_per_s")), Some(-10.0));
        assert_eq!(tolerated(&gate("ttft_ms_p95")), Some(10.0));
    }

    #[test]
    fn a_scenario_that_was_not_run_has_no_charts() {
        assert_eq!(names(&example::ignored()), [""; 0]);
    }
}
