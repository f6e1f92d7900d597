//! Versioned reports of everything that a run found. All other outputs are rendered from them. This module has the
//! report of a scenario.

pub(crate) mod baseline;
pub(crate) mod comparison;
pub(crate) mod curve;
#[cfg(test)]
pub(crate) mod example;
pub(crate) mod file;
pub(crate) mod limits;
pub(crate) mod merge;
pub(crate) mod record_file;
pub(crate) mod sweep;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ScenarioId;
use crate::load::Load;
use crate::load::worker::Worker;
use crate::metrics::Metric;
use crate::metrics::health::ClientHealth;
use crate::metrics::server_side::ServerSide;
use crate::metrics::summary::Summary;
use crate::metrics::window::{Edges, Window};
use crate::target::Environment;
use crate::units::Clock;
use crate::verdict::{GateOutcome, Side, Verdict};

/// The version of all report formats. It increases whenever an older reader would misread a newer report; older reports
/// still load.
///
/// Version 1 had no `kind`, because there were only scenario reports, and no `load`. Version 2 had `timer_lag_ms` in
/// `health`, and a single count, `not_sent`, for requests that the client was late to send and those that the engine
/// left no room for.
pub const VERSION: u32 = 3;

/// The kind of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// From a gate or a bench.
    Scenario,
    Sweep,
    Comparison,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    #[serde(default = "kind_of_version_1")]
    pub kind: Kind,
    /// The version of this format.
    pub version: u32,
    pub run: Run,
    pub scenario: ScenarioId,
    /// Absent in reports of version 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// A fingerprint of the workload, the load, and how it was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario_hash: Option<String>,
    /// Whether the test is green; this also depends on how the scenario treats a suspicion.
    pub passed: bool,
    pub verdict: Verdict,
    /// The most important point, in a sentence.
    pub reason: String,
    pub gates: Vec<GateOutcome>,
    pub warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineUsed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The baseline that waits to be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    /// All sessions of the engine under test combined.
    pub summary: Summary,
    /// The sessions of the screen or for a baseline; a proof has its own.
    pub sessions: Vec<Session>,
}

fn kind_of_version_1() -> Kind {
    Kind::Scenario
}

/// One `cargo test --test perf`, or one `tollgate bench`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub id: String,
    /// RFC 3339.
    pub started: String,
    pub tollgate: String,
    /// The path to the crate from where the run was started; absent if that is the crate itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Which of several processes that shared the load; absent for a single process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Worker>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineUsed {
    pub file: String,
    pub engine: String,
    pub recorded: String,
    pub machine: String,
    /// One value per stored session.
    pub values: BTreeMap<Metric, Vec<f64>>,
}

/// A proof: old and new versions alternate on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    pub old: Environment,
    /// Starts of each side.
    pub starts: u32,
    pub minutes: f64,
    pub end: ProofEnd,
    pub side_by_side: bool,
    /// Every round of the old engine paired with one of the new engine, for every gated metric.
    pub pairs: BTreeMap<Metric, Vec<Pair>>,
    /// In the order in which they ran.
    pub sessions: Vec<ProofSession>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofEnd {
    /// Every gate was decided.
    Decided,
    OutOfTime,
    /// The maximum number of starts was reached.
    OutOfStarts,
    Interrupted,
    /// The engine or the client failed.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub old: f64,
    pub new: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofSession {
    pub side: Side,
    pub session: Session,
}

/// How many of a session's failures its report quotes.
pub(crate) const MAX_FAILURES_KEPT: usize = 5;

/// One start of an engine (for an endpoint: one block after a pause), a warm-up, and this scenario's rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub number: u32,
    /// RFC 3339.
    pub started: String,
    /// Including the warm-up, but not the engine's start.
    pub seconds: f64,
    pub summary: Summary,
    pub health: ClientHealth,
    pub rounds: Vec<Round>,
    /// What the engine reports about the rounds, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerSide>,
    /// The first few failures, in words.
    pub failures: Vec<String>,
    /// The file with the engine's log, next to the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The file with a record per request, next to the report (`tollgate records`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<String>,
    /// The clock of the rounds' windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Round {
    pub summary: Summary,
    pub health: ClientHealth,
    /// Absent if no request finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

impl Round {
    /// Whether its load was never complete, so that its rates are not those of the requested load.
    fn was_never_whole(&self) -> bool {
        self.window.is_some_and(|window| window.edges == Edges::NeverWhole)
    }
}

/// `2 of 3 rounds`: those whose load was never whole, if there are any.
pub(crate) fn rounds_never_whole(rounds: &[Round]) -> Option<String> {
    let count = rounds.iter().filter(|round| round.was_never_whole()).count();
    (count > 0).then(|| format!("{count} of {} rounds", rounds.len()))
}
