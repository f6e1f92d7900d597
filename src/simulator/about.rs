//! How the simulated engine identifies itself, in the way of each engine.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::simulator::dialect::ApiError;
use crate::simulator::exposition;
use crate::simulator::routes::Shared;
use crate::sys::clock;

pub(crate) fn json(body: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

pub(crate) async fn health(state: Shared) -> StatusCode {
    if clock::now() < state.warm_ns { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

/// OpenAI's.
pub(crate) async fn models(state: Shared) -> Response {
    let model = json!({
        "id": state.identity.model,
        "object": "model",
        "created": state.started_s,
        "owned_by": "tollgate",
        "root": state.identity.model,
        "parent": null,
        "max_model_len": state.max_model_len,
    });
    json(json!({ "object": "list", "data": [model] }).to_string())
}

/// vLLM's and Ollama's.
pub(crate) async fn version(state: Shared) -> Response {
    json(json!({ "version": state.identity.version }).to_string())
}

/// llama.cpp's.
pub(crate) async fn props(state: Shared) -> Response {
    let props = json!({
        "total_slots": 1,
        "model_alias": state.identity.model,
        "model_path": format!("/models/{}.gguf", state.identity.model),
        "build_info": state.identity.version,
    });
    json(props.to_string())
}

/// TGI's.
pub(crate) async fn info(state: Shared) -> Response {
    let info = json!({
        "model_id": state.identity.model,
        "model_sha": state.model_digest(),
        "max_input_tokens": state.max_model_len,
        "max_total_tokens": state.max_model_len,
        "router": "text-generation-router",
        "version": state.identity.version,
        "sha": null,
        "docker_label": null,
    });
    json(info.to_string())
}

/// SGLang's.
pub(crate) async fn model_info(state: Shared) -> Response {
    json(json!({ "model_path": state.identity.model, "is_generation": true }).to_string())
}

/// SGLang's.
pub(crate) async fn server_info(state: Shared) -> Response {
    json(json!({ "model_path": state.identity.model, "version": state.identity.version }).to_string())
}

/// SGLang's. There is no cache to flush.
pub(crate) async fn flush_cache() -> &'static str {
    "Cache flushed.\n"
}

pub(crate) async fn metrics(state: Shared) -> Response {
    let metrics = state.metrics.lock().expect("the metrics lock is not poisoned").clone();
    let content_type = [(CONTENT_TYPE, "text/plain; version=1.0.0; charset=utf-8")];
    (content_type, exposition::render(&metrics, &state.identity.model)).into_response()
}

/// `?clear=1` also empties the log. A long log is rendered outside the runtime, which has to write tokens on time.
pub(crate) async fn truth(state: Shared, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let clear = query.is_some_and(|query| query.split('&').any(|pair| pair == "clear=1"));
    let truth = {
        let mut log = state.log.lock().expect("the log lock is not poisoned");
        if clear { log.take() } else { log.truth().clone() }
    };
    let rendered = tokio::task::spawn_blocking(move || serde_json::to_string(&truth)).await;
    match rendered {
        Ok(Ok(body)) => Ok(json(body)),
        Ok(Err(error)) => Err(internal(error.to_string())),
        Err(error) => Err(internal(error.to_string())),
    }
}

pub(crate) async fn forget_truth(state: Shared) -> StatusCode {
    state.log.lock().expect("the log lock is not poisoned").take();
    StatusCode::NO_CONTENT
}

fn internal(message: String) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}
