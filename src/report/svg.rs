//! Renders a chart as SVG, without scripts, style sheets, or required fonts.

use std::fmt::Write;

use crate::report::chart::palette::Palette;
use crate::report::chart::{Chart, Stroke};
use crate::report::picture::{
    Anchor, EDGE, Mark, OUTLINE, Picture, Position, Shape, Text, WIDE, dash, picture,
};
use crate::text::printable::printable;

/// PNG files use the first one; its letters are as wide as Verdana's.
const FONTS: &str = "DejaVu Sans, Verdana, Arial, sans-serif";

/// A self-contained file.
pub(crate) fn svg(chart: &Chart, palette: &Palette) -> String {
    element(&picture(chart, WIDE), palette)
}

/// The marks of a target have its class, such as `target-0`.
pub(crate) fn element(picture: &Picture, palette: &Palette) -> String {
    let Picture { title, width, height, marks } = picture;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"{FONTS}\" role=\"img\" aria-label=\"{}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        escaped(title),
        palette.paper,
    );
    marks.iter().for_each(|mark| add(&mut svg, mark, palette));
    svg + "</svg>\n"
}

fn add(svg: &mut String, mark: &Mark, palette: &Palette) {
    let class = mark.target.map(|target| format!(" class=\"target-{target}\"")).unwrap_or_default();
    let note = mark.note.as_ref().map(|note| format!("<title>{}</title>", escaped(note))).unwrap_or_default();
    let line = match &mark.shape {
        Shape::Path { points, color, width, stroke } => format!(
            r#"<path{class} d="{}" fill="none" stroke="{}" stroke-width="{width}" stroke-linejoin="round"{}>{note}</path>"#,
            path_data(points),
            color.within(palette),
            dashes(*stroke),
        ),
        Shape::Area { points, fill, opacity, outline } => {
            let outline = outline
                .map(|color| format!(" stroke=\"{}\" stroke-width=\"{OUTLINE}\"", color.within(palette)));
            format!(
                r#"<path{class} d="{}Z" fill="{}" fill-opacity="{opacity}"{}>{note}</path>"#,
                path_data(points),
                fill.within(palette),
                outline.unwrap_or_default(),
            )
        }
        Shape::Disc { center: (x, y), radius, fill } => format!(
            r#"<circle{class} cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{}">{note}</circle>"#,
            fill.within(palette),
        ),
        Shape::Text(text) => text_element(text, &class, palette),
    };
    writeln!(svg, "{line}").expect("memory takes writes");
}

fn text_element(text: &Text, class: &str, palette: &Palette) -> String {
    let anchor = match text.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let weight = if text.bold { " font-weight=\"bold\"" } else { "" };
    let edge = if text.edged {
        format!(
            r#" stroke="{}" stroke-width="{EDGE}" stroke-linejoin="round" paint-order="stroke""#,
            palette.paper
        )
    } else {
        String::new()
    };
    format!(
        r#"<text{class} x="{:.1}" y="{:.1}" font-size="{}" fill="{}"{anchor}{weight}{edge}>{}</text>"#,
        text.x,
        text.y,
        text.size,
        text.color.within(palette),
        escaped(&text.text),
    )
}

fn dashes(stroke: Stroke) -> String {
    dash(stroke).map(|[on, off]| format!(" stroke-dasharray=\"{on} {off}\"")).unwrap_or_default()
}

fn path_data(points: &[Position]) -> String {
    let mut data = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        write!(data, "{command}{x:.1} {y:.1}").expect("memory takes writes");
    }
    data
}

/// Escapes external text for XML and HTML, between tags and within quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::example;
    use crate::report::chart::palette::{DARK, LIGHT};
    use crate::report::picture::NARROW;

    #[test]
    fn every_kind_of_chart_is_well_formed_and_draws_something() {
        for chart in example::all() {
            for width in [NARROW, WIDE] {
                let text = element(&picture(&chart, width), &LIGHT);
                let document =
                    uppsala::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", chart.name));
                assert!(document.get_elements_by_tag_name("path").len() > 5, "{}", chart.name);
                assert!(!text.contains("NaN") && !text.contains("inf"), "{}", chart.name);
            }
        }
    }

    #[test]
    fn the_colors_come_from_the_theme() {
        let chart = example::curves();
        assert!(svg(&chart, &LIGHT).contains(LIGHT.targets[1]));
        assert!(svg(&chart, &DARK).contains(DARK.targets[1]));
    }

    #[test]
    fn hostile_names_stay_text() {
        let text = svg(&example::nasty(), &LIGHT);
        let document = uppsala::parse(&text).unwrap();
        for element in ["script", "img", "a"] {
            assert!(document.get_elements_by_tag_name(element).is_empty(), "{text}");
        }
        assert!(text.contains("&lt;script&gt;"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
