//! Requests outside the load.

use std::io::Write;

use super::server::{Server, answer_json, answer_successfully};
use super::*;
use crate::text::secret::Secret;

#[test]
fn the_engine_reports_its_identity_and_model() {
    let server = Server::start(|_, stream| answer_json(stream, 200, r#"{"data":[{"id":"tiny"}]}"#));
    let settings = ClientSettings {
        access: Access { api_key: Some(Secret::new("secret")), ..Access::to(&server.url) },
        engine: EngineKind::OPENAI,
        model: None,
        request_timeout: PATIENCE,
    };
    let mut client = Client::new(settings.clone()).unwrap();
    assert_eq!(client.health(), Ok(()));
    assert_eq!(client.identity().unwrap(), Identity { model: Some("tiny".into()), ..Identity::default() });
    assert_eq!(client.model(), Some("tiny"));
    let access = Access { api_key: Some(Secret::new("a\nb")), ..settings.access.clone() };
    let bad = Client::new(ClientSettings { access, ..settings });
    assert!(matches!(bad.err(), Some(ClientError::Access(AccessError::ApiKey))));
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Server::start(|_, stream| answer_json(stream, 200, "{}"));
    let location = elsewhere.url.clone();
    let server = Server::start(move |_, stream| {
        write!(stream, "HTTP/1.1 308 Gone On\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let said = client(&server.url, PATIENCE).health().unwrap_err();
    assert!(said.contains("HTTP 308"), "{said}");
    assert!(elsewhere.seen.lock().unwrap().is_empty());
}

/// A server that answers these paths and nothing else.
fn server_with(routes: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |seen, stream| {
        let known = routes.iter().find(|(asked, _)| *asked == seen.asked);
        match known {
            Some((_, body)) => answer_json(stream, 200, body),
            None => answer_json(stream, 404, r#"{"detail":"Not Found"}"#),
        }
    })
}

#[test]
fn an_engine_is_recognized_by_its_sign() {
    for (name, routes) in [
        ("vllm", &[("GET /v1/models", r#"{"data":[{"id":"m","owned_by":"vllm"}]}"#)]),
        ("llamacpp", &[("GET /v1/models", r#"{"data":[{"id":"m","owned_by":"llamacpp"}]}"#)]),
        ("ollama", &[("GET /api/version", r#"{"version":"0.12.0"}"#)]),
        ("tgi", &[("GET /info", r#"{"model_id":"m","max_total_tokens":4096}"#)]),
        ("openai", &[("GET /v1/models", r#"{"data":[{"id":"m","owned_by":"a gateway"}]}"#)]),
    ] {
        let server = server_with(routes);
        assert_eq!(detect(&Access::to(&server.url)).unwrap().name(), name);
    }
}

#[test]
fn an_unknown_engine_error_lists_all_requests() {
    let server = server_with(&[("GET /v1/models", r#"{"models":[]}"#)]);
    let error = detect(&Access::to(&server.url)).unwrap_err().to_string();
    assert!(error.contains("/v1/models returned nothing that identifies an engine"), "{error}");
    assert!(error.ends_with("set `engine`"), "{error}");
}

#[test]
fn every_request_has_key_and_headers() {
    let server = Server::start(|seen, stream| match seen.asked.as_str() {
        "POST /v1/chat/completions" => answer_successfully(stream),
        _ => answer_json(stream, 200, r#"{"data":[]}"#),
    });
    let access = Access {
        api_key: Some(Secret::new("k")),
        headers: [("X-Team".to_owned(), Secret::new("perf"))].into(),
        ..Access::to(&server.url)
    };
    let (engine, model) = (EngineKind::OPENAI, Some("m".to_owned()));
    let mut client =
        Client::new(ClientSettings { access, engine, model, request_timeout: PATIENCE }).unwrap();
    client.identity().unwrap();
    round(&mut client, 1, StopCondition::Requests(1));
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    for seen in seen.iter() {
        assert_eq!(
            (seen.headers["authorization"].as_str(), seen.headers["x-team"].as_str()),
            ("Bearer k", "perf")
        );
    }
}

fn call(path: &'static str) -> SetupCall {
    SetupCall { what: "pulling m".into(), path, body: serde_json::json!({"model": "m"}), is_needed: true }
}

fn run_setup_call(server: &Server, path: &'static str) -> (Result<(), String>, Option<f64>) {
    let share = Share::default();
    let done = client(&server.url, PATIENCE).run_setup_call(&call(path), &share, &Cancel::new());
    (done, share.get())
}

#[test]
fn a_setup_call_is_followed_to_its_end() {
    let server = server_with(&[
        (
            "POST /pull",
            "{\"status\":\"a\",\"total\":4,\"completed\":1}\n{\"status\":\"b\",\"total\":4,\"completed\":3}\n{\"status\":\"success\"}",
        ),
        ("POST /broken", "{\"status\":\"a\"}\n{\"error\":\"disk full\"}\n{\"status\":\"b\"}"),
    ]);
    assert_eq!(run_setup_call(&server, "/pull"), (Ok(()), Some(0.75)));
    assert_eq!(server.bodies(), [r#"{"model":"m"}"#]);
    assert_eq!(run_setup_call(&server, "/broken").0, Err("disk full".into()));
    assert_eq!(run_setup_call(&server, "/nowhere").0, Err("HTTP 404: Not Found".into()));
}

#[test]
fn a_setup_call_can_be_canceled() {
    let server = Server::start(|_, _| {
        std::thread::sleep(PATIENCE);
        false
    });
    let cancel = Cancel::new();
    cancel.cancel();
    let done = client(&server.url, PATIENCE).run_setup_call(&call("/pull"), &Share::default(), &cancel);
    assert_eq!(done, Err("interrupted".into()));
}
