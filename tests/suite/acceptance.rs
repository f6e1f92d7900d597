//! What `tollgate accept` takes and what it refuses.

use tollgate::baseline::{Baseline, Facts};

use crate::common::Suite;

const PENDING: &str = "baselines/simulator/chat__users-4__sim.snap.new";
const ACCEPTED: &str = "baselines/simulator/chat__users-4__sim.snap";

/// A snapshot file of that many sessions.
fn snapshot(sessions: usize) -> String {
    let facts = Facts {
        scenario: "sha256:0123456789abcdef".into(),
        environment: "simulator".into(),
        engine: "simulator 1.0.0".into(),
        recorded: "2026-10-02".into(),
        machine: "simulated".into(),
        model: "simulated".into(),
        session_s: None,
        image: None,
        args: None,
        simulator: None,
    };
    let values = [("ttft_ms_p50".parse().unwrap(), vec![26.5; sessions])].into();
    format!("---\nsource: tests/perf.rs\n---\n{}", Baseline { facts, values }.to_toml())
}

fn suite_with_pending(text: &str) -> Suite {
    let suite = Suite::new();
    suite.write(PENDING, text);
    suite
}

#[test]
fn without_anything_pending_it_says_when_there_would_be() {
    Suite::new().accept(&[]).assert_exit(2).assert_complains("nothing is pending below");
}

#[test]
fn an_unknown_scenario_is_answered_with_what_is_pending() {
    let suite = suite_with_pending(&snapshot(4));
    suite
        .accept(&["chat::users-5::sim"])
        .assert_exit(2)
        .assert_complains("`chat::users-5::sim` has no pending baseline; pending are: chat::users-4::sim");
    assert!(suite.exists(PENDING) && !suite.exists(ACCEPTED));
}

#[test]
fn only_the_named_scenario_is_accepted() {
    let suite = suite_with_pending(&snapshot(4));
    suite.write("baselines/simulator/chat__users-8__sim.snap.new", &snapshot(4));
    suite.accept(&["chat::users-4::sim"]).assert_exit(0);
    assert_eq!(
        suite.baselines(),
        ["simulator/chat__users-4__sim.snap", "simulator/chat__users-8__sim.snap.new"]
    );
}

#[test]
fn a_damaged_file_is_refused_with_its_place() {
    let damaged = snapshot(4).replace("ttft_ms_p50 = [26.5", "ttft_ms_p50 = [\"fast\"");
    let suite = suite_with_pending(&damaged);
    suite.accept(&[]).assert_exit(1).assert_complains(
        "refused: baselines/simulator/chat__users-4__sim.snap.new:11:16: expected one number per session",
    );
    assert!(suite.exists(PENDING) && !suite.exists(ACCEPTED));
}

#[test]
fn one_refusal_does_not_hold_up_the_others() {
    let suite = suite_with_pending("not a snapshot");
    suite.write("baselines/simulator/chat__users-8__sim.snap.new", &snapshot(4));
    suite.accept(&[]).assert_exit(1).assert_complains("refused: ").assert_says("accepted ");
    assert!(suite.exists(PENDING) && suite.exists("baselines/simulator/chat__users-8__sim.snap"));
}

#[test]
fn too_few_sessions_need_force() {
    let suite = suite_with_pending(&snapshot(3));
    suite.accept(&[]).assert_exit(1).assert_complains("holds 3 sessions").assert_complains("--force");
    assert!(suite.exists(PENDING) && !suite.exists(ACCEPTED));
    suite.accept(&["--force"]).assert_exit(0);
    assert!(!suite.exists(PENDING) && suite.exists(ACCEPTED));
}

#[test]
fn a_baseline_of_another_environment_is_neither_accepted_nor_used() {
    let suite = Suite::new();
    let elsewhere = "baselines/l40s-qwen3-8b/chat__users-4__sim.snap";
    let complaint = ": the baseline was recorded in `simulator` but lies in";
    suite.write(&format!("{elsewhere}.new"), &snapshot(4));
    suite.accept(&[]).assert_exit(1).assert_complains(complaint);
    assert!(!suite.exists(elsewhere));
    suite.write(elsewhere, &snapshot(4));
    suite.run(&[]).assert_exit(2).assert_complains(complaint).assert_says_not("running");
}
