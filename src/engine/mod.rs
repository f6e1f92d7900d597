//! What the client has to know about each kind of engine: how it is asked, how its answer is read, who it is.
//!
//! Nothing here does I/O. The client sends what a [`Wire`] writes and hands it what arrives.
//!
//! A new engine is a file here, and a line in `ENGINES`.

mod counter_names;
mod exposition;
mod http_version;
mod kind;
mod lines;
mod llamacpp;
mod ollama;
mod openai;
mod openai_wire;
mod payload;
mod prompt;
mod refusal;
mod reply;
mod setup_call;
mod sglang;
mod simulator;
mod sse;
mod template;
mod tgi;
mod vllm;
mod wire;

use std::fmt;

use serde_json::Value;

use crate::load::workload::Api;

pub use counter_names::CounterNames;
pub use exposition::NotExposition;
pub use http_version::HttpVersion;
pub use kind::{EngineChoice, EngineKind};
pub use lines::{LineTooLong, Lines};
pub use refusal::refusal;
pub use reply::Reply;
pub use setup_call::{SetupCall, read_progress};
pub use wire::{Ask, Request, Wire};

/// The one list of engines. Where several pass each other's probes, `auto` takes the first.
static ENGINES: &[&dyn Engine] = &[
    &simulator::Simulator,
    &vllm::Vllm,
    &sglang::Sglang,
    &ollama::Ollama,
    &tgi::Tgi,
    &llamacpp::Llamacpp,
    // The others pass for it.
    &openai::Openai,
];

/// One kind of server, as the client sees it.
pub trait Engine: fmt::Debug + Send + Sync {
    /// As files, flags and reports have it.
    fn name(&self) -> &'static str;

    /// How it is asked on this route.
    fn wire(&self, api: Api) -> &'static dyn Wire;

    /// Answers 200 when the engine takes requests.
    fn health_path(&self) -> &'static str {
        "/health"
    }

    /// Where its container images listen, if that is known.
    fn container_port(&self) -> Option<u16> {
        None
    }

    /// The flag by which its container takes the model by name, if there is one.
    fn model_flag(&self) -> Option<&'static str> {
        None
    }

    /// By what `auto` knows it.
    fn probe(&self) -> Probe;

    /// Where the engine says who it is; each answer goes to [`Engine::read_identity`].
    fn identity_paths(&self) -> &'static [&'static str];

    fn read_identity(&self, path: &str, answer: &Value, identity: &mut Identity);

    /// Whether `ignore_eos` fixes the output length; otherwise the length that is asked for is no more than a cap.
    fn fixes_output_length(&self) -> bool;

    /// What it is asked to do before a session, in this order: to get and load its model, to forget what it has seen.
    fn setup_calls(&self, _identity: &Identity) -> Vec<SetupCall> {
        Vec::new()
    }

    /// What helps where requests spend most of their time waiting for their turn.
    fn queueing_hint(&self) -> Option<&'static str> {
        None
    }

    /// Where it shows what it has counted, if it does.
    fn counter_names(&self) -> Option<&'static CounterNames> {
        None
    }
}

/// A question whose answer gives an engine away.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub path: &'static str,
    pub is_mine: fn(&Value) -> bool,
}

/// Who an engine says it is. What it doesn't say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub version: Option<String>,
    /// The model that is asked for, or else the one that it serves.
    pub model: Option<String>,
    /// Of the model, where the engine knows it.
    pub model_digest: Option<String>,
}

impl Identity {
    /// From OpenAI's list of models: the first one, unless it is known which is meant.
    fn read_models(&mut self, answer: &Value) {
        if self.model.is_none() {
            self.model = text(&answer["data"][0]["id"]);
        }
    }
}

/// OpenAI's list of models.
const MODELS: &str = "/v1/models";

/// Whether this is OpenAI's list of models, with such an owner.
fn models_are_owned_by(answer: &Value, owner: &str) -> bool {
    answer["data"][0]["owned_by"] == owner
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
