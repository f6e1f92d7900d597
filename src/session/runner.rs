//! Runs a session step by step.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::client::{Client, Progress, WarmUp, Watch};
use crate::launch::Launched;
use crate::load::prompts::PromptSampler;
use crate::metrics::health::ClientHealth;
use crate::metrics::summary::{RequestCounts, Summary, SummaryBuilder};
use crate::results::{Round, Session, rounds_never_whole};
use crate::session::counter_check::CounterCheck;
use crate::session::event::Event;
use crate::session::record_fanout::RecordFanout;
use crate::session::{INTERRUPTED, SessionError, SessionOutcome, SessionRequest};
use crate::store::{self, RecordLog, StoreError};
use crate::sys::clock;

/// Does nothing more after the first error.
pub(crate) struct SessionRunner<'a> {
    request: SessionRequest<'a>,
    prompts: PromptSampler,
    client: Result<Client, SessionError>,
    counter_check: CounterCheck,
    record_log: Result<Option<RecordLog>, StoreError>,
    session: Session,
}

impl<'a> SessionRunner<'a> {
    pub(crate) fn new(request: SessionRequest<'a>) -> SessionRunner<'a> {
        let (record_log, records) = request.record_log();
        SessionRunner {
            prompts: request.prompts(),
            client: request.engine.client(request.plan.request_timeout).map_err(SessionError::from),
            counter_check: CounterCheck::default(),
            record_log,
            session: Session { records, ..empty_session(request.id.number, request.engine) },
            request,
        }
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.request.plan.rounds
    }

    pub(crate) fn warm_up(&mut self) {
        self.step(|runner, client| {
            let SessionRequest { id, scenario, workload, load, plan, cancel, .. } = runner.request;
            let progress = Arc::new(Progress::default());
            let event = Event::WarmUp { scenario, session: id.name, progress: progress.clone() };
            (runner.request.listen)(event);
            let mut prompts = runner.request.warm_up_prompts();
            let watch = Watch { progress: &progress, cancel };
            let warm_up = client.warm_up(workload, load, &mut prompts, plan.warmup, watch)?;
            runner.check_interrupt()?;
            check_warm_up(&warm_up)?;
            runner.schedule_begin(client)?;
            runner.counter_check.begin(client);
            Ok(())
        });
    }

    pub(crate) fn round(&mut self, round: u32) {
        self.step(|runner, client| {
            let SessionRequest { id, scenario, workload, load, plan, cancel, .. } = runner.request;
            let progress = Arc::new(Progress::default());
            (runner.request.listen)(Event::RoundStarts {
                scenario,
                session: id.name,
                round,
                rounds: plan.rounds,
                requests: load.requests(),
                progress: progress.clone(),
            });
            let watch = Watch { progress: &progress, cancel };
            let mut fanout = RecordFanout {
                session: id.name,
                round,
                summary: SummaryBuilder::new(load, workload.stream),
                counter_check: &mut runner.counter_check,
                failures: &mut runner.session.failures,
                record_log: runner.record_log.as_mut().ok().and_then(Option::as_mut),
                sink: runner.request.sink.as_deref_mut(),
            };
            let result = client.run_round(workload, load, &mut runner.prompts, watch, &mut fanout)?;
            let (summary, window) = fanout.summary.finish();
            let counts = summary.requests.clone();
            runner.add_round(Round { summary, health: result.health, window });
            runner.check_interrupt()?;
            runner.check_engine(client, &counts, round)
        });
    }

    pub(crate) fn finish(self) -> SessionOutcome {
        let SessionRunner { request, mut session, client, counter_check, record_log, .. } = self;
        let mut warnings = Vec::new();
        if let Err(error) = record_log.and_then(|log| log.map_or(Ok(()), RecordLog::finish)) {
            warnings.push(format!("some records were not saved: {error}"));
        }
        warnings.extend(no_room_warning(&session.summary));
        let error = match client {
            Ok(client) => {
                let (server, mismatches) =
                    counter_check.finish(&client, &session.summary, request.shares_engine());
                session.server = server;
                warnings.extend(mismatches);
                warnings.extend(never_whole_warning(&session.rounds));
                let calibration = store::calibration();
                warnings.extend(calibration.and_then(|known| known.doubt(request.load, &session.summary)));
                None
            }
            Err(error) => Some(error),
        };
        let warnings = warnings.iter().map(|warning| format!("{}: {warning}", request.id.name)).collect();
        SessionOutcome { session, error, warnings }
    }

    /// Runs one step, unless an earlier one failed.
    fn step(&mut self, step: impl FnOnce(&mut Self, &mut Client) -> Result<(), SessionError>) {
        let in_use = Err(SessionError::Other(String::new()));
        let began = Instant::now();
        self.client = std::mem::replace(&mut self.client, in_use).and_then(|mut client| {
            step(self, &mut client)?;
            Ok(client)
        });
        self.session.seconds += began.elapsed().as_secs_f64();
    }

    fn add_round(&mut self, round: Round) {
        let session = &mut self.session;
        session.summary = Summary::merge([&session.summary, &round.summary]);
        session.health.merge(&round.health);
        session.rounds.push(round);
    }

    /// All workers start the first round at the same moment.
    fn schedule_begin(&self, client: &mut Client) -> Result<(), SessionError> {
        let Some(begin_ns) = self.request.begin_ns else { return Ok(()) };
        if let Some(late_ns) = clock::now().checked_sub(begin_ns) {
            let late_s = late_ns as f64 / 1e9;
            return Err(SessionError::Other(format!(
                "the warm-up ended {late_s:.1} s after --start-at: choose a later start or a shorter warm-up"
            )));
        }
        client.begin_next_round_at(begin_ns);
        Ok(())
    }

    fn check_interrupt(&self) -> Result<(), SessionError> {
        if self.request.cancel.is_cancelled() {
            return Err(SessionError::Other(INTERRUPTED.into()));
        }
        Ok(())
    }

    /// Failed requests count as a result while the engine lives. A dead engine has no results.
    fn check_engine(
        &self,
        client: &Client,
        requests: &RequestCounts,
        round: u32,
    ) -> Result<(), SessionError> {
        let failed = requests.failures();
        if failed == 0 || client.health().is_ok() {
            return Ok(());
        }
        Err(SessionError::EngineDied(format!(
            "the engine went away in round {round} of {}: {failed} of the round's {} requests failed, and it accepts \
             no more",
            self.request.id.name, requests.sent
        )))
    }
}

fn check_warm_up(warm_up: &WarmUp) -> Result<(), SessionError> {
    match &warm_up.first_failure {
        Some(failure) if warm_up.failed == warm_up.requests => Err(SessionError::Other(format!(
            "all {} warm-up requests failed, the first with {failure}",
            warm_up.requests
        ))),
        _ => Ok(()),
    }
}

/// The rates include times when fewer users or requests were active than the load asks for.
fn never_whole_warning(rounds: &[Round]) -> Option<String> {
    let rounds = rounds_never_whole(rounds)?;
    Some(format!(
        "the load never reached its full level in {rounds}, so those rounds were not trimmed: either the ramp took \
         longer than the round, or there were fewer requests than users"
    ))
}

/// The latencies are not those of all requests.
fn no_room_warning(summary: &Summary) -> Option<String> {
    let without_room = summary.requests.without_room();
    (without_room > 0).then(|| {
        format!(
            "{without_room} of {} requests came due while `max_in_flight` others were unanswered; they count as failed, \
             and latencies cover only the rest",
            summary.requests.sent
        )
    })
}

fn empty_session(number: u32, engine: &Launched) -> Session {
    Session {
        number,
        started: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        seconds: 0.0,
        summary: Summary::default(),
        health: ClientHealth::default(),
        rounds: Vec::new(),
        server: None,
        failures: Vec::new(),
        log: engine.log.clone(),
        records: None,
        clock: Some(clock::origin()),
    }
}
