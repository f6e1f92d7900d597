//! What happens while a suite runs, for whoever shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::scenario::ScenarioId;
use crate::target::ImageRef;

/// Sessions are called as people know them: `session 2`, `proof: new, start 3`.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    EngineStarts {
        target: &'a str,
        session: &'a str,
    },
    ImagePulled {
        image: &'a ImageRef,
        progress: Arc<PullProgress>,
    },
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

/// How much of an image is here, of the layers that are known so far.
#[derive(Debug, Default)]
pub struct PullProgress {
    pub bytes: AtomicU64,
    pub of_bytes: AtomicU64,
}

/// How far a round is, for whoever watches from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    pub sent: AtomicU32,
    pub ended: AtomicU32,
    pub failed: AtomicU32,
    pub output_tokens: AtomicU64,
}
