//! One session: one scenario on one engine, from the warm-up to the last round.

mod counter_check;
pub(crate) mod event;
mod record_fanout;
mod runner;

use thiserror::Error;

use crate::client::{Cancel, ClientError};
use crate::config::{RunPlan, ScenarioId};
use crate::launch::Launched;
use crate::load::Load;
use crate::load::prompts::PromptSampler;
use crate::load::workload::Workload;
use crate::metrics::record::RecordSink;
use crate::results::Session;
use crate::session::event::Event;
use crate::store::{RecordFile, RecordLog, StoreError};
use crate::units::Nanos;

use runner::SessionRunner;

/// Runs the warm-up and all rounds.
pub(crate) fn run_session(request: SessionRequest) -> SessionOutcome {
    let mut runner = SessionRunner::new(request);
    runner.warm_up();
    for round in 1..=runner.rounds() {
        runner.round(round);
    }
    runner.finish()
}

/// Runs the same scenario on two engines that are both up. They take turns round by round, so neither is measured while
/// the other one works, and each goes first equally often.
pub(crate) fn run_side_by_side<'a>(old: SessionRequest<'a>, new: SessionRequest<'a>) -> [SessionOutcome; 2] {
    let (mut old, mut new) = (SessionRunner::new(old), SessionRunner::new(new));
    old.warm_up();
    new.warm_up();
    for round in 1..=old.rounds() {
        let turns = if round % 2 == 1 { [&mut old, &mut new] } else { [&mut new, &mut old] };
        turns.into_iter().for_each(|runner| runner.round(round));
    }
    [old.finish(), new.finish()]
}

/// What to run, the engine to run it on, and who takes part.
pub(crate) struct SessionRequest<'a> {
    pub id: SessionId<'a>,
    pub engine: &'a Launched,
    pub scenario: &'a ScenarioId,
    pub workload: &'a Workload,
    pub load: &'a Load,
    pub plan: &'a RunPlan,
    /// Makes this run's prompts unique.
    pub salt: &'a str,
    /// Where to keep the records, if anywhere.
    pub records: Option<RecordFile>,
    /// When the measured requests start, after the warm-up, if several workers agreed on a time.
    pub begin_ns: Option<Nanos>,
    pub listen: &'a dyn Fn(Event),
    pub cancel: &'a Cancel,
    /// Also receives every measured record.
    pub sink: Option<&'a mut dyn RecordSink>,
}

#[derive(Clone, Copy)]
pub(crate) struct SessionId<'a> {
    /// Selects the prompts: two sessions with the same number send the same ones.
    pub number: u32,
    /// As progress and messages show it.
    pub name: &'a str,
}

/// After an error, the session holds what was measured until then.
pub(crate) struct SessionOutcome {
    pub session: Session,
    pub error: Option<SessionError>,
    /// Reasons to doubt the figures.
    pub warnings: Vec<String>,
}

/// Why a session can't continue.
#[derive(Debug, Error)]
pub(crate) enum SessionError {
    /// The engine died under the load. Another engine under the same load shows whether that is its own fault.
    #[error("{0}")]
    EngineDied(String),
    #[error("{0}")]
    Other(String),
}

/// The reason of a scenario that Ctrl-C cut off.
pub(crate) const INTERRUPTED: &str = "interrupted before it was decided";

impl SessionRequest<'_> {
    /// The scenarios of a session share an engine and its prefix cache, so no two of them may send the same prompts.
    fn salt(&self) -> String {
        format!("{} {}", self.scenario, self.salt)
    }

    /// The prompts of the measured rounds.
    fn prompts(&self) -> PromptSampler {
        self.share_of(PromptSampler::measured(self.workload, &self.salt(), self.id.number))
    }

    fn warm_up_prompts(&self) -> PromptSampler {
        self.share_of(PromptSampler::warmup(self.workload, &self.salt(), self.id.number))
    }

    fn share_of(&self, sampler: PromptSampler) -> PromptSampler {
        match self.load.shard() {
            Some(share) => sampler.with_shard(share),
            None => sampler,
        }
    }

    /// Opens the record file. The report names the file only if that worked.
    fn record_log(&self) -> (Result<Option<RecordLog>, StoreError>, Option<String>) {
        let log = self.records.as_ref().map(RecordFile::append).transpose();
        let name = self.records.as_ref().filter(|_| log.is_ok()).map(RecordFile::name);
        (log, name)
    }

    /// Whether the engine's counters include other workers' requests.
    fn shares_engine(&self) -> bool {
        self.load.is_share()
    }
}

impl From<ClientError> for SessionError {
    fn from(error: ClientError) -> SessionError {
        SessionError::Other(error.to_string())
    }
}

#[cfg(test)]
mod tests;
