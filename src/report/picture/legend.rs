//! The legend: the color, symbol, and stroke of each series.

use crate::report::chart::palette::SeriesColor;
use crate::report::chart::{Chart, Figure, Marks, Stroke};
use crate::report::picture::layout::TEXT_SIZE;
use crate::report::picture::letters::{fitting, width};
use crate::report::picture::shape::{Color, Picture, Rect, Shape, Text};
use crate::text::printable::one_line;

const SWATCH: f64 = 26.0;
const BETWEEN: f64 = 22.0;
const LINE: f64 = 20.0;

struct Entry {
    name: String,
    color: SeriesColor,
    look: Look,
}

#[derive(Clone, Copy, PartialEq)]
enum Look {
    Line(Stroke),
    Dots,
    Limit,
    Area,
}

/// Returns the y at which the legend ends.
pub(crate) fn draw(picture: &mut Picture, chart: &Chart, place: Rect) -> f64 {
    let entries = entries(chart);
    let (mut x, mut y) = (place.x, place.y + TEXT_SIZE);
    for entry in &entries {
        let name = fitting(&entry.name, TEXT_SIZE, place.width - SWATCH - 6.0);
        let wide = SWATCH + 6.0 + width(&name, TEXT_SIZE);
        if x > place.x && x + wide > place.right() {
            (x, y) = (place.x, y + LINE);
        }
        swatch(picture, entry, (x, y - TEXT_SIZE * 0.35));
        picture.of(entry.color).add(Text::new(name, x + SWATCH + 6.0, y, TEXT_SIZE));
        x += wide + BETWEEN;
    }
    if entries.is_empty() { place.y } else { y + 10.0 }
}

/// Every series once, although each panel has its own.
fn entries(chart: &Chart) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut add = |name: &str, color: SeriesColor, look: Look| {
        let name = one_line(name);
        if !entries.iter().any(|entry| entry.name == name && entry.color == color && entry.look == look) {
            entries.push(Entry { name, color, look });
        }
    };
    match &chart.figure {
        Figure::Panels(panels) => {
            for series in panels.iter().flat_map(|panel| &panel.series).filter(|series| !series.is_empty()) {
                let look = match series.marks {
                    Marks::Line { stroke, .. } => Look::Line(stroke),
                    Marks::Dots(_) => Look::Dots,
                    Marks::Limits(_) => Look::Limit,
                    Marks::Boxes(_) | Marks::Bars(_) => Look::Area,
                };
                add(&series.name, series.color, look);
            }
        }
        Figure::Radar(radar) => {
            radar.shapes.iter().for_each(|shape| add(&shape.name, shape.color, Look::Line(Stroke::Solid)));
        }
    }
    entries
}

fn swatch(picture: &mut Picture, entry: &Entry, (x, y): (f64, f64)) {
    let color = Color::Of(entry.color);
    let symbol = Shape::symbol(entry.color.symbol(), (x + SWATCH / 2.0, y), color);
    let mut owned = picture.of(entry.color);
    match entry.look {
        Look::Line(stroke) => {
            owned.add(Shape::Path { points: vec![(x, y), (x + SWATCH, y)], color, width: 2.0, stroke });
            owned.add(symbol);
        }
        Look::Dots => owned.add(symbol),
        Look::Limit => owned.add(Shape::line(&[(x + 4.0, y), (x + SWATCH - 4.0, y)], color, 3.0)),
        Look::Area => {
            let area = Rect { x: x + 4.0, y: y - 6.0, width: SWATCH - 8.0, height: 12.0 };
            let points = area.corners();
            owned.add(Shape::Area { points, fill: color, opacity: 0.3, outline: Some(color) });
        }
    }
}
