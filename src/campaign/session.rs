//! One scenario's part of a session: warm-up, then its rounds.

use std::sync::Arc;

use jiff::Timestamp;

use crate::deck::Deck;
use crate::event::{Event, Progress};
use crate::health::ClientHealth;
use crate::launch::Launched;
use crate::load::Load;
use crate::measure::{Cancel, Client, ClientError, Watch};
use crate::record::RequestRecord;
use crate::report::{Round, Session};
use crate::scenario::{RunPlan, ScenarioId};
use crate::summary::Summary;
use crate::workload::Workload;

/// What is asked of an engine, and how.
pub struct Asked<'a> {
    pub scenario: &'a ScenarioId,
    pub workload: &'a Workload,
    pub load: &'a Load,
    pub run: &'a RunPlan,
    /// Makes this run's prompts its own.
    pub salt: &'a str,
}

/// What came of it. With trouble, the session holds what was measured until then.
pub struct Held {
    pub session: Session,
    pub trouble: Option<String>,
}

/// Failures that are kept in words.
const FAILURES_IN_WORDS: usize = 5;

/// Holds the part of session `number` that is about one scenario.
pub fn hold(
    asked: &Asked,
    launched: &Launched,
    number: u32,
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> Held {
    let mut sitting = Sitting { asked, number, listen, cancel, session: empty_session(number) };
    let outcome = launched
        .client(asked.run.request_timeout)
        .map_err(Trouble::from)
        .and_then(|mut client| sitting.warm_up(&mut client).and_then(|()| sitting.rounds(&mut client)));
    Held { session: sitting.session, trouble: outcome.err().map(|trouble| trouble.0) }
}

struct Sitting<'a> {
    asked: &'a Asked<'a>,
    number: u32,
    listen: &'a dyn Fn(Event),
    cancel: &'a Cancel,
    session: Session,
}

/// Why a session can't go on.
struct Trouble(String);

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Trouble {
        Trouble(error.to_string())
    }
}

impl Sitting<'_> {
    fn warm_up(&mut self, client: &mut Client) -> Result<(), Trouble> {
        let Asked { scenario, workload, load, run, salt } = *self.asked;
        let progress = Arc::new(Progress::default());
        (self.listen)(Event::WarmUp { scenario, session: self.number, progress: progress.clone() });
        let mut deck = Deck::warmup(workload, salt, self.number);
        let watch = Watch { progress: &progress, cancel: self.cancel };
        let warm_up = client.warm_up(workload, load, &mut deck, run.warmup, watch)?;
        self.check_interrupt()?;
        match warm_up.failures.first() {
            Some(failure) if warm_up.failures.len() as u32 == warm_up.requests => Err(Trouble(format!(
                "none of the {} requests of the warm-up succeeded; the first failed with {failure}",
                warm_up.requests
            ))),
            _ => Ok(()),
        }
    }

    fn rounds(&mut self, client: &mut Client) -> Result<(), Trouble> {
        let Asked { scenario, workload, load, run, salt } = *self.asked;
        let mut deck = Deck::measured(workload, salt, self.number);
        for round in 1..=run.rounds {
            let progress = Arc::new(Progress::default());
            (self.listen)(Event::RoundStarts {
                scenario,
                session: self.number,
                round,
                rounds: run.rounds,
                requests: load.stop.requests(),
                progress: progress.clone(),
            });
            let watch = Watch { progress: &progress, cancel: self.cancel };
            let result = client.run_round(workload, load, &mut deck, watch)?;
            self.keep(&result.records, result.health);
            self.check_interrupt()?;
            self.check_engine(client, &result.records, round)?;
        }
        Ok(())
    }

    fn keep(&mut self, records: &[RequestRecord], health: ClientHealth) {
        let summary = Summary::of(records, self.asked.load, self.asked.workload.stream);
        let session = &mut self.session;
        session.summary = Summary::merge([&session.summary, &summary]);
        session.health.merge(&health);
        session.rounds.push(Round { summary, health });
        let failures = records.iter().filter_map(|record| record.outcome.as_ref().err());
        let room = FAILURES_IN_WORDS.saturating_sub(session.failures.len());
        session.failures.extend(failures.take(room).map(|failure| failure.to_string()));
    }

    fn check_interrupt(&self) -> Result<(), Trouble> {
        match self.cancel.is_cancelled() {
            true => Err(Trouble("interrupted before it was decided".into())),
            false => Ok(()),
        }
    }

    /// Failures of a living engine are its figures; a dead engine has none.
    fn check_engine(&self, client: &Client, records: &[RequestRecord], round: u32) -> Result<(), Trouble> {
        let failed = records.iter().filter(|record| record.outcome.is_err()).count();
        if failed == 0 || client.health().is_ok() {
            return Ok(());
        }
        let first = self.session.failures.first().map_or("", String::as_str);
        Err(Trouble(format!(
            "the engine went away in round {round} of session {}: {failed} of {} requests failed and it takes no more; \
             the first failed with {first}",
            self.number,
            records.len()
        )))
    }
}

fn empty_session(number: u32) -> Session {
    Session {
        number,
        started: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        summary: Summary::default(),
        health: ClientHealth::default(),
        rounds: Vec::new(),
        failures: Vec::new(),
    }
}
