//! The sections of a suite's run, one per scenario.

use crate::report::chart;
use crate::report::chart::palette::SeriesColor;
use crate::report::overview::by_verdict;
use crate::report::page::{Block, Column, Grid, Remarks, Row, Section};
use crate::report::table::{gate_cells, gate_head, remarks, sentence};
use crate::results::Report;
use crate::text::printable::one_line;

/// Scenarios that need attention come first. `number` maps a target's name to its number.
pub(crate) fn sections(reports: &[Report], number: &dyn Fn(&str) -> usize) -> Vec<Section> {
    let ordered = by_verdict(reports).into_iter().flat_map(|(_, reports)| reports);
    ordered.map(|report| section(report, number(&report.scenario.target))).collect()
}

/// `1 regressed, 3 ok`.
pub(crate) fn title(reports: &[Report]) -> String {
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
        blocks: blocks(report, target),
    }
}

fn blocks(report: &Report, target: usize) -> Vec<Block> {
    let mut blocks = vec![Block::Grid(gates(report)), Block::Remarks(Remarks::untitled(remarks(report)))];
    blocks.extend(chart::gate::charts(report, SeriesColor::Target(target)).into_iter().map(Block::Chart));
    blocks
}

fn gates(report: &Report) -> Grid {
    let rows = report.gates.iter().map(|outcome| {
        let mut cells = gate_cells(outcome).to_vec();
        if !outcome.reason.is_empty() {
            let verdict = cells.pop().unwrap_or_default();
            cells.push(format!("{verdict} ({})", one_line(&outcome.reason)));
        }
        Row::new(cells)
    });
    let [metric, figures @ .., interval, allowed, verdict] = gate_head(report);
    let columns = std::iter::once(Column::left(metric))
        .chain(figures.map(Column::right))
        .chain([interval, allowed, verdict].map(Column::left));
    let grid = Grid { title: String::new(), target: None, columns: columns.collect(), rows: rows.collect() };
    grid.without_empty_columns()
}
