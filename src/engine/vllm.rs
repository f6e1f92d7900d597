//! vLLM.

use serde_json::Value;

use crate::engine::openai_wire::OpenaiWire;
use crate::engine::{Engine, Identity, MODELS, Sign, Wire, models_are_owned_by, text};
use crate::workload::Api;

#[derive(Debug)]
pub struct Vllm;

const VERSION: &str = "/version";

impl Engine for Vllm {
    fn name(&self) -> &'static str {
        "vllm"
    }

    fn wire(&self, _: Api) -> &'static dyn Wire {
        &OpenaiWire { knows_ignore_eos: true }
    }

    fn container_port(&self) -> Option<u16> {
        Some(8000)
    }

    fn sign(&self) -> Sign {
        Sign { path: MODELS, is_mine: |models| models_are_owned_by(models, "vllm") }
    }

    fn identity_paths(&self) -> &'static [&'static str] {
        &[MODELS, VERSION]
    }

    fn read_identity(&self, path: &str, answer: &Value, identity: &mut Identity) {
        match path {
            VERSION => identity.version = text(&answer["version"]),
            _ => identity.read_models(answer),
        }
    }

    fn fixes_output_length(&self) -> bool {
        true
    }
}
