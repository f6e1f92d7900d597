//! Converts text to outlines, in the font that SVG files prefer.

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use crate::report::picture::{Anchor, Text};

pub(crate) struct Letters {
    plain: Face<'static>,
    bold: Face<'static>,
}

impl Letters {
    pub(crate) fn new() -> Letters {
        let face = |font| Face::parse(font, 0).expect("the `dejavu` crate holds a valid font");
        Letters { plain: face(dejavu::sans::regular()), bold: face(dejavu::sans::bold()) }
    }

    /// The left and right end of a text.
    pub(crate) fn span(&self, text: &Text) -> (f32, f32) {
        let width: f32 = self.glyphs(text).map(|(_, advance)| advance).sum();
        let left = match text.anchor {
            Anchor::Start => text.x as f32,
            Anchor::Middle => text.x as f32 - width / 2.0,
            Anchor::End => text.x as f32 - width,
        };
        (left, left + width)
    }

    /// `None` if nothing is visible, as for a space.
    pub(crate) fn outline(&self, text: &Text) -> Option<Path> {
        let face = self.face(text);
        let scale = scale(face, text);
        let (mut x, _) = self.span(text);
        let mut pen = Pen { path: PathBuilder::new(), x, y: text.y as f32, scale };
        for (glyph, advance) in self.glyphs(text) {
            pen.x = x;
            face.outline_glyph(glyph, &mut pen);
            x += advance;
        }
        pen.path.finish()
    }

    /// Each glyph with its advance. Glyphs that the font lacks become its empty box.
    fn glyphs(&self, text: &Text) -> impl Iterator<Item = (GlyphId, f32)> {
        let face = self.face(text);
        let scale = scale(face, text);
        text.text.chars().map(move |letter| {
            let glyph = face.glyph_index(letter).unwrap_or(GlyphId(0));
            (glyph, f32::from(face.glyph_hor_advance(glyph).unwrap_or(0)) * scale)
        })
    }

    fn face(&self, text: &Text) -> &Face<'static> {
        if text.bold { &self.bold } else { &self.plain }
    }
}

fn scale(face: &Face, text: &Text) -> f32 {
    text.size as f32 / f32::from(face.units_per_em())
}

/// Draws a glyph at the current position. In fonts y points up, in pictures down.
struct Pen {
    path: PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::example;
    use crate::report::picture::letters::{ADVANCES, BOLD, width};
    use crate::report::picture::{NARROW, Shape, WIDE, picture};

    fn measured(text: &str, bold: bool) -> f64 {
        let text = Text { bold, ..Text::new(text, 0.0, 0.0, 10.0) };
        let (left, right) = Letters::new().span(&text);
        f64::from(right - left)
    }

    #[test]
    fn the_layouts_letter_widths_match_the_font() {
        let letters: Vec<char> = (' '..='~').collect();
        assert_eq!(letters.len(), ADVANCES.len());
        for letter in letters {
            let letter = letter.to_string();
            assert!((measured(&letter, false) - width(&letter, 10.0)).abs() < 0.01, "{letter}");
        }
    }

    #[test]
    fn bold_words_fit_the_space_reserved_for_them() {
        for words in
            ["Time to first token: distribution", "output_tokens_per_s", "Lead changes in tpot_ms_p95"]
        {
            assert!(measured(words, true) <= width(words, 10.0) * BOLD, "{words}");
        }
    }

    #[test]
    fn no_text_is_cut_off_at_the_pictures_edge() {
        let letters = Letters::new();
        for chart in example::all() {
            for wide in [NARROW, WIDE] {
                let picture = picture(&chart, wide);
                for mark in &picture.marks {
                    let Shape::Text(text) = &mark.shape else { continue };
                    let (left, right) = letters.span(text);
                    assert!(left >= 0.0 && f64::from(right) <= picture.width, "{}: {text:?}", chart.name);
                    assert!(
                        text.y <= picture.height && text.y >= text.size * 0.7,
                        "{}: {text:?}",
                        chart.name
                    );
                }
            }
        }
    }

    #[test]
    fn a_text_is_placed_at_its_anchor() {
        let letters = Letters::new();
        let text = Text::new("vllm", 100.0, 50.0, 12.0).anchored(Anchor::End);
        let bounds = letters.outline(&text).unwrap().bounds();
        assert!(bounds.right() <= 100.0 && bounds.right() > 98.0, "{bounds:?}");
        assert!(bounds.bottom() <= 50.0 && bounds.bottom() > 49.0, "{bounds:?}");
    }
}
