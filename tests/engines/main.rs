//! Every engine's client against the simulated engine, which speaks every engine's API, through the real binary.

mod bench;
#[path = "../common/mod.rs"]
mod common;
mod gateway;
mod http2;
mod tls;
mod workers;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use tempfile::TempDir;
use tollgate::internals::EngineKind;
use tollgate::internals::Latency;
use tollgate::internals::Report;
use tollgate::internals::ServerTimes;
use tollgate::internals::TokenCount;

use common::{EngineProcess, Outcome};

const QUICK: [&str; 4] = ["prefill_base_ms=20", "decode_step_ms=4", "cold_start_ms=0", "version=9.8.7"];
const REQUESTS: u64 = 8;
const OUTPUT_TOKENS: u64 = 12;

/// A measurement by `tollgate bench`, and the files it leaves.
struct Bench {
    outcome: Outcome,
    /// As it was written.
    json: String,
}

impl Bench {
    fn run(engine: &EngineProcess, arguments: &[&str]) -> Bench {
        Bench::asking(REQUESTS, engine, arguments)
    }

    fn asking(requests: u64, engine: &EngineProcess, arguments: &[&str]) -> Bench {
        Bench::at(&engine.url, requests, arguments)
    }

    fn at(url: &str, requests: u64, arguments: &[&str]) -> Bench {
        let folder = TempDir::new().unwrap();
        let json = folder.path().join("report.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(["bench", "--url", url, "--concurrency", "4", "--ignore-eos", "--input-tokens", "16"]);
        command.args(["--requests", &requests.to_string(), "--max-tokens", &OUTPUT_TOKENS.to_string()]);
        let outcome = Outcome::of(command.args(arguments).arg("--json").arg(&json));
        Bench { outcome, json: fs::read_to_string(json).unwrap_or_default() }
    }

    fn report(&self) -> Report {
        self.outcome.assert_exit(0);
        serde_json::from_str(&self.json).unwrap_or_else(|error| panic!("{error}\n{}", self.json))
    }
}

fn times(report: &Report) -> ServerTimes {
    report.sessions[0].server.unwrap_or_default().times
}

fn mean_ms(report: &Report, latency: Latency) -> f64 {
    report.summary.distribution(latency).mean_ms()
}

#[test]
fn every_engine_is_driven_through_its_own_api() {
    let engine = EngineProcess::start(&QUICK);
    for kind in EngineKind::all() {
        for api in ["chat", "completions"] {
            for streamed in [true, false] {
                let mode: &[&str] = if streamed { &[] } else { &["--no-stream"] };
                let arguments = [&["--engine", kind.name(), "--api", api], mode].concat();
                let report = Bench::run(&engine, &arguments).report();
                let what = format!("{arguments:?}: {report:#?}");
                let summary = &report.summary;
                assert_eq!(summary.requests.succeeded, REQUESTS, "{what}");
                assert_eq!(summary.requests.ended_by_length, REQUESTS, "{what}");
                assert_eq!(summary.output_tokens, REQUESTS * OUTPUT_TOKENS, "{what}");
                assert_eq!(summary.tokens_counted_by, Some(TokenCount::Usage), "{what}");
                assert_eq!(summary.input_tokens, REQUESTS * 16, "{what}");
                assert_eq!(summary.ttft_ms.count(), if streamed { REQUESTS } else { 0 }, "{what}");
                assert!(mean_ms(&report, Latency::E2e) >= 20.0 + 11.0 * 4.0 * 0.9, "{what}");
                assert_eq!(report.warnings, [""; 0], "{what}");
            }
        }
    }
}

#[test]
fn every_engine_is_identified_as_far_as_possible() {
    let engine = EngineProcess::start(&QUICK);
    for kind in EngineKind::all() {
        let report = Bench::asking(4, &engine, &["--engine", kind.name()]).report();
        let environment = report.environment.unwrap();
        let version = if kind == EngineKind::OPENAI { "of unknown version" } else { "9.8.7" };
        assert_eq!(environment.engine, format!("{} {version}", kind.name()));
        assert!(environment.model.starts_with("simulated"), "{environment:?}");
        let tells_a_digest = ["ollama", "tgi"].contains(&kind.name());
        assert_eq!(environment.model.contains('@'), tells_a_digest, "{environment:?}");
    }
}

#[test]
fn an_engines_counters_match_its_responses() {
    let engine = EngineProcess::start(&QUICK);
    for kind in EngineKind::all().filter(|kind| kind.counter_names().is_some()) {
        // The engine also counts the warm-up, which does not belong to the session.
        let bench = Bench::run(&engine, &["--engine", kind.name(), "--warmup", "50ms"]);
        let report = bench.report();
        let counts = report.sessions[0].server.unwrap().counts;
        let counted = (counts.input_tokens, counts.output_tokens);
        let reported = (report.summary.input_tokens, report.summary.output_tokens);
        assert_eq!(counted, (Some(reported.0), Some(reported.1)), "{}", kind.name());
        bench.outcome.assert_says(&format!(
            "The engine counted {} input and {} output tokens.",
            reported.0, reported.1
        ));
    }
}

/// The client sees each event after the server, so its times are longer on any machine.
#[test]
fn the_engines_own_times_are_shown_next_to_ours() {
    let engine = EngineProcess::start(&QUICK);
    for (kind, api, mode) in [
        ("vllm", "chat", &[][..]),
        ("llamacpp", "chat", &[]),
        ("ollama", "chat", &[]),
        ("ollama", "completions", &[]),
        ("tgi", "completions", &[]),
        ("tgi", "completions", &["--no-stream"]),
    ] {
        let arguments = [&["--engine", kind, "--api", api], mode].concat();
        let report = Bench::run(&engine, &arguments).report();
        let times = times(&report);
        let reported: Vec<&str> =
            times.named().into_iter().filter(|(_, mean)| !mean.is_empty()).map(|(name, _)| name).collect();
        let what = format!("{arguments:?} reported {reported:?}");
        let (ttft_ms, e2e_ms) = (mean_ms(&report, Latency::Ttft), mean_ms(&report, Latency::E2e));
        assert!(times.named().into_iter().all(|(_, mean)| mean.mean <= e2e_ms), "{what}");
        match kind {
            "tgi" => {
                assert_eq!(reported, ["queue_ms", "inference_ms", "e2e_ms"], "{what}");
                assert!(times.inference_ms.mean >= 60.0, "{what}: {times:?}");
            }
            _ => {
                assert_eq!((times.prefill_ms.count, times.decode_ms.count), (REQUESTS, REQUESTS), "{what}");
                assert!(
                    times.prefill_ms.mean >= 20.0 && times.prefill_ms.mean <= ttft_ms,
                    "{what}: {times:?}"
                );
                assert!(times.decode_ms.mean >= 11.0 * 4.0 * 0.9, "{what}: {times:?}");
            }
        }
    }
}

#[test]
fn tokens_for_other_clients_cause_a_warning() {
    let engine = EngineProcess::start(&QUICK);
    let url = engine.url.clone();
    let other = thread::spawn(move || {
        // Continues until some of it surely overlapped the other measurement.
        for _ in 0..40 {
            let address = url.strip_prefix("http://").unwrap();
            let mut stream = TcpStream::connect(address).unwrap();
            let body = r#"{"prompt":"a b c","max_tokens":3}"#;
            let length = body.len();
            let head = format!(
                "POST /v1/completions HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}"
            );
            write!(stream, "{head}\r\n\r\n{body}").unwrap();
            stream.read_to_string(&mut String::new()).unwrap();
        }
    });
    let report = Bench::asking(40, &engine, &["--engine", "vllm"]).report();
    other.join().unwrap();
    let warning = report.warnings.first().expect("a warning");
    assert!(warning.contains("output tokens where its answers reported 480"), "{warning}");
    assert!(warning.ends_with("it may have served other clients too"), "{warning}");
}

#[test]
fn the_engine_is_detected_if_none_is_named() {
    let engine = EngineProcess::start(&QUICK);
    let environment = Bench::run(&engine, &[]).report().environment.unwrap();
    assert_eq!(environment.engine, "simulator 9.8.7");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    // Nothing listens there, and no other test can get that port.
    let failed = Outcome::of(command.args(["bench", "--url", "http://127.0.0.1:1"]));
    failed.assert_exit(4).assert_complains("can't detect the engine at ").assert_complains("/v1/models: ");
}

#[test]
fn ollama_pulls_a_missing_model() {
    let engine = EngineProcess::start(&QUICK);
    let arguments = ["--engine", "ollama", "--model", "qwen3:8b"];
    let environment = Bench::run(&engine, &arguments).report().environment.unwrap();
    let (model, digest) = environment.model.split_once('@').unwrap();
    assert_eq!((model, digest.len()), ("qwen3:8b", 12));
    // Other engines report that they don't have it.
    let refused = Bench::run(&engine, &["--engine", "vllm", "--model", "qwen3:8b"]);
    refused.outcome.assert_exit(4).assert_complains("HTTP 404: The model `qwen3:8b` does not exist");
}

#[test]
fn answers_that_end_early_cause_a_warning() {
    let engine = EngineProcess::start(&[&QUICK[..], &["eos_rate=0.5"]].concat());
    let warned = |kind: &str| Bench::asking(40, &engine, &["--engine", kind]).report().warnings;
    assert_eq!(warned("vllm"), [""; 0], "ignore_eos prevents it");
    let warnings = warned("ollama");
    let warning = warnings.first().expect("a warning");
    assert!(warning.contains("of the answers had the requested length"), "{warning}");
    assert!(warning.ends_with("it treats the length as a cap"), "{warning}");
}

#[test]
fn no_output_shows_a_headers_value() {
    let engine = EngineProcess::start(&QUICK);
    let bench =
        Bench::run(&engine, &["--header", "X-Key: s3cret", "--header", "Authorization: Basic s3cret"]);
    bench.report();
    assert!(!bench.json.contains("s3cret") && !bench.outcome.to_string().contains("s3cret"));
    let refused = Bench::run(&engine, &["--header", "X Key: s3cret"]);
    refused.outcome.assert_exit(4).assert_complains("`X Key` is not a valid HTTP header name");
    assert!(!refused.outcome.to_string().contains("s3cret"), "{}", refused.outcome);
}
