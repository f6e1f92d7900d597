//! What happens while a suite runs, for the progress display.

use std::sync::Arc;

use crate::client::Progress;
use crate::config::ScenarioId;
use crate::launch::Preparation;

/// Sessions have readable names: `session 2`, `proof: new, start 3`.
#[derive(Clone, Debug)]
pub(crate) enum Event<'a> {
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
        /// The total, if it is fixed.
        requests: Option<u32>,
        progress: Arc<Progress>,
    },
    /// Nothing to show for now.
    Pause,
}
