//! A run of the perf suite: a section per scenario.

use crate::report::Report;
use crate::report::chart;
use crate::report::chart::palette::Tint;
use crate::report::page::{Align, Grid, Row, Section};
use crate::report::printable::one_line;
use crate::report::table::{by_verdict, gate_cells, gate_head, remarks, sentence};

/// What needs a person comes first. `number` tells a target by its name.
pub fn sections(reports: &[Report], number: &dyn Fn(&str) -> usize) -> Vec<Section> {
    let ordered = by_verdict(reports).into_iter().flat_map(|(_, reports)| reports);
    ordered.map(|report| section(report, number(&report.scenario.target))).collect()
}

/// `1 regressed, 3 ok`.
pub fn title(reports: &[Report]) -> String {
    let counts = by_verdict(reports)
        .into_iter()
        .map(|(verdict, reports)| format!("{} {}", reports.len(), verdict.name()));
    counts.collect::<Vec<_>>().join(", ")
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
