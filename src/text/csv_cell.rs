//! Escapes text for a cell of a CSV file.

use crate::text::printable::printable;

/// Quotes text if necessary. Spreadsheets run text that starts with `=`, `+`, `-`, or `@` as a formula, so such text
/// gets an apostrophe in front.
pub(crate) fn csv_cell(text: &str) -> String {
    let text = printable(text);
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@']);
    let guard = if is_formula { "'" } else { "" };
    if is_formula || text.contains([',', '"', '\n']) {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed() {
        assert_eq!(csv_cell("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\"");
        for text in ["+1", "-1", "@x", " =1", "\t=1"] {
            assert!(csv_cell(text).starts_with("\"'"), "{text}");
        }
        assert_eq!(csv_cell("\x1b[2J"), "␛[2J");
    }

    #[test]
    fn separators_are_quoted_and_plain_text_is_unchanged() {
        assert_eq!(csv_cell("a, \"b\"\nc"), "\"a, \"\"b\"\"\nc\"");
        assert_eq!(csv_cell("session 1"), "session 1");
    }
}
