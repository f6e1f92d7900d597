use std::time::Duration;

use super::*;
use crate::config::{RunPlan, ScenarioId};
use crate::engine::{EngineChoice, HttpVersion};
use crate::load::workload::Workload;
use crate::load::{Load, StopCondition};
use crate::metrics::health::ClientHealth;
use crate::metrics::record::FailureClass;
use crate::metrics::summary::RequestCounts;
use crate::metrics::{Gate, GateSpec};
use crate::suite::campaign::set_onsets;
use crate::target::{Place, ProofPlan, SimulatorSettings};

/// Starts of each side in a proof, and sessions of a baseline.
const STARTS: u32 = 4;

fn scenario(load: &str) -> Scenario {
    let gate = |metric: &str, tolerance, min| {
        Gate::new(GateSpec { metric: metric.parse().unwrap(), tolerance, min, max: None }).unwrap()
    };
    Scenario {
        id: ScenarioId { file: "chat".into(), load: load.into(), target: "sim".into() },
        workload: Workload::synthetic(16, 8),
        load: Load::closed(4, StopCondition::Requests(10)),
        run: RunPlan { sessions: STARTS, ..RunPlan::single_round(Duration::ZERO, Duration::from_secs(1)) },
        gates: vec![
            gate("output_tokens_per_s", Some(0.03), None),
            gate("ttft_ms_p95", Some(0.1), None),
            gate("success_rate", None, Some(1.0)),
        ],
        target: TargetSpec {
            name: "sim".into(),
            engine: EngineChoice::Auto,
            model: None,
            http_version: HttpVersion::default(),
            place: Place::Simulator(SimulatorSettings::default()),
            proof: ProofPlan { starts: STARTS, ..ProofPlan::default() },
            unavailable: None,
        },
    }
}

/// Ten requests, and a client that is late by `lag_ms`.
fn session(tokens_per_s: u64, lag_ms: f64) -> Session {
    let requests = RequestCounts { sent: 10, succeeded: 10, ended_by_length: 10, ..Default::default() };
    let mut summary = Summary { window_s: 1.0, output_tokens: tokens_per_s, requests, ..Summary::default() };
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
        clock: None,
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
        http_version: HttpVersion::default(),
        simulator: Some(settings),
        image: None,
        args: None,
    }
}

/// A complete proof, with the same results in every start.
fn add_proof(run: &mut ScenarioRun, old: &Session, new: &Session) {
    for number in 1..=STARTS {
        for (side, session, version) in [(Side::Old, old, "1.0"), (Side::New, new, "1.1")] {
            run.add_to_proof(side, &engine(version), Session { number, ..session.clone() });
        }
    }
}

#[test]
fn a_regression_leaves_no_baseline_if_the_client_was_unhealthy() {
    let scenario = scenario("users-4");
    let next = |lag_ms| {
        let mut run = ScenarioRun::new(&scenario);
        add_proof(&mut run, &session(1000, lag_ms), &session(900, lag_ms));
        assert_eq!(run.verdict(), Verdict::Regressed);
        run.next_baseline("2026-11-21").is_some()
    };
    assert!(next(0.1));
    // That is 5 % of TTFT, and almost nothing of throughput.
    assert!(!next(5.0));
}

/// Adds a request that came due while the engine had no room.
fn without_room(mut session: Session) -> Session {
    session.summary.requests.sent += 1;
    session.summary.requests.failed.insert(FailureClass::NoRoom, 1);
    session
}

#[test]
fn an_engine_without_room_regresses_and_makes_no_baseline() {
    let mut scenario = scenario("rate-4");
    scenario.gates.retain(|gate| gate.tolerance.is_some());
    let mut without_room = without_room(session(900, 0.1));
    without_room.summary.ttft_ms.record_ms(5000.0);
    let mut run = ScenarioRun::new(&scenario);
    add_proof(&mut run, &session(1000, 0.1), &without_room);
    assert_eq!(run.verdict(), Verdict::Regressed);
    assert!(run.next_baseline("2026-11-21").is_none());
}

/// After these sessions of an engine, with no baseline yet.
fn run_with_sessions<'a>(
    scenario: &'a Scenario,
    version: &str,
    sessions: impl IntoIterator<Item = Session>,
) -> ScenarioRun<'a> {
    let mut run = ScenarioRun::new(scenario);
    run.environment = Some(engine(version));
    sessions.into_iter().for_each(|session| run.add_session(session));
    run
}

/// A scenario with a throughput gate only, and its baseline of engine 1.0.
fn scenario_with_baseline() -> (Scenario, Baseline) {
    let mut scenario = scenario("rate-4");
    scenario.gates.truncate(1);
    let sessions = [1000, 1004, 998, 1002].map(|tokens| session(tokens, 0.1));
    let baseline = run_with_sessions(&scenario, "1.0", sessions).next_baseline("2026-11-20").unwrap();
    (scenario, baseline)
}

#[test]
fn the_baselines_own_engine_without_room_is_invalid() {
    let (scenario, baseline) = scenario_with_baseline();
    let slow = [900, 902, 899, 901].map(|tokens| session(tokens, 0.1));
    let mut run = run_with_sessions(&scenario, "1.0", slow.clone());
    run.baseline = Some(&baseline);
    assert_eq!((run.verdict(), run.passed()), (Verdict::Suspected, true));
    run.sessions = slow.map(without_room).into();
    assert_eq!((run.verdict(), run.passed()), (Verdict::Invalid, false));
    assert_eq!(run.need(), Need::Nothing);
    let reason = run.judgment().reason;
    assert!(reason.contains("the engine left no room for 1 of 11 requests"), "{reason}");
}

#[test]
fn an_unprovable_suspicion_without_room_is_invalid() {
    let (scenario, baseline) = scenario_with_baseline();
    let verdict = |tokens: [u64; 4]| {
        let mut run =
            run_with_sessions(&scenario, "1.1", tokens.map(|tokens| without_room(session(tokens, 0.1))));
        run.baseline = Some(&baseline);
        run.mark_old_unavailable("it is gone");
        run.verdict()
    };
    assert_eq!(verdict([1000, 850, 990, 840]), Verdict::Invalid);
    assert_eq!(verdict([900, 902, 899, 901]), Verdict::Regressed);
}

#[test]
fn a_suspicion_without_room_is_pursued_while_possible() {
    let (scenario, baseline) = scenario_with_baseline();
    let mut run = run_with_sessions(&scenario, "1.1", [without_room(session(900, 0.1))]);
    run.baseline = Some(&baseline);
    assert_eq!((run.verdict(), run.need()), (Verdict::Suspected, Need::Proof));
    run.mark_old_unavailable("it is gone");
    assert_eq!((run.verdict(), run.need()), (Verdict::Suspected, Need::Session));
}

/// As if the engine had crashed after four of ten requests.
fn cut_short(session: &Session) -> Session {
    let mut cut = session.clone();
    cut.summary.requests.succeeded = 4;
    cut
}

fn engine_died() -> SessionError {
    SessionError::EngineDied("the engine went away in round 1 of session 1".into())
}

fn verdict_on(run: &ScenarioRun, metric: &str) -> Verdict {
    let gates = run.judgment().gates;
    gates.iter().find(|outcome| outcome.gate.metric.to_string() == metric).unwrap().verdict
}

#[test]
fn an_engine_that_dies_while_the_old_one_survives_regresses() {
    let scenario = scenario("users-4");
    let healthy = session(1000, 0.1);
    let mut run = ScenarioRun::new(&scenario);
    run.record_error(engine_died());
    assert_eq!(run.verdict(), Verdict::Invalid);
    add_proof(&mut run, &healthy, &cut_short(&healthy));
    assert!(!run.is_undecided());
    assert_eq!(run.verdict(), Verdict::Regressed);
    assert_eq!(verdict_on(&run, "success_rate"), Verdict::Regressed);
    assert_eq!(verdict_on(&run, "output_tokens_per_s"), Verdict::Invalid);
    assert!(run.next_baseline("2026-11-21").is_none());
    let reason = run.judgment().reason;
    assert!(
        reason.starts_with("success rate: 40 % is below 100 %. What happened: the engine went away"),
        "{reason}"
    );
}

#[test]
fn an_old_engine_without_room_does_not_excuse_a_death() {
    let scenario = scenario("rate-4");
    let healthy = session(1000, 0.1);
    let mut run = ScenarioRun::new(&scenario);
    run.record_error(engine_died());
    add_proof(&mut run, &without_room(healthy.clone()), &cut_short(&healthy));
    assert_eq!(run.verdict(), Verdict::Regressed);
    assert_eq!(verdict_on(&run, "success_rate"), Verdict::Regressed);
}

#[test]
fn a_death_is_invalid_unless_only_the_new_engine_dies_again() {
    let scenario = scenario("users-4");
    let healthy = session(1000, 0.1);
    let mut both = ScenarioRun::new(&scenario);
    both.record_error(engine_died());
    add_proof(&mut both, &cut_short(&healthy), &cut_short(&healthy));
    both.fail("the old engine went away".into());
    assert_eq!(both.verdict(), Verdict::Invalid);
    let mut once = ScenarioRun::new(&scenario);
    once.record_error(engine_died());
    add_proof(&mut once, &healthy, &healthy);
    assert!(!once.is_undecided());
    assert_eq!(once.verdict(), Verdict::Invalid);
}

#[test]
fn an_incomplete_proof_does_not_convict_a_dead_engine() {
    let scenario = scenario("users-4");
    let healthy = session(1000, 0.1);
    let mut run = ScenarioRun::new(&scenario);
    run.add_to_proof(Side::Old, &engine("1.0"), healthy.clone());
    run.add_to_proof(Side::New, &engine("1.1"), cut_short(&healthy));
    run.record_error(engine_died());
    assert!(run.is_undecided());
    assert_eq!(run.verdict(), Verdict::Invalid);
}

/// The verdict and gates of each scenario, from its old and new throughput.
#[test]
fn a_proof_of_one_side_clears_neither() {
    let (scenario, baseline) = scenario_with_baseline();
    for side in [Side::Old, Side::New] {
        let mut run = run_with_sessions(&scenario, "1.1", [session(500, 0.1)]);
        run.baseline = Some(&baseline);
        assert_eq!(run.verdict(), Verdict::Suspected);
        run.add_to_proof(side, &engine("1.0"), session(1000, 0.1));
        assert_eq!(run.verdict(), Verdict::Inconclusive, "{side:?}");
    }
}

fn verdicts(measured: &[(&str, [u64; 2])]) -> Vec<(String, Verdict, Vec<GateOutcome>)> {
    let scenarios: Vec<Scenario> = measured.iter().map(|(load, _)| scenario(load)).collect();
    let mut runs: Vec<ScenarioRun> = scenarios.iter().map(ScenarioRun::new).collect();
    for (run, (_, [old, new])) in runs.iter_mut().zip(measured) {
        add_proof(run, &session(*old, 0.1), &session(*new, 0.1));
    }
    set_onsets(&mut runs);
    let of = |run: &ScenarioRun| {
        let Judgment { verdict, gates, .. } = run.judgment();
        (run.scenario.id.load.clone(), verdict, gates)
    };
    runs.iter().map(of).collect()
}

#[test]
fn other_scenarios_do_not_change_a_scenarios_verdict() {
    let suite = [("users-4", [1000, 995]), ("users-16", [1000, 900]), ("users-32", [1000, 968])];
    let together = verdicts(&suite);
    assert_eq!(
        together.iter().map(|(_, verdict, _)| *verdict).collect::<Vec<_>>(),
        [Verdict::Ok, Verdict::Regressed, Verdict::Regressed]
    );
    // Under nextest, and with a filter.
    let alone: Vec<_> = suite.iter().flat_map(|one| verdicts(&[*one])).collect();
    assert_eq!(alone, together);
    assert_eq!(verdicts(&suite[1..]), together[1..]);
    // With one more scenario, whatever its figures.
    for added in [[1000, 1000], [1000, 500], [1000, 2000]] {
        assert_eq!(verdicts(&[suite.as_slice(), &[("users-64", added)]].concat())[..3], together);
    }
}
