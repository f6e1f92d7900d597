//! The HTTP routes of the simulated engine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use serde_json::json;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

use crate::clock;
use crate::record::Nanos;
use crate::simulator::answer::{Answer, BrokenOff};
use crate::simulator::batch::{Arrival, SequenceId};
use crate::simulator::faults::{Fate, Lottery};
use crate::simulator::metrics::Metrics;
use crate::simulator::pacer::Command;
use crate::simulator::reply::{Identity, Reply};
use crate::simulator::request::{ApiError, Request};
use crate::simulator::truth::{RequestTruth, TruthLog};
use crate::workload::Api;

/// What the routes share.
pub struct Frontend {
    pub identity: Identity,
    pub warm_ns: Nanos,
    pub started_s: u64,
    pub commands: Sender<Command>,
    pub metrics: Arc<Mutex<Metrics>>,
    pub log: Arc<Mutex<TruthLog>>,
    pub requests: AtomicU64,
    /// Of prompt and answer together.
    pub max_model_len: u32,
    pub lottery: Mutex<Lottery>,
    /// The request with this number, and all later ones, find an engine that goes down.
    pub crash_at_request: Option<u64>,
    pub crash: Arc<Notify>,
}

const MAX_BODY_BYTES: usize = 32 << 20;

/// All routes.
pub fn router(frontend: Frontend) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(completions))
        .route("/v1/models", get(models))
        .route("/health", get(health))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .route("/truth", get(truth).delete(forget_truth))
        .fallback(|| async {
            ApiError { status: StatusCode::NOT_FOUND, message: "Not Found".into(), param: None }
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(frontend))
}

/// Seconds since 1970, for the `created` of answers.
pub fn unix_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

type Shared = State<Arc<Frontend>>;
type MaybeBody = Result<Bytes, BytesRejection>;

async fn chat(state: Shared, headers: HeaderMap, body: MaybeBody) -> Result<Response, ApiError> {
    state.answer(Api::Chat, &headers, body).await
}

async fn completions(state: Shared, headers: HeaderMap, body: MaybeBody) -> Result<Response, ApiError> {
    state.answer(Api::Completions, &headers, body).await
}

impl Frontend {
    async fn answer(&self, api: Api, headers: &HeaderMap, body: MaybeBody) -> Result<Response, ApiError> {
        let received_ns = clock::now();
        let body = body.map_err(|e| ApiError { status: e.status(), message: e.body_text(), param: None })?;
        let request = Request::parse(api, &body, &self.identity.model, self.max_model_len)?;
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if self.crash_at_request.is_some_and(|at| number >= at) {
            self.crash.notify_one();
            return std::future::pending().await;
        }
        let fate = self.lottery.lock().expect("no drawer of lots panics").draw(request.max_tokens);
        if fate == Fate::Refused {
            return Err(internal("the engine failed, as its settings say (error_rate)".into()));
        }
        let answer = self.submit(number, request, fate, headers, received_ns)?;
        if request.stream {
            let content_type = [(CONTENT_TYPE, "text/event-stream; charset=utf-8")];
            return Ok((content_type, Body::from_stream(answer)).into_response());
        }
        match answer.whole().await {
            Ok(body) => Ok(json_response(body)),
            Err(reason @ BrokenOff::Reset) => {
                let nothing: Result<Bytes, BrokenOff> = Err(reason);
                Ok(Body::from_stream(stream::iter([nothing])).into_response())
            }
            Err(reason) => Err(reason.into()),
        }
    }

    /// Sends a request to the batch.
    fn submit(
        &self,
        id: SequenceId,
        request: Request,
        fate: Fate,
        headers: &HeaderMap,
        received_ns: Nanos,
    ) -> Result<Answer, ApiError> {
        let named = headers.get("x-request-id").and_then(|value| value.to_str().ok());
        let request_id = named.map_or_else(|| format!("{id:016x}"), str::to_owned);
        let (sender, tokens) = unbounded_channel();
        let arrival = Arrival {
            id,
            arrived_ns: received_ns,
            prompt_tokens: request.prompt_tokens,
            max_tokens: request.max_tokens,
            stalls_after: if let Fate::Stalled(token) = fate { Some(token) } else { None },
        };
        self.commands.send(Command::Arrive(arrival, sender)).map_err(|_| BrokenOff::EngineStopped)?;
        Ok(Answer {
            id,
            fate,
            reply: Reply::new(request, &request_id, unix_s(), &self.identity),
            tokens,
            commands: self.commands.clone(),
            log: self.log.clone(),
            truth: Some(RequestTruth { id: request_id, received_ns, ..RequestTruth::default() }),
        })
    }
}

impl From<BrokenOff> for ApiError {
    fn from(reason: BrokenOff) -> ApiError {
        internal(reason.to_string())
    }
}

async fn models(state: Shared) -> Response {
    let model = json!({
        "id": state.identity.model,
        "object": "model",
        "created": state.started_s,
        "owned_by": "tollgate",
        "root": state.identity.model,
        "parent": null,
        "max_model_len": state.max_model_len,
    });
    json_response(json!({ "object": "list", "data": [model] }).to_string())
}

async fn health(state: Shared) -> StatusCode {
    if clock::now() < state.warm_ns { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

async fn version(state: Shared) -> Response {
    json_response(json!({ "version": state.identity.version }).to_string())
}

async fn metrics(state: Shared) -> Response {
    let metrics = state.metrics.lock().expect("no holder of the metrics panics").clone();
    let content_type = [(CONTENT_TYPE, "text/plain; version=1.0.0; charset=utf-8")];
    (content_type, metrics.render(&state.identity.model)).into_response()
}

/// `?clear=1` empties the log too. A long log is rendered beside the runtime, which has tokens to write on time.
async fn truth(state: Shared, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let clear = query.is_some_and(|query| query.split('&').any(|pair| pair == "clear=1"));
    let truth = {
        let mut log = state.log.lock().expect("no holder of the log panics");
        if clear { log.take() } else { log.truth().clone() }
    };
    let rendered = tokio::task::spawn_blocking(move || serde_json::to_string(&truth)).await;
    match rendered {
        Ok(Ok(body)) => Ok(json_response(body)),
        Ok(Err(error)) => Err(internal(error.to_string())),
        Err(error) => Err(internal(error.to_string())),
    }
}

async fn forget_truth(state: Shared) -> StatusCode {
    state.log.lock().expect("no holder of the log panics").take();
    StatusCode::NO_CONTENT
}

fn internal(message: String) -> ApiError {
    ApiError { status: StatusCode::INTERNAL_SERVER_ERROR, message, param: None }
}

fn json_response(body: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
