//! Renders an overview of a run's scenarios as plain text.

use std::collections::BTreeMap;

use crate::report::table::{change, old_and_new, option};
use crate::results::Report;
use crate::text::columns::{Align, Columns};
use crate::text::figures;
use crate::text::printable::one_line;
use crate::verdict::Verdict;

/// A line per gate, a sentence per scenario that is not ok, the count per verdict, and the warnings.
pub(crate) fn overview(reports: &[Report]) -> String {
    use Align::{Left, Right};
    let head = ["scenario", "metric", "verdict", "baseline → now", "change"];
    let mut columns = Columns::new(head, [Left, Left, Left, Right, Right]);
    for report in reports {
        overview_rows(report).into_iter().for_each(|row| columns.row(row));
    }
    let mut lines = if reports.is_empty() { Vec::new() } else { columns.lines() };
    let notable = |report: &&Report| !matches!(report.verdict, Verdict::Ok);
    lines.extend(reports.iter().filter(notable).map(|report| {
        let id = one_line(&report.scenario.to_string());
        format!("{} {id}: {}", report.verdict.name().to_uppercase(), one_line(&report.reason))
    }));
    lines.push(counts(reports));
    lines.extend(warnings(reports));
    lines.extend(all_pending(reports));
    lines.join("\n")
}

fn overview_rows(report: &Report) -> Vec<[String; 5]> {
    let id = one_line(&report.scenario.to_string());
    if report.gates.is_empty() {
        return vec![[id, String::new(), report.verdict.name().to_owned(), String::new(), String::new()]];
    }
    let rows = report.gates.iter().enumerate().map(|(index, outcome)| {
        [
            if index == 0 { id.clone() } else { String::new() },
            outcome.gate.metric.to_string(),
            outcome.verdict.name().to_owned(),
            old_and_new(outcome),
            change(outcome),
        ]
    });
    rows.collect()
}

/// `4 scenarios: 1 regressed, 3 ok.`
fn counts(reports: &[Report]) -> String {
    let scenarios = figures::counted(reports.len() as u64, "scenario");
    let parts: Vec<String> = by_verdict(reports)
        .into_iter()
        .map(|(verdict, reports)| format!("{} {}", reports.len(), verdict.name()))
        .collect();
    if parts.is_empty() { format!("{scenarios}.") } else { format!("{scenarios}: {}.", parts.join(", ")) }
}

/// Scenarios that need attention come first; skipped ones come last.
pub(super) fn by_verdict(reports: &[Report]) -> Vec<(Verdict, Vec<&Report>)> {
    let mut groups: BTreeMap<Verdict, Vec<&Report>> = BTreeMap::new();
    for report in reports {
        groups.entry(report.verdict).or_default().push(report);
    }
    let ignored = groups.remove_entry(&Verdict::Ignored);
    groups.into_iter().rev().chain(ignored).collect()
}

/// Shows a warning that several scenarios share only once.
fn warnings(reports: &[Report]) -> Vec<String> {
    let mut scenarios: Vec<(String, Vec<String>)> = Vec::new();
    for report in reports {
        let id = one_line(&report.scenario.to_string());
        for warning in report.warnings.iter().map(|warning| one_line(warning)) {
            match scenarios.iter_mut().find(|(seen, _)| *seen == warning) {
                Some((_, ids)) => ids.push(id.clone()),
                None => scenarios.push((warning, vec![id.clone()])),
            }
        }
    }
    let lines = scenarios.into_iter().map(|(warning, ids)| match ids.as_slice() {
        [id] => format!("Warning: {id}: {warning}"),
        _ => format!("Warning: {} scenarios: {warning}", ids.len()),
    });
    lines.collect()
}

/// Shown even if every test passed: an improvement also needs to be accepted.
fn all_pending(reports: &[Report]) -> Option<String> {
    let pending: Vec<&Report> = reports.iter().filter(|report| report.pending.is_some()).collect();
    let waiting = figures::counted(pending.len() as u64, "new baseline");
    let root = option(pending.first()?.run.root.as_deref());
    Some(one_line(&format!("Pending: {waiting}; accept with tollgate accept{root} or cargo insta review.")))
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::results::example;

    #[test]
    fn the_overview_has_a_line_per_gate() {
        insta::assert_snapshot!(overview(&example::all()));
    }

    #[test]
    fn the_overviews_table_fits_in_100_columns() {
        let shown = overview(&example::all());
        let sentences = |line: &&str| !line.contains(": ");
        assert!(shown.lines().filter(sentences).all(|line| line.width() <= 100), "{shown}");
    }

    #[test]
    fn an_overview_of_no_scenarios_says_so() {
        assert_eq!(overview(&[]), "0 scenarios.");
    }

    #[test]
    fn a_shared_warning_is_shown_once() {
        let mut reports = [example::ok(), example::regressed()];
        for report in &mut reports {
            report.warnings = vec!["another driver than the baseline's".into()];
        }
        let shown = overview(&reports);
        assert_eq!(
            shown.matches("Warning: 2 scenarios: another driver than the baseline's").count(),
            1,
            "{shown}"
        );
        assert_eq!(shown.matches("another driver").count(), 1, "{shown}");
    }
}
