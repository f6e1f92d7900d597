//! Whole suites, and how their errors are shown.

use tempfile::TempDir;
use tollgate::internals::{SuiteText, TextFile, parse};

use super::{SCENARIO, TARGETS, errors_of, load, scenario_with, suite_of};

#[test]
fn the_unchanged_suite_is_accepted() {
    let root = suite_of(&[TARGETS, ("scenarios/chat.toml", SCENARIO)]);
    assert_eq!(load(root.path(), &[]).unwrap().scenarios.len(), 1);
}

#[test]
fn every_bad_file_is_reported_at_once() {
    let bad_run = scenario_with("[run]", "[runs]");
    let files = [
        ("targets.toml", "[targets.sim]\nengine = 3\n"),
        ("scenarios/a.toml", bad_run.as_str()),
        ("scenarios/b.toml", "targets = \n"),
        ("scenarios/c.yaml", ""),
        ("scenarios/d e.toml", SCENARIO),
    ];
    let said = errors_of(&files, &[]).to_string();
    let places: Vec<&str> = said.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "perf-tests/scenarios/c.yaml",
            "perf-tests/targets.toml:2:10",
            "perf-tests/scenarios/a.toml:8:2",
            "perf-tests/scenarios/b.toml:1:11",
            "perf-tests/scenarios/d e.toml",
        ]
    );
}

#[test]
fn an_empty_scenario_folder_is_an_error() {
    assert_eq!(
        errors_of(&[TARGETS], &[]).to_string(),
        "perf-tests/scenarios: no scenario file (*.toml) in this folder \
         (add a scenario, for example perf-tests/scenarios/chat.toml)"
    );
}

#[test]
fn a_folder_without_a_suite_is_an_error() {
    let root = TempDir::new().unwrap();
    let said = load(root.path(), &[]).unwrap_err().to_string();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "perf-tests/targets.toml: can't be read: No such file or directory (os error 2) \
             (every suite needs this file; the shortest has [targets.sim] with engine = \"simulator\")",
            "perf-tests/scenarios: can't be read: No such file or directory (os error 2) \
             (add a scenario, for example perf-tests/scenarios/chat.toml)",
        ]
    );
}

#[test]
fn a_terminal_shows_the_line() {
    let text = scenario_with("concurrency = 4", "concurency = 4");
    let errors = errors_of(&[TARGETS, ("scenarios/chat.toml", &text)], &[]);
    insta::assert_snapshot!(errors.fancy(false), @r#"
     × unknown key `concurency`
      ╭─[perf-tests/scenarios/chat.toml:6:1]
    5 │ [load.users-4]
    6 │ concurency = 4
      · ──────────
    7 │ requests = 8
      ╰────
     help: did you mean `concurrency`? Valid here: `concurrency`, `think_time`, `rate`, `arrival`,
           `burstiness`, `trace`, `speed`, `max_in_flight`, `ramp`, `requests`, `duration`
    "#);
}

#[test]
fn a_terminal_shows_the_override() {
    let variables = [("TOLLGATE_SET", "scenarios.chat.workload.sampling.temprature=1")];
    let errors = errors_of(&[TARGETS, ("scenarios/chat.toml", SCENARIO)], &variables);
    insta::assert_snapshot!(errors.fancy(false), @r#"
     × unknown key `temprature`
      ╭─[TOLLGATE_SET:1:34]
    1 │ scenarios.chat.workload.sampling.temprature=1
      ·                                  ──────────
      ╰────
     help: did you mean `temperature`? Valid here: `temperature`, `top_p`, `top_k`
    "#);
}

#[test]
fn a_terminal_shows_the_folder_if_there_is_no_line() {
    insta::assert_snapshot!(errors_of(&[TARGETS], &[]).fancy(false), @r#"
    × perf-tests/scenarios: no scenario file (*.toml) in this folder
    help: add a scenario, for example perf-tests/scenarios/chat.toml
    "#);
}

#[test]
fn no_single_typo_makes_it_panic() {
    let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
    let try_it = |targets: &str, scenario: &str, overrides: &str| {
        let suite = parse(&SuiteText {
            targets: file("perf-tests/targets.toml", targets),
            scenarios: vec![file("perf-tests/scenarios/chat.toml", scenario)],
            overrides: overrides.to_owned(),
            environment: &|_| None,
            prompts: &|_| Ok("{".to_owned()),
        });
        suite.is_err_and(|errors| !errors.fancy(true).is_empty())
    };
    let overrides = "targets.sim.simulator={ jitter = 0.1 },scenarios.chat.run.rounds=2";
    let mut refused = 0;
    for slip in ["", "\"", "{", "]", "=", ",", "é", "\0", "\n", "-", "9", "${"] {
        let slips = |text: &str| -> Vec<String> {
            text.char_indices()
                .map(|(at, c)| format!("{}{slip}{}", &text[..at], &text[at + c.len_utf8()..]))
                .collect()
        };
        refused += slips(TARGETS.1).iter().filter(|text| try_it(text, SCENARIO, overrides)).count();
        refused += slips(SCENARIO).iter().filter(|text| try_it(TARGETS.1, text, overrides)).count();
        refused += slips(overrides).iter().filter(|text| try_it(TARGETS.1, SCENARIO, text)).count();
    }
    assert!(refused > 1000, "hardly a slip was noticed: {refused}");
}
