//! Renders a page's text and tables as Markdown.

use crate::report::markdown::escaped;
use crate::report::page::{Align, Block, Grid, Page, Remarks, Section};

pub(crate) fn markdown(page: &Page) -> String {
    let sections = page.sections.iter().map(section);
    [format!("# {}", escaped(&page.title))].into_iter().chain(sections).collect::<Vec<_>>().join("\n\n")
        + "\n"
}

fn section(section: &Section) -> String {
    let mut blocks = vec![format!("## {}", escaped(&section.heading))];
    if !section.lead.is_empty() {
        blocks.push(escaped(&section.lead));
    }
    blocks.extend(section.blocks.iter().filter_map(block));
    blocks.join("\n\n")
}

fn block(block: &Block) -> Option<String> {
    match block {
        Block::Grid(grid) => Some(grid_table(grid)),
        Block::Remarks(remarks) => Some(list(remarks)),
        // Charts are separate files.
        Block::Chart(_) => None,
    }
}

fn list(remarks: &Remarks) -> String {
    let lines: Vec<String> = remarks.lines.iter().map(|line| format!("- {}", escaped(line))).collect();
    titled(&remarks.title, lines.join("\n"))
}

fn titled(title: &str, text: String) -> String {
    if title.is_empty() { text } else { format!("### {}\n\n{text}", escaped(title)) }
}

fn grid_table(grid: &Grid) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = grid.columns.iter().map(|column| if column.align == Align::Right { "--:" } else { "---" });
    let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
    let rows = grid.rows.iter().map(|row| line(&row.cells));
    let heads: Vec<String> = grid.columns.iter().map(|column| column.head.clone()).collect();
    let table = [line(&heads), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n");
    titled(&grid.title, table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare;
    use crate::report::gathered::Gathered;
    use crate::results::sweep;

    #[test]
    fn hostile_names_stay_within_their_cells_as_text() {
        let text = markdown(&Page::of(&Gathered {
            sweeps: vec![sweep::example::nasty()],
            comparisons: vec![compare::example::nasty()],
            ..Gathered::default()
        }));
        assert!(!text.contains('<'), "{text}");
        assert!(text.contains("&lt;script&gt;") && text.contains("=HYPERLINK("), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        for table in text.split("\n\n").filter(|block| block.starts_with("| ")) {
            let cells =
                |row: &str| row.match_indices('|').filter(|(at, _)| !row[..*at].ends_with('\\')).count();
            let rows: Vec<usize> = table.lines().map(cells).collect();
            assert!(rows.iter().all(|count| *count == rows[0]), "{table}");
        }
    }
}
