//! How a proof runs, and what an interrupted one leaves.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tollgate::internals::Metric;
use tollgate::internals::Verdict;
use tollgate::internals::{ProofEnd, Report};

use crate::common::{CHAT, EngineProcess, Outcome, SIMULATOR, Suite, await_some};

const SCENARIO: &str = "chat::users-4::sim";
const SLOW_DECODE: &str = "targets.sim.simulator.decode_scale=4";

/// A suite with a baseline, and with these proof settings for its target.
fn suite_with_proof(proof: &str) -> Suite {
    let targets = format!("{SIMULATOR}[targets.sim.proof]\n{proof}\n");
    let suite = Suite::of(&[("targets.toml", &targets), ("scenarios/chat.toml", CHAT)]);
    suite.record_baselines();
    suite
}

fn verdict(report: &Report, metric: &str) -> Verdict {
    let metric: Metric = metric.parse().unwrap();
    let gate = report.gates.iter().find(|outcome| outcome.gate.metric == metric);
    gate.unwrap_or_else(|| panic!("there is a gate on {metric}")).verdict
}

#[test]
fn running_side_by_side_or_in_turn_gives_the_same_verdicts() {
    // Red in one gate, red in the other, and suspected without cause. Once one gate is red, the others are not pursued.
    let changes = [
        (SLOW_DECODE, "output_tokens_per_s"),
        ("targets.sim.simulator.prefill_scale=3", "ttft_ms_p50"),
        ("targets.sim.simulator.decode_scale=1.9", "output_tokens_per_s"),
    ];
    let suite = suite_with_proof("");
    let text = |side_by_side: bool| {
        changes.map(|(change, metric)| {
            let set = format!("{change},targets.sim.proof.side_by_side={side_by_side}");
            suite.run_with(&[("TOLLGATE_SET", &set)]);
            let report = suite.report(SCENARIO);
            let proof = report.proof.as_ref().unwrap_or_else(|| panic!("{change} is doubted: {report:?}"));
            assert_eq!(proof.side_by_side, side_by_side);
            verdict(&report, metric)
        })
    };
    let in_turn = text(false);
    assert_eq!(in_turn, text(true));
    assert_eq!(in_turn, [Verdict::Regressed, Verdict::Regressed, Verdict::Ok]);
}

#[test]
fn an_endpoint_is_proven_against_its_running_old_version() {
    let quick = ["prefill_base_ms=40", "decode_step_ms=6", "cold_start_ms=0"];
    let old = EngineProcess::start(&quick);
    let new = EngineProcess::start(&[&quick[..], &["version=2.0", "decode_scale=4"]].concat());
    let targets =
        |url: &str, more: &str| format!("[targets.sim]\nengine = \"vllm\"\nurl = \"{url}\"\n{more}\n");
    let chat = CHAT.replace("rounds = 1", "rounds = 1\nsessions = 2");
    let suite = Suite::of(&[("targets.toml", &targets(&old.url, "")), ("scenarios/chat.toml", &chat)]);
    suite.record_baselines();
    suite.write("perf-tests/targets.toml", &targets(&new.url, &format!("old_url = \"{}\"", old.url)));
    suite.run(&[]).assert_exit(101).assert_says("in vllm 2.0 than in vllm 1.0.0");
    let report = suite.report(SCENARIO);
    assert_eq!(
        (report.verdict, report.proof.map(|proof| proof.end)),
        (Verdict::Regressed, Some(ProofEnd::Decided))
    );

    let other = EngineProcess::start(&[&quick[..], &["version=1.5"]].concat());
    suite.write("perf-tests/targets.toml", &targets(&new.url, &format!("old_url = \"{}\"", other.url)));
    suite.run(&[]).assert_says("is vllm 1.5, but the baseline was recorded on vllm 1.0.0");
    assert_eq!(suite.report(SCENARIO).verdict, Verdict::Suspected);
}

#[test]
fn a_proof_that_runs_out_of_time_says_so() {
    // The first new session takes longer than that.
    let suite = suite_with_proof("minutes = 0.015");
    let cut = suite.run_with(&[("TOLLGATE_SET", SLOW_DECODE)]);
    let report = suite.report(SCENARIO);
    let proof = report.proof.as_ref().unwrap();
    assert_eq!((report.verdict, proof.end), (Verdict::Inconclusive, ProofEnd::OutOfTime));
    assert!(proof.starts < 4 && !proof.sessions.is_empty(), "{} of each", proof.starts);
    let text = "It ran out of time before every gate was decided: raise the target's proof.minutes";
    cut.assert_exit(101).assert_says("INCONCLUSIVE: ").assert_says(text);
    assert!(suite.junit_text("error").unwrap().contains(text));
}

#[test]
fn an_interrupted_proof_keeps_its_measurements() {
    let suite = suite_with_proof("");
    let mut command = suite.command();
    command.env("TOLLGATE_SET", SLOW_DECODE).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let measured = await_some("old and new of a proof", || {
        let proof = suite.reports().remove(SCENARIO)?.proof?;
        (proof.starts > 0).then_some(proof.sessions)
    });
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let interrupted: Outcome = child.wait_with_output().unwrap().into();
    interrupted.assert_exit(130).assert_says("INVALID: interrupted before it was decided");

    let report = suite.report(SCENARIO);
    let proof = report.proof.unwrap();
    assert_eq!((report.verdict, proof.end), (Verdict::Invalid, ProofEnd::Interrupted));
    assert_eq!(proof.sessions[..measured.len()], measured);
    assert!(proof.pairs.values().all(|pairs| !pairs.is_empty()), "{:?}", proof.pairs);
    let text = suite.junit_text("error").unwrap();
    assert!(text.contains("It was interrupted before every gate was decided"), "{text}");
}
