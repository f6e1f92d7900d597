//! The documentation: every relative link leads somewhere, every page is listed, and the README stays short.

mod links;
mod markdown;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder with this file name suffix.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry, extension));
        } else if entry.extension().is_some_and(|end| end == extension) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn every_link_leads_somewhere() {
    let top =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name));
    let pages: Vec<PathBuf> = top.into_iter().chain(files(&root().join("docs"), "md")).collect();
    let broken: Vec<String> = pages.iter().flat_map(|page| links::broken(page, &read(page))).collect();
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn the_readme_has_at_most_200_lines() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= 200, "README.md has {lines} lines: move what a first visit does not need to docs/");
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let docs = root().join("docs");
    let summary = docs.join("SUMMARY.md");
    let text = read(&summary);
    let listed: Vec<PathBuf> =
        markdown::links(&text).into_iter().map(|link| docs.join(link.target)).collect();
    let unlisted = files(&docs, "md").into_iter().filter(|page| *page != summary && !listed.contains(page));
    let unlisted: Vec<String> = unlisted.map(|page| shown(&page)).collect();
    assert!(unlisted.is_empty(), "not in docs/SUMMARY.md: {}", unlisted.join(", "));
}

#[test]
fn every_page_named_in_the_code_exists() {
    let code = ["src", "tests", "benches", "perf-tests"].into_iter();
    let files = code.flat_map(|folder| files(&root().join(folder), "rs"));
    let missing: Vec<String> = files.flat_map(|file| missing_pages(&shown(&file), &read(&file))).collect();
    assert!(missing.is_empty(), "no such page:\n{}", missing.join("\n"));
}

/// The missing files below `docs/` that a source file names, as `file:line: path`.
fn missing_pages(file: &str, source: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || "/_-.".contains(c);
    let mut missing = Vec::new();
    for (index, line) in source.lines().enumerate() {
        for (at, _) in line.match_indices("docs/") {
            let rest = &line[at..];
            let page = &rest[..rest.find(|c| !is_path(c)).unwrap_or(rest.len())];
            let page = page.trim_end_matches('.');
            let begins = !line[..at].ends_with(is_path);
            let is_file = Path::new(page).extension().is_some();
            if begins && is_file && !root().join(page).exists() {
                missing.push(format!("{file}:{}: {page}", index + 1));
            }
        }
    }
    missing
}

#[test]
fn a_reference_to_a_missing_page_is_found_in_the_code() {
    let source =
        format!("//! See {0}/verdict-of-old.md.\n//! And tests/{0}/none.md, https://{0}/none.md.", "docs");
    assert_eq!(missing_pages("a.rs", &source), [format!("a.rs:1: {}/verdict-of-old.md", "docs")]);
}

/// The missing files and folders that a page names in code spans, as `page: path`.
fn missing_sources(page: &str, text: &str) -> Vec<String> {
    let roots = [
        "src/",
        "tests/",
        "benches/",
        "perf-tests/",
        "baselines/",
        "schemas/",
        "docs/",
        "xtask/",
        ".ci/",
        ".github/",
    ];
    let spans = markdown::code_spans(text).into_iter();
    // A pattern such as `scenarios/*.toml` matches many files.
    let paths = spans.filter(|span| {
        roots.iter().any(|root| span.starts_with(root)) && !span.contains([' ', '*', '{', '<', '…'])
    });
    paths.filter(|path| !root().join(path).exists()).map(|path| format!("{page}: {path}")).collect()
}

#[test]
fn every_file_named_in_the_contributing_guide_exists() {
    let missing =
        ["CONTRIBUTING.md", "ARCHITECTURE.md"].map(|page| missing_sources(page, &read(&root().join(page))));
    assert!(missing.concat().is_empty(), "no such file:\n{}", missing.concat().join("\n"));
}

#[test]
fn a_reference_to_a_missing_file_is_found_in_a_page() {
    let text = "`src/lib.rs` and `src/gone.rs`, `src/*/gone.rs`\n```\nsrc/gone.rs\n```";
    assert_eq!(missing_sources("A.md", text), ["A.md: src/gone.rs"]);
}
