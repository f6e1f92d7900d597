//! The shapes that charts consist of.

use crate::report::chart::Stroke;
use crate::report::chart::palette::{Palette, SeriesColor, Symbol};

/// The radius of a symbol.
const RADIUS: f64 = 4.0;

/// The width of the line around an area.
pub(crate) const OUTLINE: f64 = 1.5;
/// The width of the outline around text; half of it lies beneath the letters.
pub(crate) const EDGE: f64 = 4.0;

pub(crate) type Position = (f64, f64);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    pub title: String,
    pub width: f64,
    pub height: f64,
    /// In painting order.
    pub marks: Vec<Mark>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    /// The target that it belongs to, so that readers can hide it.
    pub target: Option<usize>,
    /// The tooltip.
    pub note: Option<String>,
    pub shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Path {
        points: Vec<Position>,
        color: Color,
        width: f64,
        stroke: Stroke,
    },
    /// A closed outline, filled with this opacity.
    Area {
        points: Vec<Position>,
        fill: Color,
        opacity: f64,
        outline: Option<Color>,
    },
    Disc {
        center: Position,
        radius: f64,
        fill: Color,
    },
    Text(Text),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    /// Must be printable.
    pub text: String,
    pub x: f64,
    /// The y of its baseline.
    pub y: f64,
    pub size: f64,
    pub bold: bool,
    /// Whether an outline in the paper's color separates it from what is behind it.
    pub edged: bool,
    pub anchor: Anchor,
    pub color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    Ink,
    Faint,
    Grid,
    Of(SeriesColor),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Color {
    pub(crate) fn within(self, palette: &Palette) -> &'static str {
        match self {
            Color::Ink => palette.ink,
            Color::Faint => palette.faint,
            Color::Grid => palette.grid,
            Color::Of(color) => palette.color(color),
        }
    }
}

impl Rect {
    pub(crate) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub(crate) fn corners(&self) -> Vec<Position> {
        vec![(self.x, self.y), (self.right(), self.y), (self.right(), self.bottom()), (self.x, self.bottom())]
    }
}

impl Text {
    pub(crate) fn new(text: impl Into<String>, x: f64, y: f64, size: f64) -> Text {
        let (anchor, color) = (Anchor::Start, Color::Ink);
        Text { text: text.into(), x, y, size, bold: false, edged: false, anchor, color }
    }

    pub(crate) fn bold(self) -> Text {
        Text { bold: true, ..self }
    }

    pub(crate) fn edged(self) -> Text {
        Text { edged: true, ..self }
    }

    pub(crate) fn anchored(self, anchor: Anchor) -> Text {
        Text { anchor, ..self }
    }

    pub(crate) fn colored(self, color: Color) -> Text {
        Text { color, ..self }
    }
}

impl From<Text> for Shape {
    fn from(text: Text) -> Shape {
        Shape::Text(text)
    }
}

impl Shape {
    pub(crate) fn line(points: &[Position], color: Color, width: f64) -> Shape {
        Shape::Path { points: points.to_vec(), color, width, stroke: Stroke::Solid }
    }

    pub(crate) fn symbol(symbol: Symbol, (x, y): Position, fill: Color) -> Shape {
        let corners: &[Position] = match symbol {
            Symbol::Circle => return Shape::Disc { center: (x, y), radius: RADIUS, fill },
            Symbol::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Symbol::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Symbol::Triangle => &[(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
            Symbol::Wedge => &[(0.0, 1.2), (1.15, -0.9), (-1.15, -0.9)],
        };
        let points = corners.iter().map(|(dx, dy)| (x + dx * RADIUS, y + dy * RADIUS)).collect();
        Shape::Area { points, fill, opacity: 1.0, outline: None }
    }
}

/// Adds the marks of one target. Readers can hide these marks and no others.
pub(crate) struct Owned<'p> {
    picture: &'p mut Picture,
    target: Option<usize>,
}

impl Picture {
    pub(crate) fn new(title: String, width: f64) -> Picture {
        Picture { title, width, height: 0.0, marks: Vec::new() }
    }

    pub(crate) fn add(&mut self, shape: impl Into<Shape>) {
        self.marks.push(Mark { target: None, note: None, shape: shape.into() });
    }

    pub(crate) fn of(&mut self, color: SeriesColor) -> Owned<'_> {
        let target = match color {
            SeriesColor::Target(number) => Some(number),
            SeriesColor::Old | SeriesColor::Limit | SeriesColor::Remark => None,
        };
        Owned { picture: self, target }
    }
}

impl Owned<'_> {
    pub(crate) fn add(&mut self, shape: impl Into<Shape>) {
        self.picture.marks.push(Mark { target: self.target, note: None, shape: shape.into() });
    }

    pub(crate) fn add_noted(&mut self, shape: Shape, note: String) {
        self.picture.marks.push(Mark { target: self.target, note: Some(note), shape });
    }
}

/// The lengths of a dash pattern's dashes and gaps; `None` for a solid line.
pub(crate) fn dash(stroke: Stroke) -> Option<[f64; 2]> {
    match stroke {
        Stroke::Solid => None,
        Stroke::Dashed => Some([7.0, 4.0]),
        Stroke::Dotted => Some([2.0, 3.0]),
    }
}
