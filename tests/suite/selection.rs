//! What runs and what doesn't: lists, filters, missing targets, and files with mistakes.

use tollgate::internals::Verdict;

use crate::common::{CHAT, SIMULATOR, Suite};

const BOTH: &str = "[load.users-2]\nconcurrency = 2\nrequests = 4\n[run]";

fn suite_of_two() -> Suite {
    let chat = CHAT.replace("[run]", BOTH);
    Suite::of(&[("targets.toml", SIMULATOR), ("scenarios/chat.toml", &chat)])
}

#[test]
fn a_list_shows_only_names_and_starts_nothing() {
    let suite = suite_of_two();
    for arguments in [&["--list"][..], &["--list", "--format", "terse"]] {
        let listed = suite.run(arguments);
        listed.assert_exit(0);
        assert_eq!(listed.stdout, "chat::users-4::sim: test\nchat::users-2::sim: test\n");
        assert_eq!(listed.stderr, "");
    }
    assert!(!suite.exists("target"), "a list leaves nothing behind");
}

#[test]
fn a_filter_matches_part_of_a_name_or_all_of_it() {
    let suite = suite_of_two();
    let listed = |arguments: &[&str]| suite.run(&[&["--list"], arguments].concat()).stdout;
    assert_eq!(listed(&["users-2"]), "chat::users-2::sim: test\n");
    assert_eq!(listed(&["--exact", "chat::users-4::sim"]), "chat::users-4::sim: test\n");
    assert_eq!(listed(&["--exact", "users-4"]), "");
    assert_eq!(listed(&["--skip", "users-4"]), "chat::users-2::sim: test\n");
}

#[test]
fn only_what_is_selected_is_measured() {
    let suite = suite_of_two();
    suite.run(&["--exact", "chat::users-2::sim"]).assert_exit(101);
    suite.run(&["--skip", "users-4"]).assert_exit(101);
    assert_eq!(suite.baselines(), ["simulator/chat__users-2__sim.snap.new"]);
    assert_eq!(suite.reports().into_keys().collect::<Vec<_>>(), ["chat::users-2::sim"]);
}

#[test]
fn a_filter_that_matches_nothing_leaves_the_last_results_alone() {
    let suite = suite_of_two();
    suite.run(&["users-2"]).assert_exit(101);
    let junit = suite.junit();
    suite.run(&["no such scenario"]).assert_exit(0).assert_says("0 passed");
    assert_eq!(suite.junit(), junit);
    assert_eq!(suite.reports().len(), 1, "`latest` still is the run that measured");
}

const ENDPOINT: &str = "[targets.staging]\nengine = \"vllm\"\nurl = \"${SUITE_TEST_UNSET_URL}\"\n";

fn suite_with_absent_target() -> Suite {
    let targets = format!("{SIMULATOR}{ENDPOINT}");
    let staging = CHAT.replace("\"sim\"", "\"staging\"");
    Suite::of(&[("targets.toml", &targets), ("scenarios/staging.toml", &staging)])
}

#[test]
fn a_target_whose_variable_is_unset_is_ignored_with_the_reason() {
    let suite = suite_with_absent_target();
    let ignored = suite.run(&[]);
    let reason = "environment variable SUITE_TEST_UNSET_URL is not set (perf-tests/targets.toml:9:7)";
    ignored.assert_exit(0).assert_says("1 ignored").assert_says(reason);
    assert_eq!(suite.report("staging::users-4::staging").verdict, Verdict::Ignored);
    assert!(suite.junit().contains("<skipped"));
    assert!(suite.junit().contains("SUITE_TEST_UNSET_URL is not set"));
}

#[test]
fn a_missing_required_target_fails() {
    for name in ["staging", "vllm"] {
        let suite = suite_with_absent_target();
        let required = format!("docker, {name}");
        suite
            .run_with(&[("TOLLGATE_REQUIRE", &required)])
            .assert_exit(101)
            .assert_says("SUITE_TEST_UNSET_URL is not set")
            .assert_says(&format!("TOLLGATE_REQUIRE names `{name}`"));
        assert!(suite.junit().contains("<error type=\"invalid\""));
    }
}

#[test]
fn an_impossible_requirement_is_reported_before_anything_starts() {
    let suite = Suite::new();
    suite
        .run_with(&[("TOLLGATE_REQUIRE", "sim,dokcer")])
        .assert_exit(2)
        .assert_complains("unknown requirement `dokcer`")
        .assert_complains("[TOLLGATE_REQUIRE:1:5]")
        .assert_complains("did you mean `docker`?");
    assert!(!suite.exists("target"));
}

#[test]
fn a_mistake_in_a_file_is_reported_before_anything_starts() {
    let wrong_key = CHAT.replace("requests = 8", "request = 8");
    let suite = Suite::of(&[("targets.toml", SIMULATOR), ("scenarios/chat.toml", &wrong_key)]);
    for arguments in [&[][..], &["--list"]] {
        let refused = suite.run(arguments);
        refused
            .assert_exit(2)
            .assert_complains("unknown key `request`")
            .assert_complains("[perf-tests/scenarios/chat.toml:7:1]")
            .assert_complains("did you mean `requests`?");
        assert_eq!(refused.stdout, "");
    }
    assert!(!suite.exists("target"));
}

#[test]
fn a_wrong_override_is_reported_before_anything_starts() {
    let suite = Suite::new();
    suite
        .run_with(&[("TOLLGATE_SET", "targets.sim.simulator.decode_scal=2")])
        .assert_exit(2)
        .assert_complains("TOLLGATE_SET")
        .assert_complains("did you mean `decode_scale`?");
    assert!(!suite.exists("target"));
}

#[test]
fn a_damaged_baseline_is_reported_before_anything_starts() {
    let suite = Suite::new();
    let file = "baselines/simulator/chat__users-4__sim.snap";
    suite.write(file, "---\nsource: tests/perf.rs\n---\nttft_ms_p50 = [26.5, \"fast\"]\n");
    suite
        .run(&[])
        .assert_exit(2)
        .assert_complains(&format!("[{file}:4:22]"))
        .assert_complains("expected one number per session");
    assert!(!suite.exists("target"));
}
