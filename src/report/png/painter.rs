//! Paints shapes as pixels.

use tiny_skia::{FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke as Pen, StrokeDash, Transform};

use crate::report::chart::Stroke;
use crate::report::chart::palette::Palette;
use crate::report::picture::{EDGE, OUTLINE, Picture, Position, Shape, Text, dash};
use crate::report::png::PngError;
use crate::report::png::letters::Letters;

/// Pixels per point in each direction, so that letters stay sharp on high-density screens and on paper.
const SCALE: f64 = 2.0;
/// The greatest height that common viewers can show.
const MOST: u32 = 32_767;

pub(crate) fn painted(picture: &Picture, palette: &Palette) -> Result<Vec<u8>, PngError> {
    let pixels = |length: f64| (length.round() * SCALE) as u32;
    let (width, height) = (pixels(picture.width), pixels(picture.height));
    let canvas = if height <= MOST { Pixmap::new(width, height) } else { None };
    let canvas = canvas.ok_or(PngError::TooLarge { width, height })?;
    let mut painter = Painter { canvas, palette, letters: Letters::new() };
    painter.canvas.fill(color(palette.paper, 1.0));
    picture.marks.iter().for_each(|mark| painter.paint(&mark.shape));
    Ok(encoded(&painter.canvas))
}

struct Painter<'p> {
    canvas: Pixmap,
    palette: &'p Palette,
    letters: Letters,
}

impl Painter<'_> {
    fn paint(&mut self, shape: &Shape) {
        let palette = self.palette;
        match shape {
            Shape::Path { points, color, width, stroke } => {
                if let Some(path) = path(points, false) {
                    let pen = Pen { line_join: LineJoin::Round, ..pen(*width, *stroke) };
                    self.stroke(&path, color.within(palette), &pen);
                }
            }
            Shape::Area { points, fill, opacity, outline } => {
                if let Some(path) = path(points, true) {
                    self.fill(&path, fill.within(palette), *opacity);
                    if let Some(outline) = outline {
                        self.stroke(&path, outline.within(palette), &pen(OUTLINE, Stroke::Solid));
                    }
                }
            }
            Shape::Disc { center: (x, y), radius, fill } => {
                if let Some(disc) = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32) {
                    self.fill(&disc, fill.within(palette), 1.0);
                }
            }
            Shape::Text(text) => self.write(text),
        }
    }

    fn write(&mut self, text: &Text) {
        let Some(outline) = self.letters.outline(text) else { return };
        if text.edged {
            let pen = Pen { line_join: LineJoin::Round, ..pen(EDGE, Stroke::Solid) };
            self.stroke(&outline, self.palette.paper, &pen);
        }
        self.fill(&outline, text.color.within(self.palette), 1.0);
    }

    fn fill(&mut self, path: &Path, hex: &str, opacity: f64) {
        self.canvas.fill_path(path, &paint(hex, opacity), FillRule::Winding, scaled(), None);
    }

    fn stroke(&mut self, path: &Path, hex: &str, pen: &Pen) {
        self.canvas.stroke_path(path, &paint(hex, 1.0), pen, scaled(), None);
    }
}

fn scaled() -> Transform {
    Transform::from_scale(SCALE as f32, SCALE as f32)
}

/// `None` for a single point, which is drawn as a symbol instead.
fn path(points: &[Position], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (number, (x, y)) in points.iter().enumerate() {
        match number {
            0 => path.move_to(*x as f32, *y as f32),
            _ => path.line_to(*x as f32, *y as f32),
        }
    }
    if closed {
        path.close();
    }
    path.finish()
}

fn pen(width: f64, stroke: Stroke) -> Pen {
    let dash = dash(stroke).and_then(|pieces| StrokeDash::new(pieces.map(|piece| piece as f32).into(), 0.0));
    Pen { width: width as f32, dash, ..Pen::default() }
}

fn paint(hex: &str, opacity: f64) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(color(hex, opacity));
    paint
}

/// Parses a palette's `#rrggbb`.
fn color(hex: &str, opacity: f64) -> tiny_skia::Color {
    let channel = |at: usize| {
        let digits = hex.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        digits.expect("a palette's color is #rrggbb")
    };
    tiny_skia::Color::from_rgba8(channel(1), channel(3), channel(5), (opacity * 255.0).round() as u8)
}

/// Encodes without an alpha channel, because the paper covers everything.
fn encoded(canvas: &Pixmap) -> Vec<u8> {
    let rgb: Vec<u8> =
        canvas.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, canvas.width(), canvas.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&rgb));
    written.expect("memory takes writes, and the data is as large as the header says");
    file
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Cursor;

    use super::*;
    use crate::report::chart::palette::{DARK, LIGHT};
    use crate::report::chart::{Chart, example};
    use crate::report::picture::{Color, WIDE, picture};

    struct Decoded {
        width: u32,
        height: u32,
        rgb: Vec<u8>,
    }

    impl Decoded {
        fn colors(&self) -> BTreeSet<String> {
            self.rgb
                .chunks(3)
                .map(|point| format!("#{:02x}{:02x}{:02x}", point[0], point[1], point[2]))
                .collect()
        }

        fn at(&self, x: u32, y: u32) -> &[u8] {
            let at = ((y * self.width + x) * 3) as usize;
            &self.rgb[at..at + 3]
        }
    }

    fn decoded(file: &[u8]) -> Decoded {
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        Decoded { width: info.width, height: info.height, rgb }
    }

    fn drawn(chart: &Chart, palette: &Palette) -> Decoded {
        decoded(&painted(&picture(chart, WIDE), palette).unwrap())
    }

    #[test]
    fn every_kind_of_chart_is_painted_in_its_themes_colors() {
        for palette in [LIGHT, DARK] {
            for chart in example::all() {
                let colors = drawn(&chart, &palette).colors();
                for expected in [palette.paper, palette.targets[0]] {
                    assert!(colors.contains(expected), "{} lacks {expected}", chart.name);
                }
            }
        }
    }

    #[test]
    fn a_picture_is_painted_on_paper_at_twice_its_size() {
        let laid_out = picture(&example::curves(), WIDE);
        let image = drawn(&example::curves(), &DARK);
        assert_eq!((image.width, image.height), (2 * WIDE as u32, 2 * laid_out.height.round() as u32));
        assert_eq!(image.at(0, 0), [0x15, 0x18, 0x1d]);
    }

    #[test]
    fn shapes_are_painted_at_their_place_in_the_picture() {
        let mut picture = Picture::new("a disc".into(), 40.0);
        picture.height = 30.0;
        let fill = Color::Ink;
        picture.add(Shape::Disc { center: (30.0, 10.0), radius: 4.0, fill });
        let image = decoded(&painted(&picture, &LIGHT).unwrap());
        assert_eq!((image.width, image.height), (80, 60));
        assert_eq!(image.at(60, 20), [0x1b, 0x1f, 0x24]);
        assert_eq!(image.at(60 - 10, 20), [0xff; 3]);
        assert_eq!(image.at(60 - 7, 20), [0x1b, 0x1f, 0x24]);
    }

    #[test]
    fn an_outline_keeps_lines_away_from_letters() {
        let dark = |edged: bool| {
            let mut picture = Picture::new("words on a line".into(), 60.0);
            picture.height = 30.0;
            let ink = Color::Ink;
            picture.add(Shape::line(&[(0.0, 16.0), (60.0, 16.0)], ink, 2.0));
            let text = Text::new("l l l l l", 10.0, 20.0, 12.0);
            picture.add(if edged { text.edged() } else { text });
            let image = decoded(&painted(&picture, &LIGHT).unwrap());
            image.rgb.chunks(3).filter(|point| point[0] < 0x40).count()
        };
        assert!(dark(true) + 50 < dark(false), "{} {}", dark(true), dark(false));
    }

    #[test]
    fn a_picture_too_high_for_viewers_is_an_error() {
        let picture = Picture { height: 4e9, ..Picture::new("endless".into(), WIDE) };
        assert!(matches!(painted(&picture, &LIGHT), Err(PngError::TooLarge { width: 1920, .. })));
    }

    #[test]
    fn hostile_names_are_painted_as_plain_text() {
        assert!(drawn(&example::nasty(), &LIGHT).colors().len() > 10);
    }
}
