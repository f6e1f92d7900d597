//! A page's words and tables as Markdown.

use crate::report::markdown::escaped;
use crate::report::page::{Align, Grid, Page, Section};

pub fn markdown(page: &Page) -> String {
    let sections = page.sections.iter().map(section);
    [format!("# {}", escaped(&page.title))].into_iter().chain(sections).collect::<Vec<_>>().join("\n\n")
        + "\n"
}

fn section(section: &Section) -> String {
    let mut blocks = vec![format!("## {}", escaped(&section.heading))];
    if !section.lead.is_empty() {
        blocks.push(escaped(&section.lead));
    }
    blocks.extend(section.grids.iter().filter(|grid| !grid.rows.is_empty()).map(grid_table));
    let remarks: Vec<String> =
        section.remarks.iter().map(|remark| format!("- {}", escaped(remark))).collect();
    if !remarks.is_empty() {
        blocks.push(remarks.join("\n"));
    }
    blocks.join("\n\n")
}

fn grid_table(grid: &Grid) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = grid.align.iter().map(|align| if *align == Align::Right { "--:" } else { "---" });
    let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
    let rows = grid.rows.iter().map(|row| line(&row.cells));
    [line(&grid.head), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}
