//! Text as one cell of a CSV file.

use crate::text::printable::printable;

/// Quoted where it has to be. A spreadsheet takes what begins with `=`, `+`, `-` or `@` for a formula and runs it, so an
/// apostrophe goes before text of foreign origin that does.
pub fn csv_cell(text: &str) -> String {
    let text = printable(text);
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@']);
    let guard = if is_formula { "'" } else { "" };
    match is_formula || text.contains([',', '"', '\n']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_a_spreadsheet_would_run_is_disarmed() {
        assert_eq!(csv_cell("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\"");
        for text in ["+1", "-1", "@x", " =1", "\t=1"] {
            assert!(csv_cell(text).starts_with("\"'"), "{text}");
        }
        assert_eq!(csv_cell("\x1b[2J"), "␛[2J");
    }

    #[test]
    fn what_separates_cells_is_quoted_and_plain_text_stays() {
        assert_eq!(csv_cell("a, \"b\"\nc"), "\"a, \"\"b\"\"\nc\"");
        assert_eq!(csv_cell("session 1"), "session 1");
    }
}
