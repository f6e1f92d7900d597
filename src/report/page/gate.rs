//! A run of the perf suite: a section per scenario.

use crate::report::Report;
use crate::report::chart;
use crate::report::chart::palette::Tint;
use crate::report::page::{Align, Grid, Page, Row, Section};
use crate::report::printable::one_line;
use crate::report::table::{by_verdict, gate_cells, gate_head, remarks, sentence};

pub fn page(reports: &[Report]) -> Page {
    let mut targets: Vec<String> = Vec::new();
    for report in reports {
        if !targets.contains(&report.scenario.target) {
            targets.push(report.scenario.target.clone());
        }
    }
    // What needs a person comes first.
    let ordered = by_verdict(reports).into_iter().flat_map(|(_, reports)| reports);
    let sections = ordered.map(|report| {
        let target = targets.iter().position(|target| *target == report.scenario.target);
        section(report, target.unwrap_or_default())
    });
    let sections = sections.collect();
    Page::new(title(reports), targets, sections)
}

/// `tollgate: 1 regressed, 3 ok`.
fn title(reports: &[Report]) -> String {
    let counts = by_verdict(reports)
        .into_iter()
        .map(|(verdict, reports)| format!("{} {}", reports.len(), verdict.name()));
    format!("tollgate: {}", counts.collect::<Vec<_>>().join(", "))
}

fn section(report: &Report, target: usize) -> Section {
    Section {
        name: report.scenario.file_stem(),
        heading: one_line(&report.scenario.to_string()),
        target: Some(target),
        lead: sentence(report),
        grids: gates(report, target).into_iter().collect(),
        charts: chart::gate::charts(report, Tint::Target(target)),
        remarks: remarks(report),
    }
}

fn gates(report: &Report, target: usize) -> Option<Grid> {
    use Align::{Left, Right};
    let rows = report.gates.iter().map(|outcome| {
        let mut cells = gate_cells(outcome).to_vec();
        if !outcome.reason.is_empty() {
            let verdict = cells.pop().unwrap_or_default();
            cells.push(format!("{verdict} ({})", one_line(&outcome.reason)));
        }
        Row { target: Some(target), cells }
    });
    let grid = Grid {
        title: String::new(),
        head: gate_head(report).to_vec(),
        align: vec![Left, Right, Right, Right, Left, Left, Left],
        rows: rows.collect(),
    };
    (!report.gates.is_empty()).then(|| grid.without_empty_columns())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn what_needs_a_person_comes_first_and_every_target_has_one_number() {
        let page = page(&example::all());
        assert_eq!(page.sections[0].heading, "chat::users-32::vllm");
        assert_eq!(page.targets, ["vllm", "ollama"]);
        assert_eq!(
            page.title,
            "tollgate: 1 regressed, 1 invalid, 1 no baseline, 1 suspected, 1 ok, 1 ignored"
        );
    }

    #[test]
    fn charts_of_several_scenarios_have_names_of_their_own() {
        let names =
            |reports: &[Report]| -> Vec<String> { page(reports).charts().map(|(name, _)| name).collect() };
        assert_eq!(names(&[example::proven()]), ["changes", "pairs", "ttft-distribution"]);
        assert_eq!(names(&[example::proven(), example::proven()])[3], "chat__users-32__vllm-2__changes");
        let several = names(&example::all());
        assert!(several.contains(&"chat__users-32__vllm__changes".to_owned()), "{several:?}");
    }
}
