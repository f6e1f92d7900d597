//! Scores along spokes, a polygon per target.

use std::f64::consts::TAU;

use crate::figures;
use crate::report::chart::Radar;
use crate::report::picture::layout::TEXT_SIZE;
use crate::report::picture::letters::fitting;
use crate::report::picture::shape::{Anchor, Colour, Picture, Point, Rect, Shape, Text};
use crate::report::printable::one_line;

const RINGS: [f64; 4] = [0.25, 0.5, 0.75, 1.0];
/// Around the outermost ring, for the spokes' names.
const ROOM: f64 = 34.0;

pub fn draw(picture: &mut Picture, radar: &Radar, place: Rect) {
    let web = Web {
        place,
        centre: (place.x + place.width / 2.0, place.y + place.height / 2.0),
        radius: place.height / 2.0 - ROOM,
        spokes: radar.spokes.len().max(1),
    };
    for ring in RINGS {
        let mut corners: Vec<Point> = (0..web.spokes).map(|spoke| web.at(spoke, ring)).collect();
        corners.extend(corners.first().copied());
        picture.add(Shape::line(&corners, Colour::Grid, 1.0));
    }
    for (spoke, name) in radar.spokes.iter().enumerate() {
        picture.add(Shape::line(&[web.centre, web.at(spoke, 1.0)], Colour::Grid, 1.0));
        picture.add(web.label(spoke, &one_line(name)));
    }
    for shape in &radar.shapes {
        let colour = Colour::Of(shape.tint);
        let mut owned = picture.of(shape.tint);
        // A spoke without a score is passed over, not drawn as a zero.
        let scored = shape.scores.iter().zip(&radar.spokes).enumerate();
        let scored: Vec<(f64, &String, Point)> = scored
            .filter_map(|(spoke, (score, name))| score.map(|score| (score, name, web.at(spoke, score))))
            .collect();
        let points = scored.iter().map(|(_, _, corner)| *corner).collect();
        owned.add(Shape::Area { points, fill: colour, opacity: 0.12, outline: Some(colour) });
        for (score, spoke, corner) in scored {
            let note = format!("{}, {}: {}", one_line(&shape.name), one_line(spoke), figures::percent(score));
            owned.add_noted(Shape::symbol(shape.tint.symbol(), corner, colour), note);
        }
    }
}

struct Web {
    place: Rect,
    centre: Point,
    radius: f64,
    spokes: usize,
}

impl Web {
    /// The first spoke points up, the others follow clockwise.
    fn at(&self, spoke: usize, share: f64) -> Point {
        let (sin, cos) = (TAU * spoke as f64 / self.spokes as f64).sin_cos();
        (self.centre.0 + sin * share * self.radius, self.centre.1 - cos * share * self.radius)
    }

    fn label(&self, spoke: usize, name: &str) -> Text {
        let (x, y) = self.at(spoke, 1.0 + 12.0 / self.radius);
        let aside = x - self.centre.0;
        let (anchor, room) = match aside {
            aside if aside > 1.0 => (Anchor::Start, self.place.right() - x),
            aside if aside < -1.0 => (Anchor::End, x - self.place.x),
            _ => (Anchor::Middle, self.place.width),
        };
        Text::new(fitting(name, TEXT_SIZE, room), x, y + 5.0, TEXT_SIZE).anchored(anchor)
    }
}
