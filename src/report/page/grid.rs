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
