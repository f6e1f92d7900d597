//! Malformed suites: every mistake is reported with its position and a fix, before anything starts.

mod keys;
mod loads;
mod scenarios;
mod suites;
mod targets;

use std::path::Path;

use tempfile::TempDir;
use tollgate::internals::load_with;
use tollgate::internals::{Suite, SuiteErrors};

const TARGETS: (&str, &str) = ("targets.toml", "[targets.sim]\nengine = \"simulator\"\n");

const SCENARIO: &str = r#"targets = ["sim"]
[workload]
prompts = ["Why is the sky blue?"]
output_tokens = 16
[load.users-4]
concurrency = 4
requests = 8
[run]
warmup = "1s"
[gates]
ttft_ms_p95 = { tolerance = "10%", max = 800 }
"#;

/// The scenario above with one line replaced.
fn scenario_with(line: &str, replacement: &str) -> String {
    assert!(SCENARIO.contains(line), "{line}");
    SCENARIO.replace(line, replacement)
}

fn suite_of(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    std::fs::create_dir_all(root.path().join("perf-tests/scenarios")).unwrap();
    for (path, text) in files {
        let path = root.path().join("perf-tests").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

fn load(root: &Path, variables: &[(&str, &str)]) -> Result<Suite, SuiteErrors> {
    load_with(root, &|name| {
        variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.to_string())
    })
}

fn errors_of(files: &[(&str, &str)], variables: &[(&str, &str)]) -> SuiteErrors {
    let root = suite_of(files);
    match load(root.path(), variables) {
        Ok(_) => panic!("this suite should have been refused: {files:?} {variables:?}"),
        Err(errors) => errors,
    }
}

/// The errors of a scenario file, line by line, without the file's name.
#[track_caller]
fn assert_scenario_rejected(text: &str, expected: &[&str]) {
    let said = errors_of(&[TARGETS, ("scenarios/chat.toml", text)], &[]).to_string();
    let said: Vec<&str> = said
        .lines()
        .map(|line| line.strip_prefix("perf-tests/scenarios/chat.toml:").unwrap_or(line))
        .collect();
    assert_eq!(said, expected, "\n{text}");
}

#[track_caller]
fn assert_targets_rejected(text: &str, expected: &[&str]) {
    let said = errors_of(&[("targets.toml", text), ("scenarios/chat.toml", SCENARIO)], &[]).to_string();
    let said: Vec<&str> =
        said.lines().map(|line| line.strip_prefix("perf-tests/targets.toml:").unwrap_or(line)).collect();
    assert_eq!(said, expected, "\n{text}");
}

#[track_caller]
fn assert_overrides_rejected(overrides: &str, expected: &[&str]) {
    let said = errors_of(&[TARGETS, ("scenarios/chat.toml", SCENARIO)], &[("TOLLGATE_SET", overrides)]);
    assert_eq!(said.to_string().lines().collect::<Vec<_>>(), expected, "\n{overrides}");
}
