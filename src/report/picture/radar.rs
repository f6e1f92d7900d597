//! Draws a radar chart: scores along spokes, one polygon per target.

use std::f64::consts::TAU;

use crate::report::chart::Radar;
use crate::report::picture::layout::TEXT_SIZE;
use crate::report::picture::letters::{fitting, width};
use crate::report::picture::shape::{Anchor, Color, Picture, Position, Rect, Shape, Text};
use crate::text::figures;
use crate::text::printable::one_line;

const RINGS: [f64; 4] = [0.25, 0.5, 0.75, 1.0];
/// Space around the outermost ring for the spokes' names.
const ROOM: f64 = 34.0;
/// The gap between the outermost ring and the names.
const GAP: f64 = 12.0;
/// The minimum radius as a share of the height: below it, names are truncated instead.
const LEAST_RADIUS: f64 = 0.2;
/// The sine of the angle up to which a spoke's name is placed above or below it.
const UPRIGHT: f64 = 0.01;

pub(crate) fn draw(picture: &mut Picture, radar: &Radar, place: Rect) {
    let web = Web {
        place,
        center: (place.x + place.width / 2.0, place.y + place.height / 2.0),
        radius: radius(radar, place),
        spokes: radar.spokes.len().max(1),
    };
    for ring in RINGS {
        let mut corners: Vec<Position> = (0..web.spokes).map(|spoke| web.at(spoke, ring)).collect();
        corners.extend(corners.first().copied());
        picture.add(Shape::line(&corners, Color::Grid, 1.0));
    }
    for (spoke, name) in radar.spokes.iter().enumerate() {
        picture.add(Shape::line(&[web.center, web.at(spoke, 1.0)], Color::Grid, 1.0));
        picture.add(web.label(spoke, &one_line(name)));
    }
    for shape in &radar.shapes {
        let color = Color::Of(shape.color);
        let mut owned = picture.of(shape.color);
        // A spoke without a score is skipped, not drawn as zero.
        let scored = shape.scores.iter().zip(&radar.spokes).enumerate();
        let scored: Vec<(f64, &String, Position)> = scored
            .filter_map(|(spoke, (score, name))| score.map(|score| (score, name, web.at(spoke, score))))
            .collect();
        let points = scored.iter().map(|(_, _, corner)| *corner).collect();
        owned.add(Shape::Area { points, fill: color, opacity: 0.12, outline: Some(color) });
        for (score, spoke, corner) in scored {
            let note = format!("{}, {}: {}", one_line(&shape.name), one_line(spoke), figures::percent(score));
            owned.add_noted(Shape::symbol(shape.color.symbol(), corner, color), note);
        }
    }
}

/// The largest radius that leaves room for the names at the sides.
fn radius(radar: &Radar, place: Rect) -> f64 {
    let spokes = radar.spokes.len().max(1);
    let at_sides = radar.spokes.iter().enumerate().filter_map(|(spoke, name)| {
        let aside = angle(spoke, spokes).sin().abs();
        // Leaves a margin for rounding.
        let room = place.width / 2.0 - width(&one_line(name), TEXT_SIZE).ceil() - 1.0;
        (aside > UPRIGHT).then(|| room / aside - GAP)
    });
    let most = at_sides.fold(place.height / 2.0 - ROOM, f64::min);
    most.max(place.height * LEAST_RADIUS)
}

/// The first spoke points up, the others follow clockwise.
fn angle(spoke: usize, spokes: usize) -> f64 {
    TAU * spoke as f64 / spokes as f64
}

struct Web {
    place: Rect,
    center: Position,
    radius: f64,
    spokes: usize,
}

impl Web {
    fn at(&self, spoke: usize, share: f64) -> Position {
        let (sin, cos) = angle(spoke, self.spokes).sin_cos();
        (self.center.0 + sin * share * self.radius, self.center.1 - cos * share * self.radius)
    }

    fn label(&self, spoke: usize, name: &str) -> Text {
        let (x, y) = self.at(spoke, 1.0 + GAP / self.radius);
        let (anchor, room) = match angle(spoke, self.spokes).sin() {
            aside if aside > UPRIGHT => (Anchor::Start, self.place.right() - x),
            aside if aside < -UPRIGHT => (Anchor::End, x - self.place.x),
            _ => (Anchor::Middle, self.place.width),
        };
        Text::new(fitting(name, TEXT_SIZE, room), x, y + 5.0, TEXT_SIZE).anchored(anchor)
    }
}

#[cfg(test)]
mod tests {
    use crate::report::chart::{Figure, example};
    use crate::report::picture::{NARROW, Shape, WIDE, picture};

    #[test]
    fn the_names_of_the_criteria_fit_on_a_phone() {
        let mut chart = example::radar();
        let Figure::Radar(radar) = &mut chart.figure else { panic!("no radar") };
        radar.spokes = ["performance", "reliability", "efficiency", "simplicity"].map(str::to_owned).into();
        let spokes = radar.spokes.clone();
        for width in [NARROW, WIDE] {
            let picture = picture(&chart, width);
            let texts: Vec<&str> = picture
                .marks
                .iter()
                .filter_map(
                    |mark| if let Shape::Text(text) = &mark.shape { Some(text.text.as_str()) } else { None },
                )
                .collect();
            for spoke in &spokes {
                assert!(texts.contains(&spoke.as_str()), "{spoke} is not among {texts:?}");
            }
        }
    }
}
