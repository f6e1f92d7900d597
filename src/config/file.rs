//! A scenario file: one workload, its loads, and the gates on each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::config::gates::{GateTable, GateTables, gates};
use crate::config::loads::{LoadTables, loads};
use crate::config::prompts::{PromptLoader, PromptsValue};
use crate::config::units::HumanDuration;
use crate::config::{OnSuspected, RunPlan};
use crate::load::Load;
use crate::load::workload::{Api, Sampling, Workload};
use crate::metrics::{Gate, Metric};
use crate::text::nearest::did_you_mean;

/// A scenario file of tollgate: every load, on every target, is one test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tollgate scenario", extend("required" = ["targets", "workload", "load", "gates"]))]
pub struct ScenarioFile {
    /// Names of targets in targets.toml.
    #[schemars(length(min = 1))]
    targets: Vec<String>,
    workload: WorkloadTable,
    /// How the engine is asked, by a name of your choice.
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    load: LoadTables,
    #[serde(default)]
    run: RunTable,
    /// What may not become worse.
    #[serde(default)]
    #[schemars(with = "BTreeMap<Metric, GateTable>", extend("minProperties" = 1))]
    gates: GateTables,
}

/// What the engine is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table [workload]")]
struct WorkloadTable {
    prompts: PromptsValue,
    /// How many tokens every answer is asked to have. Prompts of `trace` and `sharegpt` bring their own, if it is not given.
    #[schemars(range(min = 1))]
    output_tokens: Option<u32>,
    /// Where synthetic prompts, and the order of listed ones, are drawn from.
    #[serde(default = "one")]
    seed: u64,
    /// Which of the OpenAI routes is asked.
    #[serde(default)]
    api: Api,
    /// Whether answers come token by token.
    #[serde(default = "yes")]
    stream: bool,
    /// Ask the engine to go on past the end-of-sequence token, so that every answer has the asked-for length.
    #[serde(default = "yes")]
    ignore_eos: bool,
    /// Passed to the engine as it stands.
    #[serde(default)]
    sampling: Sampling,
}

/// How a scenario is run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table [run]")]
struct RunTable {
    /// Load before the first measured round of a session, such as "30s".
    #[schemars(extend("default" = "10s"))]
    warmup: HumanDuration,
    /// Measured rounds in a session.
    #[schemars(range(min = 1))]
    rounds: u32,
    /// Sessions (starts of the engine) that make a baseline.
    #[schemars(range(min = 1))]
    sessions: u32,
    /// A request that takes longer has failed.
    #[schemars(extend("default" = "2m"))]
    request_timeout: HumanDuration,
    /// Whether a suspicion that can't be proven passes with a warning, or fails.
    on_suspected: OnSuspected,
    /// Whether what became of every request is kept next to the report.
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

/// What a scenario file says, validated; its targets are names of the targets file.
pub struct ScenarioPlan {
    pub targets: Vec<String>,
    pub workload: Workload,
    pub loads: Vec<(String, Load)>,
    pub run: RunPlan,
    pub gates: Vec<Gate>,
}

impl ScenarioFile {
    /// `known_targets` is `None` where the targets file is unreadable and says nothing about names.
    pub fn validate(
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
            errors.extend(userless(workload, loads, document));
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

fn userless(workload: &Workload, loads: &[(String, Load)], document: &Document) -> Vec<ConfigError> {
    let open = loads.iter().filter(|(_, load)| load.is_open() && workload.needs_users());
    let errors = open.map(|(name, _)| {
        let message = format!("load `{name}` has no users, who hold the workload's conversations");
        document
            .error_at(&["load", name], message)
            .help("give `concurrency` instead, or ask for one turn only")
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
        let mut errors = self.sampling_errors(document);
        if self.output_tokens == Some(0) {
            let at = ["workload", "output_tokens"];
            errors.push(document.error_at(&at, "`output_tokens` has to be at least 1"));
        }
        let prompts = keep(self.prompts.resolve(self.api, document, loader), &mut errors);
        if self.output_tokens.is_none() && prompts.as_ref().is_some_and(|prompts| !prompts.have_lengths()) {
            let error = document.error_at(&["workload"], "missing key `output_tokens`");
            errors.push(error.help("add output_tokens = 128"));
        }
        match prompts {
            Some(prompts) if errors.is_empty() => Ok(Workload {
                api: self.api,
                stream: self.stream,
                prompts,
                output_tokens: self.output_tokens,
                ignore_eos: self.ignore_eos,
                seed: self.seed,
                sampling: self.sampling,
            }),
            _ => Err(errors),
        }
    }

    fn sampling_errors(&self, document: &Document) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut check = |key: &str, value: Option<f64>, valid: fn(f64) -> bool, range: &str| {
            if value.is_some_and(|value| !valid(value)) {
                let at = ["workload", "sampling", key];
                errors.push(document.error_at(&at, format!("`{key}` has to be {range}")));
            }
        };
        check("temperature", self.sampling.temperature, |t| t.is_finite() && t >= 0.0, "a number, 0 or more");
        check("top_p", self.sampling.top_p, |p| p > 0.0 && p <= 1.0, "greater than 0 and at most 1");
        errors
    }
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
                document.error_at(&["run", key], format!("`{key}` has to be at least {least}"))
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
