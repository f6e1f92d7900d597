//! The folders of `src` import only from folders above them in ARCHITECTURE.md's map, and each keeps to its layer.

use std::fs;
use std::path::{Path, PathBuf};

/// Things that core leaves to the edges, as they appear in code.
const NOT_IN_CORE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "tokio",
    "reqwest",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
];

/// Crates that only one folder may use.
const ONE_FOLDERS_CRATES: &[(&str, &str)] = &[("anyhow", "cli"), ("clap", "cli"), ("miette", "config")];

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Layer {
    /// No clock, no files, no network, no printing.
    Core,
    /// Each folder does one kind of I/O.
    Edge,
    /// Puts everything together.
    Top,
}

/// The folders of `src` from the bottom up: each may import those before it.
struct Map(Vec<(String, Layer)>);

impl Map {
    /// Reads the rows `| folder | layer | …` of the table in ARCHITECTURE.md.
    fn of_architecture() -> Map {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let map = Map(text.lines().filter_map(Map::row).collect());
        assert!(map.0.len() > 10, "ARCHITECTURE.md maps only {} folders", map.0.len());
        map
    }

    fn row(line: &str) -> Option<(String, Layer)> {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let folder = cells.next()?.strip_suffix("/`")?;
        let layer = match cells.next()? {
            "core" => Layer::Core,
            "edge" => Layer::Edge,
            "top" => Layer::Top,
            _ => return None,
        };
        Some((folder.to_owned(), layer))
    }

    fn place(&self, folder: &str) -> Option<(usize, Layer)> {
        self.0.iter().position(|(name, _)| name == folder).map(|at| (at, self.0[at].1))
    }

    fn may_import(&self, importer: (usize, Layer), imported: (usize, Layer)) -> bool {
        imported.0 <= importer.0 && imported.1 <= importer.1
    }
}

/// Every violation in a file, as `file:line: rule`. `path` is relative to `src`.
fn violations(map: &Map, path: &Path, source: &str) -> Vec<String> {
    let shown = format!("src/{}", path.display());
    let Some(folder) = folder_of(path) else {
        return match path.to_str() {
            Some("lib.rs" | "main.rs") => Vec::new(),
            _ => vec![format!("{shown}:1: only lib.rs and main.rs stand outside of the folders")],
        };
    };
    let Some(place) = map.place(&folder) else {
        return vec![format!("{shown}:1: {}", not_mapped(&folder))];
    };
    let lines = source.lines().map(code).enumerate();
    let rules = lines.flat_map(|(index, line)| {
        let broken = broken_rules(map, &folder, place, line);
        broken.into_iter().map(move |rule| (index + 1, rule))
    });
    rules.map(|(line, rule)| format!("{shown}:{line}: {rule}")).collect()
}

fn broken_rules(map: &Map, folder: &str, place: (usize, Layer), line: &str) -> Vec<String> {
    let mut rules = Vec::new();
    for imported in mentions(line, "crate::").map(|at| word_at(line, at)) {
        match map.place(imported) {
            None if imported.is_empty() => {
                rules.push("write a line `use crate::folder::…` for each folder".to_owned());
            }
            None => rules.push(not_mapped(imported)),
            Some(other) if !map.may_import(place, other) => rules.push(format!(
                "`{folder}` ({:?}) may not import `{imported}` ({:?}): a folder imports those that stand above it in \
                 ARCHITECTURE.md's map, and core imports only core",
                place.1, other.1
            )),
            Some(_) => {}
        }
    }
    if line.contains("super::super::") {
        rules.push("`super::super::` hides which folder is meant: write `crate::`".to_owned());
    }
    let foreign = ONE_FOLDERS_CRATES
        .iter()
        .filter(|(name, owner)| *owner != folder && mentions(line, name).next().is_some());
    rules.extend(foreign.map(|(name, owner)| format!("only `{owner}` may use the crate `{name}`")));
    if place.1 == Layer::Core {
        let found = NOT_IN_CORE.iter().filter(|word| mentions(line, word).next().is_some());
        rules.extend(found.map(|word| {
            format!("`{folder}` (Core) may not mention `{word}`: no clock, no files, no network, no printing")
        }));
    }
    rules
}

fn not_mapped(folder: &str) -> String {
    format!("folder `{folder}` is not in the map: give it a row in ARCHITECTURE.md")
}

/// The positions right after each `needle` that is a whole word.
fn mentions<'a>(line: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(needle).filter_map(move |(at, _)| {
        let behind = at + needle.len();
        // `$crate` in a macro expands in the crate that uses it.
        let joined_before = line[..at].ends_with(|c| is_word(c) || c == '$');
        let joined_behind = needle.ends_with(is_word) && line[behind..].starts_with(is_word);
        (!joined_before && !joined_behind).then_some(behind)
    })
}

fn word_at(line: &str, at: usize) -> &str {
    let rest = &line[at..];
    &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
}

/// The line without its comment. Unlike a URL's `//`, a comment's follows whitespace.
fn code(line: &str) -> &str {
    let comment = line.match_indices("//").map(|(at, _)| at);
    let start = comment.into_iter().find(|at| *at == 0 || line[..*at].ends_with(char::is_whitespace));
    &line[..start.unwrap_or(line.len())]
}

/// The folder of `src` that contains a file.
fn folder_of(path: &Path) -> Option<String> {
    let mut parts = path.iter();
    let first = parts.next()?;
    parts.next().map(|_| first.to_string_lossy().into_owned())
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("a folder lists its entries").path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn every_folder_imports_only_from_below() {
    let map = Map::of_architecture();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&src);
    assert!(files.len() > 10, "only {} sources were found in src: is this the right folder?", files.len());
    let found = files.iter().flat_map(|file| {
        let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        violations(&map, file.strip_prefix(&src).expect("the file is in src"), &source)
    });
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{} rules are broken:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_folder_of_the_map_exists() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (folder, _) in Map::of_architecture().0 {
        assert!(src.join(&folder).join("mod.rs").is_file(), "ARCHITECTURE.md maps `{folder}`");
    }
}

/// Uses a map of four folders: `ground` and `middle` are core, `edge` is an edge, and `top` is the top.
fn found(path: &str, source: &str) -> Vec<String> {
    let rows = ["| `ground/` | core |", "| `edge/` | edge |", "| `middle/` | core |", "| `top/` | top |"];
    let map = Map(rows.into_iter().filter_map(Map::row).collect());
    violations(&map, Path::new(path), source)
}

#[test]
fn a_folder_may_not_import_one_above_it() {
    let rules = found("ground/mod.rs", "//! Doc.\n\nuse crate::middle::Gate;\n");
    assert_eq!(rules.len(), 1);
    assert!(
        rules[0].starts_with("src/ground/mod.rs:3: `ground` (Core) may not import `middle` (Core)"),
        "{rules:?}"
    );
}

#[test]
fn a_cycle_between_folders_is_rejected() {
    let one_way = found("middle/a.rs", "use crate::ground::Metric;");
    let and_back = found("ground/b.rs", "use crate::middle::Gate;");
    assert_eq!((one_way.len(), and_back.len()), (0, 1));
}

#[test]
fn core_may_not_import_an_edge_below_it() {
    let rules = found("middle/gate.rs", "use crate::edge::clock;");
    assert!(rules[0].contains("`middle` (Core) may not import `edge` (Edge)"), "{rules:?}");
}

#[test]
fn tests_and_inline_paths_are_checked_too() {
    let source = "#[cfg(test)]\nmod tests {\n    use crate::top::Suite;\n}\nfn f() { crate::top::run(); }";
    let rules = found("edge/mod.rs", source);
    assert_eq!(rules.len(), 2, "{rules:?}");
    assert!(rules[0].starts_with("src/edge/mod.rs:3: ") && rules[1].starts_with("src/edge/mod.rs:5: "));
}

#[test]
fn downward_imports_are_allowed() {
    assert_eq!(
        found("top/a.rs", "use crate::edge::clock;\nuse crate::ground::Metric;\nuse crate::top::b;"),
        [""; 0]
    );
    assert_eq!(found("main.rs", "use crate::top::run;"), [""; 0]);
}

#[test]
fn a_folder_without_a_row_is_rejected() {
    let expected = "src/gadget/mod.rs:1: folder `gadget` is not in the map: give it a row in ARCHITECTURE.md";
    assert_eq!(found("gadget/mod.rs", ""), [expected]);
    assert!(found("top/a.rs", "use crate::gadget::Gadget;")[0].contains("`gadget` is not in the map"));
    assert!(found("stray.rs", "")[0].contains("only lib.rs and main.rs"));
}

#[test]
fn a_use_that_could_hide_a_folder_is_rejected() {
    assert!(found("top/a.rs", "use crate::{ground, edge};")[0].contains("a line `use crate::folder::…`"));
    assert!(found("top/b/c.rs", "use super::super::edge;")[0].contains("write `crate::`"));
}

#[test]
fn core_may_not_mention_clock_files_network_or_printing() {
    let lines = [
        "use std::fs;",
        "use std::net::SocketAddr;",
        "use std::time::{Duration, Instant};",
        "let now = std::time::SystemTime::now();",
        "tokio::spawn(async {});",
        "println!(\"{value}\");",
    ];
    for line in lines {
        assert_eq!(found("middle/summary.rs", line).len(), 1, "{line}");
        assert_eq!(found("edge/run.rs", line), [""; 0], "{line}");
    }
}

#[test]
fn a_crate_of_one_folder_may_not_be_used_in_another() {
    for line in ["use clap::ValueEnum;", "fn run() -> anyhow::Result<()> {", "#[derive(miette::Diagnostic)]"]
    {
        let rules = found("top/a.rs", line);
        assert_eq!(rules.len(), 1, "{line}");
        assert!(rules[0].contains("may use the crate"), "{rules:?}");
    }
    let map = Map(["| `cli/` | top |"].into_iter().filter_map(Map::row).collect());
    assert_eq!(violations(&map, Path::new("cli/a.rs"), "use clap::Args;"), [""; 0]);
}

#[test]
fn comments_and_longer_words_are_not_code() {
    let source =
        "/// See [`crate::top`] and println!.\nlet instantaneous = 1; // tokio\nlet url = \"http://x\";";
    assert_eq!(found("ground/load.rs", source), [""; 0]);
}
