//! Aligns cells in columns for a terminal.

use unicode_width::UnicodeWidthStr;

/// Between two columns.
const GAP: &str = "  ";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Align {
    Left,
    Right,
}

pub(crate) struct Columns<const N: usize> {
    align: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Columns<N> {
    pub(crate) fn new(head: [&str; N], align: [Align; N]) -> Columns<N> {
        Columns { align, rows: vec![head.map(str::to_owned)] }
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// A line for the header and for each row, without columns that are empty in every row.
    pub(crate) fn lines(&self) -> Vec<String> {
        let used: Vec<usize> =
            (0..N).filter(|column| self.rows[1..].iter().any(|row| !row[*column].is_empty())).collect();
        let widths = used.iter().map(|column| {
            let width = self.rows.iter().map(|row| row[*column].width()).max();
            (*column, width.unwrap_or(0))
        });
        let widths: Vec<(usize, usize)> = widths.collect();
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[String; N], widths: &[(usize, usize)]) -> String {
        let cells: Vec<String> =
            widths.iter().map(|(column, width)| padded(&row[*column], *width, self.align[*column])).collect();
        cells.join(GAP).trim_end().to_owned()
    }
}

/// Pads by terminal columns, because Rust's own padding counts characters, which may be zero or two columns wide.
fn padded(cell: &str, width: usize, align: Align) -> String {
    let space = " ".repeat(width.saturating_sub(cell.width()));
    match align {
        Align::Left => format!("{cell}{space}"),
        Align::Right => format!("{space}{cell}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rows: &[[&str; 3]]) -> Vec<String> {
        let mut columns = Columns::new(["name", "note", "value"], [Align::Left, Align::Left, Align::Right]);
        for row in rows {
            columns.row(row.map(str::to_owned));
        }
        columns.lines()
    }

    #[test]
    fn columns_align_by_terminal_width() {
        let shown = lines(&[["東京", "a", "−7.3 %"], ["abc", "", "1"]]);
        assert_eq!(shown, ["name  note   value", "東京  a     −7.3 %", "abc              1"]);
    }

    #[test]
    fn an_empty_column_is_left_out() {
        assert_eq!(lines(&[["a", "", "1"], ["b", "", "2"]]), ["name  value", "a         1", "b         2"]);
    }
}
