//! What `/metrics` shows, in vLLM's names and shape.

use std::fmt::Write;

use crate::record::Nanos;

/// Counted in model time: what an engine as modelled would have measured of itself.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub running: usize,
    pub waiting: usize,
    /// The share of the KV cache that is held.
    pub kv_cache_usage: f64,
    pub preemptions: u64,
    pub prompt_tokens: u64,
    pub generation_tokens: u64,
    pub finished_by_length: u64,
    pub aborted: u64,
    pub time_to_first_token: Histogram,
    pub inter_token_latency: Histogram,
    pub e2e_latency: Histogram,
}

/// A Prometheus histogram of seconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    upper_bounds_s: &'static [f64],
    /// One more than there are bounds: the last is beyond all of them.
    counts: Vec<u64>,
    sum_s: f64,
}

const TIME_TO_FIRST_TOKEN_S: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
    80.0, 160.0, 640.0, 2560.0,
];
const INTER_TOKEN_LATENCY_S: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
];
const E2E_LATENCY_S: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0,
    960.0, 1920.0, 7680.0,
];

impl Metrics {
    pub fn new() -> Metrics {
        Metrics {
            running: 0,
            waiting: 0,
            kv_cache_usage: 0.0,
            preemptions: 0,
            prompt_tokens: 0,
            generation_tokens: 0,
            finished_by_length: 0,
            aborted: 0,
            time_to_first_token: Histogram::new(TIME_TO_FIRST_TOKEN_S),
            inter_token_latency: Histogram::new(INTER_TOKEN_LATENCY_S),
            e2e_latency: Histogram::new(E2E_LATENCY_S),
        }
    }

    /// The Prometheus text.
    pub fn render(&self, model: &str) -> String {
        let mut text = Exposition { model: escape_label(model), out: String::new() };
        let help = "Number of requests in model execution batches.";
        text.gauge("num_requests_running", help, self.running as f64);
        text.gauge(
            "num_requests_waiting",
            "Number of requests waiting to be processed.",
            self.waiting as f64,
        );
        let help = "KV-cache usage. 1 means 100 percent usage.";
        text.gauge("kv_cache_usage_perc", help, self.kv_cache_usage);
        let help = "Cumulative number of preemption from the engine.";
        text.counter("num_preemptions_total", help, self.preemptions);
        text.counter("prompt_tokens_total", "Number of prefill tokens processed.", self.prompt_tokens);
        let help = "Number of generation tokens processed.";
        text.counter("generation_tokens_total", help, self.generation_tokens);
        text.head("request_success_total", "Count of successfully processed requests.", "counter");
        for (reason, count) in [("stop", 0), ("length", self.finished_by_length), ("abort", self.aborted)] {
            let labels = format!("finished_reason=\"{reason}\",");
            text.sample("request_success_total", &labels, count as f64);
        }
        let help = "Histogram of time to first token in seconds.";
        text.histogram("time_to_first_token_seconds", help, &self.time_to_first_token);
        let help = "Histogram of inter-token latency in seconds.";
        text.histogram("inter_token_latency_seconds", help, &self.inter_token_latency);
        let help = "Histogram of e2e request latency in seconds.";
        text.histogram("e2e_request_latency_seconds", help, &self.e2e_latency);
        text.out
    }
}

impl Histogram {
    fn new(upper_bounds_s: &'static [f64]) -> Histogram {
        Histogram { upper_bounds_s, counts: vec![0; upper_bounds_s.len() + 1], sum_s: 0.0 }
    }

    pub fn record(&mut self, elapsed_ns: Nanos) {
        let elapsed_s = elapsed_ns as f64 / 1e9;
        let bucket = self.upper_bounds_s.partition_point(|bound_s| *bound_s < elapsed_s);
        self.counts[bucket] += 1;
        self.sum_s += elapsed_s;
    }
}

struct Exposition {
    model: String,
    out: String,
}

impl Exposition {
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        self.sample(name, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.sample(name, "", value as f64);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, help, "histogram");
        let bucket = format!("{name}_bucket");
        let mut cumulated = 0;
        let bounds = histogram.upper_bounds_s.iter().map(|bound| format!("{bound:?}"));
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.counts) {
            cumulated += count;
            self.sample(&bucket, &format!("le=\"{bound}\","), cumulated as f64);
        }
        self.sample(&format!("{name}_count"), "", cumulated as f64);
        self.sample(&format!("{name}_sum"), "", histogram.sum_s);
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = write!(self.out, "# HELP vllm:{name} {help}\n# TYPE vllm:{name} {kind}\n");
    }

    /// `labels` come between `engine` and `model_name`: vLLM sorts them.
    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let model = &self.model;
        let _ = writeln!(self.out, "vllm:{name}{{engine=\"0\",{labels}model_name=\"{model}\"}} {value:?}");
    }
}

fn escape_label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_shape_of_vllms() {
        let text =
            Metrics { prompt_tokens: 785, finished_by_length: 33, ..Metrics::new() }.render("tiny-llama");
        for line in [
            "# TYPE vllm:prompt_tokens_total counter",
            "vllm:prompt_tokens_total{engine=\"0\",model_name=\"tiny-llama\"} 785.0",
            "vllm:request_success_total{engine=\"0\",finished_reason=\"length\",model_name=\"tiny-llama\"} 33.0",
            "vllm:e2e_request_latency_seconds_bucket{engine=\"0\",le=\"+Inf\",model_name=\"tiny-llama\"} 0.0",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
        }
    }

    #[test]
    fn buckets_cumulate_and_hold_their_upper_bound() {
        let mut metrics = Metrics::new();
        for elapsed_ms in [1, 10, 11] {
            metrics.inter_token_latency.record(elapsed_ms * 1_000_000);
        }
        let text = metrics.render("m");
        let sample = |end: &str| {
            let name = format!("vllm:inter_token_latency_seconds_{end} ");
            text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse::<f64>().unwrap()
        };
        assert_eq!(sample("bucket{engine=\"0\",le=\"0.01\",model_name=\"m\"}"), 2.0);
        assert_eq!(sample("bucket{engine=\"0\",le=\"0.025\",model_name=\"m\"}"), 3.0);
        assert_eq!(sample("count{engine=\"0\",model_name=\"m\"}"), 3.0);
        assert!((sample("sum{engine=\"0\",model_name=\"m\"}") - 0.022).abs() < 1e-12);
    }

    #[test]
    fn a_models_name_cannot_break_the_text() {
        let text = Metrics::new().render("a\"b\\c");
        assert!(text.contains(r#"model_name="a\"b\\c"} 0.0"#));
    }
}
