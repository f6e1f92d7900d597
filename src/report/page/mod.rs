//! The content of a report page: text, tables, and charts. Renderers decide on the markup.

mod comparison;
mod gate;
mod grid;
mod markdown;
mod sweep;

use std::collections::BTreeMap;

use crate::report::chart::Chart;
use crate::report::gathered::Gathered;
use crate::text::printable::one_line;

pub(crate) use grid::{Align, Column, Grid, Row};
pub(crate) use markdown::markdown;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    pub title: String,
    /// In the order of their numbers in [`SeriesColor::Target`](crate::report::chart::palette::SeriesColor).
    pub targets: Vec<String>,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Section {
    /// The unique name of its anchor in the page and of its charts' files.
    pub name: String,
    pub heading: String,
    /// The target that the whole section is about.
    pub target: Option<usize>,
    /// The most important point; renderers may highlight it.
    pub lead: String,
    /// In reading order.
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Block {
    Grid(Grid),
    Chart(Chart),
    Remarks(Remarks),
}

/// Sentences that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Remarks {
    /// May be empty.
    pub title: String,
    pub lines: Vec<String>,
}

impl Remarks {
    pub(crate) fn untitled(lines: impl IntoIterator<Item = String>) -> Remarks {
        Remarks { title: String::new(), lines: lines.into_iter().collect() }
    }
}

impl Section {
    pub(crate) fn charts(&self) -> impl Iterator<Item = &Chart> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Chart(chart) => Some(chart),
            Block::Grid(_) | Block::Remarks(_) => None,
        })
    }
}

impl Page {
    /// Leaves out empty blocks and numbers sections with equal names, such as two runs of a scenario.
    fn new(title: String, targets: Vec<String>, mut sections: Vec<Section>) -> Page {
        for section in &mut sections {
            section.blocks.retain(|block| match block {
                Block::Grid(grid) => !grid.rows.is_empty(),
                Block::Chart(chart) => !chart.is_empty(),
                Block::Remarks(remarks) => !remarks.lines.is_empty(),
            });
        }
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

    /// Comparisons come first because they answer the question behind the others.
    pub(crate) fn of(gathered: &Gathered) -> Page {
        let targets = gathered.targets();
        let number = |name: &str| targets.iter().position(|target| target == name).unwrap_or_default();
        let compared = gathered.comparisons.iter().map(|compared| comparison::section(compared, &number));
        let swept = gathered.joined_sweeps();
        let swept = swept.iter().map(|swept| sweep::section(swept, &number));
        let gated = gate::sections(&gathered.scenarios, &number);
        let sections = compared.chain(swept).chain(gated).collect();
        Page::new(title(gathered, &targets), targets, sections)
    }

    /// Every chart with its file name, prefixed by its section's name if several sections have charts.
    pub(crate) fn charts(&self) -> impl Iterator<Item = (String, &Chart)> {
        let several = self.sections.iter().filter(|section| section.charts().next().is_some()).count() > 1;
        self.sections.iter().flat_map(move |section| {
            section.charts().map(move |chart| {
                let name =
                    if several { format!("{}__{}", section.name, chart.name) } else { chart.name.clone() };
                (name, chart)
            })
        })
    }
}

/// `tollgate: llamacpp, vllm · 1 regressed, 3 ok`.
fn title(gathered: &Gathered, targets: &[String]) -> String {
    let mut parts = Vec::new();
    if !(gathered.sweeps.is_empty() && gathered.comparisons.is_empty()) {
        parts.push(one_line(&targets.join(", ")));
    }
    if !gathered.scenarios.is_empty() {
        parts.push(gate::title(&gathered.scenarios));
    }
    format!("tollgate: {}", parts.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare;
    use crate::results::{Report, example, sweep};

    fn of_scenarios(scenarios: Vec<Report>) -> Page {
        Page::of(&Gathered { scenarios, ..Gathered::default() })
    }

    #[test]
    fn what_needs_attention_comes_first() {
        let page = of_scenarios(example::all());
        assert_eq!(page.sections[0].heading, "chat::users-32::vllm");
        assert_eq!(
            page.title,
            "tollgate: 1 regressed, 1 invalid, 1 no baseline, 1 suspected, 1 ok, 1 ignored"
        );
    }

    #[test]
    fn charts_of_several_scenarios_have_unique_names() {
        let names = |page: &Page| -> Vec<String> { page.charts().map(|(name, _)| name).collect() };
        assert_eq!(names(&of_scenarios(vec![example::proven()])), ["changes", "pairs", "ttft-distribution"]);
        let twice = names(&of_scenarios(vec![example::proven(), example::proven()]));
        assert_eq!(twice[3], "chat__users-32__vllm-2__changes");
    }

    #[test]
    fn a_sweep_has_a_table_per_target_with_a_column_per_level() {
        let page = Page::of(&Gathered { sweeps: vec![sweep::example::crossing()], ..Gathered::default() });
        assert_eq!(page.title, "tollgate: quick, wide");
        let [targets, quick, wide] = grids(&page)[..] else { panic!("not three tables") };
        assert_eq!(targets.rows[0].cells[2], "between 4 and 8");
        assert_eq!((quick.title.as_str(), wide.title.as_str()), ("quick", "wide"));
        let heads: Vec<&str> = quick.columns.iter().map(|column| column.head.as_str()).collect();
        assert_eq!(heads, ["users", "1", "2", "4", "8", "16"]);
        assert_eq!(quick.rows[0].cells[0], "output_tokens_per_s");
        assert!(quick.rows.iter().all(|row| row.cells.len() == quick.columns.len()));
    }

    #[test]
    fn an_engine_without_answers_has_an_empty_slowdown_cell() {
        let mut sweep = sweep::example::crossing();
        sweep.targets[0].knee = None;
        sweep.targets[0].levels.iter_mut().for_each(|level| level.summary.output_tokens = 0);
        let page = Page::of(&Gathered { sweeps: vec![sweep], ..Gathered::default() });
        let cells: Vec<&str> = grids(&page)[0].rows.iter().map(|row| row.cells[2].as_str()).collect();
        assert_eq!(cells, ["", "not within these levels"]);
    }

    #[test]
    fn the_page_says_if_the_lowest_level_misses_a_limit() {
        let mut sweep = sweep::example::crossing();
        sweep.targets[0].meets_limits_up_to = None;
        let gone = sweep::SweptTarget { levels: Vec::new(), ..sweep.targets[0].clone() };
        sweep.targets.push(gone);
        let page = Page::of(&Gathered { sweeps: vec![sweep], ..Gathered::default() });
        let cells: Vec<&str> = grids(&page)[0].rows.iter().map(|row| row.cells[3].as_str()).collect();
        assert_eq!(cells, ["not at the lowest level", "up to 16 users", ""]);
    }

    #[test]
    fn a_comparison_starts_with_the_recommendation() {
        let page =
            Page::of(&Gathered { comparisons: vec![compare::example::crossing()], ..Gathered::default() });
        let section = &page.sections[0];
        let kinds: Vec<char> = section
            .blocks
            .iter()
            .map(|block| match block {
                Block::Grid(_) => 'g',
                Block::Chart(_) => 'c',
                Block::Remarks(_) => 'r',
            })
            .collect();
        let kinds: String = kinds.into_iter().collect();
        assert_eq!(kinds, "grrrrcccrggggg");
        let [advice, one_user, ..] = grids(&page)[..] else { panic!("no tables") };
        assert_eq!(advice.rows[0].cells[..2], ["low traffic (1–5 users)", "quick"]);
        let heads: Vec<&str> = one_user.columns.iter().map(|column| column.head.as_str()).collect();
        assert_eq!((one_user.title.as_str(), heads), ("1 user", vec!["", "quick", "wide", "best"]));
        assert!(one_user.rows.iter().all(|row| row.cells.len() == 4));
        let named = |name: &str| one_user.rows.iter().find(|row| row.cells[0] == name).unwrap();
        assert_eq!(named("answered").cells[1..], ["12 of 12", "12 of 12", ""]);
        assert_eq!(named("output_tokens_per_s").cells[3], "quick");
    }

    fn grids(page: &Page) -> Vec<&Grid> {
        let blocks = page.sections[0].blocks.iter();
        blocks.filter_map(|block| if let Block::Grid(grid) = block { Some(grid) } else { None }).collect()
    }
}
