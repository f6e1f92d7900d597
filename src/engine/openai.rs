//! Any server with an OpenAI-compatible API: any base URL, key, and headers.

use serde_json::Value;

use crate::engine::openai_wire::OpenaiWire;
use crate::engine::{Engine, Identity, MODELS, Probe, Wire};
use crate::load::workload::Api;

#[derive(Debug)]
pub(crate) struct Openai;

impl Engine for Openai {
    fn name(&self) -> &'static str {
        "openai"
    }

    /// Whether such a server supports `ignore_eos` is unknown, so it is sent on request.
    fn wire(&self, _: Api) -> &'static dyn Wire {
        &OpenaiWire { knows_ignore_eos: true }
    }

    fn health_path(&self) -> &'static str {
        MODELS
    }

    fn probe(&self) -> Probe {
        Probe { path: MODELS, is_mine: |models| models["data"].is_array() }
    }

    fn identity_paths(&self) -> &'static [&'static str] {
        &[MODELS]
    }

    fn read_identity(&self, _: &str, answer: &Value, identity: &mut Identity) {
        identity.read_models(answer);
    }

    fn fixes_output_length(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_model_is_used_unless_one_is_requested() {
        let mut identity = Identity::default();
        Openai.read_identity(MODELS, &json!("nonsense"), &mut identity);
        assert_eq!(identity.model, None);
        Openai.read_identity(MODELS, &json!({"data": [{"id": "tiny"}, {"id": "large"}]}), &mut identity);
        assert_eq!(identity.model.as_deref(), Some("tiny"));
        Openai.read_identity(MODELS, &json!({"data": [{"id": "other"}]}), &mut identity);
        assert_eq!(identity.model.as_deref(), Some("tiny"));
    }
}
