//! The width of text. Layout needs no font: it uses the letter widths of the font in which pictures are shown.

use unicode_width::UnicodeWidthChar;

/// The letter widths of DejaVu Sans 2.37, from the space to the tilde, in thousandths of the font size. Verdana's
/// letters are equally wide, Arial's are narrower.
pub(crate) const ADVANCES: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636,
    636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295,
    295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838,
    500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521,
    392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
];
/// The width of any other letter, per terminal column; few are wider.
const OTHER: f64 = 0.84;
/// The width of bold text relative to regular text, for the letters that grow the most.
pub(crate) const BOLD: f64 = 1.2;
const CUT: char = '…';

pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|letter| advance(letter) * size).sum()
}

/// Truncates text to the width `most`.
pub(crate) fn fitting(text: &str, size: f64, most: f64) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let mut room = most / size - advance(CUT);
    let fits = |letter: &char| {
        room -= advance(*letter);
        room >= 0.0
    };
    text.chars().take_while(fits).chain([CUT]).collect()
}

/// Wraps text into lines of at most this width; wider words are truncated.
pub(crate) fn wrapped(text: &str, size: f64, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(" ", size) + width(word, size) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fitting(word, size, most)),
        }
    }
    lines
}

/// In units of the font size.
fn advance(letter: char) -> f64 {
    let known = (letter as usize).checked_sub(' ' as usize).and_then(|at| ADVANCES.get(at));
    match known {
        Some(thousandths) => f64::from(*thousandths) / 1000.0,
        None if letter == CUT => 1.0,
        None => letter.width().unwrap_or(0) as f64 * OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_truncated() {
        assert_eq!(fitting("vllm", 10.0, 60.0), "vllm");
        assert_eq!(fitting("a very long name", 10.0, 42.0), "a very…");
        assert_eq!(fitting("東京東京東京", 10.0, 62.0), "東京東…");
    }

    #[test]
    fn truncated_text_is_never_wider_than_its_space() {
        for most in 12..200 {
            let most = f64::from(most);
            assert!(width(&fitting("WWW iii =HYPERLINK(東京) _mean", 11.5, most), 11.5) <= most, "{most}");
        }
    }

    #[test]
    fn text_wraps_at_spaces() {
        assert_eq!(wrapped("one two three", 10.0, 44.0), ["one two", "three"]);
    }
}
