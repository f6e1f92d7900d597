//! Lays out title, legend, figure, and caption from top to bottom.

use crate::report::chart::{Chart, Figure};
use crate::report::picture::letters::{BOLD, wrapped};
use crate::report::picture::shape::{Color, Picture, Rect, Text};
use crate::report::picture::{legend, panel, radar};
use crate::text::printable::one_line;

/// For desktops and for paper.
pub(crate) const WIDE: f64 = 960.0;
/// For phones.
pub(crate) const NARROW: f64 = 360.0;

pub(crate) const TEXT_SIZE: f64 = 13.0;
const TITLE_SIZE: f64 = 18.0;
const GAP: f64 = 28.0;
/// The height of a single panel, and of one of several.
const HEIGHT_ALONE: f64 = 380.0;
const HEIGHT_AMONG: f64 = 250.0;

/// Lays out a chart in this width, with the height it needs.
pub(crate) fn picture(chart: &Chart, width: f64) -> Picture {
    let title = one_line(&chart.title);
    let margin = if width < WIDE { 8.0 } else { 24.0 };
    let inner = Rect { x: margin, y: margin, width: width - 2.0 * margin, height: 0.0 };
    let mut picture = Picture::new(title.clone(), width);
    let mut y = inner.y;
    for line in wrapped(&title, TITLE_SIZE * BOLD, inner.width) {
        picture.add(Text::new(line, inner.x, y + TITLE_SIZE * 0.8, TITLE_SIZE).bold());
        y += TITLE_SIZE * 1.3;
    }
    y = legend::draw(&mut picture, chart, Rect { y: y + 4.0, ..inner });
    y = match &chart.figure {
        Figure::Panels(panels) => {
            let places = places(panels.len(), Rect { y: y + 8.0, ..inner });
            for (panel, place) in panels.iter().zip(&places) {
                panel::draw(&mut picture, panel, *place);
            }
            places.last().map_or(y, Rect::bottom)
        }
        Figure::Radar(figure) => {
            let place = Rect { y, height: inner.width.min(HEIGHT_ALONE), ..inner };
            radar::draw(&mut picture, figure, place);
            place.bottom()
        }
    };
    y += 22.0;
    for line in wrapped(&one_line(&chart.caption), TEXT_SIZE, inner.width) {
        picture.add(Text::new(line, inner.x, y, TEXT_SIZE).colored(Color::Faint));
        y += TEXT_SIZE * 1.45;
    }
    picture.height = y;
    picture
}

/// One panel fills the width; several are arranged two per row if there is room.
fn places(count: usize, within: Rect) -> Vec<Rect> {
    let in_a_row = if within.width < WIDE / 2.0 { 1 } else { count.clamp(1, 2) };
    let height = if count > 1 || in_a_row < count { HEIGHT_AMONG } else { HEIGHT_ALONE };
    let height = height.min(within.width * 0.85);
    let width = (within.width - GAP * (in_a_row - 1) as f64) / in_a_row as f64;
    let place = |number: usize| Rect {
        x: within.x + (number % in_a_row) as f64 * (width + GAP),
        y: within.y + (number / in_a_row) as f64 * (height + GAP),
        width,
        height,
    };
    (0..count).map(place).collect()
}
