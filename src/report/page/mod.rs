//! What a page of reports says, in words, tables and charts. How it is marked up is up to a renderer.

mod gate;
mod grid;

use std::collections::BTreeMap;

use crate::report::Report;
use crate::report::chart::Chart;

pub use grid::{Align, Grid, Row};

#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub title: String,
    /// By their numbers in [`Tint::Target`](crate::report::chart::palette::Tint).
    pub targets: Vec<String>,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Names its charts' files and its place in a page. No two sections of a page share one.
    pub name: String,
    pub heading: String,
    /// The target that all of it is about.
    pub target: Option<usize>,
    /// The most important thing first; a renderer may set it off.
    pub lead: String,
    pub grids: Vec<Grid>,
    pub charts: Vec<Chart>,
    pub remarks: Vec<String>,
}

impl Page {
    /// Sections of one name, such as two runs of a scenario, are told apart by a number.
    fn new(title: String, targets: Vec<String>, mut sections: Vec<Section>) -> Page {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for section in &mut sections {
            let count = counts.entry(section.name.clone()).or_default();
            *count += 1;
            if *count > 1 {
                section.name += &format!("-{count}");
            }
        }
        Page { title, targets, sections }
    }

    pub fn of_scenarios(reports: &[Report]) -> Page {
        gate::page(reports)
    }

    /// Every chart under the name of its file; that of its section goes in front where there are several.
    pub fn charts(&self) -> impl Iterator<Item = (String, &Chart)> {
        let several = self.sections.iter().filter(|section| !section.charts.is_empty()).count() > 1;
        self.sections.iter().flat_map(move |section| {
            section.charts.iter().map(move |chart| match several {
                true => (format!("{}__{}", section.name, chart.name), chart),
                false => (chart.name.clone(), chart),
            })
        })
    }
}
