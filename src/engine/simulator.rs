//! tollgate's simulated engine; its counters have vLLM's names.

use serde_json::Value;

use crate::engine::openai_wire::OpenaiWire;
use crate::engine::{CounterNames, Engine, Identity, MODELS, Probe, Wire, models_are_owned_by, text, vllm};
use crate::load::workload::Api;

#[derive(Debug)]
pub(crate) struct Simulator;

const VERSION: &str = "/version";

impl Engine for Simulator {
    fn name(&self) -> &'static str {
        "simulator"
    }

    fn wire(&self, _: Api) -> &'static dyn Wire {
        &OpenaiWire { knows_ignore_eos: true }
    }

    fn probe(&self) -> Probe {
        Probe { path: MODELS, is_mine: |models| models_are_owned_by(models, "tollgate") }
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

    fn counter_names(&self) -> Option<&'static CounterNames> {
        Some(&vllm::COUNTERS)
    }
}
