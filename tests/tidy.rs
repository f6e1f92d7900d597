//! The direction of the layers, top → edges → core, read from the sources' own words.

use std::fs;
use std::path::{Path, PathBuf};

/// No clock, no files, no network, no printing.
const CORE: &[&str] = &[
    "metric",
    "figures",
    "fingerprint",
    "scenario",
    "limits",
    "load",
    "worker",
    "workload",
    "comparison",
    "curve",
    "deck",
    "dialogue",
    "calibration",
    "record",
    "record_file",
    "distribution",
    "summary",
    "trace",
    "window",
    "timeline",
    "health",
    "stats",
    "museum",
    "nearest",
    "baseline",
    "bisection",
    "verdict",
    "event",
    "report",
    "target",
    "engine",
    "secret",
    "server_side",
];
/// Each does one kind of I/O.
const EDGES: &[&str] = &[
    "arrival",
    "clock",
    "docker",
    "gpu",
    "launch",
    "machine",
    "measure",
    "simulator",
    "store",
    "suite",
    "telemetry",
];
/// Put everything together.
const TOP: &[&str] = &["campaign", "harness", "cli", "lib", "main"];

/// What core leaves to the edges, as it appears in code.
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

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Layer {
    Core,
    Edges,
    Top,
}

impl Layer {
    fn of(module: &str) -> Option<Layer> {
        let layers = [(CORE, Layer::Core), (EDGES, Layer::Edges), (TOP, Layer::Top)];
        layers.into_iter().find(|(modules, _)| modules.contains(&module)).map(|(_, layer)| layer)
    }

    fn name(self) -> &'static str {
        match self {
            Layer::Core => "core",
            Layer::Edges => "edges",
            Layer::Top => "top",
        }
    }
}

/// Everything a file does that its layer may not, as `file:line: rule`. `path` is relative to `src`.
fn violations(path: &Path, source: &str) -> Vec<String> {
    let module = module_of(path);
    let shown = format!("src/{}", path.display());
    let Some(layer) = Layer::of(&module) else {
        return vec![format!("{shown}:1: module `{module}` has no layer: assign it to one in tests/tidy.rs")];
    };
    let lines = source.lines().map(code).enumerate();
    let rules = lines.flat_map(|(index, line)| {
        let broken = broken_rules(layer, &module, line);
        broken.into_iter().map(move |rule| (index + 1, rule))
    });
    rules.map(|(line, rule)| format!("{shown}:{line}: {rule}")).collect()
}

fn broken_rules(layer: Layer, module: &str, line: &str) -> Vec<String> {
    let mut rules = Vec::new();
    for imported in mentions(line, "crate::").map(|at| word_at(line, at)) {
        match Layer::of(imported) {
            None if imported.is_empty() => {
                rules.push("write a line `use crate::module::…` for each module of the crate".to_owned());
            }
            None => {
                rules.push(format!("module `{imported}` has no layer: assign it to one in tests/tidy.rs"))
            }
            Some(above) if above > layer => rules.push(format!(
                "`{module}` ({}) may not import `{imported}` ({}): the direction is top → edges → core",
                layer.name(),
                above.name()
            )),
            Some(_) => {}
        }
    }
    if line.contains("super::super::") {
        rules.push("a way up by `super::super::` hides which module is meant: write `crate::`".to_owned());
    }
    if layer == Layer::Core {
        let found = NOT_IN_CORE.iter().filter(|word| mentions(line, word).next().is_some());
        rules.extend(found.map(|word| {
            format!("`{module}` (core) may not mention `{word}`: no clock, no files, no network, no printing")
        }));
    }
    rules
}

/// The places right behind each `needle` that is a word of its own.
fn mentions<'a>(line: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(needle).filter_map(move |(at, _)| {
        let behind = at + needle.len();
        // What a macro writes as `$crate` is code of the crate that uses it.
        let joined_before = line[..at].ends_with(|c| is_word(c) || c == '$');
        let joined_behind = needle.ends_with(is_word) && line[behind..].starts_with(is_word);
        (!joined_before && !joined_behind).then_some(behind)
    })
}

fn word_at(line: &str, at: usize) -> &str {
    let rest = &line[at..];
    &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
}

/// The line without a comment: a URL's `//` has something before it.
fn code(line: &str) -> &str {
    let comment = line.match_indices("//").map(|(at, _)| at);
    let start = comment.into_iter().find(|at| *at == 0 || line[..*at].ends_with(char::is_whitespace));
    &line[..start.unwrap_or(line.len())]
}

/// The module of the crate's root that a file belongs to.
fn module_of(path: &Path) -> String {
    let first = path.iter().next().unwrap_or_default();
    Path::new(first).file_stem().unwrap_or_default().to_string_lossy().into_owned()
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
fn the_layers_point_from_top_to_edges_to_core() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&src);
    assert!(files.len() > 10, "only {} sources were found in src: is this the right folder?", files.len());
    let found = files.iter().flat_map(|file| {
        let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        violations(file.strip_prefix(&src).expect("the file is in src"), &source)
    });
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{} of the layers' rules are broken:\n{}", found.len(), found.join("\n"));
}

fn found(path: &str, source: &str) -> Vec<String> {
    violations(Path::new(path), source)
}

#[test]
fn core_may_not_import_an_edge() {
    let source = "//! Doc.\n\nuse crate::store::RunFolder;\n";
    let expected = "src/verdict/gate.rs:3: `verdict` (core) may not import `store` (edges): the direction is top → edges → core";
    assert_eq!(found("verdict/gate.rs", source), [expected]);
}

#[test]
fn an_edge_may_not_import_the_top_even_within_tests_or_a_line_of_code() {
    let source =
        "#[cfg(test)]\nmod tests {\n    use crate::campaign::Campaign;\n}\nfn f() { crate::cli::run(); }";
    let rules = found("store/mod.rs", source);
    assert_eq!(rules.len(), 2, "{rules:?}");
    assert!(rules[0].starts_with("src/store/mod.rs:3: `store` (edges) may not import `campaign` (top)"));
    assert!(rules[1].starts_with("src/store/mod.rs:5: "));
}

#[test]
fn downwards_and_sideways_is_free() {
    let source = "use crate::store::Baselines;\nuse crate::metric::Metric;\nuse crate::clock;\n";
    assert_eq!(found("launch.rs", source), [""; 0]);
    assert_eq!(found("main.rs", "use crate::harness::run;"), [""; 0]);
}

#[test]
fn a_module_without_a_layer_is_refused() {
    let expected = "src/gadget/mod.rs:1: module `gadget` has no layer: assign it to one in tests/tidy.rs";
    assert_eq!(found("gadget/mod.rs", ""), [expected]);
    assert!(found("lib.rs", "use crate::gadget::Gadget;")[0].contains("`gadget` has no layer"));
}

#[test]
fn several_modules_in_one_use_are_refused_since_they_could_hide_one() {
    assert!(found("stats.rs", "use crate::{metric, store};")[0].contains("a line `use crate::module::…`"));
    assert!(found("report/junit.rs", "use super::super::store;")[0].contains("write `crate::`"));
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
        assert_eq!(found("summary.rs", line).len(), 1, "{line}");
        assert_eq!(found("store/run.rs", line), [""; 0], "{line}");
    }
}

#[test]
fn comments_and_longer_words_are_not_code() {
    let source =
        "/// See [`crate::store`] and println!.\nlet instantaneous = 1; // tokio\nlet url = \"http://x\";";
    assert_eq!(found("load.rs", source), [""; 0]);
}
