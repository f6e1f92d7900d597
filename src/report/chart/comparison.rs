//! The charts of a comparison: where curves cross, and what the recommendation weighed.

use crate::report::chart::palette::Tint;
use crate::report::chart::sweep::levels_axis;
use crate::report::chart::{
    self, Across, Chart, Figure, Guide, Marks, Panel, Point, Radar, Scale, Series, Shape, Stroke,
};
use crate::report::comparison::{ClassAdvice, Comparison, Criterion, Traffic};

/// Those that have something to show. `tint` is a target's, by its name.
pub fn charts(comparison: &Comparison, tint: &dyn Fn(&str) -> Tint) -> Vec<Chart> {
    let mut charts = crossings(comparison, tint);
    charts.extend(comparison.recommendation.classes.iter().map(|class| radar(comparison, class, tint)));
    charts.retain(|chart| !chart.is_empty());
    charts
}

/// A chart for every metric in which curves cross.
fn crossings(comparison: &Comparison, tint: &dyn Fn(&str) -> Tint) -> Vec<Chart> {
    let mut metrics: Vec<_> = comparison.crossings.iter().map(|crossing| crossing.metric).collect();
    metrics.dedup();
    let levels: Vec<f64> = comparison.levels.iter().map(|level| level.at).collect();
    let charts = metrics.into_iter().map(|metric| {
        let series = comparison.targets.iter().map(|target| {
            let points = comparison.levels.iter().filter_map(|level| {
                let compared = level.metrics.iter().find(|compared| compared.metric == metric)?;
                let standing = compared.standings.iter().find(|standing| standing.target == target.name)?;
                Some(Point::new(level.at, standing.value))
            });
            Series {
                name: target.name.clone(),
                tint: tint(&target.name),
                marks: Marks::Line { stroke: Stroke::Solid, points: points.collect() },
            }
        });
        let marked = comparison.crossings.iter().filter(|crossing| crossing.metric == metric);
        let guides = marked.map(|crossing| Guide {
            across: Across::AtX(crossing.at),
            label: format!("{} overtakes {}", crossing.after, crossing.before),
            tint: Tint::Remark,
        });
        let panel = Panel {
            title: String::new(),
            x: levels_axis(comparison.axis, &levels),
            y: chart::Axis::new(metric.to_string(), Scale::Linear),
            series: series.collect(),
            guides: guides.collect(),
        };
        let caption = "Where the curves cross, on straight lines between the levels that both have measured.";
        Chart::of_panel(&format!("crossing-{metric}"), &format!("Who leads in {metric}"), caption, panel)
    });
    charts.collect()
}

fn radar(comparison: &Comparison, class: &ClassAdvice, tint: &dyn Fn(&str) -> Tint) -> Chart {
    let weighed: Vec<Criterion> =
        Criterion::ALL.into_iter().filter(|criterion| class.scores.contains_key(criterion)).collect();
    let shapes = comparison.targets.iter().map(|target| Shape {
        name: target.name.clone(),
        tint: tint(&target.name),
        scores: weighed
            .iter()
            .map(|criterion| class.scores[criterion].get(&target.name).map(|score| score / 100.0))
            .collect(),
    });
    Chart {
        name: format!("criteria-{}", short(class.traffic)),
        title: format!("Criteria at {}", class.traffic),
        caption: "Further out is better. A criterion without data is left out.".into(),
        figure: Figure::Radar(Radar {
            spokes: weighed.iter().map(|criterion| criterion.name().to_owned()).collect(),
            shapes: shapes.collect(),
        }),
    }
}

fn short(traffic: Traffic) -> &'static str {
    match traffic {
        Traffic::Low => "low",
        Traffic::Medium => "medium",
        Traffic::High => "high",
    }
}
