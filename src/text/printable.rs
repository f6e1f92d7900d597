//! Makes external text (an engine's version, a server's error message) harmless for terminals and XML.

/// Keeps line breaks. Other control characters become their visible symbols (ESC is `␛`), so that the original remains
/// readable. Characters that can't be shown, aren't allowed in XML, or change the text direction become `�`.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// Like [`printable`], but on a single line.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(printable).collect();
    words.join(" ")
}

fn shown(c: char) -> char {
    match c {
        '\n' => c,
        '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).expect("every C0 control has a symbol"),
        '\x7f' => '␡',
        '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_codes_become_visible_and_harmless() {
        assert_eq!(printable("vllm \x1b[31m0.31\0\x7f"), "vllm ␛[31m0.31␀␡");
        assert_eq!(printable("\u{9b}2J \u{202e}abc \u{ffff}"), "�2J �abc �");
    }

    #[test]
    fn ordinary_text_is_unchanged() {
        assert_eq!(printable("−7.3 %\n「東京」 🚀 <b>"), "−7.3 %\n「東京」 🚀 <b>");
    }

    #[test]
    fn one_line_joins_lines() {
        assert_eq!(one_line(" a\r\n\tb\u{2028}c \x1b "), "a b c ␛");
    }
}
