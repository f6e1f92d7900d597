//! Compares the client's timestamps with the simulated engine's.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tollgate::internals::Distribution;
use tollgate::internals::PromptSampler;
use tollgate::internals::RequestRecord;
use tollgate::internals::Simulator;
use tollgate::internals::SimulatorSettings;
use tollgate::internals::Workload;
use tollgate::internals::{Access, Cancel, Client, ClientSettings, Progress, Watch};
use tollgate::internals::{EngineKind, HttpVersion};
use tollgate::internals::{Load, StopCondition};
use tollgate::internals::{RequestTruth, Truth};

const USERS: u32 = 16;
const OUTPUT_TOKENS: u32 = 24;
const TTFT_MS: f64 = 100.0;
const STEP_MS: f64 = 20.0;

fn simulator() -> Simulator {
    let settings = SimulatorSettings {
        prefill_base_ms: TTFT_MS,
        decode_step_ms: STEP_MS,
        cold_start_ms: 0.0,
        ..SimulatorSettings::default()
    };
    Simulator::start(settings, 0, "127.0.0.1:0".parse().unwrap()).unwrap()
}

fn round(simulator: &Simulator, http_version: HttpVersion) -> Vec<RequestRecord> {
    let workload = Workload::synthetic(64, OUTPUT_TOKENS);
    let settings = ClientSettings {
        access: Access { http_version, ..Access::to(format!("http://{}", simulator.addr())) },
        engine: EngineKind::SIMULATOR,
        model: None,
        request_timeout: Duration::from_secs(60),
    };
    let mut client = Client::new(settings).unwrap();
    assert_eq!(client.health(), Ok(()));
    let identity = client.identity().unwrap();
    assert_eq!(identity.version, Some(SimulatorSettings::default().version));
    let mut sampler = PromptSampler::measured(&workload, "accuracy", 0);
    let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
    let load = Load::closed(USERS, StopCondition::Requests(4 * USERS));
    let mut records = Vec::new();
    client.run_round(&workload, &load, &mut sampler, watch, &mut records).unwrap();
    records
}

fn truth(simulator: &Simulator) -> HashMap<String, RequestTruth> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("http://{}/truth", simulator.addr());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body = runtime.block_on(async {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.get(url).send().await.unwrap().text().await.unwrap()
    });
    let truth: Truth = serde_json::from_str(&body).unwrap_or_else(|_| {
        let found: Value = serde_json::from_str(&body).unwrap();
        panic!("expected the truth, found {found}")
    });
    truth.requests.into_iter().map(|request| (request.id.clone(), request)).collect()
}

fn ms(from_ns: u64, to_ns: u64) -> f64 {
    (to_ns as f64 - from_ns as f64) / 1e6
}

/// How far the client's times are from the server's, in either direction.
fn errors(records: &[RequestRecord], truths: &HashMap<String, RequestTruth>) -> (Distribution, Distribution) {
    let (mut ttft, mut itl) = (Distribution::new(), Distribution::new());
    for record in records {
        let (seen, truth) = (&record.content_ns, &truths[&record.id]);
        let written = &truth.token_written_ns;
        assert_eq!(seen.len(), written.len());
        assert!(record.sent_ns <= truth.received_ns);
        assert!(seen.iter().zip(written).all(|(seen_ns, written_ns)| seen_ns >= written_ns));
        ttft.record_ms((ms(record.sent_ns, seen[0]) - ms(truth.received_ns, written[0])).abs());
        for (seen, written) in seen.windows(2).zip(written.windows(2)) {
            itl.record_ms((ms(seen[0], seen[1]) - ms(written[0], written[1])).abs());
        }
    }
    (ttft, itl)
}

#[test]
fn the_clients_times_match_the_servers() {
    for http_version in [HttpVersion::Http1, HttpVersion::Http2] {
        let simulator = simulator();
        let records = round(&simulator, http_version);
        assert!(records.iter().all(|record| record.outcome.is_ok()), "{records:?}");
        assert!(records.iter().all(|record| record.output_tokens == OUTPUT_TOKENS));
        let (ttft, itl) = errors(&records, &truth(&simulator));
        println!("{http_version}: TTFT error: {ttft}; ITL error: {itl}");
        // Medians, so that a busy machine's stalls don't matter. The bounds are still far below the measured times.
        assert!(ttft.quantile_ms(0.5) < TTFT_MS / 20.0, "{http_version}: TTFT error: {ttft}");
        assert!(itl.quantile_ms(0.5) < STEP_MS / 20.0, "{http_version}: ITL error: {itl}");
    }
}
