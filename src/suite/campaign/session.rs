//! One scenario's part of a session: warm-up, then its rounds.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use thiserror::Error;

use crate::client::{Cancel, Client, ClientError, Progress, WarmUp, Watch};
use crate::config::{RunPlan, ScenarioId};
use crate::launch::Launched;
use crate::load::Load;
use crate::load::prompts::PromptSampler;
use crate::load::workload::Workload;
use crate::metrics::health::ClientHealth;
use crate::metrics::record::RecordSink;
use crate::metrics::summary::{RequestCounts, Summary, SummaryBuilder};
use crate::results::{Round, Session};
use crate::store::{self, RecordFile, RecordLog, StoreError};
use crate::suite::campaign::counter_check::CounterCheck;
use crate::suite::campaign::record_fanout::RecordFanout;
use crate::suite::event::Event;
use crate::sys::clock;
use crate::units::Nanos;

/// What is asked of an engine, and how.
pub struct SessionRequest<'a> {
    pub scenario: &'a ScenarioId,
    pub workload: &'a Workload,
    pub load: &'a Load,
    pub run: &'a RunPlan,
    /// Makes this run's prompts its own.
    pub salt: &'a str,
    /// Where its records go, if they are kept.
    pub records: Option<RecordFile>,
    /// When the measured requests begin, after the warm-up, where that was agreed upon.
    pub begin_ns: Option<Nanos>,
}

impl SessionRequest<'_> {
    /// The scenarios of a session share an engine, and with it its prefix cache: none may send what another has sent.
    fn salt(&self) -> String {
        format!("{} {}", self.scenario, self.salt)
    }

    /// Other workers' requests are counted with its own.
    fn shares_engine(&self) -> bool {
        self.load.is_share()
    }

    /// With the name that the session's report tells: of none that could not be created.
    fn log(&self) -> (Result<Option<RecordLog>, StoreError>, Option<String>) {
        let log = self.records.as_ref().map(RecordFile::append).transpose();
        let name = self.records.as_ref().filter(|_| log.is_ok()).map(RecordFile::name);
        (log, name)
    }

    fn sharded(&self, sampler: PromptSampler) -> PromptSampler {
        match self.load.shard() {
            Some(shard) => sampler.with_shard(shard),
            None => sampler,
        }
    }
}

/// What came of it. With trouble, the session holds what was measured until then.
pub struct SessionOutcome {
    pub session: Session,
    pub trouble: Option<Trouble>,
    /// What may be wrong with figures that were measured.
    pub warnings: Vec<String>,
}

/// What a report says of a scenario that Ctrl-C cut off.
pub const INTERRUPTED: &str = "interrupted before it was decided";

/// Which session this is, and its name for people.
#[derive(Clone, Copy)]
pub struct SessionId<'a> {
    /// Decides the prompts: two sessions of one number are asked the same.
    pub number: u32,
    pub name: &'a str,
}

/// Runs one scenario's part of a session. `sink` also takes every measured record.
pub fn run_session<'a>(
    request: &'a SessionRequest,
    launched: &Launched,
    id: SessionId<'a>,
    listen: &'a dyn Fn(Event),
    cancel: &'a Cancel,
    sink: Option<&'a mut dyn RecordSink>,
) -> SessionOutcome {
    let mut runner = SessionRunner { sink, ..SessionRunner::new(request, launched, id, listen, cancel) };
    runner.warm_up();
    for round in 1..=request.run.rounds {
        runner.round(round);
    }
    runner.outcome()
}

/// Runs the same part of a session on two engines at once. They take turns by rounds, so that neither is measured
/// while the other one works, and each is the first one as often as the other.
pub fn run_side_by_side(
    request: &SessionRequest,
    old: (&Launched, SessionId),
    new: (&Launched, SessionId),
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> (SessionOutcome, SessionOutcome) {
    let mut old = SessionRunner::new(request, old.0, old.1, listen, cancel);
    let mut new = SessionRunner::new(request, new.0, new.1, listen, cancel);
    old.warm_up();
    new.warm_up();
    for round in 1..=request.run.rounds {
        let turns = if round % 2 == 1 { [&mut old, &mut new] } else { [&mut new, &mut old] };
        turns.into_iter().for_each(|runner| runner.round(round));
    }
    (old.outcome(), new.outcome())
}

/// A scenario at one engine, from the first connection to the last round. After trouble it does nothing more.
struct SessionRunner<'a> {
    request: &'a SessionRequest<'a>,
    id: SessionId<'a>,
    listen: &'a dyn Fn(Event),
    cancel: &'a Cancel,
    sampler: PromptSampler,
    client: Result<Client, Trouble>,
    counter_check: CounterCheck,
    log: Result<Option<RecordLog>, StoreError>,
    sink: Option<&'a mut dyn RecordSink>,
    session: Session,
}

/// Why a session can't go on.
#[derive(Debug, Error)]
pub enum Trouble {
    /// Under the load, in words; what it may be blamed for depends on what another engine does under the same load.
    #[error("{0}")]
    EngineDied(String),
    #[error("{0}")]
    Other(String),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Trouble {
        Trouble::Other(error.to_string())
    }
}

impl<'a> SessionRunner<'a> {
    fn new(
        request: &'a SessionRequest,
        launched: &Launched,
        id: SessionId<'a>,
        listen: &'a dyn Fn(Event),
        cancel: &'a Cancel,
    ) -> SessionRunner<'a> {
        let (log, records) = request.log();
        SessionRunner {
            request,
            id,
            listen,
            cancel,
            sampler: request.sharded(PromptSampler::measured(request.workload, &request.salt(), id.number)),
            client: launched.client(request.run.request_timeout).map_err(Trouble::from),
            counter_check: CounterCheck::default(),
            log,
            sink: None,
            session: Session { records, ..empty_session(id.number, launched) },
        }
    }

    fn outcome(self) -> SessionOutcome {
        let SessionRunner { mut session, client, counter_check, id, log, request, .. } = self;
        let mut warnings = Vec::new();
        if let Err(error) = log.and_then(|log| log.map_or(Ok(()), RecordLog::finish)) {
            warnings.push(format!("not all records were kept: {error}"));
        }
        warnings.extend(some_without_room(&session.summary));
        let trouble = match client {
            Ok(client) => {
                let (server, doubts) = counter_check.end(&client, &session.summary, request.shares_engine());
                session.server = server;
                warnings.extend(doubts);
                warnings.extend(never_whole(&session.rounds));
                let calibration = store::calibration();
                warnings.extend(calibration.and_then(|known| known.doubt(request.load, &session.summary)));
                None
            }
            Err(trouble) => Some(trouble),
        };
        let warnings = warnings.iter().map(|warning| format!("{}: {warning}", id.name)).collect();
        SessionOutcome { session, trouble, warnings }
    }

    fn warm_up(&mut self) {
        self.unless_in_trouble(|runner, client| {
            let SessionRequest { scenario, workload, load, run, .. } = *runner.request;
            let progress = Arc::new(Progress::default());
            let session = runner.id.name;
            (runner.listen)(Event::WarmUp { scenario, session, progress: progress.clone() });
            let sampler = PromptSampler::warmup(workload, &runner.request.salt(), runner.id.number);
            let mut sampler = runner.request.sharded(sampler);
            let watch = Watch { progress: &progress, cancel: runner.cancel };
            let warm_up = client.warm_up(workload, load, &mut sampler, run.warmup, watch)?;
            runner.check_interrupt()?;
            check_warm_up(&warm_up)?;
            runner.agree_on_begin(client)?;
            runner.counter_check.begin(client);
            Ok(())
        });
    }

    fn round(&mut self, round: u32) {
        self.unless_in_trouble(|runner, client| {
            let SessionRequest { scenario, workload, load, run, .. } = *runner.request;
            let progress = Arc::new(Progress::default());
            (runner.listen)(Event::RoundStarts {
                scenario,
                session: runner.id.name,
                round,
                rounds: run.rounds,
                requests: load.requests(),
                progress: progress.clone(),
            });
            let watch = Watch { progress: &progress, cancel: runner.cancel };
            let mut fanout = RecordFanout {
                session: runner.id.name,
                round,
                summary: SummaryBuilder::new(load, workload.stream),
                counter_check: &mut runner.counter_check,
                failures: &mut runner.session.failures,
                log: runner.log.as_mut().ok().and_then(Option::as_mut),
                sink: runner.sink.as_deref_mut(),
            };
            let result = client.run_round(workload, load, &mut runner.sampler, watch, &mut fanout)?;
            let (summary, window) = fanout.summary.finish();
            let counts = summary.requests.clone();
            runner.keep(Round { summary, health: result.health, window });
            runner.check_interrupt()?;
            runner.check_engine(client, &counts, round)
        });
    }

    fn unless_in_trouble(&mut self, step: impl FnOnce(&mut Self, &mut Client) -> Result<(), Trouble>) {
        let busy = Err(Trouble::Other(String::new()));
        let began = Instant::now();
        self.client = std::mem::replace(&mut self.client, busy).and_then(|mut client| {
            step(self, &mut client)?;
            Ok(client)
        });
        self.session.seconds += began.elapsed().as_secs_f64();
    }

    fn keep(&mut self, round: Round) {
        let session = &mut self.session;
        session.summary = Summary::merge([&session.summary, &round.summary]);
        session.health.merge(&round.health);
        session.rounds.push(round);
    }

    /// Other workers begin at the same moment.
    fn agree_on_begin(&self, client: &mut Client) -> Result<(), Trouble> {
        let Some(begin_ns) = self.request.begin_ns else { return Ok(()) };
        if let Some(late_ns) = clock::now().checked_sub(begin_ns) {
            let late_s = late_ns as f64 / 1e9;
            let why = format!(
                "the warm-up was over {late_s:.1} s after --start-at: start later, or warm up for less"
            );
            return Err(Trouble::Other(why));
        }
        client.begin_next_round_at(begin_ns);
        Ok(())
    }

    fn check_interrupt(&self) -> Result<(), Trouble> {
        match self.cancel.is_cancelled() {
            true => Err(Trouble::Other(INTERRUPTED.into())),
            false => Ok(()),
        }
    }

    /// Failures of a living engine are its figures; a dead engine has none.
    fn check_engine(&self, client: &Client, requests: &RequestCounts, round: u32) -> Result<(), Trouble> {
        let failed = requests.failures();
        if failed == 0 || client.health().is_ok() {
            return Ok(());
        }
        Err(Trouble::EngineDied(format!(
            "the engine went away in round {round} of {}: {failed} of the round's {} requests failed, and it takes \
             no more",
            self.id.name, requests.sent
        )))
    }
}

/// In words, where rates are those of a load that was not the one asked for.
fn never_whole(rounds: &[Round]) -> Option<String> {
    let count = rounds.iter().filter(|round| round.was_never_whole()).count();
    (count > 0).then(|| {
        format!(
            "the load was never whole in {count} of {} rounds, so nothing was cut from them: the ramp took longer than \
             a round, or there were fewer requests than users",
            rounds.len()
        )
    })
}

/// In words, where the figures are not those of all requests.
fn some_without_room(summary: &Summary) -> Option<String> {
    let without = summary.requests.without_room();
    (without > 0).then(|| {
        format!(
            "{without} of {} requests were due while as many were unanswered as `max_in_flight` allows, and count as \
             failed; latencies are those of the others",
            summary.requests.sent
        )
    })
}

fn check_warm_up(warm_up: &WarmUp) -> Result<(), Trouble> {
    match &warm_up.first_failure {
        Some(failure) if warm_up.failed == warm_up.requests => Err(Trouble::Other(format!(
            "none of the {} requests of the warm-up succeeded; the first failed with {failure}",
            warm_up.requests
        ))),
        _ => Ok(()),
    }
}

fn empty_session(number: u32, launched: &Launched) -> Session {
    Session {
        number,
        started: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        seconds: 0.0,
        summary: Summary::default(),
        health: ClientHealth::default(),
        rounds: Vec::new(),
        server: None,
        failures: Vec::new(),
        log: launched.log.clone(),
        records: None,
        clock: Some(clock::origin()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::config::OnSuspected;
    use crate::load::StopCondition;
    use crate::results::record_file::example;

    fn with_request<T>(
        load_name: &str,
        records: Option<PathBuf>,
        look: impl FnOnce(&SessionRequest) -> T,
    ) -> T {
        let workload = Workload::synthetic(16, 8);
        let run = RunPlan {
            warmup: Duration::ZERO,
            rounds: 1,
            sessions: 1,
            request_timeout: Duration::from_secs(1),
            on_suspected: OnSuspected::Warn,
            records: records.is_some(),
        };
        let scenario = ScenarioId { file: "chat".into(), load: load_name.into(), target: "vllm".into() };
        look(&SessionRequest {
            scenario: &scenario,
            workload: &workload,
            load: &Load::closed(1, StopCondition::Requests(1)),
            run: &run,
            salt: "",
            records: records.map(|path| RecordFile { path, header: example::header() }),
            begin_ns: None,
        })
    }

    #[test]
    fn no_scenario_of_a_session_repeats_another_ones_prompts() {
        let first_prompt = |load_name: &str| {
            with_request(load_name, None, |request| {
                PromptSampler::measured(request.workload, &request.salt(), 1).draw().prompt
            })
        };
        assert_ne!(first_prompt("users-4"), first_prompt("users-16"));
    }

    #[test]
    fn records_that_could_not_be_begun_are_not_reported() {
        let folder = tempfile::tempdir().unwrap();
        let log_of =
            |path: &str| with_request("users-4", Some(folder.path().join(path)), |request| request.log());
        let (log, name) = log_of("a.records");
        assert_eq!((log.is_ok(), name.as_deref()), (true, Some("a.records")));
        let (log, name) = log_of("missing/a.records");
        assert_eq!((log.is_err(), name), (true, None));
    }
}
