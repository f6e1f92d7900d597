//! Where an engine runs and how to reach it.

mod container;
mod environment;
pub(crate) mod known_regressions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::{EngineChoice, HttpVersion};
use crate::text::secret::Secret;
pub(crate) use container::{ContainerSpec, Gpus, ImageRef, MalformedVolume, Pull, Volume, VolumeSource};
pub(crate) use environment::Environment;

/// One `[targets.NAME]` table of `targets.toml`, validated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetSpec {
    pub name: String,
    pub engine: EngineChoice,
    /// Model name in requests; taken from the endpoint if not given.
    pub model: Option<String>,
    pub http_version: HttpVersion,
    pub place: Place,
    pub proof: ProofPlan,
    /// Why the target is unavailable, if a variable that it needs is not set; its tests are then ignored.
    pub unavailable: Option<String>,
}

/// How to prove a suspicion about this target: old and new in alternation, on this machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProofPlan {
    /// Starts per side before the first verdict; more follow while it is inconclusive.
    pub starts: u32,
    /// No session starts after this much time.
    pub budget: Duration,
    /// Run both engines at once and alternate by rounds, if the machine can hold both.
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
    /// On this machine, in Docker.
    Container(ContainerSpec),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Endpoint {
    /// With or without a trailing `/v1`.
    pub url: String,
    /// URL where the old engine keeps running, for proofs.
    pub old_url: Option<String>,
    /// Name of the environment variable that holds the bearer token.
    pub api_key_env: Option<String>,
    /// Sent with every request.
    pub headers: BTreeMap<String, Secret>,
    /// PEM file of the certificate authorities to trust, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Hardware name for the baselines' folder, as a slug: `l40s`.
    pub hardware: Option<String>,
}

impl Endpoint {
    /// An endpoint without authentication, on unspecified hardware.
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
    /// Whether every session starts its own engine.
    pub fn restarts(&self) -> bool {
        !matches!(self.place, Place::Endpoint(_))
    }

    /// Resolves relative paths against this folder.
    pub fn paths_below(&mut self, folder: &Path) {
        if let Place::Endpoint(Endpoint { ca_file: Some(file), .. }) = &mut self.place {
            *file = folder.join(&file);
        }
    }
}

/// Settings of the simulated engine. The default is deliberately slow, so that even a busy two-core laptop keeps its
/// timing accurate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorSettings {
    /// Reported as the engine's version.
    pub version: String,
    /// Fixed part of a request's prefill time (tokenize, schedule, transfer), before the request is ready for the
    /// batch. It passes outside the batch and delays no other request.
    pub prefill_base_ms: f64,
    /// Prompt tokens that the batch prefills per second. Prefill shares the batch's steps with decoding.
    pub prefill_tokens_per_s: f64,
    /// Maximum prompt tokens per step; longer prompts are prefilled in chunks.
    pub max_step_tokens: u32,
    /// Time of a decoding step for one sequence.
    pub decode_step_ms: f64,
    /// Time that each additional decoding sequence adds to the step.
    pub decode_step_ms_per_seq: f64,
    /// Maximum sequences in the batch; more requests queue.
    pub max_seqs: u32,
    /// How long after its start the engine is not ready (`/health` returns 503, and requests queue).
    pub cold_start_ms: f64,
    /// Standard deviation of a step's time, relative to that time. No step deviates by more than three standard
    /// deviations.
    pub jitter: f64,
    /// Seed of the jitter, together with the number of the start.
    pub seed: u64,
    /// Multiplies every decoding step: 1.08 makes decoding 8 % slower.
    pub decode_scale: f64,
    /// Multiplies every prefill.
    pub prefill_scale: f64,
    /// Multiplies every duration: 0.1 is the same engine, ten times as fast.
    pub time_scale: f64,
    /// KV cache size in tokens of prompts and answers; 0 is unlimited. When the cache is full, the most recent request
    /// is preempted: it frees its tokens, queues again, and has all of its tokens prefilled again.
    pub kv_cache_tokens: u32,
    /// Share of answers that the model ends before the requested length. Requests with `ignore_eos` are exempt; the
    /// native APIs of Ollama and TGI have no such option.
    pub eos_rate: f64,
    /// How long a request that finds the engine idle waits before its prefill, as if a model had to wake up.
    pub wake_ms: f64,
    /// Idle time before `wake_ms` applies; 0 is any pause.
    pub wake_after_ms: f64,
    /// Faults to inject.
    #[serde(skip_serializing_if = "Faults::are_none")]
    pub faults: Faults,
}

/// Faults of a simulated engine; none by default. Shares are of all requests, drawn from the seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Share of requests that fail with HTTP 500.
    pub error_rate: f64,
    /// Share of responses that break off: the connection, or with HTTP/2 the stream, is reset.
    pub reset_rate: f64,
    /// Share of responses that stop halfway and never end, keeping their slot in the batch. `/health` still returns
    /// 200.
    pub stall_rate: f64,
    /// Share of responses with one event that is not valid JSON.
    pub malformed_rate: f64,
    /// Number of requests that the engine accepts; the next one crashes it: all connections break, and no more are
    /// accepted. 0 is never.
    pub crash_after_requests: u32,
    /// Number of requests that the engine accepts; the next one stops all responses permanently, while `/health` still
    /// returns 200. 0 is never.
    pub hang_after_requests: u32,
    /// Number of sequences that decode together without slowdown; 0 is unlimited.
    pub crowd_seqs: u32,
    /// Time that each sequence beyond `crowd_seqs` adds to a decoding step.
    pub crowd_step_ms_per_seq: f64,
    /// A prompt longer than this slows the engine down from then on; 0 is never.
    pub long_prompt_tokens: u32,
    /// How much longer every decoding step takes after such a prompt, as a fraction: 1.0 doubles it.
    pub long_prompt_slowdown: f64,
    /// Whether every additional long prompt adds the same slowdown again.
    pub long_prompt_slowdown_grows: bool,
}

impl Faults {
    /// Whether the engine is healthy.
    pub(crate) fn are_none(&self) -> bool {
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

/// A setting that is out of range.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("simulator setting `{key}` is {found}: expected {expected}")]
pub struct InvalidSetting {
    /// Dotted if it is in a table: `faults.error_rate`.
    pub key: &'static str,
    pub found: String,
    pub expected: &'static str,
}

impl SimulatorSettings {
    /// The settings that differ from another engine's.
    pub(crate) fn apart_from(&self, other: &SimulatorSettings) -> String {
        let other = other.by_key();
        let differing = self.by_key().into_iter().filter(|(key, value)| other.get(key) != Some(value));
        let named: Vec<String> = differing.map(|(key, value)| format!("{key}={value}")).collect();
        named.join(" ")
    }

    /// Every setting by its key, dotted if it is in a table.
    pub(crate) fn by_key(&self) -> BTreeMap<String, toml::Value> {
        let sound = SimulatorSettings { faults: Faults::default(), ..self.clone() };
        let settings = toml::Table::try_from(sound).expect("settings are plain values");
        let faults = toml::Table::try_from(&self.faults).expect("settings are plain values");
        let faults = faults.into_iter().map(|(key, value)| (format!("faults.{key}"), value));
        settings.into_iter().chain(faults).collect()
    }

    /// Whether such an engine can be simulated.
    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
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
        let expected = "from 0 to 0.3: three standard deviations must leave a step some time";
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
        check("faults", together, together <= 1.0, "rates that add up to at most 1")
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
    fn engines_are_described_by_what_differs() {
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
    fn an_engine_without_faults_omits_them() {
        let written = serde_json::to_value(SimulatorSettings::default()).unwrap();
        assert!(written.get("faults").is_none(), "{written}");
        assert_eq!(
            serde_json::from_value::<SimulatorSettings>(written).unwrap(),
            SimulatorSettings::default()
        );
    }
}
