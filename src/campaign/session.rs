//! One scenario's part of a session: warm-up, then its rounds.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::campaign::witness::Witness;
use crate::deck::Deck;
use crate::event::{Event, Progress};
use crate::health::ClientHealth;
use crate::launch::Launched;
use crate::load::Load;
use crate::measure::{Cancel, Client, ClientError, WarmUp, Watch};
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

impl Asked<'_> {
    /// The scenarios of a session share an engine, and with it its prefix cache: none may ask what another has asked.
    fn salt(&self) -> String {
        format!("{} {}", self.scenario, self.salt)
    }
}

/// What came of it. With trouble, the session holds what was measured until then.
pub struct Held {
    pub session: Session,
    pub trouble: Option<String>,
    /// What may be wrong with figures that were measured.
    pub warnings: Vec<String>,
}

/// What is told of a scenario that Ctrl-C cut off.
pub const INTERRUPTED: &str = "interrupted before it was decided";
/// Failures that are kept in words.
const FAILURES_IN_WORDS: usize = 5;

/// Which session this is, and how people are told of it.
#[derive(Clone, Copy)]
pub struct Which<'a> {
    /// Decides the prompts: two sessions of one number are asked the same.
    pub number: u32,
    pub name: &'a str,
}

/// Holds one scenario's part of a session.
pub fn hold(
    asked: &Asked,
    launched: &Launched,
    which: Which,
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> Held {
    let mut sitting = Sitting::new(asked, launched, which, listen, cancel);
    sitting.warm_up();
    for round in 1..=asked.run.rounds {
        sitting.round(round);
    }
    sitting.held()
}

/// Holds the same part of a session on two engines at once. They take turns by rounds, so that neither is measured
/// while the other one works, and each is the first one as often as the other.
pub fn hold_side_by_side(
    asked: &Asked,
    old: (&Launched, Which),
    new: (&Launched, Which),
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> (Held, Held) {
    let mut old = Sitting::new(asked, old.0, old.1, listen, cancel);
    let mut new = Sitting::new(asked, new.0, new.1, listen, cancel);
    old.warm_up();
    new.warm_up();
    for round in 1..=asked.run.rounds {
        let turns = if round % 2 == 1 { [&mut old, &mut new] } else { [&mut new, &mut old] };
        turns.into_iter().for_each(|sitting| sitting.round(round));
    }
    (old.held(), new.held())
}

/// A scenario at one engine, from the first connection to the last round. After trouble it does nothing more.
struct Sitting<'a> {
    asked: &'a Asked<'a>,
    which: Which<'a>,
    listen: &'a dyn Fn(Event),
    cancel: &'a Cancel,
    deck: Deck,
    client: Result<Client, Trouble>,
    witness: Witness,
    session: Session,
}

/// Why a session can't go on.
struct Trouble(String);

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Trouble {
        Trouble(error.to_string())
    }
}

impl<'a> Sitting<'a> {
    fn new(
        asked: &'a Asked,
        launched: &Launched,
        which: Which<'a>,
        listen: &'a dyn Fn(Event),
        cancel: &'a Cancel,
    ) -> Sitting<'a> {
        Sitting {
            asked,
            which,
            listen,
            cancel,
            deck: Deck::measured(asked.workload, &asked.salt(), which.number),
            client: launched.client(asked.run.request_timeout).map_err(Trouble::from),
            witness: Witness::default(),
            session: empty_session(which.number, launched),
        }
    }

    fn held(self) -> Held {
        let Sitting { mut session, client, witness, which, .. } = self;
        let client = match client {
            Ok(client) => client,
            Err(Trouble(trouble)) => return Held { session, trouble: Some(trouble), warnings: Vec::new() },
        };
        let (server, warnings) = witness.end(&client, &session.summary);
        session.server = server;
        let warnings = warnings.iter().map(|warning| format!("{}: {warning}", which.name)).collect();
        Held { session, trouble: None, warnings }
    }

    fn warm_up(&mut self) {
        self.unless_in_trouble(|sitting, client| {
            let Asked { scenario, workload, load, run, .. } = *sitting.asked;
            let progress = Arc::new(Progress::default());
            let session = sitting.which.name;
            (sitting.listen)(Event::WarmUp { scenario, session, progress: progress.clone() });
            let mut deck = Deck::warmup(workload, &sitting.asked.salt(), sitting.which.number);
            let watch = Watch { progress: &progress, cancel: sitting.cancel };
            let warm_up = client.warm_up(workload, load, &mut deck, run.warmup, watch)?;
            sitting.check_interrupt()?;
            check_warm_up(&warm_up)?;
            sitting.witness.begin(client);
            Ok(())
        });
    }

    fn round(&mut self, round: u32) {
        self.unless_in_trouble(|sitting, client| {
            let Asked { scenario, workload, load, run, .. } = *sitting.asked;
            let progress = Arc::new(Progress::default());
            (sitting.listen)(Event::RoundStarts {
                scenario,
                session: sitting.which.name,
                round,
                rounds: run.rounds,
                requests: load.stop.requests(),
                progress: progress.clone(),
            });
            let watch = Watch { progress: &progress, cancel: sitting.cancel };
            let result = client.run_round(workload, load, &mut sitting.deck, watch)?;
            sitting.keep(&result.records, result.health);
            sitting.check_interrupt()?;
            sitting.check_engine(client, &result.records, round)
        });
    }

    fn unless_in_trouble(&mut self, step: impl FnOnce(&mut Self, &mut Client) -> Result<(), Trouble>) {
        let busy = Err(Trouble(String::new()));
        let began = Instant::now();
        self.client = std::mem::replace(&mut self.client, busy).and_then(|mut client| {
            step(self, &mut client)?;
            Ok(client)
        });
        self.session.seconds += began.elapsed().as_secs_f64();
    }

    fn keep(&mut self, records: &[RequestRecord], health: ClientHealth) {
        self.witness.hear(records);
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
            true => Err(Trouble(INTERRUPTED.into())),
            false => Ok(()),
        }
    }

    /// Failures of a living engine are its figures; a dead engine has none.
    fn check_engine(&self, client: &Client, records: &[RequestRecord], round: u32) -> Result<(), Trouble> {
        let failed = records.iter().filter(|record| record.outcome.is_err()).count();
        if failed == 0 || client.health().is_ok() {
            return Ok(());
        }
        Err(Trouble(format!(
            "the engine went away in round {round} of {}: {failed} of the round's {} requests failed, and it takes \
             no more",
            self.which.name,
            records.len()
        )))
    }
}

fn check_warm_up(warm_up: &WarmUp) -> Result<(), Trouble> {
    match warm_up.failures.first() {
        Some(failure) if warm_up.failures.len() as u32 == warm_up.requests => Err(Trouble(format!(
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Stop;
    use crate::scenario::OnSuspected;
    use crate::workload::{Api, Prompts, Sampling, Synthetic};

    #[test]
    fn no_scenario_of_a_session_asks_what_another_has_asked() {
        let workload = Workload {
            api: Api::Chat,
            stream: true,
            prompts: Prompts::Synthetic(Synthetic { input_tokens: 16, shared_prefix: 0.0 }),
            output_tokens: 8,
            ignore_eos: true,
            seed: 1,
            sampling: Sampling::default(),
        };
        let load = Load::closed(1, Stop::Requests(1));
        let run = RunPlan {
            warmup: std::time::Duration::ZERO,
            rounds: 1,
            sessions: 1,
            request_timeout: std::time::Duration::from_secs(1),
            on_suspected: OnSuspected::Warn,
        };
        let first_prompt = |load_name: &str| {
            let scenario = ScenarioId { file: "chat".into(), load: load_name.into(), target: "vllm".into() };
            let asked = Asked { scenario: &scenario, workload: &workload, load: &load, run: &run, salt: "" };
            Deck::measured(&workload, &asked.salt(), 1).draw()
        };
        assert_ne!(first_prompt("users-4"), first_prompt("users-16"));
    }
}
