//! The simulated engine's faults, as a client sees them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use tollgate::internals::{Faults, SimulatorSettings};

use crate::{CHAT, CHAT_STREAM, Engine, quick};

fn ill(faults: Faults) -> Engine {
    Engine::start(SimulatorSettings { faults, ..quick() })
}

/// Everything received on a separate connection, and how the connection ends.
fn raw_exchange(engine: &Engine, body: &str) -> (String, Option<ErrorKind>) {
    let mut connection = TcpStream::connect(engine.simulator.addr()).unwrap();
    let length = body.len();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    connection.write_all((head + body).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let end = connection.read_to_end(&mut answer);
    (String::from_utf8(answer).unwrap(), end.err().map(|error| error.kind()))
}

#[tokio::test]
async fn errors_use_openais_format_and_never_reach_the_batch() {
    let engine = ill(Faults { error_rate: 1.0, ..Faults::default() });
    let (status, body) = engine.post("/v1/chat/completions", "a", CHAT_STREAM).await;
    let error: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, error["error"]["type"].as_str()), (500, Some("InternalServerError")));
    assert_eq!(engine.metric("generation_tokens_total", "").await, 0.0);
    assert_eq!(engine.get("/health").await.0, 200);
}

#[tokio::test]
async fn a_share_of_the_requests_fails_and_the_others_succeed() {
    let engine = ill(Faults { error_rate: 0.5, ..Faults::default() });
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(engine.post("/v1/completions", "a", r#"{"prompt":"a","max_tokens":1}"#).await.0);
    }
    let failed = statuses.iter().filter(|status| **status == 500).count();
    assert!((3..=17).contains(&failed), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 20 - failed);
}

#[tokio::test]
async fn a_reset_connection_breaks_after_the_first_token() {
    let engine = ill(Faults { reset_rate: 1.0, ..Faults::default() });
    let (answer, end) = raw_exchange(&engine, CHAT_STREAM);
    assert_eq!(end, Some(ErrorKind::ConnectionReset), "{answer}");
    assert!(!answer.contains("[DONE]"), "{answer}");
    let (answer, end) = raw_exchange(&engine, CHAT);
    assert_eq!(end, Some(ErrorKind::ConnectionReset), "{answer}");
}

#[tokio::test]
async fn a_stalled_stream_stays_open_on_a_healthy_engine() {
    let engine = ill(Faults { stall_rate: 1.0, ..Faults::default() });
    let request = engine.http.post(engine.url("/v1/chat/completions")).body(CHAT_STREAM);
    let mut response = request.send().await.unwrap();
    let mut seen = String::new();
    let silence = loop {
        // A token takes 2 ms.
        match tokio::time::timeout(std::time::Duration::from_millis(500), response.chunk()).await {
            Ok(chunk) => seen.push_str(std::str::from_utf8(&chunk.unwrap().expect("no end")).unwrap()),
            Err(silence) => break silence,
        }
    };
    assert!(seen.contains("\"content\":\"") && !seen.contains("[DONE]"), "{silence} after {seen}");
    assert_eq!(engine.get("/health").await.0, 200);
    assert_eq!(engine.metric("num_requests_running", "").await, 1.0);
}

#[tokio::test]
async fn a_malformed_event_is_in_an_otherwise_complete_stream() {
    let engine = ill(Faults { malformed_rate: 1.0, ..Faults::default() });
    let (status, body) = engine.post("/v1/chat/completions", "a", CHAT_STREAM).await;
    let payloads = body.split_terminator("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let broken = payloads.filter(|payload| serde_json::from_str::<Value>(payload).is_err());
    assert_eq!((status, broken.count()), (200, 2), "one broken event and [DONE] in {body}");
    let (_, whole) = engine.post("/v1/chat/completions", "b", CHAT).await;
    assert!(serde_json::from_str::<Value>(&whole).is_err(), "{whole}");
}

#[tokio::test]
async fn a_crash_breaks_responses_and_refuses_new_connections() {
    let engine = ill(Faults { crash_after_requests: 2, ..Faults::default() });
    assert_eq!(engine.post("/v1/chat/completions", "a", CHAT).await.0, 200);
    assert!(!engine.simulator.has_crashed());
    let endless = r#"{"prompt":"a","max_tokens":100000,"stream":true}"#;
    let request = engine.http.post(engine.url("/v1/completions")).body(endless);
    let mut response = request.send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());

    let (answer, _) = raw_exchange(&engine, CHAT);
    assert_eq!(answer, "");
    while let Ok(Some(_)) = response.chunk().await {}
    let refused = TcpStream::connect(engine.simulator.addr()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    while !engine.simulator.has_crashed() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hanging_engine_stops_responding_but_reports_healthy() {
    let engine = ill(Faults { hang_after_requests: 1, ..Faults::default() });
    assert_eq!(engine.post("/v1/chat/completions", "a", CHAT).await.0, 200);
    let request = engine.http.post(engine.url("/v1/chat/completions")).body(CHAT);
    let hung = request.timeout(std::time::Duration::from_millis(500)).send().await;
    assert!(hung.unwrap_err().is_timeout());
    assert_eq!(engine.get("/health").await.0, 200);
}

#[tokio::test]
async fn a_full_cache_shows_in_the_metrics_and_costs_no_token() {
    let engine = Engine::start(SimulatorSettings { kv_cache_tokens: 40, ..quick() });
    let body = r#"{"prompt":"a b c d","max_tokens":30}"#;
    let answers = (0..3).map(|_| engine.post("/v1/completions", "a", body));
    for (status, answer) in futures_util::future::join_all(answers).await {
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, &answer["usage"]["completion_tokens"]), (200, &30.into()));
    }
    assert!(engine.metric("num_preemptions_total", "").await > 0.0);
    assert_eq!(engine.metric("generation_tokens_total", "").await, 90.0);
    assert_eq!(engine.metric("kv_cache_usage_perc", "").await, 0.0);
    let (status, refused) = engine.post("/v1/completions", "a", r#"{"prompt":"a","max_tokens":40}"#).await;
    assert_eq!(status, 400, "{refused}");
}
