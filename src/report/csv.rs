//! Comma-separated values, for spreadsheets and scripts (RFC 4180).

use crate::report::Report;
use crate::report::csv_cell::csv_cell;
use crate::report::printable::one_line;
use crate::verdict::GateOutcome;

/// A row per scenario and gate.
pub fn gates(reports: &[Report]) -> String {
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

/// Empty where there is none.
fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

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
