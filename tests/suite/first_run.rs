//! From no baseline to a green test, locally and in CI.

use tollgate::internals::Verdict;

use crate::common::{CHAT, SIMULATOR, Suite};

const PENDING: &str = "simulator/chat__users-4__sim.snap.new";
const ACCEPTED: &str = "simulator/chat__users-4__sim.snap";

#[test]
fn accepting_the_first_runs_baseline_makes_the_next_run_green() {
    let one_more = CHAT.replace("[run]", "[load.users-2]\nconcurrency = 2\nrequests = 4\n[run]");
    let suite = Suite::of(&[("targets.toml", SIMULATOR), ("scenarios/chat.toml", &one_more)]);
    let first = suite.run(&[]);
    first
        .assert_exit(101)
        .assert_says("NO BASELINE: there is no baseline yet; this run recorded 4 sessions for one.")
        .assert_says("tollgate accept chat::users-4::sim")
        .assert_says("cargo insta review")
        .assert_says("baselines/simulator/chat__users-4__sim.snap.new");
    assert_eq!(suite.baselines(), ["simulator/chat__users-2__sim.snap.new", PENDING]);
    assert_eq!(suite.junit().matches("<error type=\"no baseline\"").count(), 2);

    suite
        .accept(&[])
        .assert_exit(0)
        .assert_says("accepted baselines/simulator/chat__users-2__sim.snap\n")
        .assert_says("accepted baselines/simulator/chat__users-4__sim.snap\n");
    assert_eq!(suite.baselines(), ["simulator/chat__users-2__sim.snap", ACCEPTED]);

    suite.run(&[]).assert_exit(0).assert_says("2 scenarios: 2 ok.");
    assert_eq!(suite.baselines(), ["simulator/chat__users-2__sim.snap", ACCEPTED]);
    assert!(suite.reports().values().all(|report| report.verdict == Verdict::Ok && report.pending.is_none()));
    assert!(!suite.junit().contains("<error"));
}

#[test]
fn a_baseline_has_one_value_per_session() {
    let suite = Suite::with_baseline();
    let text = suite.read(&format!("baselines/{ACCEPTED}"));
    assert!(text.contains("\nengine = \"simulator 1.0.0\"\n"), "{text}");
    let throughput = text.lines().find_map(|line| line.strip_prefix("output_tokens_per_s = ")).expect(&text);
    assert_eq!(throughput.matches(',').count(), 3, "{text}");
}

#[test]
fn a_pass_removes_an_earlier_runs_pending_baseline() {
    let suite = Suite::with_baseline();
    let accepted = suite.read(&format!("baselines/{ACCEPTED}"));
    suite.write(&format!("baselines/{PENDING}"), &accepted);
    suite.run(&[]).assert_exit(0);
    assert_eq!(suite.baselines(), [ACCEPTED]);
    assert_eq!(suite.read(&format!("baselines/{ACCEPTED}")), accepted);
}

#[test]
fn in_ci_nothing_is_pending_and_the_failure_says_how_to_get_it() {
    let suite = Suite::new();
    let shown = suite.run_with(&[("CI", "true")]);
    shown.assert_exit(101).assert_says("INSTA_UPDATE=new").assert_says_not("tollgate accept");
    assert_eq!(suite.baselines(), [""; 0]);
    assert!(suite.junit_text("error").unwrap().contains("INSTA_UPDATE=new"));

    let asked = suite.run_with(&[("CI", "true"), ("INSTA_UPDATE", "new")]);
    asked.assert_exit(101).assert_says("tollgate accept chat::users-4::sim").assert_says_not("INSTA_UPDATE");
    assert_eq!(suite.baselines(), [PENDING]);
}

#[test]
fn printed_commands_work_outside_the_crate() {
    let suite = Suite::new();
    let outside = suite.path("..").canonicalize().unwrap();
    let shown = suite.run_with(&[("PWD", outside.to_str().unwrap())]);
    let name = suite.path("").file_name().unwrap().to_str().unwrap().to_owned();
    shown
        .assert_exit(101)
        .assert_says(&format!("tollgate accept chat::users-4::sim --root {name} "))
        .assert_says(&format!("pending in {name}/baselines/{PENDING}"))
        .assert_says(&format!("JUnit: {name}/target/tollgate/junit.xml"));
}
