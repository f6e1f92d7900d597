//! What happens while a suite runs, for whoever shows it.

use std::sync::Arc;

use crate::client::Progress;
use crate::config::ScenarioId;
use crate::launch::Preparation;

/// Sessions are called as people know them: `session 2`, `proof: new, start 3`.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    EngineStarts {
        target: &'a str,
        session: &'a str,
    },
    Preparation(Preparation<'a>),
    WarmUp {
        scenario: &'a ScenarioId,
        session: &'a str,
        progress: Arc<Progress>,
    },
    RoundStarts {
        scenario: &'a ScenarioId,
        session: &'a str,
        round: u32,
        rounds: u32,
        /// How many there will be, where that is fixed.
        requests: Option<u32>,
        progress: Arc<Progress>,
    },
    /// Nothing more comes for now.
    Pause,
}
