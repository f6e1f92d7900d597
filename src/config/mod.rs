//! A scenario: workload × load × target, with gates. One scenario is one test, `file::load::target`.

mod complaint;
mod container_keys;
mod document;
mod endpoint_keys;
mod error;
mod expand;
mod file;
mod gates;
mod hash;
mod headers;
mod lines;
mod loads;
mod names;
mod overrides;
mod parse;
mod profiles;
mod prompts;
mod required;
mod sharegpt;
mod targets_file;
mod think_time;
mod trace_file;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::config::document::TextFile;
pub(crate) use crate::config::error::ConfigError;
pub use crate::config::error::SuiteErrors;
pub(crate) use crate::config::expand::EnvLookup;
pub(crate) use crate::config::file::ScenarioFile;
pub(crate) use crate::config::hash::hash_of;
pub(crate) use crate::config::headers::header_twice;
pub(crate) use crate::config::overrides::TOLLGATE_SET;
pub use crate::config::parse::{SuiteText, parse};
pub(crate) use crate::config::prompts::SUITE_FOLDER;
pub(crate) use crate::config::required::{TOLLGATE_REQUIRE, required};
pub(crate) use crate::config::sharegpt::{Excerpt, read_conversations};
pub(crate) use crate::config::targets_file::TargetsFile;
pub(crate) use crate::config::trace_file::read_trace;
use crate::metrics::Gate;

use crate::load::Load;
use crate::load::workload::Workload;
use crate::target::TargetSpec;

#[derive(Clone, Debug)]
pub struct Scenario {
    pub id: ScenarioId,
    pub workload: Workload,
    pub load: Load,
    pub run: RunPlan,
    pub gates: Vec<Gate>,
    pub target: TargetSpec,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioId {
    /// The scenario file's name without `.toml`.
    pub file: String,
    pub load: String,
    pub target: String,
}

/// How a scenario is run within a session, and how many sessions make a baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunPlan {
    /// Load before the first measured round of a session, with its own prompts.
    pub warmup: Duration,
    /// Measured rounds per session.
    pub rounds: u32,
    /// Sessions that make a baseline, and on which a suspicion is judged.
    pub sessions: u32,
    pub request_timeout: Duration,
    pub on_suspected: OnSuspected,
    /// Whether to keep a record of every request next to the report.
    pub records: bool,
}

impl RunPlan {
    /// A single round without records, for a load that belongs to no suite.
    pub(crate) fn single_round(warmup: Duration, request_timeout: Duration) -> RunPlan {
        RunPlan {
            warmup,
            rounds: 1,
            sessions: 1,
            request_timeout,
            on_suspected: OnSuspected::Warn,
            records: false,
        }
    }
}

/// The result of a test with a suspicion that can't be proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnSuspected {
    /// It passes, with a warning.
    #[default]
    Warn,
    /// It fails.
    Fail,
}

/// The whole perf suite, validated.
#[derive(Clone, Debug)]
pub struct Suite {
    pub targets: BTreeMap<String, TargetSpec>,
    pub scenarios: Vec<Scenario>,
}

impl Scenario {
    /// Whether anything is compared with a baseline: absolute limits need none.
    pub fn is_compared(&self) -> bool {
        self.gates.iter().any(|gate| gate.tolerance.is_some())
    }
}

impl std::fmt::Display for ScenarioId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{}::{}", self.file, self.load, self.target)
    }
}

impl ScenarioId {
    /// The stem of all its file names: `chat__users-32__vllm`.
    pub fn file_stem(&self) -> String {
        format!("{}__{}__{}", self.file, self.load, self.target)
    }
}
