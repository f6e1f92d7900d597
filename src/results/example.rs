//! Reports of every kind, for tests of the renderers.

use std::collections::BTreeMap;

use crate::config::ScenarioId;
use crate::engine::HttpVersion;
use crate::load::{Load, StopCondition};
use crate::metrics::health::ClientHealth;
use crate::metrics::record::FailureClass;
use crate::metrics::summary::{RequestCounts, Summary};
use crate::metrics::{Gate, GateSpec, Metric};
use crate::results::{
    BaselineUsed, Kind, Pair, Proof, ProofEnd, ProofSession, Report, Round, Run, Session, VERSION,
};
use crate::target::Environment;
use crate::verdict::{Change, GateOutcome, Side, Verdict};

pub(crate) fn all() -> Vec<Report> {
    vec![ok(), regressed(), suspected(), invalid(), no_baseline(), ignored()]
}

pub(crate) fn ok() -> Report {
    let mut report = measured("chat", "users-4", Verdict::Ok, "", 1);
    report.baseline.as_mut().unwrap().engine = "vllm 0.32.0".into();
    report.gates = vec![
        GateOutcome { change: change(0.004, None), ..gate("output_tokens_per_s", 0.03, 612.0, 614.4) },
        limit("success_rate", 1.0),
    ];
    report
}

pub(crate) fn regressed() -> Report {
    let reason = "output throughput is 7.3 % lower in v0.32.0 than in v0.31.0.";
    let mut report = measured("chat", "users-32", Verdict::Regressed, reason, 4);
    let mut ttft = gate("ttft_ms_p95", 0.1, 412.0, 409.0);
    ttft.gate = Gate::new(GateSpec { max: Some(800.0), ..*ttft.gate }).expect("a valid gate");
    report.gates = vec![
        GateOutcome {
            change: change(-0.073, Some((-0.081, -0.065))),
            verdict: Verdict::Regressed,
            ..gate("output_tokens_per_s", 0.03, 2412.0, 2236.0)
        },
        GateOutcome {
            change: change(-0.007, Some((-0.03, 0.132))),
            reason: "could hide up to +13.2 %".into(),
            ..ttft
        },
        limit("success_rate", 1.0),
    ];
    report.warnings = vec!["the driver is 590.12, the baseline's was 580.65".into()];
    report.pending = Some("baselines/l40s-qwen3-8b/chat__users-32__vllm.snap.new".into());
    report
}

/// A regression with its proof.
pub(crate) fn proven() -> Report {
    let mut report = regressed();
    let proof_session = |side: Side, ttft_ms: f64| {
        let mut session = session(1);
        (0..100).for_each(|request| session.summary.ttft_ms.record_ms(ttft_ms + f64::from(request)));
        ProofSession { side, session }
    };
    let pair = |round: f64| Pair { old: 2412.0 + round, new: 2236.0 - round };
    report.proof = Some(Proof {
        old: Environment { engine: "vllm 0.31.0".into(), ..environment() },
        starts: 4,
        minutes: 14.0,
        end: ProofEnd::Decided,
        side_by_side: false,
        pairs: BTreeMap::from([(
            report.gates[0].gate.metric,
            (0..40).map(|round| pair(f64::from(round))).collect(),
        )]),
        sessions: vec![proof_session(Side::Old, 300.0), proof_session(Side::New, 310.0)],
    });
    report
}

pub(crate) fn suspected() -> Report {
    let reason = "p95 time to first token is 12.1 % higher than the baseline's; one session proves nothing.";
    let mut report = measured("chat", "staging", Verdict::Suspected, reason, 1);
    report.environment.as_mut().unwrap().url = Some("https://llm.example.com/v1".into());
    report.gates = vec![GateOutcome {
        change: change(0.121, None),
        verdict: Verdict::Suspected,
        ..gate("ttft_ms_p95", 0.1, 412.0, 462.0)
    }];
    report.warnings = vec!["could not run the old version: set `old_url` to a server of that version".into()];
    report
}

pub(crate) fn invalid() -> Report {
    let reason = "the engine stopped answering in round 3 of session 1.";
    let mut report = measured("long", "users-4", Verdict::Invalid, reason, 2);
    report.gates = vec![GateOutcome {
        verdict: Verdict::Invalid,
        reason: "the load client's own timing error of 5.2 % is more than a third of the tolerance of 10 %; \
                 another process may be keeping the machine busy"
            .into(),
        ..gate("itl_ms_p99", 0.1, 31.25, 34.5)
    }];
    report.summary.requests.failed =
        BTreeMap::from([(FailureClass::Connect, 12), (FailureClass::Timeout, 1)]);
    report.summary.requests.succeeded -= 13;
    report.summary.requests.ended_by_length -= 13;
    report.sessions[1].rounds.pop();
    for session in &mut report.sessions {
        session.failures = vec!["connect: connection refused".into()];
    }
    report
}

pub(crate) fn no_baseline() -> Report {
    let reason = "there is no baseline yet; this run recorded 4 sessions for one.";
    let mut report = measured("code", "users-1", Verdict::NoBaseline, reason, 4);
    report.baseline = None;
    report.pending = Some("baselines/l40s-qwen3-8b/code__users-1__vllm.snap.new".into());
    report.gates = vec![GateOutcome {
        old: None,
        verdict: Verdict::NoBaseline,
        ..gate("tpot_ms_mean", 0.05, 0.0, 21.5)
    }];
    report
}

pub(crate) fn ignored() -> Report {
    let reason = "no Docker daemon answers at /var/run/docker.sock.";
    let mut report = measured("chat", "users-8", Verdict::Ignored, reason, 0);
    report.scenario.target = "ollama".into();
    report.environment = None;
    report.baseline = None;
    report.summary = Summary::default();
    report
}

/// Every external text is hostile.
pub(crate) fn nasty() -> Report {
    let text =
        "\x1b[31m\0 ]]> </failure> <script>alert('1')</script> | a | `b` ```c``` & \u{ffff} 🚀 \u{202e}";
    let mut report = regressed();
    report.reason = format!("{text}\nsecond line");
    report.scenario =
        ScenarioId { file: format!("f{text}"), load: format!("l{text}"), target: format!("t{text}") };
    report.gates[0].reason = text.into();
    report.warnings = vec![text.into()];
    report.sessions[0].failures = vec![text.into()];
    let environment = report.environment.as_mut().unwrap();
    environment.engine = format!("vllm {text}");
    environment.url = Some(text.into());
    report
}

fn measured(file: &str, load: &str, verdict: Verdict, reason: &str, sessions: u32) -> Report {
    let requests = RequestCounts { sent: 4000, succeeded: 4000, ended_by_length: 4000, ..Default::default() };
    let summary = Summary { window_s: 90.25 * f64::from(sessions), requests, ..Summary::default() };
    Report {
        kind: Kind::Scenario,
        version: VERSION,
        run: Run {
            id: "2026-11-21T10-00-00".into(),
            started: "2026-11-21T10:00:00Z".into(),
            tollgate: "0.1.0".into(),
            root: None,
            worker: None,
        },
        scenario: ScenarioId { file: file.into(), load: load.into(), target: "vllm".into() },
        load: Some(Load::closed(4, StopCondition::Requests(4000))),
        scenario_hash: Some("sha256:77ab".into()),
        passed: matches!(verdict, Verdict::Ok | Verdict::Suspected | Verdict::Ignored),
        verdict,
        reason: reason.into(),
        gates: Vec::new(),
        warnings: Vec::new(),
        environment: Some(environment()),
        baseline: Some(baseline()),
        proof: None,
        pending: None,
        sessions: (1..=sessions).map(session).collect(),
        summary,
    }
}

fn environment() -> Environment {
    Environment {
        name: "l40s-qwen3-8b".into(),
        engine: "vllm 0.32.0".into(),
        model: "Qwen/Qwen3-8B".into(),
        machine: "1 x NVIDIA L40S".into(),
        url: None,
        http_version: HttpVersion::default(),
        simulator: None,
        image: None,
        args: None,
    }
}

fn baseline() -> BaselineUsed {
    let metric: Metric = "output_tokens_per_s".parse().unwrap();
    BaselineUsed {
        file: "baselines/l40s-qwen3-8b/chat__users-32__vllm.snap".into(),
        engine: "vllm 0.31.0".into(),
        recorded: "2026-10-02".into(),
        machine: "1 x NVIDIA L40S".into(),
        values: BTreeMap::from([(metric, vec![2398.0, 2421.0, 2409.0, 2417.0])]),
    }
}

fn session(number: u32) -> Session {
    let round = Round { summary: Summary::default(), health: ClientHealth::default(), window: None };
    Session {
        number,
        seconds: 28.5,
        started: "2026-11-21T10:00:00Z".into(),
        summary: Summary::default(),
        health: ClientHealth::default(),
        rounds: vec![round; 10],
        server: None,
        failures: Vec::new(),
        log: None,
        records: None,
        clock: None,
    }
}

fn gate(metric: &str, tolerance: f64, old: f64, new: f64) -> GateOutcome {
    outcome(Gate::relative(metric.parse().unwrap(), tolerance).unwrap(), old, new)
}

fn limit(metric: &str, min: f64) -> GateOutcome {
    let spec = GateSpec { metric: metric.parse().unwrap(), tolerance: None, min: Some(min), max: None };
    outcome(Gate::new(spec).unwrap(), 1.0, 1.0)
}

fn outcome(gate: Gate, old: f64, new: f64) -> GateOutcome {
    GateOutcome {
        gate,
        old: Some(old),
        new: Some(new),
        change: None,
        verdict: Verdict::Ok,
        reason: String::new(),
    }
}

fn change(relative: f64, interval: Option<(f64, f64)>) -> Option<Change> {
    Some(Change { relative, interval })
}
