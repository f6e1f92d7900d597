//! Charts of every kind, for tests of the renderers.

use crate::report::chart::palette::SeriesColor;
use crate::report::chart::{
    Across, Axis, BoxStats, Chart, DataPoint, Figure, Guide, Marks, Panel, Radar, Scale, Series, Shape,
    Stroke,
};

pub(crate) fn all() -> Vec<Chart> {
    vec![curves(), boxes(), bars(), panels(), pairs(), radar(), nasty()]
}

pub(crate) fn curves() -> Chart {
    let levels = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
    let line = |name: &str, target, most: f64| Series {
        name: name.into(),
        color: SeriesColor::Target(target),
        marks: Marks::Line {
            stroke: Stroke::Solid,
            points: levels
                .map(|x| {
                    let y = most * x / (x + 8.0);
                    DataPoint { interval: Some((y * 0.97, y * 1.03)), ..DataPoint::new(x, y) }
                })
                .into(),
        },
    };
    let panel = Panel {
        title: String::new(),
        x: Axis::new("concurrent users", Scale::Log { marks: levels.into() }),
        y: Axis::new("output tokens/s", Scale::Linear),
        series: vec![line("vllm", 0, 2400.0), line("ollama", 1, 900.0)],
        guides: vec![
            Guide {
                across: Across::AtX(11.0),
                label: "vllm slows down".into(),
                color: SeriesColor::Target(0),
            },
            Guide { across: Across::AtY(1200.0), label: "at least 1200".into(), color: SeriesColor::Limit },
        ],
    };
    Chart::of_panel("throughput", "Output throughput", "Higher is better.", panel)
}

pub(crate) fn boxes() -> Chart {
    let stats = |p50: f64| BoxStats { p5: p50 * 0.6, p25: p50 * 0.8, p50, p75: p50 * 1.3, p95: p50 * 2.0 };
    let series = |name: &str, target, base: f64| Series {
        name: name.into(),
        color: SeriesColor::Target(target),
        marks: Marks::Boxes(
            (0..4).map(|level| (f64::from(level), stats(base * 1.6f64.powi(level)))).collect(),
        ),
    };
    let levels = ["1", "4", "16", "64"].map(str::to_owned);
    let panel = Panel {
        title: String::new(),
        x: Axis::new("concurrent users", Scale::Categories(levels.into())),
        y: Axis::new("TTFT (ms)", Scale::Linear),
        series: vec![series("vllm", 0, 60.0), series("ollama", 1, 110.0)],
        guides: vec![Guide {
            across: Across::AtY(400.0),
            label: "ttft_ms_p95 ≤ 400".into(),
            color: SeriesColor::Limit,
        }],
    };
    Chart::of_panel("ttft-boxes", "Time to first token", "Boxes cover the middle half.", panel)
}

pub(crate) fn bars() -> Chart {
    let series = |name: &str, target, points: [f64; 2]| Series {
        name: name.into(),
        color: SeriesColor::Target(target),
        marks: Marks::Bars(points.into_iter().zip([0.0, 1.0]).map(|(y, x)| DataPoint::new(x, y)).collect()),
    };
    let panel = |title: &str| Panel {
        title: title.into(),
        x: Axis::new("", Scale::Categories(["performance", "reliability"].map(str::to_owned).into())),
        y: Axis::new("points out of 100", Scale::Linear),
        series: vec![series("vllm", 0, [100.0, 90.0]), series("ollama", 1, [40.0, 100.0])],
        guides: Vec::new(),
    };
    Chart {
        name: "criteria".into(),
        title: "Scores by criterion".into(),
        caption: "Higher is better.".into(),
        figure: Figure::Panels(vec![panel("low traffic (1–5 users)"), panel("medium traffic (10–20 users)")]),
    }
}

pub(crate) fn panels() -> Chart {
    let panel = |title: &str, unit: &str, scale: f64| Panel {
        title: title.into(),
        x: Axis::new("seconds", Scale::Linear),
        y: Axis::new(unit, Scale::Linear),
        series: vec![Series {
            name: "vllm".into(),
            color: SeriesColor::Target(0),
            marks: Marks::Line {
                stroke: Stroke::Solid,
                points: (0..60)
                    .map(|x| DataPoint::new(f64::from(x) / 2.0, scale * (1.0 + f64::from(x % 7) / 10.0)))
                    .collect(),
            },
        }],
        guides: Vec::new(),
    };
    Chart {
        name: "load".into(),
        title: "Load over time".into(),
        caption: "One load over time.".into(),
        figure: Figure::Panels(vec![
            panel("Throughput", "output tokens/s", 900.0),
            panel("Requests", "per second", 3.0),
            panel("In flight", "requests", 16.0),
            panel("TTFT", "ms", 80.0),
        ]),
    }
}

pub(crate) fn pairs() -> Chart {
    let dots = |name: &str, color, base: f64| Series {
        name: name.into(),
        color,
        marks: Marks::Dots(
            (1..=12).map(|x| DataPoint::new(f64::from(x), base + f64::from(x * 7 % 5))).collect(),
        ),
    };
    let panel = Panel {
        title: String::new(),
        x: Axis::new("pair", Scale::Linear),
        y: Axis::new("output tokens/s", Scale::Linear),
        series: vec![dots("v0.31.0", SeriesColor::Old, 95.0), dots("v0.32.0", SeriesColor::Target(0), 88.0)],
        guides: Vec::new(),
    };
    Chart::of_panel("pairs", "Proof pairs", "Each round of the old version with its paired round.", panel)
}

pub(crate) fn radar() -> Chart {
    let shape = |name: &str, target, scores: [Option<f64>; 4]| Shape {
        name: name.into(),
        color: SeriesColor::Target(target),
        scores: scores.into(),
    };
    let spokes = ["performance", "reliability", "resource efficiency", "simplicity"].map(str::to_owned);
    Chart {
        name: "criteria".into(),
        title: "Criteria".into(),
        caption: "Farther out is better.".into(),
        figure: Figure::Radar(Radar {
            spokes: spokes.into(),
            shapes: vec![
                shape("vllm", 0, [Some(1.0), Some(0.9), Some(0.7), Some(0.4)]),
                shape("ollama", 1, [Some(0.5), Some(1.0), None, Some(0.9)]),
            ],
        }),
    }
}

/// Every external text is hostile.
pub(crate) fn nasty() -> Chart {
    let text =
        "</script><script>alert('1')</script> \"=HYPERLINK(1) ]]> \x1b[31m <img src=x onerror=alert(1)>";
    let mut chart = boxes();
    chart.title = text.into();
    chart.caption = text.into();
    let Figure::Panels(panels) = &mut chart.figure else { unreachable!("boxes are drawn in a panel") };
    panels[0].series[0].name = text.into();
    panels[0].guides[0].label = text.into();
    panels[0].x.scale = Scale::Categories(vec![text.into(), "4".into(), "16".into(), "64".into()]);
    chart
}
