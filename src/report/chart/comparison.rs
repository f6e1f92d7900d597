//! The charts of a comparison: where curves cross, and the scores behind the recommendation.

use crate::report::chart::palette::SeriesColor;
use crate::report::chart::sweep::levels_axis;
use crate::report::chart::{
    self, Across, Chart, DataPoint, Figure, Guide, Marks, Panel, Radar, Scale, Series, Shape, Stroke,
    log_marks,
};
use crate::results::comparison::{ClassAdvice, Comparison, Criterion, Traffic};

/// All charts that are not empty. `color` maps a target's name to its color.
pub(crate) fn charts(comparison: &Comparison, color: &dyn Fn(&str) -> SeriesColor) -> Vec<Chart> {
    let mut charts = crossings(comparison, color);
    let classes = comparison.recommendation.classes.iter().filter(|class| !class.totals.is_empty());
    charts.extend(match weighed(comparison).len() {
        0 => Vec::new(),
        // A radar with two spokes would be a line.
        1 | 2 => vec![bars(comparison, classes.collect(), color)],
        _ => classes.map(|class| radar(comparison, class, color)).collect(),
    });
    charts.retain(|chart| !chart.is_empty());
    charts
}

/// A chart for each metric in which curves cross.
fn crossings(comparison: &Comparison, color: &dyn Fn(&str) -> SeriesColor) -> Vec<Chart> {
    let mut metrics: Vec<_> = comparison.crossings.iter().map(|crossing| crossing.metric).collect();
    metrics.dedup();
    let levels: Vec<f64> = comparison.levels.iter().map(|level| level.at).collect();
    let charts = metrics.into_iter().map(|metric| {
        let mut values: Vec<f64> = Vec::new();
        let series = comparison.targets.iter().map(|target| {
            let points = comparison.levels.iter().filter_map(|level| {
                let compared = level.metrics.iter().find(|compared| compared.metric == metric)?;
                let standing = compared.standings.iter().find(|standing| standing.target == target.name)?;
                values.push(standing.value);
                Some(DataPoint::new(level.at, standing.value))
            });
            Series {
                name: target.name.clone(),
                color: color(&target.name),
                marks: Marks::Line { stroke: Stroke::Solid, points: points.collect() },
            }
        });
        let series: Vec<Series> = series.collect();
        let (low, high) = values.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(*v), high.max(*v)));
        let marked = comparison.crossings.iter().filter(|crossing| crossing.metric == metric);
        let guides = marked.map(|crossing| Guide {
            across: Across::AtX(crossing.at),
            label: format!("{} overtakes {}", crossing.after, crossing.before),
            color: SeriesColor::Remark,
        });
        let panel = Panel {
            title: String::new(),
            x: levels_axis(comparison.axis, &levels),
            // Curves cross where their ratio is 1, which is where they meet on a logarithmic axis.
            y: chart::Axis::new(metric.to_string(), Scale::Log { marks: log_marks(low, high) }),
            series,
            guides: guides.collect(),
        };
        let caption = "Both axes are logarithmic: equal distances are equal factors. Crossings are interpolated on \
                       straight lines between the levels measured on both targets.";
        Chart::of_panel(&format!("crossing-{metric}"), &format!("Lead changes in {metric}"), caption, panel)
    });
    charts.collect()
}

/// The criteria that have data, the same for every class.
fn weighed(comparison: &Comparison) -> Vec<Criterion> {
    let classes = &comparison.recommendation.classes;
    let has_data = |criterion: &Criterion| classes.iter().any(|class| class.scores.contains_key(criterion));
    Criterion::ALL.into_iter().filter(has_data).collect()
}

/// A panel per traffic class.
fn bars(comparison: &Comparison, classes: Vec<&ClassAdvice>, color: &dyn Fn(&str) -> SeriesColor) -> Chart {
    let weighed = weighed(comparison);
    let panels = classes.into_iter().map(|class| {
        let series = comparison.targets.iter().map(|target| {
            let points = weighed.iter().zip(0..).filter_map(|(criterion, at)| {
                Some(DataPoint::new(f64::from(at), *class.scores.get(criterion)?.get(&target.name)?))
            });
            let (name, color) = (target.name.clone(), color(&target.name));
            Series { name, color, marks: Marks::Bars(points.collect()) }
        });
        let names = weighed.iter().map(|criterion| criterion.name().to_owned());
        Panel {
            title: class.traffic.to_string(),
            x: chart::Axis::new("", Scale::Categories(names.collect())),
            y: chart::Axis::new("points out of 100", Scale::Linear),
            series: series.collect(),
            guides: Vec::new(),
        }
    });
    Chart {
        name: "criteria".into(),
        title: "Scores by criterion".into(),
        caption: "Higher is better. Criteria without data are left out.".into(),
        figure: Figure::Panels(panels.collect()),
    }
}

fn radar(comparison: &Comparison, class: &ClassAdvice, color: &dyn Fn(&str) -> SeriesColor) -> Chart {
    let weighed = weighed(comparison);
    let score = |criterion: &Criterion, target: &str| Some(class.scores.get(criterion)?.get(target)? / 100.0);
    let shapes = comparison.targets.iter().map(|target| Shape {
        name: target.name.clone(),
        color: color(&target.name),
        scores: weighed.iter().map(|criterion| score(criterion, &target.name)).collect(),
    });
    Chart {
        name: format!("criteria-{}", short(class.traffic)),
        title: format!("Scores by criterion for {}", class.traffic),
        caption: "Farther out is better. Criteria without data are left out.".into(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{self, Preferences};
    use crate::results::sweep;

    fn drawn(preferences: &Preferences) -> Vec<Chart> {
        let comparison = compare::example::of(sweep::example::crossing(), preferences);
        charts(&comparison, &|name| SeriesColor::Target(usize::from(name != "quick")))
    }

    fn names(charts: &[Chart]) -> Vec<&str> {
        charts.iter().map(|chart| chart.name.as_str()).collect()
    }

    #[test]
    fn two_criteria_are_bars_with_a_panel_per_measured_class() {
        let charts = drawn(&Preferences::default());
        assert_eq!(names(&charts), ["crossing-output_tokens_per_s", "crossing-ttft_ms_p95", "criteria"]);
        let Figure::Panels(panels) = &charts[2].figure else { panic!("not panels") };
        let titles: Vec<&str> = panels.iter().map(|panel| panel.title.as_str()).collect();
        assert_eq!(titles, ["low traffic (1–5 users)", "medium traffic (10–20 users)"]);
        assert!(panels.iter().flat_map(|panel| &panel.series).all(|series| !series.is_empty()));
    }

    #[test]
    fn three_criteria_are_a_radar_per_class() {
        let simplicity = [("quick".to_owned(), 5.0), ("wide".to_owned(), 3.0)].into();
        let charts = drawn(&Preferences { simplicity, ..Preferences::default() });
        assert_eq!(names(&charts)[2..], ["criteria-low", "criteria-medium"]);
        let Figure::Radar(radar) = &charts[2].figure else { panic!("no radar") };
        assert_eq!(radar.spokes, ["performance", "reliability", "simplicity"]);
    }

    #[test]
    fn a_crossing_is_marked_where_the_curves_meet() {
        let charts = drawn(&Preferences::default());
        let Figure::Panels(panels) = &charts[0].figure else { panic!("not panels") };
        let [guide] = panels[0].guides.as_slice() else { panic!("not one crossing") };
        assert_eq!(guide.label, "wide overtakes quick");
        let Across::AtX(at) = guide.across else { panic!("not upright") };
        assert!(at > 4.0 && at < 16.0, "{at}");
    }
}
