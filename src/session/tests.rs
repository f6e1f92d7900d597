use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::engine::{EngineChoice, HttpVersion};
use crate::launch::Launcher;
use crate::load::StopCondition;
use crate::load::workload::Workload;
use crate::metrics::record::RequestRecord;
use crate::results::record_file::example;
use crate::target::{Place, ProofPlan, SimulatorSettings, TargetSpec};

/// Four requests of one user to a simulated engine.
fn with_request<T>(load_name: &str, records: Option<PathBuf>, use_it: impl FnOnce(SessionRequest) -> T) -> T {
    let workload = Workload::synthetic(16, 8);
    let plan = RunPlan {
        rounds: 2,
        records: records.is_some(),
        ..RunPlan::single_round(Duration::ZERO, Duration::from_secs(5))
    };
    let cancel = Cancel::new();
    let launcher = Launcher::new("test", PathBuf::from("."), &cancel, |_| {});
    use_it(SessionRequest {
        id: SessionId { number: 1, name: "session 1" },
        engine: &launcher.launch(&simulator()).unwrap(),
        scenario: &ScenarioId { file: "chat".into(), load: load_name.into(), target: "sim".into() },
        workload: &workload,
        load: &Load::closed(1, StopCondition::Requests(4)),
        plan: &plan,
        salt: "",
        records: records.map(|path| RecordFile { path, header: example::header() }),
        begin_ns: None,
        listen: &|_| {},
        cancel: &cancel,
        sink: None,
    })
}

fn simulator() -> TargetSpec {
    let settings =
        SimulatorSettings { prefill_base_ms: 1.0, decode_step_ms: 1.0, ..SimulatorSettings::default() };
    TargetSpec {
        name: "sim".into(),
        engine: EngineChoice::Auto,
        model: None,
        http_version: HttpVersion::default(),
        place: Place::Simulator(settings),
        proof: ProofPlan::default(),
        unavailable: None,
    }
}

#[derive(Default)]
struct Counter(u64);

impl RecordSink for Counter {
    fn take(&mut self, _: &RequestRecord) {
        self.0 += 1;
    }
}

#[test]
fn the_sink_receives_every_measured_record_and_no_other() {
    let mut counter = Counter::default();
    let outcome = with_request("users-1", None, |request| {
        run_session(SessionRequest { sink: Some(&mut counter), ..request })
    });
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!((outcome.session.rounds.len(), outcome.session.summary.requests.sent), (2, 8));
    assert_eq!(counter.0, 8);
}

#[test]
fn a_canceled_session_measures_nothing_more() {
    let outcome = with_request("users-1", None, |request| {
        request.cancel.cancel();
        run_session(request)
    });
    assert_eq!(outcome.error.unwrap().to_string(), INTERRUPTED);
    assert!(outcome.session.rounds.is_empty());
}

#[test]
fn two_scenarios_of_a_session_send_different_prompts() {
    let first_prompt =
        |load_name: &str| with_request(load_name, None, |request| request.prompts().draw().prompt);
    assert_ne!(first_prompt("users-4"), first_prompt("users-16"));
}

#[test]
fn an_unopenable_record_file_is_not_named() {
    let folder = tempfile::tempdir().unwrap();
    let opened =
        |path: &str| with_request("users-4", Some(folder.path().join(path)), |request| request.record_log());
    let (log, name) = opened("a.records");
    assert_eq!((log.is_ok(), name.as_deref()), (true, Some("a.records")));
    let (log, name) = opened("missing/a.records");
    assert_eq!((log.is_err(), name), (true, None));
}
