//! `targets.toml`: where engines are available.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::config::expand::{EnvLookup, is_variable_name};
use crate::config::names;
use crate::engine::{EngineChoice, EngineKind, HttpVersion};
use crate::target::{
    InvalidSetting, Place, ProofPlan, Pull, SimulatorSettings, TargetSpec, known_regressions,
};
use crate::units::{HumanDuration, HumanSize};

/// The targets of tollgate: the one file that a version bump changes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tollgate targets", extend("required" = ["targets"]))]
pub(crate) struct TargetsFile {
    /// The engines to test, each under a name of your choice.
    #[serde(default)]
    targets: BTreeMap<String, TargetTable>,
}

const MOST_MINUTES: f64 = 7.0 * 24.0 * 60.0;

/// An engine, and where it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table such as { engine = \"simulator\" }")]
pub(super) struct TargetTable {
    /// Engine type; selects its API and how its version is read.
    pub engine: EngineChoice,
    /// Model name in requests. Default: the first one that the engine lists.
    pub model: Option<String>,
    /// The engine's base URL, with or without a trailing /v1. Every engine except the simulator needs this or `image`.
    pub url: Option<String>,
    /// With `url`: where the old version keeps running, for proofs.
    pub old_url: Option<String>,
    /// Name of the environment variable with the API key, sent as a bearer token.
    pub api_key_env: Option<String>,
    /// HTTP headers to send with every request, such as { X-Team = "${TEAM}" }. No output shows their values.
    pub headers: Option<BTreeMap<String, String>>,
    /// PEM file with the CA certificates of the URL's server, relative to the folder of this file. Default: the
    /// system's.
    pub ca_file: Option<PathBuf>,
    /// HTTP version: "1.1" or "2". Over https://, TLS negotiates version 2; otherwise it is used without negotiation.
    #[serde(default)]
    pub http_version: HttpVersion,
    /// Short name of the engine's hardware, used in the path of its baselines: "l40s".
    pub hardware: Option<String>,
    /// The engine's container image, with a tag or digest: "vllm/vllm-openai:v0.31.0".
    pub image: Option<String>,
    /// When to pull the image.
    #[schemars(extend("default" = "missing"))]
    pub pull: Option<Pull>,
    /// Arguments after the image's entry point; vLLM also gets its `model`.
    pub args: Option<Vec<String>>,
    /// The container's environment variables.
    pub env: Option<BTreeMap<String, String>>,
    /// Folders of this machine to mount in the container, as "HOST:CONTAINER" or "HOST:CONTAINER:ro".
    pub volumes: Option<Vec<String>>,
    /// The port that the engine listens on inside the container. Default: the engine's usual port.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The port on 127.0.0.1 to publish the engine's port on. Default: any free port.
    #[schemars(range(min = 1))]
    pub host_port: Option<u16>,
    /// Shared memory, such as "16GiB".
    pub shm: Option<HumanSize>,
    /// How many GPUs the container gets, or "all".
    pub gpus: Option<GpusValue>,
    /// The user that the engine runs as: "UID:GID", or "me" for the user who runs the suite. Default: the image's.
    pub user: Option<String>,
    /// How long the engine may take from the container's start until it is healthy.
    #[schemars(extend("default" = "15m"))]
    pub start_timeout: Option<HumanDuration>,
    /// Settings of the simulated engine; only with engine = "simulator".
    #[serde(default)]
    #[schemars(schema_with = "simulator_schema", extend("default" = {}))]
    pub simulator: Option<SimulatorSettings>,
    /// How to prove a suspicion.
    #[serde(default)]
    proof: ProofTable,
}

/// `1` or `"all"`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number of GPUs, or \"all\"")]
pub(super) enum GpusValue {
    Count(#[schemars(range(min = 1))] u32),
    Word(AllGpus),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum AllGpus {
    All,
}

/// How to prove a suspicion: the old and the new engine take turns on this machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table such as { minutes = 60 }")]
struct ProofTable {
    /// Starts of each side before the first verdict; an even number, at least 4.
    #[schemars(range(min = 4))]
    starts: u32,
    /// No session starts after this many minutes; metrics that are undecided by then are inconclusive.
    minutes: f64,
    /// Run both engines at once and alternate round by round; the machine must have room for both.
    side_by_side: bool,
}

impl Default for ProofTable {
    fn default() -> ProofTable {
        let ProofPlan { starts, budget, side_by_side } = ProofPlan::default();
        ProofTable { starts, minutes: budget.as_secs_f64() / 60.0, side_by_side }
    }
}

/// Adds `profile`, which is replaced by its settings before they are read.
fn simulator_schema(generator: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> =
        known_regressions::profiles().iter().map(|profile| profile.name.as_str()).collect();
    let mut schema = SimulatorSettings::json_schema(generator);
    let profile = json!({
        "description": "The settings of a known regression, by name; keys that are given take precedence.",
        "type": "string",
        "enum": names,
    });
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("profile".into(), profile);
    }
    schema
}

impl TargetsFile {
    pub(crate) fn validate(
        self,
        document: &Document,
        environment: EnvLookup,
    ) -> Result<BTreeMap<String, TargetSpec>, Vec<ConfigError>> {
        if self.targets.is_empty() {
            let error = document.error_at(&["targets"], "no target: there is nothing to measure");
            return Err(vec![error.help("add [targets.sim] with engine = \"simulator\"")]);
        }
        let mut specs = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, table) in self.targets {
            let check = TargetCheck { name: &name, document, environment };
            match check.target(table) {
                Ok(spec) => {
                    specs.insert(name, spec);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(specs) } else { Err(errors) }
    }
}

fn first_given(keys: &[(&'static str, bool)]) -> Option<&'static str> {
    keys.iter().find(|(_, given)| *given).map(|(key, _)| *key)
}

/// One target under validation.
pub(super) struct TargetCheck<'c, 't> {
    pub name: &'c str,
    pub(super) document: &'c Document<'t>,
    environment: EnvLookup<'c>,
}

impl TargetCheck<'_, '_> {
    fn target(&self, table: TargetTable) -> Result<TargetSpec, ConfigError> {
        if let Some(objection) = names::objection(self.name, names::NAME) {
            let message = format!("not a target's name: {objection}");
            return Err(self.document.error_at_key(&["targets", self.name], message));
        }
        for (key, value) in [("model", &table.model), ("hardware", &table.hardware)] {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                return Err(self
                    .error(key, format!("`{key}` is empty"))
                    .help("leave it out if you don't know it"));
            }
        }
        let unavailable = self.unset_variable().or_else(|| self.unset_key(&table));
        let (engine, model, http_version) = (table.engine, table.model.clone(), table.http_version);
        let proof = self.proof(&table.proof)?;
        let place = if engine == EngineChoice::Kind(EngineKind::SIMULATOR) {
            Place::Simulator(self.simulator(table)?)
        } else {
            self.served(table)?
        };
        Ok(TargetSpec { name: self.name.to_owned(), engine, model, http_version, place, proof, unavailable })
    }

    fn simulator(&self, table: TargetTable) -> Result<SimulatorSettings, ConfigError> {
        let foreign =
            [table.endpoint_keys(), table.container_keys(), vec![("hardware", table.hardware.is_some())]];
        if let Some(key) = first_given(&foreign.concat()) {
            let message = format!("the simulator takes no `{key}`: it runs inside this process");
            return Err(self.key_error(key, message).help("remove it, or choose another engine"));
        }
        let settings = table.simulator.unwrap_or_default();
        self.check_settings(&settings)?;
        Ok(settings)
    }

    fn check_settings(&self, settings: &SimulatorSettings) -> Result<(), ConfigError> {
        settings.validate().map_err(|InvalidSetting { key, expected, .. }| {
            let at: Vec<&str> =
                ["targets", self.name, "simulator"].into_iter().chain(key.split('.')).collect();
            self.document.error_at(&at, format!("`{key}` must be {expected}"))
        })
    }

    fn proof(&self, table: &ProofTable) -> Result<ProofPlan, ConfigError> {
        let refuse = |key: &str, rule: &str| {
            let at = ["targets", self.name, "proof", key];
            Err(self.document.error_at(&at, format!("`{key}` must be {rule}")))
        };
        if table.starts < 4 || table.starts % 2 == 1 {
            return refuse("starts", "an even number, 4 or more");
        }
        let minutes = table.minutes;
        if !(minutes > 0.0 && minutes <= MOST_MINUTES) {
            return refuse("minutes", "a number of minutes greater than 0 and at most a week");
        }
        let budget = Duration::from_secs_f64(minutes * 60.0);
        Ok(ProofPlan { starts: table.starts, budget, side_by_side: table.side_by_side })
    }

    /// A real engine: at a URL, or in a container.
    fn served(&self, table: TargetTable) -> Result<Place, ConfigError> {
        if table.simulator.is_some() {
            let message = "simulator settings go with engine = \"simulator\" only";
            return Err(self
                .key_error("simulator", message)
                .help("remove `simulator`, or change the engine"));
        }
        if let Some(hardware) = table.hardware.as_ref().filter(|_| !self.is_unset("hardware"))
            && let Some(objection) = names::objection(hardware, names::NAME)
        {
            let message = format!("`hardware` becomes part of a folder's name: {objection}");
            return Err(self.error("hardware", message).help("write a short word such as \"l40s\""));
        }
        if table.image.is_some() {
            if let Some(key) = first_given(&table.endpoint_keys()) {
                let message =
                    format!("a target with an `image` takes no `{key}`: the engine is started here");
                return Err(self.key_error(key, message).help("remove one of the two"));
            }
            return Ok(Place::Container(self.container(table)?));
        }
        if let Some(key) = first_given(&table.container_keys()) {
            let message = format!("`{key}` goes with `image` only");
            return Err(self.key_error(key, message).help("remove it, or give the engine's image"));
        }
        Ok(Place::Endpoint(self.endpoint(table)?))
    }

    /// Why the target is unavailable, if one of its strings names a variable that is not set.
    fn unset_variable(&self) -> Option<String> {
        let mine = self.document.unset().iter().find(|unset| {
            unset.path.first().is_some_and(|table| table == "targets")
                && unset.path.get(1).is_some_and(|name| name == self.name)
        })?;
        Some(format!("{} ({})", mine.reason, self.document.position(mine.span.clone())))
    }

    /// Why the target is unavailable, if the variable of its API key is not set.
    fn unset_key(&self, table: &TargetTable) -> Option<String> {
        let variable = table.api_key_env.as_ref().filter(|variable| is_variable_name(variable))?;
        if (self.environment)(variable).is_some_and(|key| !key.is_empty()) {
            return None;
        }
        let position = self.error("api_key_env", "").position();
        Some(format!("environment variable {variable} is not set ({position})"))
    }

    pub(super) fn is_unset(&self, key: &str) -> bool {
        let path = ["targets", self.name, key];
        self.document.unset().iter().any(|unset| unset.path.iter().take(3).eq(path))
    }

    pub(super) fn error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        self.document.error_at(&["targets", self.name, key], message)
    }

    /// About one entry of a list.
    pub(super) fn error_at_index(&self, key: &str, index: usize, message: impl Into<String>) -> ConfigError {
        self.document.error_at(&["targets", self.name, key, &index.to_string()], message)
    }

    pub(super) fn key_error(&self, key: &str, message: impl Into<String>) -> ConfigError {
        self.document.error_at_key(&["targets", self.name, key], message)
    }
}
