//! Runs that don't complete.

use std::net::TcpListener;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tollgate::internals::Report;
use tollgate::internals::Stat;
use tollgate::internals::Verdict;

use crate::common::{CHAT, EngineProcess, Outcome, SIMULATOR, Suite, await_some};

/// Requests per round.
const REQUESTS: u64 = 24;
const STALL: Duration = Duration::from_millis(500);

/// Two scenarios whose rounds take more than a second. One session of each is enough.
fn two_long_ones() -> String {
    let other = format!("[load.other]\nconcurrency = 4\nrequests = {REQUESTS}\n[run]\nsessions = 1");
    CHAT.replace("requests = 8", &format!("requests = {REQUESTS}")).replace("[run]", &other)
}

fn measured_one(suite: &Suite) -> Option<Report> {
    suite.reports().into_values().find(|report| !report.sessions.is_empty())
}

#[test]
fn an_interrupt_keeps_the_finished_results() {
    let suite = Suite::of(&[("targets.toml", SIMULATOR), ("scenarios/chat.toml", &two_long_ones())]);
    suite.record_baselines();
    let last_run = suite.latest_run();
    let child = suite.start_with(&[]);
    let finished =
        await_some("the first report", || measured_one(&suite).filter(|_| suite.latest_run() != last_run));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let interrupted = Outcome::at_end_of(child);
    interrupted.assert_exit(130).assert_complains("interrupted");

    let reports = suite.reports();
    assert_eq!(finished.verdict, Verdict::Ok);
    assert_eq!(reports[&finished.scenario.to_string()].verdict, Verdict::Ok);
    let cut = reports.values().find(|report| report.scenario != finished.scenario).expect("a report of both");
    assert_eq!(cut.verdict, Verdict::Invalid);
    assert!(cut.reason.contains("interrupted"), "{}", cut.reason);
    let junit = suite.junit();
    assert!(junit.contains("tests=\"2\" errors=\"1\" failures=\"0\""), "{junit}");
    assert!(suite.junit_text("error").unwrap().contains("interrupted"), "{junit}");
}

#[test]
fn a_stall_of_the_whole_process_shows_as_client_lateness() {
    let engine = EngineProcess::start(&["decode_step_ms=6.0", "prefill_base_ms=20.0", "cold_start_ms=0"]);
    let scenario = CHAT.replace("requests = 8", &format!("requests = {REQUESTS}"));
    let suite = suite_on(&engine.url, &scenario.replace("[run]", "[run]\nsessions = 1"));
    let child = suite.start_with(&[]);
    // Four of these belong to the warm-up.
    await_some("the middle of the round", || (engine.requests_answered() >= 8).then_some(()));
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::STOP).unwrap();
    std::thread::sleep(STALL);
    kill_process(pid, Signal::CONT).unwrap();
    Outcome::at_end_of(child);
    let lag_ms = &suite.report("chat::users-4::engine").sessions[0].health.loop_lag_ms;
    assert!(lag_ms.stat_ms(Stat::Max).unwrap() >= 0.9 * STALL.as_millis() as f64, "{lag_ms}");
}

fn suite_on(url: &str, scenario: &str) -> Suite {
    let targets = format!("[targets.engine]\nengine = \"vllm\"\nurl = \"{url}\"\nhardware = \"cpu\"\n");
    let scenario = scenario.replace("\"sim\"", "\"engine\"");
    Suite::of(&[("targets.toml", &targets), ("scenarios/chat.toml", &scenario)])
}

#[test]
fn an_engine_that_dies_in_a_round_is_invalid_but_keeps_results() {
    let mut engine = EngineProcess::start(&["decode_step_ms=6.0", "prefill_base_ms=20.0", "cold_start_ms=0"]);
    let scenario = two_long_ones().replace("rounds = 1", "rounds = 3");
    let suite = suite_on(&engine.url, &scenario);
    let child = suite.start_with(&[]);
    let finished = await_some("the first report", || measured_one(&suite));
    // One round of the other scenario, and half of its second one.
    let then = engine.requests_answered() + REQUESTS + REQUESTS / 2;
    await_some("the other scenario's second round", || (engine.requests_answered() >= then).then_some(()));
    engine.kill();
    Outcome::at_end_of(child).assert_exit(101).assert_says("INVALID: the engine went away in round ");

    let reports = suite.reports();
    assert_eq!(reports[&finished.scenario.to_string()].sessions[0].rounds.len(), 3);
    let cut = reports.values().find(|report| report.scenario != finished.scenario).expect("a report of both");
    assert_eq!(cut.verdict, Verdict::Invalid);
    let rounds: Vec<_> = cut.sessions[0].rounds.iter().map(|round| &round.summary.requests).collect();
    assert_eq!(rounds.len(), 2);
    assert_eq!(rounds[0].succeeded, REQUESTS);
    assert!(rounds[1].succeeded > 0 && rounds[1].failures() > 0, "{rounds:?}");
    assert!(cut.pending.is_none());
    assert!(suite.junit_text("error").is_some());
}

#[test]
fn an_endpoint_without_a_listener_is_invalid() {
    // Bound and released, so that the port is free.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let suite = suite_on(&format!("http://{address}"), CHAT);
    suite
        .run(&[])
        .assert_exit(101)
        .assert_says(&format!("INVALID: http://{address} accepted no requests within "))
        .assert_says("Connection refused");
    assert!(suite.junit().contains("<error type=\"invalid\""));
    assert_eq!(suite.baselines(), [""; 0]);
}

#[test]
fn a_killed_run_leaves_no_earlier_results() {
    let suite = Suite::of(&[("targets.toml", SIMULATOR), ("scenarios/chat.toml", &two_long_ones())]);
    suite.record_baselines();
    let last_run = suite.latest_run().expect("that run has reports");
    let mut child = suite.start_with(&[]);
    await_some("the run's beginning", || (!suite.exists("target/tollgate/junit.xml")).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!suite.exists("target/tollgate/summary.md"));
    assert_ne!(suite.latest_run().as_ref(), Some(&last_run));
    assert!(suite.path("target/tollgate").join(last_run).is_dir(), "its own folder stays");
}

#[test]
fn a_rejected_suite_leaves_no_earlier_results() {
    let suite = Suite::with_baseline();
    suite.run(&[]).assert_exit(0);
    suite.write("perf-tests/targets.toml", "[targets.sim]\nengine = \"simulater\"\n");
    suite.run(&[]).assert_exit(2);
    for result in ["junit.xml", "summary.md", "latest"] {
        assert!(!suite.exists(&format!("target/tollgate/{result}")), "{result}");
    }
}
