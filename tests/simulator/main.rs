//! The simulated engine over real sockets.

mod faults;

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::internals::Simulator;
use tollgate::internals::SimulatorSettings;
use tollgate::internals::Truth;
use tollgate::internals::clock;

/// Fast, for short tests, and without jitter, for known deadlines.
fn quick() -> SimulatorSettings {
    SimulatorSettings {
        prefill_base_ms: 5.0,
        decode_step_ms: 2.0,
        cold_start_ms: 0.0,
        jitter: 0.0,
        ..SimulatorSettings::default()
    }
}

struct Engine {
    simulator: Simulator,
    http: reqwest::Client,
}

impl Engine {
    fn start(settings: SimulatorSettings) -> Engine {
        // Another test in this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator = Simulator::start(settings, 0, "127.0.0.1:0".parse().unwrap()).unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        Engine { simulator, http }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.simulator.addr())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.http.get(self.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn post(&self, path: &str, id: &str, body: &str) -> (u16, String) {
        let request = self.http.post(self.url(path)).header("X-Request-Id", id).body(body.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn truth(&self) -> Truth {
        serde_json::from_str(&self.get("/truth").await.1).unwrap()
    }

    /// A sample from `/metrics`, by name and labels other than `engine` and `model_name`.
    async fn metric(&self, name: &str, labels: &str) -> f64 {
        let series = format!("vllm:{name}{{engine=\"0\",{labels}model_name=\"simulated\"}} ");
        let (_, text) = self.get("/metrics").await;
        let value = text.lines().find_map(|line| line.strip_prefix(&series));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }
}

/// The JSON of a stream's events. The stream must end with `[DONE]`.
fn events(stream: &str) -> Vec<Value> {
    let events = stream.strip_suffix("data: [DONE]\n\n").expect("a stream that ends with [DONE]");
    let payloads = events.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
    payloads.map(|payload| serde_json::from_str(payload).unwrap()).collect()
}

const CHAT: &str =
    r#"{"model":"simulated","messages":[{"role":"user","content":"Hello there"}],"max_tokens":12}"#;
const CHAT_STREAM: &str = r#"{"model":"simulated","messages":[{"role":"user","content":"Hello there"}],
    "max_tokens":12,"stream":true,"stream_options":{"include_usage":true},"ignore_eos":true}"#;
const COMPLETION_STREAM: &str =
    r#"{"prompt":"Once upon a time","max_tokens":8,"stream":true,"stream_options":{"include_usage":true}}"#;

#[tokio::test]
async fn a_chat_streams_one_event_per_token_and_its_usage() {
    let engine = Engine::start(quick());
    let (status, body) = engine.post("/v1/chat/completions", "a", CHAT_STREAM).await;
    let events = events(&body);
    assert_eq!(status, 200);
    assert_eq!(events.len(), 1 + 12 + 1);
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role":"assistant","content":""}));
    assert!(events[1..13].iter().all(|event| event["choices"][0]["delta"]["content"] != ""));
    assert_eq!(events[12]["choices"][0]["finish_reason"], "length");
    assert_eq!(events[13]["usage"], json!({"prompt_tokens":2,"total_tokens":14,"completion_tokens":12}));
}

#[tokio::test]
async fn a_completion_streams_one_event_per_token_and_its_usage() {
    let engine = Engine::start(quick());
    let (_, body) = engine.post("/v1/completions", "a", COMPLETION_STREAM).await;
    let events = events(&body);
    assert_eq!(events.len(), 8 + 1);
    assert_eq!(events[0]["object"], "text_completion");
    assert_eq!(events[8]["usage"], json!({"prompt_tokens":4,"total_tokens":12,"completion_tokens":8}));
}

#[tokio::test]
async fn a_response_without_streaming_arrives_at_once() {
    let engine = Engine::start(quick());
    let (status, body) = engine.post("/v1/chat/completions", "a", CHAT).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(answer["choices"][0]["message"]["content"].as_str().unwrap().split_whitespace().count(), 12);
    assert_eq!(answer["usage"]["completion_tokens"], 12);
}

#[tokio::test]
async fn a_bad_request_gets_openais_error_format() {
    let engine = Engine::start(quick());
    for (path, body, status, param) in [
        ("/v1/chat/completions", "{\"messages\":", 400, Value::Null),
        ("/v1/chat/completions", "{}", 400, json!("messages")),
        ("/v1/completions", r#"{"prompt":"a","max_tokens":0}"#, 400, json!("max_tokens")),
        ("/v1/completions", r#"{"prompt":"a","model":"nope"}"#, 404, json!("model")),
        ("/v1/embeddings", "{}", 404, Value::Null),
    ] {
        let (found, body) = engine.post(path, "a", body).await;
        let error: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((found, &error["error"]["code"]), (status, &json!(status)), "{body}");
        assert_eq!(error["error"]["param"], param, "{body}");
        assert!(error["error"]["message"].is_string() && error["error"]["type"].is_string(), "{body}");
    }
    assert!(engine.truth().await.requests.is_empty());
}

#[tokio::test]
async fn a_cold_engine_is_unhealthy_and_answers_after_its_start() {
    let before_ns = clock::now();
    let engine = Engine::start(SimulatorSettings { cold_start_ms: 400.0, ..quick() });
    // On a very busy machine, the start may be over by now; then there is nothing to check.
    let (status, _) = engine.get("/health").await;
    assert!(status == 503 || clock::now() - before_ns > 400_000_000, "healthy while cold");
    engine.post("/v1/chat/completions", "early", CHAT).await;
    assert_eq!(engine.get("/health").await.0, 200);
    assert!(engine.truth().await.requests[0].token_due_ns[0] >= before_ns + 400_000_000);
}

#[tokio::test]
async fn the_truth_has_every_token_of_every_request_under_its_id() {
    let engine = Engine::start(quick());
    let asked_ns = clock::now();
    engine.post("/v1/chat/completions", "streamed", CHAT_STREAM).await;
    engine.post("/v1/chat/completions", "whole", CHAT).await;
    let answered_ns = clock::now();
    let truth = engine.truth().await;
    let ids: Vec<_> = truth.requests.iter().map(|request| request.id.as_str()).collect();
    assert_eq!(ids, ["streamed", "whole"]);
    for request in &truth.requests {
        assert_eq!((request.token_due_ns.len(), request.token_written_ns.len()), (12, 12));
        assert!(asked_ns <= request.received_ns && request.end_ns <= answered_ns);
        assert!(
            request.token_due_ns[0] - request.received_ns >= 7_000_000,
            "5 ms of prefill and a step of 2 ms"
        );
        assert!(request.token_due_ns.windows(2).all(|pair| pair[1] - pair[0] == 2_000_000));
        assert!(request.token_written_ns.is_sorted());
        assert!(
            request.token_due_ns.iter().zip(&request.token_written_ns).all(|(due, written)| due <= written)
        );
        assert_eq!(request.token_written_ns.last(), Some(&request.end_ns));
    }
}

#[tokio::test]
async fn the_truth_can_be_cleared() {
    let engine = Engine::start(quick());
    engine.post("/v1/chat/completions", "a", CHAT).await;
    let truth: Truth = serde_json::from_str(&engine.get("/truth?clear=1").await.1).unwrap();
    assert_eq!((truth.requests.len(), engine.truth().await.requests.len()), (1, 0));
    engine.post("/v1/chat/completions", "b", CHAT).await;
    engine.http.delete(engine.url("/truth")).send().await.unwrap();
    assert!(engine.truth().await.requests.is_empty());
}

#[tokio::test]
async fn the_metrics_count_what_the_usage_says() {
    let engine = Engine::start(quick());
    for body in [CHAT, CHAT_STREAM] {
        engine.post("/v1/chat/completions", "a", body).await;
    }
    engine.post("/v1/completions", "b", COMPLETION_STREAM).await;
    assert_eq!(engine.metric("prompt_tokens_total", "").await, 2.0 + 2.0 + 4.0);
    assert_eq!(engine.metric("generation_tokens_total", "").await, 12.0 + 12.0 + 8.0);
    assert_eq!(engine.metric("request_success_total", "finished_reason=\"length\",").await, 3.0);
    assert_eq!(engine.metric("time_to_first_token_seconds_count", "").await, 3.0);
    assert_eq!(engine.metric("inter_token_latency_seconds_count", "").await, 11.0 + 11.0 + 7.0);
    assert_eq!(engine.metric("e2e_request_latency_seconds_count", "").await, 3.0);
    assert_eq!(engine.metric("num_requests_running", "").await, 0.0);
    assert_eq!(engine.metric("num_requests_waiting", "").await, 0.0);
}

#[tokio::test]
async fn a_client_that_disconnects_frees_its_slot() {
    let engine = Engine::start(SimulatorSettings { max_seqs: 1, ..quick() });
    let endless = r#"{"prompt":"a","max_tokens":100000,"stream":true}"#;
    let request = engine.http.post(engine.url("/v1/completions")).body(endless);
    let mut response = request.send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    let whole = engine.http.post(engine.url("/v1/completions")).body(r#"{"prompt":"a","max_tokens":100000}"#);
    let left = whole.timeout(Duration::from_millis(500)).send().await;
    assert!(left.unwrap_err().is_timeout());
    // Otherwise, the only slot would be taken for minutes.
    let (status, _) = engine.post("/v1/chat/completions", "next", CHAT).await;
    assert_eq!(status, 200);
    assert_eq!(engine.metric("request_success_total", "finished_reason=\"abort\",").await, 2.0);
}

#[tokio::test]
async fn the_engine_identifies_itself() {
    let settings = SimulatorSettings { version: "9.8.7".into(), ..quick() };
    let engine = Engine::start(settings);
    assert_eq!(engine.get("/version").await, (200, r#"{"version":"9.8.7"}"#.into()));
    let models: Value = serde_json::from_str(&engine.get("/v1/models").await.1).unwrap();
    assert_eq!(models["data"][0]["id"], "simulated");
}

#[tokio::test]
async fn a_dropped_engine_frees_its_port() {
    let Engine { simulator, http } = Engine::start(quick());
    let addr = simulator.addr();
    http.get(format!("http://{addr}/health")).send().await.unwrap();
    drop(simulator);
    Simulator::start(quick(), 1, addr).expect("the same port again");
}

#[test]
fn invalid_settings_are_rejected() {
    let settings = SimulatorSettings { max_seqs: 0, ..quick() };
    let error = Simulator::start(settings, 0, "127.0.0.1:0".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "simulator setting `max_seqs` is 0: expected at least 1");
}
