//! One scenario's part of a session: warm-up, then its rounds.

use crate::deck::Deck;
use crate::event::Event;
use crate::health::ClientHealth;
use crate::load::Load;
use crate::measure::{Cancel, Client, RoundResult};
use crate::record::RequestRecord;
use crate::report::{Round, Session};
use crate::scenario::{RunPlan, ScenarioId};
use crate::summary::Summary;
use crate::workload::Workload;

/// What is asked of an engine, and how.
pub struct Asked<'a> {
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

pub fn hold(
    client: &Client,
    scenario: &ScenarioId,
    asked: &Asked,
    number: u32,
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> Held {
    let mut held = Held { session: empty(number), trouble: None };
    listen(Event::WarmUp { scenario, session: number });
    let mut warmup = Deck::warmup(asked.workload, asked.salt, number);
    held.trouble = client.warm_up(asked, &mut warmup, cancel).err();
    let mut deck = Deck::measured(asked.workload, asked.salt, number);
    for round in 1..=asked.run.rounds {
        if held.trouble.is_some() {
            break;
        }
        listen(Event::RoundStarts { scenario, session: number, round, rounds: asked.run.rounds });
        let result = client.run_round(asked, &mut deck, cancel);
        held.trouble = trouble(client, &result.records, number, round, cancel);
        held.session.add(&result, asked);
    }
    held
}
