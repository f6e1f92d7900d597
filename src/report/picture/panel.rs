//! Draws a pair of axes and what is between them.

use crate::report::chart::palette::SeriesColor;
use crate::report::chart::{Across, Axis, BoxStats, DataPoint, Extent, Guide, Marks, Panel, Series, Stroke};
use crate::report::picture::layout::TEXT_SIZE;
use crate::report::picture::letters::{BOLD, fitting, width};
use crate::report::picture::shape::{Anchor, Color, Picture, Rect, Shape, Text};
use crate::text::printable::one_line;

/// Space for the tick labels of the y axis.
const LEFT: f64 = 52.0;
const TOP: f64 = 26.0;
const TOP_WITH_TITLE: f64 = 46.0;
const BOTTOM: f64 = 44.0;
const SMALL: f64 = 11.5;
/// Half the width of an interval's ends.
const WHISKER: f64 = 4.0;
/// A shorter interval would disappear behind its symbol.
const WHISKER_LEAST: f64 = 1.0;
/// The share of a category's width that its boxes fill.
const FILLED: f64 = 0.72;
/// With more points than this, a line has no symbols.
const MOST_SYMBOLS: usize = 40;

pub(crate) fn draw(picture: &mut Picture, panel: &Panel, place: Rect) {
    let top = if panel.title.is_empty() { TOP } else { TOP_WITH_TITLE };
    let inner = Rect {
        x: place.x + LEFT,
        y: place.y + top,
        width: place.width - LEFT - 8.0,
        height: place.height - top - BOTTOM,
    };
    let frame = PlotFrame { panel, inner, x: panel.extent_x(), y: panel.extent_y() };
    if !panel.title.is_empty() {
        let title = fitting(&one_line(&panel.title), TEXT_SIZE * BOLD, place.width);
        picture.add(Text::new(title, place.x, place.y + TEXT_SIZE, TEXT_SIZE).bold());
    }
    y_axis(picture, &frame, place);
    x_axis(picture, &frame, place);
    frame.panel.guides.iter().for_each(|guide| guide_line(picture, &frame, guide));
    let mut slot = Slot { number: 0, of: panel.series.iter().filter(|series| series.takes_slot()).count() };
    for series in &panel.series {
        draw_series(picture, &frame, series, slot);
        slot.number += usize::from(series.takes_slot());
    }
    guide_labels(picture, &frame);
}

struct PlotFrame<'p> {
    panel: &'p Panel,
    inner: Rect,
    x: Extent,
    y: Extent,
}

/// The position of a box or bar among those that share a category.
#[derive(Clone, Copy)]
struct Slot {
    number: usize,
    of: usize,
}

impl Series {
    fn takes_slot(&self) -> bool {
        matches!(self.marks, Marks::Boxes(_) | Marks::Bars(_))
    }
}

impl PlotFrame<'_> {
    fn x(&self, value: f64) -> f64 {
        self.inner.x + self.panel.x.scale.place(self.x, value) * self.inner.width
    }

    /// Values beyond the axis are drawn at its end.
    fn y(&self, value: f64) -> f64 {
        let place = self.panel.y.scale.place(self.y, value);
        self.inner.bottom() - place.clamp(0.0, 1.0) * self.inner.height
    }

    fn at(&self, point: &DataPoint) -> (f64, f64) {
        (self.x(point.x), self.y(point.y))
    }

    /// The width of one category.
    fn step(&self) -> f64 {
        self.inner.width / (self.x.high - self.x.low)
    }

    /// The middle and the width of a slot in a category.
    fn slot(&self, category: f64, slot: Slot) -> (f64, f64) {
        let wide = self.step() * FILLED / slot.of.max(1) as f64;
        let left = self.x(category) - self.step() * FILLED / 2.0 + slot.number as f64 * wide;
        (left + wide / 2.0, wide)
    }
}

fn y_axis(picture: &mut Picture, frame: &PlotFrame, place: Rect) {
    let inner = frame.inner;
    for mark in frame.panel.y.marks(frame.y) {
        let y = frame.y(mark.at);
        picture.add(Shape::line(&[(inner.x, y), (inner.right(), y)], Color::Grid, 1.0));
        let label = Text::new(mark.label, inner.x - 7.0, y + SMALL * 0.35, SMALL);
        picture.add(label.anchored(Anchor::End).colored(Color::Faint));
    }
    let label = fitting(&one_line(&frame.panel.y.label), SMALL, place.width);
    picture.add(Text::new(label, place.x, inner.y - 12.0, SMALL));
}

fn x_axis(picture: &mut Picture, frame: &PlotFrame, place: Rect) {
    let inner = frame.inner;
    let marks = frame.panel.x.marks(frame.x);
    let room = (inner.width / marks.len().max(1) as f64 - 6.0).max(40.0);
    let mut free_from = f64::NEG_INFINITY;
    for mark in &marks {
        let x = frame.x(mark.at);
        picture.add(Shape::line(&[(x, inner.bottom()), (x, inner.bottom() + 4.0)], Color::Faint, 1.0));
        let label = fitting(&one_line(&mark.label), SMALL, room);
        let half = width(&label, SMALL) / 2.0;
        // The labels of levels close together on a logarithmic axis would overlap.
        if x - half < free_from {
            continue;
        }
        free_from = x + half + 4.0;
        let label = Text::new(label, x, inner.bottom() + 17.0, SMALL);
        picture.add(label.anchored(Anchor::Middle).colored(Color::Faint));
    }
    picture.add(Shape::line(
        &[(inner.x, inner.bottom()), (inner.right(), inner.bottom())],
        Color::Faint,
        1.0,
    ));
    let label = fitting(&one_line(&frame.panel.x.label), SMALL, place.width);
    let label = Text::new(label, inner.x + inner.width / 2.0, place.bottom() - 8.0, SMALL);
    picture.add(label.anchored(Anchor::Middle));
}

fn draw_series(picture: &mut Picture, frame: &PlotFrame, series: &Series, slot: Slot) {
    let color = Color::Of(series.color);
    match &series.marks {
        Marks::Line { stroke, points } => {
            let path = points.iter().map(|point| frame.at(point)).collect();
            picture.of(series.color).add(Shape::Path { points: path, color, width: 2.0, stroke: *stroke });
            if points.len() <= MOST_SYMBOLS {
                dots(picture, frame, series, points);
            }
        }
        Marks::Dots(points) => dots(picture, frame, series, points),
        Marks::Limits(points) => {
            for point in points {
                let ((x, y), half) = (frame.at(point), frame.step() * FILLED / 2.0);
                let note = note(frame, series, point);
                let line = Shape::line(&[(x - half, y), (x + half, y)], color, 3.0);
                picture.of(series.color).add_noted(line, note);
            }
        }
        Marks::Boxes(boxes) => {
            for (category, stats) in boxes {
                draw_box(picture, frame, series, (*category, stats), slot);
            }
        }
        Marks::Bars(points) => points.iter().for_each(|point| bar(picture, frame, series, point, slot)),
    }
}

fn dots(picture: &mut Picture, frame: &PlotFrame, series: &Series, points: &[DataPoint]) {
    let (series_color, color) = (series.color, Color::Of(series.color));
    let mut owned = picture.of(series_color);
    for point in points {
        let (x, y) = frame.at(point);
        let ends = point.interval.map(|(low, high)| (frame.y(low), frame.y(high)));
        // An interval with equal ends has nothing to draw.
        if let Some((low, high)) = ends.filter(|(low, high)| low - high > WHISKER_LEAST) {
            owned.add(Shape::line(&[(x, low), (x, high)], color, 1.5));
            for end in [low, high] {
                owned.add(Shape::line(&[(x - WHISKER, end), (x + WHISKER, end)], color, 1.5));
            }
        }
        owned.add_noted(Shape::symbol(series_color.symbol(), (x, y), color), note(frame, series, point));
    }
}

/// `vllm p95: 412 TTFT (ms) at 8 concurrent users`.
fn note(frame: &PlotFrame, series: &Series, point: &DataPoint) -> String {
    let (x, y) = (&frame.panel.x, &frame.panel.y);
    let interval = point.interval.map(|(low, high)| format!(" ({} … {})", y.spoken(low), y.spoken(high)));
    one_line(&format!(
        "{}: {} at {} {}{}",
        series.name,
        with_unit(y, point.y),
        x.spoken(point.x),
        if x.is_named() { "" } else { &x.label },
        interval.unwrap_or_default(),
    ))
}

fn with_unit(axis: &Axis, value: f64) -> String {
    if axis.is_share() { axis.spoken(value) } else { format!("{} {}", axis.spoken(value), axis.label) }
}

fn draw_box(
    picture: &mut Picture,
    frame: &PlotFrame,
    series: &Series,
    (category, stats): (f64, &BoxStats),
    slot: Slot,
) {
    let (middle, wide) = frame.slot(category, slot);
    let half = (wide * 0.4).min(26.0);
    let [p5, p25, p50, p75, p95] =
        [stats.p5, stats.p25, stats.p50, stats.p75, stats.p95].map(|ms| frame.y(ms));
    let color = Color::Of(series.color);
    let mut owned = picture.of(series.color);
    owned.add(Shape::line(&[(middle, p5), (middle, p25)], color, 1.5));
    owned.add(Shape::line(&[(middle, p75), (middle, p95)], color, 1.5));
    for end in [p5, p95] {
        owned.add(Shape::line(&[(middle - half / 2.0, end), (middle + half / 2.0, end)], color, 1.5));
    }
    let body = Rect { x: middle - half, y: p75, width: 2.0 * half, height: (p25 - p75).max(1.0) };
    let spoken =
        [stats.p5, stats.p25, stats.p50, stats.p75, stats.p95].map(|ms| frame.panel.y.spoken(ms)).join(" · ");
    let note = format!("{}: p5 · p25 · p50 · p75 · p95 = {spoken}", one_line(&series.name));
    let points = body.corners();
    owned.add_noted(Shape::Area { points, fill: color, opacity: 0.25, outline: Some(color) }, note);
    owned.add(Shape::line(&[(body.x, p50), (body.right(), p50)], color, 2.5));
}

/// Draws a bar with its value above it.
fn bar(picture: &mut Picture, frame: &PlotFrame, series: &Series, point: &DataPoint, slot: Slot) {
    let (middle, wide) = frame.slot(point.x, slot);
    let half = (wide * 0.4).min(40.0);
    let (top, foot) = (frame.y(point.y), frame.y(0.0));
    let body = Rect { x: middle - half, y: top, width: 2.0 * half, height: (foot - top).max(1.0) };
    let color = Color::Of(series.color);
    let mut owned = picture.of(series.color);
    let shape = Shape::Area { points: body.corners(), fill: color, opacity: 0.55, outline: Some(color) };
    owned.add_noted(shape, note(frame, series, point));
    let value = Text::new(frame.panel.y.spoken(point.y), middle, top - 5.0, SMALL);
    owned.add(value.anchored(Anchor::Middle).edged());
}

fn guide_line(picture: &mut Picture, frame: &PlotFrame, guide: &Guide) {
    let inner = frame.inner;
    let points = match guide.across {
        Across::AtY(y) => vec![(inner.x, frame.y(y)), (inner.right(), frame.y(y))],
        Across::AtX(x) => vec![(frame.x(x), inner.y), (frame.x(x), inner.bottom())],
    };
    let color = Color::Of(guide.color);
    picture.of(guide.color).add(Shape::Path { points, color, width: 1.5, stroke: Stroke::Dashed });
}

/// Drawn on top of everything else. Labels of vertical lines are stacked, because knees are often close together.
fn guide_labels(picture: &mut Picture, frame: &PlotFrame) {
    let (inner, mut vertical) = (frame.inner, 0_u32);
    for Guide { across, label, color: guide_color } in &frame.panel.guides {
        let label = fitting(&one_line(label), SMALL, inner.width);
        let text = match *across {
            Across::AtY(y) => {
                let is_outside = y > frame.y.high;
                let shown = if is_outside { format!("↑ {label}") } else { label };
                // The label goes below a line that is too high for a label above it.
                let at = frame.y(y);
                let baseline = if at - SMALL < inner.y { at + SMALL + 1.0 } else { at - 4.0 };
                Text::new(shown, inner.right(), baseline, SMALL).anchored(Anchor::End)
            }
            Across::AtX(x) => {
                let y = inner.y + SMALL + f64::from(vertical) * SMALL * 1.3;
                vertical += 1;
                next_to(inner, frame.x(x), y, &label)
            }
        };
        let color = match guide_color {
            SeriesColor::Limit => Color::Of(SeriesColor::Limit),
            _ => Color::Ink,
        };
        picture.of(*guide_color).add(text.colored(color).edged());
    }
}

/// A label to the right of a vertical line, or to the left if it doesn't fit and there is more room.
fn next_to(inner: Rect, x: f64, y: f64, label: &str) -> Text {
    const GAP: f64 = 5.0;
    let (left, right) = (x - GAP - inner.x, inner.right() - x - GAP);
    if width(label, SMALL) <= right || right >= left {
        Text::new(fitting(label, SMALL, right), x + GAP, y, SMALL)
    } else {
        Text::new(fitting(label, SMALL, left), x - GAP, y, SMALL).anchored(Anchor::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_vertical_line_stays_within_the_panel() {
        let inner = Rect { x: 60.0, y: 20.0, width: 280.0, height: 200.0 };
        let label = "a-target-with-a-long-name overtakes another-one";
        for x in [60.0, 100.0, 199.0, 201.0, 300.0, 340.0] {
            let text = next_to(inner, x, 30.0, label);
            let wide = width(&text.text, SMALL);
            let (from, to) = match text.anchor {
                Anchor::End => (text.x - wide, text.x),
                _ => (text.x, text.x + wide),
            };
            assert!(inner.x <= from && to <= inner.right(), "{from} to {to} at {x}");
            assert!(wide > 100.0, "{} at {x}", text.text);
        }
        assert_eq!(next_to(inner, 330.0, 30.0, "a knee").anchor, Anchor::End);
        assert_eq!(next_to(inner, 250.0, 30.0, "a knee").anchor, Anchor::Start);
    }
}
