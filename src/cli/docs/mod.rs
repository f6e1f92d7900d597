//! The generated parts of `docs/` and `schemas/`: tests refuse stale files, and renew them on request.

mod commands;
mod keys;

use std::path::PathBuf;

/// If this environment variable is set, the tests write the files instead of comparing them.
const RENEW: &str = "TOLLGATE_RENEW";

/// Compares a checked-in file with what the program generates. `what` is the argument of `cargo xtask renew`.
pub(crate) fn check_file(name: &str, what: &str, generated: &str) {
    let path = in_repository(name);
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    if checked_in == generated {
        return;
    }
    assert!(std::env::var_os(RENEW).is_some(), "{name} is out of date; renew it: cargo xtask renew {what}");
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("docs/ is writable");
    std::fs::write(&path, generated).unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// The same for the part of a file between `<!-- generated: section -->` and `<!-- end -->`.
fn check_section(name: &str, section: &str, generated: &str) {
    let text = std::fs::read_to_string(in_repository(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let renewed =
        with_section(&text, section, generated).unwrap_or_else(|problem| panic!("{name}: {problem}"));
    check_file(name, "docs", &renewed);
}

/// `text` with `generated` between the section's markers.
fn with_section(text: &str, section: &str, generated: &str) -> Result<String, String> {
    let begin = format!("<!-- generated: {section} -->\n");
    let end = "<!-- end -->";
    let (before, rest) =
        text.split_once(&begin).ok_or(format!("the marker `{}` is missing", begin.trim_end()))?;
    let after = rest.find(end).ok_or(format!("`{}` has no `{end}` after it", begin.trim_end()))?;
    Ok(format!("{before}{begin}\n{}\n\n{}", generated.trim(), &rest[after..]))
}

fn in_repository(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// One line of a Markdown table.
fn row(cells: &[&str]) -> String {
    let cells = cells.iter().map(|cell| {
        if cell.is_empty() { " |".to_owned() } else { format!(" {} |", cell.replace('|', "\\|")) }
    });
    format!("|{}\n", cells.collect::<String>())
}

fn table_head(columns: &[&str]) -> String {
    format!("{}|{}\n", row(columns), "---|".repeat(columns.len()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use schemars::schema_for;

    use super::*;
    use crate::cli::Cli;
    use crate::config::{ScenarioFile, TargetsFile};

    #[test]
    fn the_command_line_reference_is_current() {
        check_file("docs/reference/cli.md", "docs", &commands::page(Cli::command()));
    }

    #[test]
    fn the_keys_of_scenario_files_are_current() {
        let generated = keys::tables(&schema_for!(ScenarioFile).to_value());
        check_section("docs/reference/scenario-file.md", "scenario keys", &generated);
    }

    #[test]
    fn the_keys_of_targets_are_current() {
        let generated = keys::tables(&schema_for!(TargetsFile).to_value());
        check_section("docs/reference/targets.md", "target keys", &generated);
    }

    #[test]
    fn a_section_is_replaced_between_its_markers() {
        let text = "# Keys\n<!-- generated: keys -->\nold\n<!-- end -->\nby hand\n";
        let renewed = with_section(text, "keys", "new\n").unwrap();
        assert_eq!(renewed, "# Keys\n<!-- generated: keys -->\n\nnew\n\n<!-- end -->\nby hand\n");
        assert_eq!(with_section(&renewed, "keys", "new").unwrap(), renewed);
    }

    #[test]
    fn a_missing_marker_is_named() {
        let missing = with_section("# Keys\n", "keys", "new").unwrap_err();
        assert_eq!(missing, "the marker `<!-- generated: keys -->` is missing");
        let open = with_section("<!-- generated: keys -->\nold\n", "keys", "new").unwrap_err();
        assert_eq!(open, "`<!-- generated: keys -->` has no `<!-- end -->` after it");
    }
}
