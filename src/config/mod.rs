//! A scenario: workload × load × target, with gates. One scenario is one test, `file::load::target`.

mod complaint;
mod container_keys;
mod document;
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
mod units;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::config::document::TextFile;
pub use crate::config::error::{ConfigError, SuiteErrors};
pub use crate::config::expand::EnvLookup;
pub use crate::config::file::ScenarioFile;
pub use crate::config::hash::hash_of;
pub use crate::config::headers::header_twice;
pub use crate::config::overrides::TOLLGATE_SET;
pub use crate::config::parse::{SuiteText, parse};
pub use crate::config::prompts::{PromptLoader, SUITE_FOLDER};
pub use crate::config::required::{TOLLGATE_REQUIRE, required};
pub use crate::config::sharegpt::{Excerpt, MAX_INPUT_TOKENS, MAX_TOTAL_TOKENS, read_conversations};
pub use crate::config::targets_file::TargetsFile;
pub use crate::config::trace_file::read_trace;
pub use crate::config::units::HumanDuration;
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
    /// Load before the first measured round of a session, with prompts of its own.
    pub warmup: Duration,
    /// Measured rounds in a session.
    pub rounds: u32,
    /// Sessions that make a baseline, and that a suspicion is judged on.
    pub sessions: u32,
    pub request_timeout: Duration,
    pub on_suspected: OnSuspected,
    /// Whether what became of every request is kept beside the report.
    pub records: bool,
}

/// What a suspicion that can't be proven does to the test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnSuspected {
    /// It passes, with a warning.
    #[default]
    Warn,
    /// It fails.
    Fail,
}

/// Everything the perf suite consists of, validated.
#[derive(Clone, Debug)]
pub struct Suite {
    pub targets: BTreeMap<String, TargetSpec>,
    pub scenarios: Vec<Scenario>,
}

impl Scenario {
    /// Whether anything is compared with a baseline: absolute limits are judged without.
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
    /// The name of everything that is stored about it: `chat__users-32__vllm`.
    pub fn file_stem(&self) -> String {
        format!("{}__{}__{}", self.file, self.load, self.target)
    }
}
