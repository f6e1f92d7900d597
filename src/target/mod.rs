//! Where an engine is to be had.

mod container;
mod environment;
pub mod known_regressions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::{EngineChoice, HttpVersion};
use crate::text::secret::Secret;
pub use container::{ContainerSpec, Gpus, ImageRef, Pull, Volume, VolumeSource};
pub use environment::Environment;

/// One `[targets.NAME]` table of `targets.toml`, validated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetSpec {
    pub name: String,
    pub engine: EngineChoice,
    /// The model's name in requests; asked of the endpoint where it is not given.
    pub model: Option<String>,
    pub http_version: HttpVersion,
    pub place: Place,
    pub proof: ProofPlan,
    /// Why it is not to be had here, if a variable it needs is not set; its tests are ignored then.
    pub unavailable: Option<String>,
}

/// How a suspicion about this target is proven: old and new in turn, on this machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProofPlan {
    /// Starts of each side before the first judgment; more follow while it is inconclusive.
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

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In this process.
    Simulator(SimulatorSettings),
    Endpoint(Endpoint),
    /// On this machine, by Docker.
    Container(ContainerSpec),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Endpoint {
    /// With or without a trailing `/v1`.
    pub url: String,
    /// Where the old engine goes on running, for proofs.
    pub old_url: Option<String>,
    /// The name of the environment variable that holds the bearer key.
    pub api_key_env: Option<String>,
    /// Sent with every request.
    pub headers: BTreeMap<String, Secret>,
    /// The certificates, as PEM, of the authorities that may vouch for it, if not those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// What the endpoint runs on, as a slug for its baselines' folder: `l40s`.
    pub hardware: Option<String>,
}

impl Endpoint {
    /// Open to everybody, on whatever hardware.
    pub fn at(url: &str) -> Endpoint {
        Endpoint {
            url: url.to_owned(),
            old_url: None,
            api_key_env: None,
            headers: BTreeMap::new(),
            ca_file: None,
            hardware: None,
        }
    }
}

impl TargetSpec {
    /// Whether every session has an engine that was started for it.
    pub fn restarts(&self) -> bool {
        !matches!(self.place, Place::Endpoint(_))
    }

    /// Has relative paths count from this folder.
    pub fn paths_below(&mut self, folder: &Path) {
        if let Place::Endpoint(Endpoint { ca_file: Some(file), .. }) = &mut self.place {
            *file = folder.join(&file);
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
    /// Multiplies every duration: 0.1 is the same engine, ten times as fast.
    pub time_scale: f64,
    /// Tokens of prompts and answers that fit into the KV cache; 0 is room for all. When it is full, the request that
    /// came last gives its part back, queues again and has all of its tokens prefilled once more.
    pub kv_cache_tokens: u32,
    /// The share of answers that the model ends before their asked-for length. Requests that say `ignore_eos` are
    /// spared; Ollama's and TGI's own wires have no word for it.
    pub eos_rate: f64,
    /// What a request that finds the engine idle waits before its prefill, as when a model has to be woken up.
    pub wake_ms: f64,
    /// How long the engine has to have been idle for that; 0 is any pause.
    pub wake_after_ms: f64,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Faults::are_none")]
    pub faults: Faults,
}

/// What can be wrong with a simulated engine: by default, nothing. Shares are of all requests, drawn from the seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// The share of requests that are refused with HTTP 500.
    pub error_rate: f64,
    /// The share of answers that break off, their connection reset, or in HTTP/2 their stream.
    pub reset_rate: f64,
    /// The share of answers that stop half way and never end, keeping their place in the batch. `/health` stays 200.
    pub stall_rate: f64,
    /// The share of answers with one event that is no JSON.
    pub malformed_rate: f64,
    /// So many requests are taken; the next one ends the engine: all connections break, and no more are accepted. 0 is
    /// never.
    pub crash_after_requests: u32,
    /// So many requests are taken; with the next one all answers stop for good, while `/health` stays 200. 0 is never.
    pub hang_after_requests: u32,
    /// As many sequences decode together without harm; 0 is any number.
    pub crowd_seqs: u32,
    /// What every sequence beyond `crowd_seqs` adds to a decoding step.
    pub crowd_step_ms_per_seq: f64,
    /// A longer prompt than this leaves the engine slower than it was; 0 is a prompt of any length does not.
    pub long_prompt_tokens: u32,
    /// By how much every decoding step after such a prompt is longer, relative to it: 1.0 is twice as long.
    pub long_prompt_slowdown: f64,
    /// Whether every further long prompt adds as much again.
    pub long_prompt_slowdown_grows: bool,
}

impl Faults {
    pub fn are_none(&self) -> bool {
        *self == Faults::default()
    }
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
            time_scale: 1.0,
            kv_cache_tokens: 0,
            eos_rate: 0.0,
            wake_ms: 0.0,
            wake_after_ms: 0.0,
            faults: Faults::default(),
        }
    }
}

/// A setting that no engine could have.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("simulator setting `{key}` is {found}: expected {expected}")]
pub struct InvalidSetting {
    /// With a dot where it is within a table: `faults.error_rate`.
    pub key: &'static str,
    pub found: String,
    pub expected: &'static str,
}

impl SimulatorSettings {
    /// The settings in which this engine differs from another one.
    pub fn apart_from(&self, other: &SimulatorSettings) -> String {
        let other = other.by_key();
        let differing = self.by_key().into_iter().filter(|(key, value)| other.get(key) != Some(value));
        let named: Vec<String> = differing.map(|(key, value)| format!("{key}={value}")).collect();
        named.join(" ")
    }

    /// Every setting by its key, with a dot where it is within a table.
    pub fn by_key(&self) -> BTreeMap<String, toml::Value> {
        let sound = SimulatorSettings { faults: Faults::default(), ..self.clone() };
        let settings = toml::Table::try_from(sound).expect("settings are plain values");
        let faults = toml::Table::try_from(&self.faults).expect("settings are plain values");
        let faults = faults.into_iter().map(|(key, value)| (format!("faults.{key}"), value));
        settings.into_iter().chain(faults).collect()
    }

    /// Whether an engine like this can be simulated.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        for (key, found) in [
            ("prefill_tokens_per_s", self.prefill_tokens_per_s),
            ("decode_step_ms", self.decode_step_ms),
            ("decode_scale", self.decode_scale),
            ("prefill_scale", self.prefill_scale),
            ("time_scale", self.time_scale),
        ] {
            check(key, found, found.is_finite() && found > 0.0, "a number greater than 0")?;
        }
        for (key, found) in [
            ("prefill_base_ms", self.prefill_base_ms),
            ("decode_step_ms_per_seq", self.decode_step_ms_per_seq),
            ("cold_start_ms", self.cold_start_ms),
            ("wake_ms", self.wake_ms),
            ("wake_after_ms", self.wake_after_ms),
            ("faults.crowd_step_ms_per_seq", self.faults.crowd_step_ms_per_seq),
            ("faults.long_prompt_slowdown", self.faults.long_prompt_slowdown),
        ] {
            check(key, found, found.is_finite() && found >= 0.0, "a number, 0 or more")?;
        }
        for (key, found) in [("max_step_tokens", self.max_step_tokens), ("max_seqs", self.max_seqs)] {
            check(key, found, found >= 1, "at least 1")?;
        }
        check("eos_rate", self.eos_rate, (0.0..=1.0).contains(&self.eos_rate), "a share from 0 to 1")?;
        let expected = "from 0 to 0.3: three standard deviations have to leave a step some time";
        check("jitter", self.jitter, (0.0..=0.3).contains(&self.jitter), expected)?;
        check("version", &self.version, !self.version.trim().is_empty(), "a word such as \"1.0.0\"")?;
        self.faults.validate_rates()
    }
}

impl Faults {
    fn validate_rates(&self) -> Result<(), InvalidSetting> {
        let rates = [
            ("faults.error_rate", self.error_rate),
            ("faults.reset_rate", self.reset_rate),
            ("faults.stall_rate", self.stall_rate),
            ("faults.malformed_rate", self.malformed_rate),
        ];
        for (key, found) in rates {
            check(key, found, (0.0..=1.0).contains(&found), "a share from 0 to 1")?;
        }
        let together: f64 = rates.iter().map(|(_, rate)| rate).sum();
        check("faults", together, together <= 1.0, "rates that are no more than 1 together")
    }
}

fn check(
    key: &'static str,
    found: impl ToString,
    ok: bool,
    expected: &'static str,
) -> Result<(), InvalidSetting> {
    if ok { Ok(()) } else { Err(InvalidSetting { key, found: found.to_string(), expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_engines_are_distinguishable_by_what_differs() {
        let slow = SimulatorSettings { decode_scale: 1.08, ..SimulatorSettings::default() };
        assert_eq!(slow.apart_from(&SimulatorSettings::default()), "decode_scale=1.08");
        assert_eq!(slow.apart_from(&slow), "");
        let ill = SimulatorSettings {
            faults: Faults { error_rate: 0.5, ..Faults::default() },
            ..SimulatorSettings::default()
        };
        assert_eq!(ill.apart_from(&SimulatorSettings::default()), "faults.error_rate=0.5");
        assert_eq!(SimulatorSettings::default().apart_from(&ill), "faults.error_rate=0.0");
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
        expect_rejected(SimulatorSettings { time_scale: 0.0, ..usual() }, "time_scale");
        expect_rejected(SimulatorSettings { eos_rate: 1.1, ..usual() }, "eos_rate");
        let ill = |faults| SimulatorSettings { faults, ..usual() };
        expect_rejected(ill(Faults { stall_rate: 1.5, ..Faults::default() }), "faults.stall_rate");
        let rates = Faults { error_rate: 0.6, reset_rate: 0.6, ..Faults::default() };
        expect_rejected(ill(rates), "faults");
    }

    #[test]
    fn a_sound_engine_does_not_speak_of_faults() {
        let written = serde_json::to_value(SimulatorSettings::default()).unwrap();
        assert!(written.get("faults").is_none(), "{written}");
        assert_eq!(
            serde_json::from_value::<SimulatorSettings>(written).unwrap(),
            SimulatorSettings::default()
        );
    }
}
