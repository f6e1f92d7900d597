//! llama.cpp's server.

use serde_json::Value;

use crate::engine::openai_wire::OpenaiWire;
use crate::engine::{CounterNames, Engine, Identity, MODELS, Probe, Wire, models_are_owned_by, text};
use crate::load::workload::Api;

#[derive(Debug)]
pub(crate) struct Llamacpp;

const PROPS: &str = "/props";

/// Its name for a build from sources without their git history.
const UNKNOWN_BUILD: &str = "b0-unknown";

/// Only with `--metrics`. Every response carries the server's times.
static COUNTERS: CounterNames = CounterNames {
    path: "/metrics",
    model_label: None,
    // Cached prompt tokens do not count as processed ones.
    input_tokens: &[&["llamacpp:prompt_tokens_total"], &["llamacpp:prompt_tokens_cached_total"]],
    output_tokens: &["llamacpp:tokens_predicted_total"],
    cached_input_tokens: &["llamacpp:prompt_tokens_cached_total"],
    preemptions: &[],
    times: &[],
};

impl Engine for Llamacpp {
    fn name(&self) -> &'static str {
        "llamacpp"
    }

    fn wire(&self, _: Api) -> &'static dyn Wire {
        &OpenaiWire { knows_ignore_eos: true }
    }

    fn container_port(&self) -> Option<u16> {
        Some(8080)
    }

    fn probe(&self) -> Probe {
        Probe { path: MODELS, is_mine: |models| models_are_owned_by(models, "llamacpp") }
    }

    fn identity_paths(&self) -> &'static [&'static str] {
        &[MODELS, PROPS]
    }

    fn read_identity(&self, path: &str, answer: &Value, identity: &mut Identity) {
        match path {
            PROPS => identity.version = text(&answer["build_info"]).filter(|build| build != UNKNOWN_BUILD),
            _ => identity.read_models(answer),
        }
    }

    fn fixes_output_length(&self) -> bool {
        true
    }

    fn counter_names(&self) -> Option<&'static CounterNames> {
        Some(&COUNTERS)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prompt_tokens_include_cached_ones() {
        let metrics = "llamacpp:prompt_tokens_total 839\nllamacpp:prompt_tokens_cached_total 96\n\
                       llamacpp:tokens_predicted_total 3002\n";
        let counts = COUNTERS.read(metrics, Some("gemma")).unwrap().counts;
        assert_eq!((counts.input_tokens, counts.output_tokens), (Some(935), Some(3002)));
    }

    #[test]
    fn an_unknown_build_is_not_a_version() {
        let mut identity = Identity::default();
        Llamacpp.read_identity(PROPS, &json!({"build_info": "b1-x"}), &mut identity);
        assert_eq!(identity.version.as_deref(), Some("b1-x"));
        Llamacpp.read_identity(PROPS, &json!({"build_info": "b0-unknown"}), &mut identity);
        assert_eq!(identity.version, None);
    }
}
