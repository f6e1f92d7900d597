//! Where an engine is to be had.

use std::time::Duration;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One `[targets.NAME]` table of `targets.toml`, validated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetSpec {
    pub name: String,
    pub engine: EngineKind,
    /// The model's name in requests; asked of the endpoint where it is not given.
    pub model: Option<String>,
    pub place: Place,
    pub proof: ProofPlan,
    /// Why it is not to be had here, if a variable it needs is not set; its tests are ignored then.
    pub unavailable: Option<String>,
}

/// How a suspicion about this target is proven: old and new in turn, on this machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProofPlan {
    /// Starts of each side before the first judgement; more follow while it is inconclusive.
    pub starts: u32,
    /// No session begins after this much time.
    pub budget: Duration,
    /// Both engines run at once and take turns by rounds, where the machine can hold both.
    pub side_by_side: bool,
}

impl Default for ProofPlan {
    fn default() -> ProofPlan {
        ProofPlan { starts: 4, budget: Duration::from_secs(60 * 60), side_by_side: false }
    }
}

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
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

impl TargetSpec {
    /// Whether every session has an engine that was started for it.
    pub fn restarts(&self) -> bool {
        matches!(self.place, Place::Simulator(_))
    }
}

impl EngineKind {
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Simulator => "simulator",
            EngineKind::Openai => "openai",
            EngineKind::Vllm => "vllm",
            EngineKind::Llamacpp => "llamacpp",
        }
    }
}

/// What the simulated engine is like. The default is slow on purpose: a busy two-core laptop serves it truly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorSettings {
    /// Shown as the engine's version.
    pub version: String,
    /// Prefill time of a request apart from its tokens (tokenise, schedule, transfer), before it is ready for the
    /// batch. It passes outside the batch and holds no other request up.
    pub prefill_base_ms: f64,
    /// Prompt tokens the batch takes in per second. They share the batch's steps with decoding.
    pub prefill_tokens_per_s: f64,
    /// The most prompt tokens in one step; a longer prompt is prefilled in chunks.
    pub max_step_tokens: u32,
    /// A decoding step's time for one sequence.
    pub decode_step_ms: f64,
    /// What every further sequence that decodes adds to the step.
    pub decode_step_ms_per_seq: f64,
    /// Sequences in the batch; further requests queue.
    pub max_seqs: u32,
    /// After a start, how long requests find no engine yet (503 from `/health`, and they queue).
    pub cold_start_ms: f64,
    /// Standard deviation of a step's time, relative to it. No step strays further than three of them.
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

/// A number that no engine could have.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("simulator setting `{key}` is {found}: expected {expected}")]
pub struct InvalidSetting {
    pub key: &'static str,
    pub found: f64,
    pub expected: &'static str,
}

impl SimulatorSettings {
    /// The settings in which this engine differs from another one.
    pub fn apart_from(&self, other: &SimulatorSettings) -> String {
        let table = |settings: &SimulatorSettings| {
            toml::Table::try_from(settings).expect("settings are plain values")
        };
        let (own, other) = (table(self), table(other));
        let differing = own.iter().filter(|(key, value)| other.get(*key) != Some(*value));
        let named: Vec<String> = differing.map(|(key, value)| format!("{key}={value}")).collect();
        named.join(" ")
    }

    /// Whether an engine like this can be simulated.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let check = |ok: bool, key, found, expected| {
            if ok { Ok(()) } else { Err(InvalidSetting { key, found, expected }) }
        };
        for (key, found) in [
            ("prefill_tokens_per_s", self.prefill_tokens_per_s),
            ("decode_step_ms", self.decode_step_ms),
            ("decode_scale", self.decode_scale),
            ("prefill_scale", self.prefill_scale),
        ] {
            check(found.is_finite() && found > 0.0, key, found, "a number greater than 0")?;
        }
        for (key, found) in [
            ("prefill_base_ms", self.prefill_base_ms),
            ("decode_step_ms_per_seq", self.decode_step_ms_per_seq),
            ("cold_start_ms", self.cold_start_ms),
        ] {
            check(found.is_finite() && found >= 0.0, key, found, "a number, 0 or more")?;
        }
        for (key, found) in [("max_step_tokens", self.max_step_tokens), ("max_seqs", self.max_seqs)] {
            check(found >= 1, key, f64::from(found), "at least 1")?;
        }
        let expected = "from 0 to 0.3: three standard deviations have to leave a step some time";
        check((0.0..=0.3).contains(&self.jitter), "jitter", self.jitter, expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_engines_are_told_apart_by_what_differs() {
        let slow = SimulatorSettings { decode_scale: 1.08, ..SimulatorSettings::default() };
        assert_eq!(slow.apart_from(&SimulatorSettings::default()), "decode_scale=1.08");
        assert_eq!(slow.apart_from(&slow), "");
    }

    #[test]
    fn the_default_engine_is_valid() {
        assert_eq!(SimulatorSettings::default().validate(), Ok(()));
    }

    #[test]
    fn an_impossible_number_is_named() {
        let expect_rejected = |settings: SimulatorSettings, key: &str| {
            assert_eq!(settings.validate().unwrap_err().key, key);
        };
        let usual = SimulatorSettings::default;
        expect_rejected(SimulatorSettings { decode_step_ms: 0.0, ..usual() }, "decode_step_ms");
        expect_rejected(SimulatorSettings { decode_scale: f64::NAN, ..usual() }, "decode_scale");
        expect_rejected(SimulatorSettings { cold_start_ms: -1.0, ..usual() }, "cold_start_ms");
        expect_rejected(SimulatorSettings { max_seqs: 0, ..usual() }, "max_seqs");
        expect_rejected(SimulatorSettings { jitter: 0.5, ..usual() }, "jitter");
    }
}
