//! How a test reacts to changes of the engine or of the scenario.

use tollgate::internals::Report;
use tollgate::internals::Verdict;

use crate::common::{CHAT, Suite};

const SCENARIO: &str = "chat::users-4::sim";
const ACCEPTED: &str = "simulator/chat__users-4__sim.snap";
const PENDING: &str = "simulator/chat__users-4__sim.snap.new";

const SLOW_DECODE: (&str, &str) = ("TOLLGATE_SET", "targets.sim.simulator.decode_scale=4");
const SLOW_PREFILL: (&str, &str) = ("TOLLGATE_SET", "targets.sim.simulator.prefill_scale=3");

fn gates(report: &Report) -> Vec<(String, Verdict)> {
    report.gates.iter().map(|outcome| (outcome.gate.metric.to_string(), outcome.verdict)).collect()
}

fn expected(throughput: Verdict, ttft: Verdict) -> Vec<(String, Verdict)> {
    let gates = [("output_tokens_per_s", throughput), ("ttft_ms_p50", ttft), ("success_rate", Verdict::Ok)];
    gates.map(|(metric, verdict)| (metric.to_owned(), verdict)).to_vec()
}

#[test]
fn a_slower_decode_fails_the_throughput_gate_until_accepted() {
    let suite = Suite::with_baseline();
    let red = suite.run_with(&[SLOW_DECODE]);
    red.assert_exit(101)
        .assert_says("REGRESSED: output throughput is ")
        .assert_says("To accept this run as the baseline: tollgate accept chat::users-4::sim");
    let report = suite.report(SCENARIO);
    assert_eq!((report.verdict, report.passed), (Verdict::Regressed, false));
    assert_eq!(gates(&report), expected(Verdict::Regressed, Verdict::Ok));
    assert_eq!(report.pending.as_deref(), Some("baselines/simulator/chat__users-4__sim.snap.new"));
    let body = suite.junit_text("failure").expect("a regression is a failure");
    assert!(body.contains("metric") && body.contains("output_tokens_per_s"), "{body}");
    assert!(body.contains("tollgate accept"), "CI output needs it, too: {body}");

    suite.accept(&[SCENARIO]).assert_exit(0);
    suite.run_with(&[SLOW_DECODE]).assert_exit(0).assert_says("1 scenario: 1 ok.");
    assert_eq!(suite.baselines(), [ACCEPTED]);
}

#[test]
fn a_slower_prefill_fails_the_ttft_gate_alone() {
    let suite = Suite::with_baseline();
    suite.run_with(&[SLOW_PREFILL]).assert_exit(101).assert_says("REGRESSED: p50 time to first token is ");
    assert_eq!(gates(&suite.report(SCENARIO)), expected(Verdict::Ok, Verdict::Regressed));
}

#[test]
fn an_improvement_passes_and_leaves_a_pending_baseline() {
    let suite = Suite::new();
    suite.run_with(&[SLOW_DECODE]).assert_exit(101);
    suite.accept(&[]).assert_exit(0);
    let green = suite.run(&[]);
    green.assert_exit(0).assert_says("IMPROVED chat::users-4::sim: output throughput is ");
    green.assert_says("Pending: 1 new baseline; accept with tollgate accept");
    assert_eq!(suite.baselines(), [ACCEPTED, PENDING]);
    let text = suite.junit_text("system-out").unwrap();
    assert!(text.contains("IMPROVED") && text.contains(PENDING), "{text}");
    suite.accept(&[]).assert_exit(0);
    suite.run_with(&[SLOW_DECODE]).assert_exit(101).assert_says("REGRESSED");
}

#[test]
fn a_changed_scenario_is_not_comparable() {
    let suite = Suite::with_baseline();
    suite.write("perf-tests/scenarios/chat.toml", &CHAT.replace("rounds = 1", "rounds = 2"));
    suite
        .run(&[])
        .assert_exit(101)
        .assert_says("NOT COMPARABLE: the scenario has changed since its baseline was recorded on ");
    assert!(suite.junit().contains("<error type=\"not comparable\""));
    suite.accept(&[]).assert_exit(0);
    suite.run(&[]).assert_exit(0);
}

#[test]
fn other_gates_do_not_change_what_is_compared() {
    let suite = Suite::with_baseline();
    suite.write("perf-tests/scenarios/chat.toml", &CHAT.replace("\"60%\"", "\"70%\""));
    suite.run(&[]).assert_exit(0).assert_says("1 scenario: 1 ok.");
}

#[test]
fn a_broken_limit_fails_at_once_and_leaves_no_baseline() {
    let suite = Suite::with_baseline();
    suite.write("perf-tests/scenarios/chat.toml", &CHAT.replace("\"80%\"", "\"80%\", max = 1"));
    let red = suite.run(&[]);
    red.assert_exit(101).assert_says(" is above 1").assert_says_not("tollgate accept");
    assert_eq!(suite.report(SCENARIO).sessions.len(), 1);
    assert_eq!(suite.baselines(), [ACCEPTED]);
}

/// Stored sessions with so much scatter that they can't prove any loss.
fn suite_with_restless_baseline() -> Suite {
    let suite = Suite::with_baseline();
    let file = format!("baselines/{ACCEPTED}");
    let text = suite.read(&file);
    let throughput = text.lines().find(|line| line.starts_with("output_tokens_per_s")).unwrap();
    suite.write(&file, &text.replace(throughput, "output_tokens_per_s = [1000.0, 4000.0, 1000.0, 4000.0]"));
    suite
}

#[test]
fn a_suspicion_passes_with_a_warning() {
    let suite = suite_with_restless_baseline();
    suite.run(&[]).assert_exit(0).assert_says("SUSPECTED chat::users-4::sim: output throughput seems ");
    assert!(suite.junit_text("system-out").unwrap().contains("SUSPECTED"));
    assert_eq!(suite.baselines(), [ACCEPTED]);
}

#[test]
fn a_suspicion_configured_to_fail_can_be_accepted() {
    let suite = suite_with_restless_baseline();
    let strict = CHAT.replace("[run]", "[run]\non_suspected = \"fail\"");
    suite.write("perf-tests/scenarios/chat.toml", &strict);
    suite.run(&[]).assert_exit(101).assert_says("tollgate accept chat::users-4::sim");
    assert!(suite.junit().contains("<failure type=\"suspected\""));
    suite.accept(&[]).assert_exit(0);
    suite.run(&[]).assert_exit(0).assert_says("1 scenario: 1 ok.");
}

#[test]
fn limits_alone_are_judged_without_a_baseline() {
    let suite = Suite::new();
    let gates = |max: u32| {
        let (head, _) = CHAT.split_once("[gates]").unwrap();
        format!("{head}[gates]\nttft_ms_p50 = {{ max = {max} }}\n")
    };
    suite.write("perf-tests/scenarios/chat.toml", &gates(20_000));
    suite.run(&[]).assert_exit(0).assert_says("1 scenario: 1 ok.").assert_says_not("accept");
    assert_eq!(suite.report(SCENARIO).sessions.len(), 1);
    suite.write("perf-tests/scenarios/chat.toml", &gates(1));
    suite.run(&[]).assert_exit(101).assert_says(" is above 1").assert_says_not("accept");
    assert_eq!(suite.baselines(), [""; 0]);
}

#[test]
fn limits_alone_ignore_an_old_baseline() {
    let suite = Suite::with_baseline();
    let (head, _) = CHAT.split_once("[gates]").unwrap();
    suite.write(
        "perf-tests/scenarios/chat.toml",
        &format!("{head}[gates]\nttft_ms_p50 = {{ max = 20000 }}\n"),
    );
    suite.run_with(&[SLOW_DECODE]).assert_exit(0).assert_says("1 scenario: 1 ok.").assert_says_not("Warning");
    let report = suite.report(SCENARIO);
    assert!(report.baseline.is_none() && report.proof.is_none() && report.sessions.len() == 1);
}
