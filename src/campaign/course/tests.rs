use std::time::Duration;

use super::*;
use crate::engine::EngineChoice;
use crate::health::ClientHealth;
use crate::load::{Load, Stop};
use crate::scenario::{Gate, RunPlan, ScenarioId};
use crate::summary::RequestCounts;
use crate::target::{Place, ProofPlan, SimulatorSettings};
use crate::workload::{Api, Prompts, Sampling, Synthetic, Workload};

/// Starts of each side in a proof, and sessions of a baseline.
const STARTS: u32 = 4;

fn scenario(load: &str) -> Scenario {
    let gate = |metric: &str, tolerance, min| Gate { metric: metric.parse().unwrap(), tolerance, min, max: None };
    Scenario {
        id: ScenarioId { file: "chat".into(), load: load.into(), target: "sim".into() },
        workload: Workload {
            api: Api::Chat,
            stream: true,
            prompts: Prompts::Synthetic(Synthetic { input_tokens: 16, shared_prefix: 0.0 }),
            output_tokens: 8,
            ignore_eos: true,
            seed: 1,
            sampling: Sampling::default(),
        },
        load: Load::closed(4, Stop::Requests(10)),
        run: RunPlan {
            warmup: Duration::ZERO,
            rounds: 1,
            sessions: STARTS,
            request_timeout: Duration::from_secs(1),
            on_suspected: OnSuspected::Warn,
            records: false,
        },
        gates: vec![
            gate("output_tokens_per_s", Some(0.03), None),
            gate("ttft_ms_p95", Some(0.1), None),
            gate("success_rate", None, Some(1.0)),
        ],
        target: TargetSpec {
            name: "sim".into(),
            engine: EngineChoice::Auto,
            model: None,
            place: Place::Simulator(SimulatorSettings::default()),
            proof: ProofPlan { starts: STARTS, ..ProofPlan::default() },
            unavailable: None,
        },
    }
}

/// Ten requests, and a client that is late by so much.
fn session(tokens_per_s: u64, lag_ms: f64) -> Session {
    let requests = RequestCounts { sent: 10, succeeded: 10, ended_by_length: 10, ..Default::default() };
    let mut summary =
        Summary { window_s: 1.0, output_tokens: tokens_per_s, requests, ..Summary::default() };
    summary.ttft_ms.record_ms(100.0);
    summary.e2e_ms.record_ms(10_000.0);
    let mut health = ClientHealth::default();
    health.loop_lag_ms.record_ms(lag_ms);
    Session {
        number: 1,
        started: "2026-11-21T10:00:00Z".into(),
        seconds: 1.0,
        summary,
        health,
        rounds: Vec::new(),
        server: None,
        failures: Vec::new(),
        log: None,
        records: None,
    }
}

fn engine(version: &str) -> Environment {
    let settings = SimulatorSettings { version: version.into(), ..SimulatorSettings::default() };
    Environment {
        name: "simulator".into(),
        engine: format!("simulator {version}"),
        model: "simulated".into(),
        machine: "2 x CPU".into(),
        url: None,
        simulator: Some(settings),
        image: None,
        args: None,
    }
}

/// A proof of as many starts as planned, in all of which the engines did the same.
fn prove(course: &mut Course, old: &Session, new: &Session) {
    for number in 1..=STARTS {
        for (side, session, version) in [(Side::Old, old, "1.0"), (Side::New, new, "1.1")] {
            course.add_to_proof(side, &engine(version), Session { number, ..session.clone() });
        }
    }
}

#[test]
fn a_proven_regression_leaves_a_baseline_unless_the_client_was_sick_for_another_gate() {
    let scenario = scenario("users-4");
    let next = |lag_ms| {
        let mut course = Course::new(&scenario);
        prove(&mut course, &session(1000, lag_ms), &session(900, lag_ms));
        assert_eq!(course.verdict(), Verdict::Regressed);
        course.next_baseline("2026-11-21").is_some()
    };
    assert!(next(0.1));
    // 5 % of the time to first token, and next to nothing of the throughput.
    assert!(!next(5.0));
}
