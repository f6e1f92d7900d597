//! SGLang.

use serde_json::Value;

use crate::engine::openai_wire::OpenaiWire;
use crate::engine::{
    CounterNames, Engine, Identity, MODELS, Probe, SetupCall, Wire, models_are_owned_by, text,
};
use crate::load::workload::Api;

#[derive(Debug)]
pub(crate) struct Sglang;

const SERVER_INFO: &str = "/get_server_info";
/// Its name in newer versions.
const NEW_SERVER_INFO: &str = "/server_info";

/// Only with `--enable-metrics`. It counts a request when the request ends.
static COUNTERS: CounterNames = CounterNames {
    path: "/metrics",
    model_label: Some("model_name"),
    input_tokens: &[&["sglang:prompt_tokens_total"]],
    output_tokens: &["sglang:generation_tokens_total"],
    cached_input_tokens: &["sglang:cached_tokens_total"],
    preemptions: &["sglang:num_retracted_requests_total"],
    times: &[
        (|times| &mut times.queue_ms, &["sglang:queue_time_seconds"]),
        (|times| &mut times.ttft_ms, &["sglang:time_to_first_token_seconds"]),
        (|times| &mut times.itl_ms, &["sglang:inter_token_latency_seconds"]),
        (|times| &mut times.e2e_ms, &["sglang:e2e_request_latency_seconds"]),
    ],
};

impl Engine for Sglang {
    fn name(&self) -> &'static str {
        "sglang"
    }

    fn wire(&self, _: Api) -> &'static dyn Wire {
        &OpenaiWire { knows_ignore_eos: true }
    }

    fn container_port(&self) -> Option<u16> {
        Some(30000)
    }

    fn probe(&self) -> Probe {
        Probe { path: MODELS, is_mine: |models| models_are_owned_by(models, "sglang") }
    }

    fn identity_paths(&self) -> &'static [&'static str] {
        &[MODELS, SERVER_INFO, NEW_SERVER_INFO]
    }

    fn read_identity(&self, path: &str, answer: &Value, identity: &mut Identity) {
        match path {
            MODELS => identity.read_models(answer),
            _ => identity.version = text(&answer["version"]).or(identity.version.take()),
        }
    }

    fn fixes_output_length(&self) -> bool {
        true
    }

    /// It refuses while requests are running, which must then be someone else's.
    fn setup_calls(&self, _: &Identity) -> Vec<SetupCall> {
        let what = "clearing the prefix cache".to_owned();
        vec![SetupCall { what, path: "/flush_cache", body: Value::Null, is_needed: false }]
    }

    fn counter_names(&self) -> Option<&'static CounterNames> {
        Some(&COUNTERS)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metrics::server_side::Mean;

    #[test]
    fn either_of_two_routes_reports_the_version() {
        let mut identity = Identity::default();
        Sglang.read_identity(MODELS, &json!({"data": [{"id": "m", "owned_by": "sglang"}]}), &mut identity);
        Sglang.read_identity(SERVER_INFO, &json!({"version": "0.5.2"}), &mut identity);
        Sglang.read_identity(NEW_SERVER_INFO, &json!({"detail": "Not Found"}), &mut identity);
        assert_eq!((identity.model.as_deref(), identity.version.as_deref()), (Some("m"), Some("0.5.2")));
    }

    #[test]
    fn series_with_more_labels_are_added_up() {
        let metrics = r#"
sglang:prompt_tokens_total{is_streaming="false",model_name="m"} 5.0
sglang:prompt_tokens_total{is_streaming="true",model_name="m"} 7.0
sglang:cached_tokens_total{cache_source="device",model_name="m"} 3.0
sglang:queue_time_seconds_sum{model_name="m"} 0.5
sglang:queue_time_seconds_count{model_name="m"} 2.0
"#;
        let read = COUNTERS.read(metrics, Some("m")).unwrap();
        assert_eq!((read.counts.input_tokens, read.counts.cached_input_tokens), (Some(12), Some(3)));
        assert_eq!(read.times.queue_ms, Mean { count: 2, mean: 250.0 });
    }
}
