//! The output of `/metrics`: the same counters under every engine's names.

use std::fmt::Write;

use crate::simulator::metrics::{Histogram, Metrics};

/// The Prometheus text.
pub(crate) fn render(metrics: &Metrics, model: &str) -> String {
    let model = format!("model_name=\"{}\"", escape_label(model));
    let mut out = String::with_capacity(16 << 10);
    vllm(
        metrics,
        &mut ExpositionFamily { prefix: "vllm:", first: "engine=\"0\"", last: &model, out: &mut out },
    );
    sglang(metrics, &mut ExpositionFamily { prefix: "sglang:", first: "", last: &model, out: &mut out });
    llamacpp(metrics, &mut ExpositionFamily { prefix: "llamacpp:", first: "", last: "", out: &mut out });
    tgi(metrics, &mut ExpositionFamily { prefix: "tgi_", first: "", last: "", out: &mut out });
    out
}

fn vllm(metrics: &Metrics, family: &mut ExpositionFamily) {
    family.gauge("num_requests_running", metrics.running as f64);
    family.gauge("num_requests_waiting", metrics.waiting as f64);
    family.gauge("kv_cache_usage_perc", metrics.kv_cache_usage);
    family.counter("num_preemptions_total", metrics.preemptions);
    family.counter("prompt_tokens_total", metrics.prompt_tokens);
    family.counter("generation_tokens_total", metrics.generation_tokens);
    family.head("request_success_total", "counter");
    let reasons =
        [("stop", metrics.stopped), ("length", metrics.finished_by_length), ("abort", metrics.aborted)];
    for (reason, count) in reasons {
        family.sample("request_success_total", &format!("finished_reason=\"{reason}\""), count as f64);
    }
    family.histogram("request_prompt_tokens", &metrics.prompt_lengths);
    family.histogram("request_generation_tokens", &metrics.answer_lengths);
    family.histogram("time_to_first_token_seconds", &metrics.time_to_first_token);
    family.histogram("inter_token_latency_seconds", &metrics.inter_token_latency);
    family.histogram("request_time_per_output_token_seconds", &metrics.time_per_output_token);
    family.histogram("e2e_request_latency_seconds", &metrics.e2e_latency);
    family.histogram("request_queue_time_seconds", &metrics.queue_time);
    family.histogram("request_prefill_time_seconds", &metrics.prefill_time);
    family.histogram("request_decode_time_seconds", &metrics.decode_time);
    family.histogram("request_inference_time_seconds", &metrics.inference_time);
}

fn sglang(metrics: &Metrics, family: &mut ExpositionFamily) {
    family.gauge("num_running_reqs", metrics.running as f64);
    family.gauge("num_queue_reqs", metrics.waiting as f64);
    family.gauge("token_usage", metrics.kv_cache_usage);
    family.counter("num_retracted_requests_total", metrics.preemptions);
    family.counter("prompt_tokens_total", metrics.prompt_tokens);
    family.counter("generation_tokens_total", metrics.generation_tokens);
    family.histogram("time_to_first_token_seconds", &metrics.time_to_first_token);
    family.histogram("inter_token_latency_seconds", &metrics.inter_token_latency);
    family.histogram("e2e_request_latency_seconds", &metrics.e2e_latency);
    family.histogram("queue_time_seconds", &metrics.queue_time);
}

fn llamacpp(metrics: &Metrics, family: &mut ExpositionFamily) {
    family.counter("prompt_tokens_total", metrics.prompt_tokens);
    family.counter("prompt_tokens_cached_total", 0);
    family.counter("tokens_predicted_total", metrics.generation_tokens);
    family.gauge("requests_processing", metrics.running as f64);
    family.gauge("requests_deferred", metrics.waiting as f64);
}

fn tgi(metrics: &Metrics, family: &mut ExpositionFamily) {
    family.gauge("queue_size", metrics.waiting as f64);
    family.gauge("batch_current_size", metrics.running as f64);
    family.counter("request_success", metrics.finished_by_length + metrics.stopped);
    family.histogram("request_input_length", &metrics.prompt_lengths);
    family.histogram("request_generated_tokens", &metrics.answer_lengths);
    family.histogram("request_queue_duration", &metrics.queue_time);
    family.histogram("request_inference_duration", &metrics.inference_time);
    family.histogram("request_duration", &metrics.e2e_latency);
}

/// One engine's names and labels.
struct ExpositionFamily<'a> {
    prefix: &'static str,
    /// Labels before and after a sample's own; Prometheus clients sort them.
    first: &'static str,
    last: &'a str,
    out: &'a mut String,
}

impl ExpositionFamily<'_> {
    fn gauge(&mut self, name: &str, value: f64) {
        self.head(name, "gauge");
        self.sample(name, "", value);
    }

    fn counter(&mut self, name: &str, value: u64) {
        self.head(name, "counter");
        self.sample(name, "", value as f64);
    }

    fn histogram(&mut self, name: &str, histogram: &Histogram) {
        self.head(name, "histogram");
        let bucket = format!("{name}_bucket");
        for (bound, cumulated) in histogram.buckets() {
            self.sample(&bucket, &format!("le=\"{bound}\""), cumulated as f64);
        }
        self.sample(&format!("{name}_count"), "", histogram.count() as f64);
        self.sample(&format!("{name}_sum"), "", histogram.sum);
    }

    fn head(&mut self, name: &str, kind: &str) {
        let _ = writeln!(self.out, "# TYPE {}{name} {kind}", self.prefix);
    }

    fn sample(&mut self, name: &str, label: &str, value: f64) {
        let labels: Vec<&str> =
            [self.first, label, self.last].into_iter().filter(|label| !label.is_empty()).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.out, "{}{name}{labels} {value:?}", self.prefix);
    }
}

fn escape_label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineKind;

    #[test]
    fn samples_have_their_engines_format() {
        let text =
            render(&Metrics { prompt_tokens: 785, finished_by_length: 33, ..Metrics::new() }, "tiny-llama");
        for line in [
            "# TYPE vllm:prompt_tokens_total counter",
            "vllm:prompt_tokens_total{engine=\"0\",model_name=\"tiny-llama\"} 785.0",
            "vllm:request_success_total{engine=\"0\",finished_reason=\"length\",model_name=\"tiny-llama\"} 33.0",
            "vllm:e2e_request_latency_seconds_bucket{engine=\"0\",le=\"+Inf\",model_name=\"tiny-llama\"} 0.0",
            "sglang:prompt_tokens_total{model_name=\"tiny-llama\"} 785.0",
            "llamacpp:prompt_tokens_total 785.0",
            "tgi_request_success 33.0",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
        }
    }

    #[test]
    fn every_engine_finds_its_counters() {
        let mut metrics = Metrics { prompt_tokens: 7, generation_tokens: 5, ..Metrics::new() };
        metrics.prompt_lengths.record_tokens(7);
        metrics.answer_lengths.record_tokens(5);
        metrics.e2e_latency.record_ns(2_000_000_000);
        let text = render(&metrics, "a\"b\\c");
        for kind in EngineKind::all() {
            let Some(counters) = kind.counter_names() else { continue };
            let read = counters.read(&text, Some("a\"b\\c")).unwrap();
            let counts = (read.counts.input_tokens, read.counts.output_tokens);
            assert_eq!(counts, (Some(7), Some(5)), "{}", kind.name());
            assert!(read.times.e2e_ms.is_empty() || read.times.e2e_ms.mean == 2000.0, "{}", kind.name());
        }
    }
}
