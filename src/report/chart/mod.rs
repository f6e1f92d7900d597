//! Charts as data: what to draw, in which unit, and for which target. Renderers decide how it looks.

mod box_stats;
pub(crate) mod comparison;
mod cumulative;
#[cfg(test)]
pub(crate) mod example;
mod extent;
pub(crate) mod gate;
pub(crate) mod palette;
pub(crate) mod sweep;

use palette::SeriesColor;

pub(crate) use box_stats::BoxStats;
pub(crate) use extent::{Extent, log_marks};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    /// The name of its file and of its anchor in a page: `ttft`.
    pub name: String,
    pub title: String,
    /// How to read it, in a sentence.
    pub caption: String,
    pub figure: Figure,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Figure {
    /// One, or several side by side.
    Panels(Vec<Panel>),
    Radar(Radar),
}

/// One pair of axes and what is drawn between them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Panel {
    /// Empty if the chart's title says it all.
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    pub guides: Vec<Guide>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    /// With the unit: `TTFT (ms)`.
    pub label: String,
    pub scale: Scale,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scale {
    /// From zero, unless there are negative values.
    Linear,
    /// Shares from 0 to 1, shown in percent.
    Share,
    /// With ticks at these values, such as the load levels of a sweep.
    Log { marks: Vec<f64> },
    /// Positions are indices into the names.
    Categories(Vec<String>),
}

/// The marks of one target (or one side of a comparison), with one legend entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub name: String,
    pub color: SeriesColor,
    pub marks: Marks,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Marks {
    Line {
        stroke: Stroke,
        points: Vec<DataPoint>,
    },
    Dots(Vec<DataPoint>),
    /// Short horizontal lines at values that others are compared with.
    Limits(Vec<DataPoint>),
    /// Each at a position along the x axis.
    Boxes(Vec<(f64, BoxStats)>),
    /// From zero up, each at a position along the x axis.
    Bars(Vec<DataPoint>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DataPoint {
    pub x: f64,
    pub y: f64,
    /// The lower and upper end for `y`.
    pub interval: Option<(f64, f64)>,
}

/// A straight line across the panel: a limit, a knee, a crossing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Guide {
    pub across: Across,
    pub label: String,
    pub color: SeriesColor,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Across {
    /// A horizontal line at this y.
    AtY(f64),
    /// A vertical line at this x.
    AtX(f64),
}

/// Scores from 0 to 1 along spokes, a polygon per target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Radar {
    pub spokes: Vec<String>,
    pub shapes: Vec<Shape>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub name: String,
    pub color: SeriesColor,
    /// One per spoke; `None` without data.
    pub scores: Vec<Option<f64>>,
}

impl Chart {
    pub(crate) fn of_panel(name: &str, title: &str, caption: &str, panel: Panel) -> Chart {
        Chart {
            name: name.to_owned(),
            title: title.to_owned(),
            caption: caption.to_owned(),
            figure: Figure::Panels(vec![panel]),
        }
    }

    /// Whether there is nothing to see. Empty charts are left out.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.figure {
            Figure::Panels(panels) => panels.iter().all(|panel| panel.series.iter().all(Series::is_empty)),
            Figure::Radar(radar) => radar.shapes.iter().all(|shape| shape.scores.iter().all(Option::is_none)),
        }
    }
}

impl Axis {
    pub(crate) fn new(label: impl Into<String>, scale: Scale) -> Axis {
        Axis { label: label.into(), scale }
    }
}

impl Series {
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.points().is_empty() && self.marks.boxes().is_empty()
    }
}

impl Marks {
    /// Empty for boxes.
    pub(crate) fn points(&self) -> &[DataPoint] {
        match self {
            Marks::Line { points, .. }
            | Marks::Dots(points)
            | Marks::Limits(points)
            | Marks::Bars(points) => points,
            Marks::Boxes(_) => &[],
        }
    }

    pub(crate) fn boxes(&self) -> &[(f64, BoxStats)] {
        match self {
            Marks::Boxes(boxes) => boxes,
            _ => &[],
        }
    }
}

impl DataPoint {
    pub(crate) fn new(x: f64, y: f64) -> DataPoint {
        DataPoint { x, y, interval: None }
    }
}
