//! Renders a run as Markdown, for a GitHub job summary.

use crate::report::overview::by_verdict;
use crate::report::table::{allowed, change, old_and_new, table};
use crate::results::Report;
use crate::text::figures;
use crate::text::printable::one_line;
use crate::verdict::{GateOutcome, Verdict};

/// Full tables for scenarios that are not ok, one line per gate for those that are, then ignored scenarios and
/// warnings.
pub(crate) fn markdown(reports: &[Report]) -> String {
    let mut sections = vec![format!("# tollgate: {}", headline(reports))];
    for (verdict, reports) in by_verdict(reports) {
        sections.push(format!("## {} {}", reports.len(), verdict.name()));
        match verdict {
            Verdict::Ok | Verdict::Improved => sections.push(gate_table(&reports)),
            Verdict::Ignored => sections.push(reasons(&reports)),
            _ => sections.extend(reports.into_iter().map(full_table)),
        }
    }
    if let Some(warnings) = warnings(reports) {
        sections.push("## Warnings".to_owned());
        sections.push(warnings);
    }
    sections.join("\n\n") + "\n"
}

/// `1 of 4 scenarios regressed, 1 without a baseline`, or `3 scenarios passed, 1 ignored`.
fn headline(reports: &[Report]) -> String {
    let (mut passed, mut others) = (0, Vec::new());
    for (verdict, reports) in by_verdict(reports) {
        match verdict {
            Verdict::Ok | Verdict::Improved => passed += reports.len(),
            Verdict::NoBaseline => others.push((reports.len(), "without a baseline")),
            _ => others.push((reports.len(), verdict.name())),
        }
    }
    let total = figures::counted(reports.len() as u64, "scenario");
    let mut parts = Vec::new();
    if others.iter().all(|(_, label)| *label == Verdict::Ignored.name()) {
        parts.push(format!("{} passed", figures::counted(passed as u64, "scenario")));
    }
    for (count, label) in others {
        let of_total = if parts.is_empty() { format!(" of {total}") } else { String::new() };
        parts.push(format!("{count}{of_total} {label}"));
    }
    parts.join(", ")
}

fn full_table(report: &Report) -> String {
    let text = table(report);
    let fence = "`".repeat(longest_run_of_backticks(&text).max(2) + 1);
    format!("### {}\n\n{fence}text\n{text}\n{fence}", code(&report.scenario.to_string()))
}

fn gate_table(reports: &[&Report]) -> String {
    let head =
        "| scenario | metric | baseline → now | change | allowed | verdict |\n|---|---|--:|--:|---|---|";
    let rows = reports.iter().flat_map(|report| {
        let id = cell(&code(&report.scenario.to_string()));
        let rows: Vec<String> = match report.gates.as_slice() {
            [] => vec![format!("| {id} | | | | | {} |", report.verdict.name())],
            gates => gates.iter().map(|outcome| gate_row(&id, outcome)).collect(),
        };
        rows
    });
    std::iter::once(head.to_owned()).chain(rows).collect::<Vec<_>>().join("\n")
}

fn gate_row(id: &str, outcome: &GateOutcome) -> String {
    let mut verdict = outcome.verdict.name().to_owned();
    if !outcome.reason.is_empty() {
        verdict += &format!(" ({})", escaped(&outcome.reason));
    }
    format!(
        "| {id} | {} | {} | {} | {} | {verdict} |",
        code(&outcome.gate.metric.to_string()),
        old_and_new(outcome),
        change(outcome),
        allowed(&outcome.gate),
    )
}

fn reasons(reports: &[&Report]) -> String {
    let lines = reports
        .iter()
        .map(|report| format!("- {}: {}", code(&report.scenario.to_string()), escaped(&report.reason)));
    lines.collect::<Vec<_>>().join("\n")
}

fn warnings(reports: &[Report]) -> Option<String> {
    let lines = reports.iter().flat_map(|report| {
        let id = code(&report.scenario.to_string());
        report.warnings.iter().map(move |warning| format!("- {id}: {}", escaped(warning)))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// As code, in which neither markup nor `:emoji:` is interpreted: scenario IDs are full of colons.
fn code(text: &str) -> String {
    let text = one_line(text);
    let marks = "`".repeat(longest_run_of_backticks(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{marks}{space}{text}{space}{marks}")
}

/// In a table, a bar ends the cell, even within code.
fn cell(markdown: &str) -> String {
    markdown.replace('|', "\\|")
}

/// Escapes all markup.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in one_line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    #[test]
    fn what_needs_attention_comes_first() {
        insta::assert_snapshot!(markdown(&example::all()));
    }

    #[test]
    fn the_headline_counts_scenarios_by_verdict() {
        let headline = |reports: &[Report]| markdown(reports).lines().next().unwrap().to_owned();
        assert_eq!(headline(&[example::ok()]), "# tollgate: 1 scenario passed");
        assert_eq!(
            headline(&[example::ok(), example::ignored()]),
            "# tollgate: 1 scenario passed, 1 ignored"
        );
        assert_eq!(
            headline(&example::all()),
            "# tollgate: 1 of 6 scenarios regressed, 1 invalid, 1 without a baseline, 1 suspected, 1 ignored"
        );
        assert_eq!(headline(&[]), "# tollgate: 0 scenarios passed");
    }

    #[test]
    fn hostile_text_cannot_leave_its_fence_or_cell() {
        let report = Report { verdict: Verdict::Ok, ..example::nasty() };
        let shown = markdown(&[example::nasty(), report]);
        assert!(shown.contains("\n````text\n") && shown.contains("\n````\n"), "{shown}");
        let row =
            shown.lines().find(|line| line.starts_with("| ") && line.contains("output_tokens")).unwrap();
        let bars = row.match_indices('|').filter(|(at, _)| !row[..*at].ends_with('\\')).count();
        assert_eq!(bars, 7, "{row}");
        let warning = shown.lines().next_back().unwrap();
        assert!(warning.contains("&lt;script&gt;") && warning.contains("\\`b\\`"), "{warning}");
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
