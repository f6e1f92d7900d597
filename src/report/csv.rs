//! Comma-separated values, for spreadsheets and scripts (RFC 4180).

use crate::report::Report;
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
        text(&report.scenario.to_string()),
        text(&report.scenario.target),
        text(engine.unwrap_or_default()),
        text(report.verdict.name()),
        text(&outcome.gate.metric.to_string()),
        number(outcome.old),
        number(outcome.new),
        number(change.map(|change| change.relative)),
        number(interval.map(|(low, _)| low)),
        number(interval.map(|(_, high)| high)),
        number(outcome.gate.tolerance),
        number(outcome.gate.min),
        number(outcome.gate.max),
        text(outcome.verdict.name()),
        text(&outcome.reason),
    ]
    .join(",")
}

/// Empty where there is none.
pub(super) fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Text of foreign origin. A spreadsheet takes what begins with one of these signs for a formula; the apostrophe has it
/// take it for text (OWASP, "CSV Injection").
pub(super) fn text(text: &str) -> String {
    let mut text = one_line(text);
    if text.starts_with(['=', '+', '-', '@', '|', '%']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"', '\'', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
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
    fn no_cell_is_a_formula() {
        for formula in ["=HYPERLINK(\"http://x\",1)", "+1", "-2+3", "@SUM(A1)", "\t=1", "|cmd", " \r\n=1"] {
            assert!(text(formula).trim_start_matches('"').starts_with('\''), "{}", text(formula));
        }
        assert_eq!(text("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(text("vllm 0.32.0"), "vllm 0.32.0");
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        let csv = gates(&[example::nasty()]);
        assert_eq!(csv.matches("\r\n").count(), 4);
        assert!(csv.chars().all(|c| c == '\n' || c == '\r' || !c.is_control()));
    }
}
