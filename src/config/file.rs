//! A scenario file: one workload, its loads, and the gates on each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::complaint::Complaint;
use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::config::gates::{GateTable, GateTables, gates};
use crate::config::loads::{LoadTables, loads};
use crate::config::prompts::{PromptLoader, PromptsValue};
use crate::config::{OnSuspected, RunPlan};
use crate::load::Load;
use crate::load::workload::{Api, Prompts, Sampling, Workload, WorkloadError, WorkloadSpec};
use crate::metrics::{Gate, Metric};
use crate::text::nearest::did_you_mean;
use crate::units::HumanDuration;

/// A scenario file of tollgate: every load on every target is one test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tollgate scenario", extend("required" = ["targets", "workload", "load", "gates"]))]
pub(crate) struct ScenarioFile {
    /// Names of targets in targets.toml.
    #[schemars(length(min = 1))]
    targets: Vec<String>,
    workload: WorkloadTable,
    /// The loads, each under a name of your choice.
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    load: LoadTables,
    #[serde(default)]
    run: RunTable,
    /// The metrics that must not get worse, and their limits.
    #[serde(default)]
    #[schemars(with = "BTreeMap<Metric, GateTable>", extend("minProperties" = 1))]
    gates: GateTables,
}

/// The prompts and outputs to request from the engine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table [workload]")]
struct WorkloadTable {
    prompts: PromptsValue,
    /// Output tokens to request. Default: the lengths in the `trace` or `sharegpt` file.
    #[schemars(range(min = 1))]
    output_tokens: Option<u32>,
    /// Random seed for synthetic prompts and for the order of listed ones.
    #[serde(default = "one")]
    seed: u64,
    /// OpenAI API route to use.
    #[serde(default)]
    api: Api,
    /// Whether to stream responses token by token.
    #[serde(default = "yes")]
    stream: bool,
    /// Ask the engine to continue past the end-of-sequence token, so that every answer has the requested length.
    #[serde(default = "yes")]
    ignore_eos: bool,
    /// Passed to the engine unchanged.
    #[serde(default)]
    sampling: Sampling,
}

/// How to run a scenario.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table [run]")]
struct RunTable {
    /// Duration of the load before a session's first measured round, such as "30s".
    #[schemars(extend("default" = "10s"))]
    warmup: HumanDuration,
    /// Measured rounds per session.
    #[schemars(range(min = 1))]
    rounds: u32,
    /// Sessions (engine starts) that make a baseline.
    #[schemars(range(min = 1))]
    sessions: u32,
    /// A request that takes longer than this counts as failed.
    #[schemars(extend("default" = "2m"))]
    request_timeout: HumanDuration,
    /// Whether a suspicion that can't be proven passes with a warning or fails.
    on_suspected: OnSuspected,
    /// Whether to keep a record of every request next to the report.
    records: bool,
}

impl Default for RunTable {
    fn default() -> RunTable {
        RunTable {
            warmup: HumanDuration(Duration::from_secs(10)),
            rounds: 3,
            sessions: 4,
            request_timeout: HumanDuration(Duration::from_secs(120)),
            on_suspected: OnSuspected::default(),
            records: true,
        }
    }
}

/// The checked contents of a scenario file; its targets are names from the targets file.
pub(crate) struct ScenarioPlan {
    pub targets: Vec<String>,
    pub workload: Workload,
    pub loads: Vec<(String, Load)>,
    pub run: RunPlan,
    pub gates: Vec<Gate>,
}

impl ScenarioFile {
    /// `known_targets` is `None` if the targets file could not be read.
    pub(crate) fn validate(
        self,
        document: &Document,
        known_targets: Option<&[&str]>,
        loader: PromptLoader,
    ) -> Result<ScenarioPlan, Vec<ConfigError>> {
        let mut errors = check_targets(&self.targets, known_targets, document);
        let streamed = self.workload.stream;
        let workload = keep(self.workload.validate(document, loader), &mut errors);
        let loads = keep(loads(&self.load, document, loader), &mut errors);
        if let (Some(workload), Some(loads)) = (&workload, &loads) {
            errors.extend(mismatched(workload, loads, document));
        }
        let run = keep(self.run.validate(document), &mut errors);
        let gates = keep(gates(&self.gates, streamed, document), &mut errors);
        match (workload, loads, run, gates) {
            (Some(workload), Some(loads), Some(run), Some(gates)) if errors.is_empty() => {
                Ok(ScenarioPlan { targets: self.targets, workload, loads, run, gates })
            }
            _ => Err(errors),
        }
    }
}

fn keep<T>(result: Result<T, Vec<ConfigError>>, errors: &mut Vec<ConfigError>) -> Option<T> {
    result.map_err(|found| errors.extend(found)).ok()
}

fn mismatched(workload: &Workload, loads: &[(String, Load)], document: &Document) -> Vec<ConfigError> {
    let errors = loads.iter().filter_map(|(name, load)| {
        let error = workload.check_load(load).err()?;
        let at = document.error_at(&["load", name], format!("load `{name}`: {error}"));
        Some(at.help("give `concurrency` instead, or ask for one turn only"))
    });
    errors.collect()
}

fn check_targets(targets: &[String], known: Option<&[&str]>, document: &Document) -> Vec<ConfigError> {
    if targets.is_empty() {
        let error = document.error_at(&["targets"], "`targets` is empty: nothing would be measured");
        return vec![error.help("name targets of perf-tests/targets.toml")];
    }
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let index = index.to_string();
        let here = |message: String| document.error_at(&["targets", &index], message);
        if let Some(known) = known.filter(|known| !known.contains(&target.as_str())) {
            let help = did_you_mean(target, known.iter().copied());
            errors.push(here(format!("unknown target `{target}`")).help(help));
        } else if !seen.insert(target) {
            errors.push(here(format!("target `{target}` is named twice")).help("remove one"));
        }
    }
    errors
}

impl WorkloadTable {
    fn validate(self, document: &Document, loader: PromptLoader) -> Result<Workload, Vec<ConfigError>> {
        let spec = WorkloadSpec {
            api: self.api,
            stream: self.stream,
            prompts: self.prompts.resolve(self.api, document, loader)?,
            output_tokens: self.output_tokens,
            ignore_eos: self.ignore_eos,
            seed: self.seed,
            sampling: self.sampling,
        };
        let errors: Vec<ConfigError> =
            spec.errors().iter().map(|error| workload_error(error, &spec, document)).collect();
        Workload::new(spec).map_err(|_| errors)
    }
}

fn workload_error(error: &WorkloadError, spec: &WorkloadSpec, document: &Document) -> ConfigError {
    let keys: &[&str] = match error {
        WorkloadError::OutputTokensMissing => {
            let complaint = Complaint::missing("output_tokens");
            return complaint.into_error(|message| document.error_at(&["workload"], message));
        }
        WorkloadError::NoPrompts => {
            let at = document.error_at(&["workload", "prompts"], error.to_string());
            return at.help("give at least one prompt");
        }
        WorkloadError::EmptyPrompt(index) => {
            return document.error_at(&["workload", "prompts", &index.to_string()], error.to_string());
        }
        WorkloadError::NoInputTokens => &["prompts", "synthetic", "input_tokens"],
        WorkloadError::SharedPrefix(_) => &["prompts", "synthetic", "shared_prefix"],
        WorkloadError::NoTurns if matches!(spec.prompts, Prompts::Conversations(_)) => {
            &["prompts", "sharegpt", "turns"]
        }
        WorkloadError::NoTurns => &["prompts", "synthetic", "turns"],
        WorkloadError::NoOutputTokens => &["output_tokens"],
        WorkloadError::Temperature(_) => &["sampling", "temperature"],
        WorkloadError::TopP(_) => &["sampling", "top_p"],
    };
    let path: Vec<&str> = ["workload"].into_iter().chain(keys.iter().copied()).collect();
    document.error_at(&path, error.to_string())
}

impl RunTable {
    fn validate(self, document: &Document) -> Result<RunPlan, Vec<ConfigError>> {
        let checks = [
            ("rounds", self.rounds == 0, "1"),
            ("sessions", self.sessions == 0, "1"),
            ("request_timeout", self.request_timeout.0.is_zero(), "\"1ms\""),
        ];
        let errors: Vec<ConfigError> = checks
            .into_iter()
            .filter(|(_, zero, _)| *zero)
            .map(|(key, _, least)| {
                document.error_at(&["run", key], format!("`{key}` must be at least {least}"))
            })
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(RunPlan {
            warmup: self.warmup.0,
            rounds: self.rounds,
            sessions: self.sessions,
            request_timeout: self.request_timeout.0,
            on_suspected: self.on_suspected,
            records: self.records,
        })
    }
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}
