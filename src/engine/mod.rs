//! What the client has to know about each kind of engine: how to ask it, how to read its answer, who it is.
//!
//! Nothing here does I/O. The client sends what [`Engine::request`] gives and hands what arrives to [`Engine::read_piece`].

mod lines;
mod openai;
mod payload;
mod reply;

use std::sync::Arc;

use serde_json::Value;

use crate::record::{Failure, Nanos};
use crate::target::EngineKind;
use crate::workload::{Api, Prompt, Sampling, Workload};

pub use openai::refusal;
pub use reply::Reply;

/// One kind of server, as the client sees it.
pub trait Engine: Send + Sync {
    fn kind(&self) -> EngineKind;

    fn request(&self, ask: &Ask) -> Request;

    /// Takes in a piece of a streamed answer that arrived at a moment. Pieces may cut events anywhere.
    fn read_piece(&self, piece: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure>;

    /// Takes note that a streamed answer is over.
    fn read_end(&self, at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure>;

    /// Takes in an answer that came as a whole.
    fn read_whole(&self, body: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure>;

    /// Answers 200 when the engine takes requests.
    fn health_path(&self) -> &'static str;

    /// Where the engine says who it is; each answer goes to [`Engine::read_identity`].
    fn identity_paths(&self) -> &'static [&'static str];

    fn read_identity(&self, path: &str, answer: &Value, identity: &mut Identity);

    /// Whether `ignore_eos` is known to fix the output length.
    fn forces_output_length(&self) -> bool;
}

/// What is asked of an engine, apart from how it is written on its wire.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub api: Api,
    pub stream: bool,
    pub model: Option<&'a str>,
    pub prompt: &'a Prompt,
    pub output_tokens: u32,
    pub ignore_eos: bool,
    pub sampling: Sampling,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Below the target's base URL.
    pub path: &'static str,
    pub body: Vec<u8>,
}

/// Who an engine says it is. What it doesn't say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub version: Option<String>,
    pub model: Option<String>,
}

/// The one list of engines.
pub fn engine(kind: EngineKind) -> Arc<dyn Engine> {
    Arc::new(match kind {
        EngineKind::Simulator => openai::SIMULATOR,
        EngineKind::Openai => openai::OPENAI,
        EngineKind::Vllm => openai::VLLM,
        EngineKind::Llamacpp => openai::LLAMACPP,
    })
}

impl<'a> Ask<'a> {
    pub fn new(workload: &Workload, model: Option<&'a str>, prompt: &'a Prompt) -> Ask<'a> {
        Ask {
            api: workload.api,
            stream: workload.stream,
            model,
            prompt,
            output_tokens: workload.output_tokens,
            ignore_eos: workload.ignore_eos,
            sampling: workload.sampling,
        }
    }
}
