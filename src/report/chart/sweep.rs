//! The charts of a sweep: curves over its levels, box plots, distributions, and each target's load over time.

use std::collections::BTreeSet;

use crate::metrics::distribution::Distribution;
use crate::metrics::timeline::Timeline;
use crate::metrics::{Latency, Metric, Rate, Stat};
use crate::report::chart::palette::SeriesColor;
use crate::report::chart::{
    self, Across, BoxStats, Chart, DataPoint, Figure, Guide, Marks, Panel, Scale, Series, Stroke, cumulative,
};
use crate::results::sweep::{Axis as LevelAxis, Level, Sweep, SweptTarget};

const LATENCIES: [(Latency, &str, &str); 3] = [
    (Latency::Ttft, "ttft", "Time to first token"),
    (Latency::Tpot, "tpot", "Time per output token"),
    (Latency::E2e, "e2e", "End-to-end latency"),
];
/// A latency's curves and their strokes.
const STATS: [(Stat, Stroke); 3] =
    [(Stat::P50, Stroke::Solid), (Stat::P95, Stroke::Dashed), (Stat::P99, Stroke::Dotted)];

/// All charts that are not empty. `color` maps a target's name to its color.
pub(crate) fn charts(sweep: &Sweep, color: &dyn Fn(&str) -> SeriesColor) -> Vec<Chart> {
    let drawn = Drawn { sweep, color };
    let mut charts = vec![drawn.throughput()];
    charts.extend(LATENCIES.map(|(latency, name, title)| drawn.latency(latency, name, title)));
    charts.push(drawn.success());
    charts.push(drawn.boxes());
    charts.extend(sweep.targets.iter().filter_map(|target| drawn.load(target)));
    charts.extend(LATENCIES.map(|(latency, name, title)| drawn.distribution(latency, name, title)));
    charts.retain(|chart| !chart.is_empty());
    charts
}

/// The axis that shows a sweep's levels.
pub(crate) fn levels_axis(axis: LevelAxis, levels: &[f64]) -> chart::Axis {
    let label = match axis {
        LevelAxis::Users => "concurrent users",
        LevelAxis::RequestsPerS => "requests/s offered",
    };
    chart::Axis::new(label, Scale::Log { marks: levels.to_vec() })
}

struct Drawn<'s> {
    sweep: &'s Sweep,
    color: &'s dyn Fn(&str) -> SeriesColor,
}

impl Drawn<'_> {
    fn throughput(&self) -> Chart {
        let metric = Metric::Rate(Rate::OutputTokensPerS);
        let series = self.sweep.targets.iter().map(|target| self.curve(target, metric, Stroke::Solid, ""));
        let panel = self.panel("output tokens/s", Scale::Linear, series.collect(), self.knees());
        let caption = "Higher is better. Whiskers span the lowest to the highest session, or round if there is only one \
                       session. The knee is where each additional user starts to add much less than the first ones did.";
        Chart::of_panel("throughput", "Output throughput", caption, panel)
    }

    fn latency(&self, latency: Latency, name: &str, title: &str) -> Chart {
        let series = self.sweep.targets.iter().flat_map(|target| {
            STATS
                .map(|(stat, stroke)| self.curve(target, Metric::Latency(latency, stat), stroke, stat.name()))
        });
        let label = format!("{} (ms)", name.to_uppercase());
        let panel = self.panel(&label, Scale::Linear, series.collect(), self.limits(latency));
        let caption = "Lower is better. Half of the requests are below the solid line, 95 % below the dashed line, and \
                       99 % below the dotted line.";
        Chart::of_panel(name, title, caption, panel)
    }

    fn success(&self) -> Chart {
        let metric = Metric::Rate(Rate::SuccessRate);
        let curves = self.sweep.targets.iter().map(|target| self.curve(target, metric, Stroke::Solid, ""));
        let goodput = self.sweep.targets.iter().map(|target| {
            let points =
                target.levels.iter().filter_map(|level| Some(DataPoint::new(level.at, level.goodput?.share)));
            self.line(target, "within all limits", Stroke::Dashed, points.collect())
        });
        let panel =
            self.panel("share of requests", Scale::Share, curves.chain(goodput).collect(), Vec::new());
        let caption = "The share of requests that succeeded. Dashed, if limits were given: the share that met all of them.";
        Chart::of_panel("success", "Success rate", caption, panel)
    }

    fn boxes(&self) -> Chart {
        let levels = levels_of(self.sweep);
        let series = self.sweep.targets.iter().map(|target| {
            let boxes = target.levels.iter().filter_map(|level| {
                let position = levels.iter().position(|at| *at == level.at)?;
                Some((position as f64, BoxStats::of(level.summary.distribution(Latency::Ttft))?))
            });
            Series {
                name: target.name.clone(),
                color: (self.color)(&target.name),
                marks: Marks::Boxes(boxes.collect()),
            }
        });
        let names = levels.iter().map(f64::to_string).collect();
        let panel = Panel {
            title: String::new(),
            x: chart::Axis::new(levels_axis(self.sweep.axis, &levels).label, Scale::Categories(names)),
            y: chart::Axis::new("TTFT (ms)", Scale::Linear),
            series: series.collect(),
            guides: self.limits(Latency::Ttft),
        };
        let caption = "Each box covers the middle half of the requests, its bar is the median, and the whiskers span the \
                       5th to the 95th percentile.";
        Chart::of_panel("ttft-boxes", "Time to first token by level", caption, panel)
    }

    /// Shows the highest level, where the target's bottleneck is visible.
    fn load(&self, target: &SweptTarget) -> Option<Chart> {
        let level = target.levels.iter().rev().find(|level| level.timeline.is_some())?;
        let timeline = level.timeline.as_ref().filter(|timeline| !timeline.is_empty())?;
        Some(Chart {
            name: format!("load-{}", target.name),
            title: format!("{} at its highest load, {}", target.name, self.sweep.axis.level(level.at)),
            caption:
                "The first session, from its first request to its last, without the pauses between rounds."
                    .into(),
            figure: Figure::Panels(self.load_panels(target, timeline)),
        })
    }

    fn load_panels(&self, target: &SweptTarget, timeline: &Timeline) -> Vec<Panel> {
        let per_s = |count: f64| count / timeline.bucket_s;
        let counts = |counts: &[u32]| counts.iter().map(|count| Some(per_s(f64::from(*count)))).collect();
        let panel = |title: &str, unit: &str, lines: Vec<(&str, Stroke, Vec<Option<f64>>)>| {
            let series = lines.into_iter().map(|(what, stroke, values)| {
                self.line(target, what, stroke, over_time(timeline.bucket_s, &values))
            });
            Panel {
                title: title.into(),
                x: chart::Axis::new("seconds", Scale::Linear),
                y: chart::Axis::new(unit, Scale::Linear),
                series: series.collect(),
                guides: Vec::new(),
            }
        };
        let tokens = timeline.output_tokens.iter().map(|tokens| Some(per_s(*tokens))).collect();
        let in_flight = timeline.in_flight.iter().map(|count| Some(*count)).collect();
        let mut ended = vec![("", Stroke::Solid, counts(&timeline.succeeded))];
        if timeline.failed.iter().any(|count| *count > 0) {
            ended.push(("failed", Stroke::Dotted, counts(&timeline.failed)));
        }
        vec![
            panel("Throughput", "output tokens/s", vec![("", Stroke::Solid, tokens)]),
            panel("Finished requests", "requests/s", ended),
            panel("In flight", "requests", vec![("", Stroke::Solid, in_flight)]),
            panel("TTFT", "ms, mean per interval", vec![("", Stroke::Solid, timeline.ttft_ms.clone())]),
        ]
    }

    fn distribution(&self, latency: Latency, name: &str, title: &str) -> Chart {
        let mut named: Vec<(String, SeriesColor, &Distribution)> = Vec::new();
        for target in &self.sweep.targets {
            let level = target.levels.last();
            named.extend(level.map(|level| {
                let shown = format!("{}, {}", target.name, self.sweep.axis.level(level.at));
                (shown, (self.color)(&target.name), level.summary.distribution(latency))
            }));
        }
        let label = format!("{} (ms)", name.to_uppercase());
        let caption = "The share of requests that took at most this long, at each target's highest level. Farther left is \
                       faster; steeper is more consistent.";
        let title = format!("{title}: distribution");
        Chart::of_panel(&format!("{name}-distribution"), &title, caption, cumulative::panel(&label, &named))
    }

    fn panel(&self, label: &str, scale: Scale, series: Vec<Series>, guides: Vec<Guide>) -> Panel {
        Panel {
            title: String::new(),
            x: levels_axis(self.sweep.axis, &levels_of(self.sweep)),
            y: chart::Axis::new(label, scale),
            series,
            guides,
        }
    }

    fn curve(&self, target: &SweptTarget, metric: Metric, stroke: Stroke, what: &str) -> Series {
        let points = target.levels.iter().filter_map(|level| {
            Some(DataPoint {
                x: level.at,
                y: level.summary.value(metric)?,
                interval: range(level, metric, stroke),
            })
        });
        self.line(target, what, stroke, points.collect())
    }

    fn line(&self, target: &SweptTarget, what: &str, stroke: Stroke, points: Vec<DataPoint>) -> Series {
        Series {
            name: format!("{} {what}", target.name).trim_end().to_owned(),
            color: (self.color)(&target.name),
            marks: Marks::Line { stroke, points },
        }
    }

    fn knees(&self) -> Vec<Guide> {
        let knees = self.sweep.targets.iter().filter_map(|target| {
            let knee = target.knee?;
            Some(Guide {
                across: Across::AtX((knee.after * knee.by).sqrt()),
                label: format!("{}: knee between {} and {}", target.name, knee.after, knee.by),
                color: (self.color)(&target.name),
            })
        });
        knees.collect()
    }

    fn limits(&self, of: Latency) -> Vec<Guide> {
        let limits = self.sweep.limits.0.iter();
        let limits =
            limits.filter(|limit| matches!(limit.metric, Metric::Latency(latency, _) if latency == of));
        limits
            .map(|limit| Guide {
                across: Across::AtY(limit.bound),
                label: limit.to_string(),
                color: SeriesColor::Limit,
            })
            .collect()
    }
}

/// The lowest and the highest value, for solid lines only: whiskers on every line would hide the lines.
fn range(level: &Level, metric: Metric, stroke: Stroke) -> Option<(f64, f64)> {
    let values = level.values(metric);
    if values.len() < 2 || stroke != Stroke::Solid {
        return None;
    }
    Some(values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v))))
}

/// The levels of all targets, in ascending order.
fn levels_of(sweep: &Sweep) -> Vec<f64> {
    // Positive floats sort by their bits.
    let all = sweep.targets.iter().flat_map(|target| &target.levels).map(|level| level.at.to_bits());
    all.collect::<BTreeSet<u64>>().into_iter().map(f64::from_bits).collect()
}

/// Each value in the middle of its bucket; empty buckets are skipped.
fn over_time(bucket_s: f64, values: &[Option<f64>]) -> Vec<DataPoint> {
    let buckets = values.iter().enumerate();
    buckets
        .filter_map(|(bucket, value)| Some(DataPoint::new((bucket as f64 + 0.5) * bucket_s, (*value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::sweep::example;

    fn drawn() -> Vec<Chart> {
        let sweep = example::crossing();
        charts(&sweep, &|name| SeriesColor::Target(usize::from(name != "quick")))
    }

    fn panels<'c>(charts: &'c [Chart], name: &str) -> &'c [Panel] {
        let chart =
            charts.iter().find(|chart| chart.name == name).unwrap_or_else(|| panic!("no chart {name}"));
        let Figure::Panels(panels) = &chart.figure else { panic!("{name} has no panels") };
        panels
    }

    #[test]
    fn a_sweep_has_every_chart() {
        let names: Vec<String> = drawn().into_iter().map(|chart| chart.name).collect();
        let expected = [
            "throughput",
            "ttft",
            "tpot",
            "e2e",
            "success",
            "ttft-boxes",
            "load-quick",
            "load-wide",
            "ttft-distribution",
            "tpot-distribution",
            "e2e-distribution",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_knee_is_marked_in_the_targets_color() {
        let charts = drawn();
        let guide = &panels(&charts, "throughput")[0].guides[0];
        let Across::AtX(at) = guide.across else { panic!("not upright") };
        assert!(at > 4.0 && at < 8.0, "{at}");
        assert_eq!(guide.color, SeriesColor::Target(0));
    }

    #[test]
    fn a_limit_appears_only_in_the_charts_of_its_latency() {
        let charts = drawn();
        assert_eq!(panels(&charts, "ttft")[0].guides[0].label, "ttft_ms_p95 ≤ 400");
        assert_eq!(panels(&charts, "ttft-boxes")[0].guides.len(), 1);
        assert!(panels(&charts, "e2e")[0].guides.is_empty());
    }

    #[test]
    fn the_load_view_has_four_panels() {
        assert_eq!(panels(&drawn(), "load-quick").len(), 4);
    }

    #[test]
    fn a_target_has_one_color_in_every_chart() {
        for chart in drawn() {
            let Figure::Panels(panels) = chart.figure else { continue };
            for series in panels.iter().flat_map(|panel| &panel.series) {
                let expected = SeriesColor::Target(usize::from(!series.name.starts_with("quick")));
                assert_eq!(series.color, expected, "{} in {}", series.name, chart.name);
            }
        }
    }
}
