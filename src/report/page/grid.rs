//! A table as data.

pub(crate) use crate::text::columns::Align;

/// The table, a column, or a row may belong to a target, so that readers can hide it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    /// Empty if the section's heading says it all.
    pub title: String,
    pub target: Option<usize>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub head: String,
    pub align: Align,
    pub target: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub target: Option<usize>,
    /// One per column.
    pub cells: Vec<String>,
}

impl Column {
    pub(crate) fn left(head: impl Into<String>) -> Column {
        Column { head: head.into(), align: Align::Left, target: None }
    }

    pub(crate) fn right(head: impl Into<String>) -> Column {
        Column { head: head.into(), align: Align::Right, target: None }
    }

    pub(crate) fn of(self, target: usize) -> Column {
        Column { target: Some(target), ..self }
    }
}

impl Row {
    pub(crate) fn new(cells: impl Into<Vec<String>>) -> Row {
        Row { target: None, cells: cells.into() }
    }

    pub(crate) fn of(self, target: usize) -> Row {
        Row { target: Some(target), ..self }
    }

    /// Whether it has nothing besides its first cell, the name.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.iter().skip(1).all(String::is_empty)
    }
}

impl Grid {
    /// Removes columns without any content.
    pub(crate) fn without_empty_columns(mut self) -> Grid {
        for number in (0..self.columns.len()).rev() {
            if self.rows.iter().all(|row| row.cells[number].is_empty()) {
                self.columns.remove(number);
                self.rows.iter_mut().for_each(|row| drop(row.cells.remove(number)));
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
        let row = |cells: [&str; 3]| Row::new(cells.map(str::to_owned));
        let grid = Grid {
            title: String::new(),
            target: None,
            columns: vec![Column::left("a"), Column::right("b"), Column::left("c")],
            rows: vec![row(["1", "", "x"]), row(["2", "", ""])],
        };
        let shown = grid.without_empty_columns();
        assert_eq!(shown.columns, [Column::left("a"), Column::left("c")]);
        assert_eq!(shown.rows[1].cells, ["2", ""]);
    }
}
