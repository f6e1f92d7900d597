//! What the client knows about each engine: how to write requests, read responses, and identify it.
//!
//! Nothing here does I/O. The client sends what a [`Wire`] writes and passes it what arrives.
//!
//! To add an engine, add a file here and a line in `ENGINES`.

mod counter_names;
mod ending;
mod exposition;
mod http_version;
mod kind;
mod lenient;
mod lines;
mod llamacpp;
#[cfg(test)]
mod odd_answers;
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

pub(crate) use counter_names::CounterNames;
pub use http_version::HttpVersion;
pub(crate) use kind::EngineChoice;
pub use kind::EngineKind;
pub(crate) use lines::{LineTooLong, Lines};
pub(crate) use refusal::refusal;
pub(crate) use reply::Reply;
pub(crate) use setup_call::{SetupCall, read_progress};
pub(crate) use wire::{Ask, Request, Wire};

/// The only list of engines. If the probes of several match, `auto` takes the first.
static ENGINES: &[&dyn Engine] = &[
    &simulator::Simulator,
    &vllm::Vllm,
    &sglang::Sglang,
    &ollama::Ollama,
    &tgi::Tgi,
    &llamacpp::Llamacpp,
    // The other engines also look like this one.
    &openai::Openai,
];

/// One engine, as the client sees it.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Its name in files, flags, and reports.
    fn name(&self) -> &'static str;

    /// The API of this route.
    fn wire(&self, api: Api) -> &'static dyn Wire;

    /// A path that returns 200 when the engine accepts requests.
    fn health_path(&self) -> &'static str {
        "/health"
    }

    /// The port that its container images listen on, if known.
    fn container_port(&self) -> Option<u16> {
        None
    }

    /// The flag that passes the model name to its container, if there is one.
    fn model_flag(&self) -> Option<&'static str> {
        None
    }

    /// How `auto` detects it.
    fn probe(&self) -> Probe;

    /// Paths where the engine identifies itself; each response goes to [`Engine::read_identity`].
    fn identity_paths(&self) -> &'static [&'static str];

    fn read_identity(&self, path: &str, answer: &Value, identity: &mut Identity);

    /// Whether `ignore_eos` fixes the output length; otherwise the requested length is only a cap.
    fn fixes_output_length(&self) -> bool;

    /// Calls before a session, in order: to pull and load the model, and to clear caches.
    fn setup_calls(&self, _identity: &Identity) -> Vec<SetupCall> {
        Vec::new()
    }

    /// What to change if requests spend most of their time in the queue.
    fn queueing_hint(&self) -> Option<&'static str> {
        None
    }

    /// Where it exposes its counters, if it does.
    fn counter_names(&self) -> Option<&'static CounterNames> {
        None
    }
}

/// A request whose response identifies an engine.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub path: &'static str,
    pub is_mine: fn(&Value) -> bool,
}

/// Who an engine says it is. Unknown fields are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub version: Option<String>,
    /// The requested model, or else the one that it serves.
    pub model: Option<String>,
    /// Digest of the model, if the engine knows it.
    pub model_digest: Option<String>,
}

impl Identity {
    /// From OpenAI's model list: the first one, unless the model is already known.
    fn read_models(&mut self, answer: &Value) {
        if self.model.is_none() {
            self.model = text(&answer["data"][0]["id"]);
        }
    }
}

/// Path of OpenAI's model list.
const MODELS: &str = "/v1/models";

/// Whether this is OpenAI's model list, with this owner.
fn models_are_owned_by(answer: &Value, owner: &str) -> bool {
    answer["data"][0]["owned_by"] == owner
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
