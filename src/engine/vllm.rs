//! vLLM.

use serde_json::Value;

use crate::engine::openai_wire::OpenaiWire;
use crate::engine::{
    CounterNames, Engine, Identity, MODELS, Probe, SetupCall, Wire, models_are_owned_by, text,
};
use crate::load::workload::Api;

#[derive(Debug)]
pub(crate) struct Vllm;

const VERSION: &str = "/version";

/// `gpu_prefix_cache_hits_total`, from versions before 0.10, counted blocks, so it is no alias of today's token
/// counter.
pub(super) static COUNTERS: CounterNames = CounterNames {
    path: "/metrics",
    model_label: Some("model_name"),
    input_tokens: &[&["vllm:prompt_tokens_total"]],
    output_tokens: &["vllm:generation_tokens_total"],
    cached_input_tokens: &["vllm:prompt_tokens_cached_total", "vllm:prefix_cache_hits_total"],
    preemptions: &["vllm:num_preemptions_total"],
    times: &[
        (|times| &mut times.queue_ms, &["vllm:request_queue_time_seconds"]),
        (|times| &mut times.prefill_ms, &["vllm:request_prefill_time_seconds"]),
        (|times| &mut times.decode_ms, &["vllm:request_decode_time_seconds"]),
        (|times| &mut times.inference_ms, &["vllm:request_inference_time_seconds"]),
        (|times| &mut times.ttft_ms, &["vllm:time_to_first_token_seconds"]),
        (|times| &mut times.tpot_ms, &["vllm:request_time_per_output_token_seconds"]),
        (
            |times| &mut times.itl_ms,
            &["vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"],
        ),
        (|times| &mut times.e2e_ms, &["vllm:e2e_request_latency_seconds"]),
    ],
};

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

    fn model_flag(&self) -> Option<&'static str> {
        Some("--model")
    }

    fn probe(&self) -> Probe {
        Probe { path: MODELS, is_mine: |models| models_are_owned_by(models, "vllm") }
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

    /// Only in its development mode; otherwise the route does not exist.
    fn setup_calls(&self, _: &Identity) -> Vec<SetupCall> {
        let what = "clearing the prefix cache".to_owned();
        vec![SetupCall { what, path: "/reset_prefix_cache", body: Value::Null, is_needed: false }]
    }

    fn counter_names(&self) -> Option<&'static CounterNames> {
        Some(&COUNTERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::server_side::Mean;

    /// Modeled on a real server's output, including labels.
    const METRICS: &str = r#"
# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="tiny"} 40.0
vllm:generation_tokens_total{engine="0",model_name="tiny"} 96.0
vllm:prefix_cache_hits_total{engine="0",model_name="tiny"} 16.0
vllm:num_preemptions_total{engine="0",model_name="tiny"} 1.0
vllm:request_decode_time_seconds_bucket{engine="0",le="+Inf",model_name="tiny"} 3.0
vllm:request_decode_time_seconds_count{engine="0",model_name="tiny"} 3.0
vllm:request_decode_time_seconds_sum{engine="0",model_name="tiny"} 1.5
"#;

    #[test]
    fn counters_and_times_are_read() {
        let read = COUNTERS.read(METRICS, Some("tiny")).unwrap();
        assert_eq!((read.counts.input_tokens, read.counts.output_tokens), (Some(40), Some(96)));
        assert_eq!((read.counts.cached_input_tokens, read.counts.preemptions), (Some(16), Some(1)));
        assert_eq!(read.times.decode_ms, Mean { count: 3, mean: 500.0 });
    }

    #[test]
    fn renamed_metrics_are_found_in_older_versions() {
        let old = "vllm:time_per_output_token_seconds_sum{model_name=\"m\"} 2.0\n\
                   vllm:time_per_output_token_seconds_count{model_name=\"m\"} 100.0\n";
        assert_eq!(COUNTERS.read(old, Some("m")).unwrap().times.itl_ms, Mean { count: 100, mean: 20.0 });
    }
}
