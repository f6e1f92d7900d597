//! Renders CSV for spreadsheets and scripts (RFC 4180).

use crate::metrics::Metric;
use crate::results::Report;
use crate::results::comparison::{Comparison, Standing};
use crate::results::sweep::{Axis, Level, Sweep, SweptTarget};
use crate::text::csv_cell::csv_cell;
use crate::text::printable::one_line;
use crate::verdict::GateOutcome;

/// A row per scenario and gate.
pub(crate) fn gates(reports: &[Report]) -> String {
    let head = "scenario,target,engine,scenario_verdict,metric,old,new,change,change_low,change_high,tolerance,min,max,verdict,reason";
    let mut lines = vec![head.to_owned()];
    for report in reports {
        lines.extend(report.gates.iter().map(|outcome| gate(report, outcome)));
    }
    lines.join("\r\n") + "\r\n"
}

fn gate(report: &Report, outcome: &GateOutcome) -> String {
    let engine = report.environment.as_ref().map(|environment| environment.engine.as_str());
    let change = outcome.change;
    let interval = change.and_then(|change| change.interval);
    [
        csv_cell(&one_line(&report.scenario.to_string())),
        csv_cell(&one_line(&report.scenario.target)),
        csv_cell(&one_line(engine.unwrap_or_default())),
        csv_cell(report.verdict.name()),
        csv_cell(&outcome.gate.metric.to_string()),
        number(outcome.old),
        number(outcome.new),
        number(change.map(|change| change.relative)),
        number(interval.map(|(low, _)| low)),
        number(interval.map(|(_, high)| high)),
        number(outcome.gate.tolerance),
        number(outcome.gate.min),
        number(outcome.gate.max),
        csv_cell(outcome.verdict.name()),
        csv_cell(&one_line(&outcome.reason)),
    ]
    .join(",")
}

/// A row per target and level of the sweeps, with every metric.
pub(crate) fn levels(sweeps: &[Sweep]) -> String {
    let metrics: Vec<Metric> = Metric::all().collect();
    let head = [
        "target",
        "engine",
        "model",
        "level_of",
        "level",
        "requests",
        "failed",
        "goodput_share",
        "goodput_per_s",
    ];
    let names = head.iter().map(|name| (*name).to_owned()).chain(metrics.iter().map(Metric::to_string));
    let mut lines = vec![names.collect::<Vec<_>>().join(",")];
    for sweep in sweeps {
        for target in &sweep.targets {
            lines.extend(target.levels.iter().map(|level| level_row(sweep, target, level, &metrics)));
        }
    }
    lines.join("\r\n") + "\r\n"
}

fn level_row(sweep: &Sweep, target: &SweptTarget, level: &Level, metrics: &[Metric]) -> String {
    let environment = target.environment.as_ref();
    let engine = environment.map(|environment| environment.engine.as_str()).unwrap_or_default();
    let model = environment.map(|environment| environment.model.as_str()).unwrap_or_default();
    let requests = &level.summary.requests;
    let named =
        [target.name.as_str(), engine, model, sweep.axis.name()].map(|text| csv_cell(&one_line(text)));
    let counted = [
        level.at.to_string(),
        requests.sent.to_string(),
        requests.failures().to_string(),
        number(level.goodput.map(|goodput| goodput.share)),
        number(level.goodput.map(|goodput| goodput.requests_per_s)),
    ];
    let measured = metrics.iter().map(|metric| number(level.summary.value(*metric)));
    named.into_iter().chain(counted).chain(measured).collect::<Vec<_>>().join(",")
}

/// A row per level, metric, and target, with the best target of each metric first.
pub(crate) fn standings(comparisons: &[Comparison]) -> String {
    let head =
        "level_of,level,metric,target,value,times_worse,times_worse_low,times_worse_high,tied_with_best";
    let mut lines = vec![head.to_owned()];
    for comparison in comparisons {
        for level in &comparison.levels {
            let rows = level.metrics.iter().flat_map(|compared| {
                let row = |standing| standing_row(comparison.axis, level.at, compared.metric, standing);
                compared.standings.iter().map(row).collect::<Vec<_>>()
            });
            lines.extend(rows);
        }
    }
    lines.join("\r\n") + "\r\n"
}

fn standing_row(axis: Axis, at: f64, metric: Metric, standing: &Standing) -> String {
    let Standing { target, value, times_worse, interval, tied_with_best } = standing;
    [
        csv_cell(axis.name()),
        at.to_string(),
        csv_cell(&metric.to_string()),
        csv_cell(&one_line(target)),
        value.to_string(),
        times_worse.to_string(),
        number(interval.map(|(low, _)| low)),
        number(interval.map(|(_, high)| high)),
        tied_with_best.to_string(),
    ]
    .join(",")
}

/// Empty without a value.
fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example as comparisons;
    use crate::results::{example, sweep};

    #[test]
    fn a_level_of_a_target_is_a_row_with_every_metric() {
        let csv = levels(&[sweep::example::crossing()]);
        let rows: Vec<&str> = csv.lines().collect();
        assert_eq!(rows.len(), 1 + 2 * sweep::example::LADDER.len());
        let columns = rows[0].split(',').count();
        assert!(rows.iter().all(|row| row.split(',').count() == columns));
        assert!(rows[1].starts_with("quick,llamacpp b11434,Qwen/Qwen3-8B,users,1,"), "{}", rows[1]);
    }

    #[test]
    fn a_hostile_target_name_is_not_a_formula() {
        let csv = levels(&[sweep::example::nasty()]);
        assert!(csv.lines().nth(1).unwrap().starts_with("\"'=HYPERLINK("), "{csv}");
        assert!(csv.chars().all(|c| c == '\n' || c == '\r' || !c.is_control()));
        let csv = standings(&[comparisons::nasty()]);
        assert!(csv.contains(",\"'=HYPERLINK(") && !csv.contains(",=HYPERLINK("), "{csv}");
        assert!(csv.chars().all(|c| c == '\n' || c == '\r' || !c.is_control()));
    }

    #[test]
    fn every_standing_of_a_comparison_is_a_row() {
        let csv = standings(&[comparisons::crossing()]);
        let rows: Vec<&str> = csv.lines().collect();
        assert_eq!(rows.len(), 1 + sweep::example::LADDER.len() * 7 * 2);
        assert!(rows[1].starts_with("users,1,output_tokens_per_s,quick,"), "{}", rows[1]);
        assert!(rows[1].ends_with(",1,,,true") && rows[2].ends_with(",false"), "{}\n{}", rows[1], rows[2]);
        let columns = rows[0].split(',').count();
        assert!(rows.iter().all(|row| row.split(',').count() == columns));
    }

    #[test]
    fn a_gate_is_a_row_with_the_figures_unrounded() {
        let csv = gates(&[example::regressed()]);
        let rows: Vec<&str> = csv.lines().collect();
        assert_eq!(rows.len(), 4);
        assert!(
            rows[1].starts_with(
                "chat::users-32::vllm,vllm,vllm 0.32.0,regressed,output_tokens_per_s,2412,2236,-0.073,"
            ),
            "{}",
            rows[1]
        );
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        let csv = gates(&[example::nasty()]);
        assert_eq!(csv.matches("\r\n").count(), 4);
        assert!(csv.chars().all(|c| c == '\n' || c == '\r' || !c.is_control()));
    }
}
