//! What happens while a suite runs, for whoever shows it.

use crate::scenario::ScenarioId;

#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    EngineStarts {
        target: &'a str,
        session: u32,
    },
    WarmUp {
        scenario: &'a ScenarioId,
        session: u32,
    },
    RoundStarts {
        scenario: &'a ScenarioId,
        session: u32,
        round: u32,
        rounds: u32,
        /// How many there will be, where that is fixed.
        requests: Option<u32>,
    },
    RequestEnds,
    /// Nothing more comes for now.
    Pause,
}
