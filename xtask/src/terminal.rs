//! A terminal's output as an SVG picture.

use std::fmt::Write;

/// Monospace characters per line; longer lines wrap between words.
const COLUMNS: usize = 100;
const CHARACTER_PX: f64 = 8.4;
const LINE_PX: f64 = 20.0;
const PADDING_PX: f64 = 18.0;
const TITLE_BAR_PX: f64 = 34.0;

const FONTS: &str = "ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace";

/// The command as typed, and its output. `color` gives a word its color.
pub fn svg(command: &str, output: &str, color: impl Fn(&str) -> Option<&'static str>) -> String {
    let prompt = wrapped(&format!("$ {command}"), "    ");
    let lines: Vec<String> =
        prompt.into_iter().chain(output.lines().flat_map(|line| wrapped(line, ""))).collect();
    let width = COLUMNS as f64 * CHARACTER_PX + 2.0 * PADDING_PX;
    let height = TITLE_BAR_PX + lines.len() as f64 * LINE_PX + 2.0 * PADDING_PX - 6.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\">\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"9\" fill=\"#161b22\" stroke=\"#57606a\"/>\n",
        width - 1.0,
        height - 1.0
    );
    for (index, fill) in ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate() {
        let x = PADDING_PX + 6.0 + 20.0 * index as f64;
        writeln!(svg, "<circle cx=\"{x}\" cy=\"20\" r=\"6\" fill=\"{fill}\"/>")
            .expect("strings take everything");
    }
    writeln!(svg, "<g font-family=\"{FONTS}\" font-size=\"14\" fill=\"#e6edf3\" style=\"white-space:pre\">")
        .expect("strings take everything");
    for (index, line) in lines.iter().enumerate() {
        let y = TITLE_BAR_PX + PADDING_PX + 4.0 + index as f64 * LINE_PX;
        svg += &text(line, y, &color);
    }
    svg + "</g>\n</svg>\n"
}

/// One line. Its length is fixed, so that columns align in every font.
fn text(line: &str, y: f64, color: &impl Fn(&str) -> Option<&'static str>) -> String {
    let line = line.trim_end();
    if line.is_empty() {
        return String::new();
    }
    let length = line.chars().count() as f64 * CHARACTER_PX;
    let words = line.split_inclusive(' ').map(|word| match color(word.trim()) {
        Some(fill) => format!("<tspan fill=\"{fill}\" font-weight=\"bold\">{}</tspan>", escaped(word)),
        None => escaped(word),
    });
    format!(
        "<text x=\"{PADDING_PX}\" y=\"{y}\" xml:space=\"preserve\" textLength=\"{length:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\">{}</text>\n",
        words.collect::<String>()
    )
}

/// The line wrapped between words; continuation lines begin with `indent`.
fn wrapped(line: &str, indent: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.chars().count() + word.trim_end().chars().count() > COLUMNS {
            lines.push(format!("{indent}{word}"));
        } else {
            *last += word;
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_wrap_between_words() {
        let long = "word ".repeat(30);
        let lines = wrapped(&long, "  ");
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.trim_end().chars().count() <= COLUMNS), "{lines:?}");
        assert_eq!(lines[1], format!("  {}", "word ".repeat(10)));
    }

    #[test]
    fn text_is_escaped_and_words_are_colored() {
        let svg = svg("run", "a < b red\n", |word| (word == "red").then_some("#f00"));
        assert!(svg.contains(">$ run</text>"), "{svg}");
        assert!(
            svg.contains("a &lt; b <tspan fill=\"#f00\" font-weight=\"bold\">red</tspan></text>"),
            "{svg}"
        );
    }
}
