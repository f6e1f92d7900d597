//! Where an engine is to be had.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One `[targets.NAME]` table of `targets.toml`, validated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetSpec {
    pub name: String,
    pub engine: EngineKind,
    /// The model's name in requests; asked of the endpoint where it is not given.
    pub model: Option<String>,
    pub place: Place,
    /// Why it is not to be had here, if a variable it needs is not set; its tests are ignored then.
    pub unavailable: Option<String>,
}

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    Simulator,
    Openai,
    Vllm,
    Llamacpp,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In this process.
    Simulator(SimulatorSettings),
    Endpoint(Endpoint),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Endpoint {
    /// With or without a trailing `/v1`.
    pub url: String,
    /// The name of the environment variable that holds the bearer key.
    pub api_key_env: Option<String>,
    /// What the endpoint runs on, as a slug for its baselines' folder: `l40s`.
    pub hardware: Option<String>,
}

/// What the simulated engine is like. The default is slow on purpose: a busy two-core laptop serves it truly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorSettings {
    /// Shown as the engine's version.
    pub version: String,
    /// Prefill time of a request apart from its tokens (tokenise, schedule, transfer). It passes outside the batch
    /// and holds no other request up.
    pub prefill_base_ms: f64,
    /// Prompt tokens the batch takes in per second. They share the batch's steps with decoding.
    pub prefill_tokens_per_s: f64,
    /// The most prompt tokens in one step; a longer prompt is prefilled in chunks.
    pub max_step_tokens: u32,
    /// A decoding step's time for one sequence.
    pub decode_step_ms: f64,
    /// What every further sequence in the batch adds to the step.
    pub decode_step_ms_per_seq: f64,
    /// Sequences in the batch; further requests queue.
    pub max_seqs: u32,
    /// After a start, how long requests find no engine yet (503 from `/health`, and they queue).
    pub cold_start_ms: f64,
    /// Standard deviation of a step's time, relative to it.
    pub jitter: f64,
    /// Where the jitter is drawn from, together with the count of starts.
    pub seed: u64,
    /// Multiplies every decoding step: 1.08 is an engine that decodes 8 % slower.
    pub decode_scale: f64,
    /// Multiplies every prefill.
    pub prefill_scale: f64,
}

impl Default for SimulatorSettings {
    fn default() -> SimulatorSettings {
        SimulatorSettings {
            version: "1.0.0".into(),
            prefill_base_ms: 200.0,
            prefill_tokens_per_s: 20_000.0,
            max_step_tokens: 2048,
            decode_step_ms: 20.0,
            decode_step_ms_per_seq: 0.05,
            max_seqs: 64,
            cold_start_ms: 300.0,
            jitter: 0.02,
            seed: 1,
            decode_scale: 1.0,
            prefill_scale: 1.0,
        }
    }
}
