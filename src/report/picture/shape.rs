//! The few shapes that charts are made of.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::report::chart::Stroke;
use crate::report::chart::palette::{Palette, Symbol, Tint};

/// Of a letter's width to its height, on average, in the fonts that are asked for.
const LETTER: f64 = 0.6;
/// Of a symbol, from its centre.
const RADIUS: f64 = 4.0;

pub type Point = (f64, f64);

#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub title: String,
    pub width: f64,
    pub height: f64,
    /// In the order in which they are painted.
    pub marks: Vec<Mark>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The target that it belongs to, for a reader who wants to see some of them only.
    pub target: Option<usize>,
    /// What is told to whoever points at it.
    pub note: Option<String>,
    pub shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Path {
        points: Vec<Point>,
        colour: Colour,
        width: f64,
        stroke: Stroke,
    },
    /// A closed outline, filled as densely as `opacity` says.
    Area {
        points: Vec<Point>,
        fill: Colour,
        opacity: f64,
        outline: Option<Colour>,
    },
    Disc {
        centre: Point,
        radius: f64,
        fill: Colour,
    },
    Text(Text),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// Printable.
    pub text: String,
    pub x: f64,
    /// Of its base line.
    pub y: f64,
    pub size: f64,
    pub bold: bool,
    pub anchor: Anchor,
    pub colour: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Ink,
    Faint,
    Grid,
    Of(Tint),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Colour {
    pub fn within(self, palette: &Palette) -> &'static str {
        match self {
            Colour::Ink => palette.ink,
            Colour::Faint => palette.faint,
            Colour::Grid => palette.grid,
            Colour::Of(tint) => palette.colour(tint),
        }
    }
}

impl Rect {
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub fn corners(&self) -> Vec<Point> {
        vec![(self.x, self.y), (self.right(), self.y), (self.right(), self.bottom()), (self.x, self.bottom())]
    }
}

impl Text {
    pub fn new(text: impl Into<String>, x: f64, y: f64, size: f64) -> Text {
        Text { text: text.into(), x, y, size, bold: false, anchor: Anchor::Start, colour: Colour::Ink }
    }

    pub fn bold(self) -> Text {
        Text { bold: true, ..self }
    }

    pub fn anchored(self, anchor: Anchor) -> Text {
        Text { anchor, ..self }
    }

    pub fn coloured(self, colour: Colour) -> Text {
        Text { colour, ..self }
    }
}

impl From<Text> for Shape {
    fn from(text: Text) -> Shape {
        Shape::Text(text)
    }
}

impl Shape {
    pub fn line(points: &[Point], colour: Colour, width: f64) -> Shape {
        Shape::Path { points: points.to_vec(), colour, width, stroke: Stroke::Solid }
    }

    pub fn symbol(symbol: Symbol, (x, y): Point, fill: Colour) -> Shape {
        let corners: &[Point] = match symbol {
            Symbol::Circle => return Shape::Disc { centre: (x, y), radius: RADIUS, fill },
            Symbol::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Symbol::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Symbol::Triangle => &[(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
            Symbol::Wedge => &[(0.0, 1.2), (1.15, -0.9), (-1.15, -0.9)],
        };
        let points = corners.iter().map(|(dx, dy)| (x + dx * RADIUS, y + dy * RADIUS)).collect();
        Shape::Area { points, fill, opacity: 1.0, outline: None }
    }
}

/// What is drawn of one target. Nothing else in a picture is ever hidden.
pub struct Owned<'p> {
    picture: &'p mut Picture,
    target: Option<usize>,
}

impl Picture {
    pub fn new(title: String, width: f64) -> Picture {
        Picture { title, width, height: 0.0, marks: Vec::new() }
    }

    pub fn add(&mut self, shape: impl Into<Shape>) {
        self.marks.push(Mark { target: None, note: None, shape: shape.into() });
    }

    pub fn of(&mut self, tint: Tint) -> Owned<'_> {
        let target = match tint {
            Tint::Target(number) => Some(number),
            Tint::Old | Tint::Limit | Tint::Remark => None,
        };
        Owned { picture: self, target }
    }
}

impl Owned<'_> {
    pub fn add(&mut self, shape: impl Into<Shape>) {
        self.picture.marks.push(Mark { target: self.target, note: None, shape: shape.into() });
    }

    pub fn add_noted(&mut self, shape: Shape, note: String) {
        self.picture.marks.push(Mark { target: self.target, note: Some(note), shape });
    }
}

/// About how wide a text is. No font is at hand here, so layouts leave room.
pub fn width(text: &str, size: f64) -> f64 {
    text.width() as f64 * size * LETTER
}

/// Cut where it would be wider.
pub fn fitting(text: &str, size: f64, most: f64) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let mut room = ((most / (size * LETTER)) as usize).saturating_sub(1);
    let mut cut = String::new();
    for letter in text.chars() {
        match room.checked_sub(letter.width().unwrap_or(0)) {
            Some(left) => room = left,
            None => break,
        }
        cut.push(letter);
    }
    cut + "…"
}

/// In lines of at most this width; a word that is wider alone is cut.
pub fn wrapped(text: &str, size: f64, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(word, size) + size * LETTER <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fitting(word, size, most)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_to_its_room() {
        assert_eq!(fitting("vllm", 10.0, 60.0), "vllm");
        assert_eq!(fitting("a very long name", 10.0, 42.0), "a very…");
        assert_eq!(fitting("東京東京東京", 10.0, 42.0), "東京東…");
    }

    #[test]
    fn text_wraps_at_spaces() {
        assert_eq!(wrapped("one two three", 10.0, 42.0), ["one two", "three"]);
    }
}
