//! A table as data.

pub use crate::report::columns::Align;

#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Empty where the section's heading says it all.
    pub title: String,
    pub head: Vec<String>,
    /// One per column.
    pub align: Vec<Align>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The target that it is about.
    pub target: Option<usize>,
    pub cells: Vec<String>,
}

impl Grid {
    /// A column in which no row says anything is no column.
    pub fn without_empty_columns(mut self) -> Grid {
        for column in (0..self.head.len()).rev() {
            if self.rows.iter().all(|row| row.cells[column].is_empty()) {
                self.head.remove(column);
                self.align.remove(column);
                self.rows.iter_mut().for_each(|row| drop(row.cells.remove(column)));
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_column_is_left_out() {
        let row = |cells: [&str; 3]| Row { target: None, cells: cells.map(str::to_owned).into() };
        let grid = Grid {
            title: String::new(),
            head: ["a", "b", "c"].map(str::to_owned).into(),
            align: vec![Align::Left, Align::Right, Align::Left],
            rows: vec![row(["1", "", "x"]), row(["2", "", ""])],
        };
        let shown = grid.without_empty_columns();
        assert_eq!(shown.head, ["a", "c"]);
        assert_eq!(shown.align, [Align::Left, Align::Left]);
        assert_eq!(shown.rows[1].cells, ["2", ""]);
    }
}
