//! The HTTP routes of the simulated engine: those of all engines at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

use crate::load::workload::Api;
use crate::metrics::truth::RequestTruth;
use crate::simulator::about;
use crate::simulator::answer::{AnswerStream, BrokenOff};
use crate::simulator::batch::{Arrival, SequenceId};
use crate::simulator::dialect::ollama::OllamaRequest;
use crate::simulator::dialect::{
    Account, ApiError, Identity, ParsedRequest, Server, Voice, ollama, openai, tgi,
};
use crate::simulator::faults::{Fate, Lottery};
use crate::simulator::library::{self, Library};
use crate::simulator::metrics::Metrics;
use crate::simulator::pacer::PacerCommand;
use crate::simulator::truth::TruthLog;
use crate::sys::arrival::Newest;
use crate::sys::clock;
use crate::units::Nanos;

/// What the routes share.
pub(crate) struct Frontend {
    pub identity: Identity,
    pub library: Mutex<Library>,
    pub warm_ns: Nanos,
    pub started_s: u64,
    pub commands: Sender<PacerCommand>,
    pub metrics: Arc<Mutex<Metrics>>,
    pub log: Arc<Mutex<TruthLog>>,
    pub requests: AtomicU64,
    /// Prompt and response together.
    pub max_model_len: u32,
    pub lottery: Mutex<Lottery>,
    /// This request and all later ones find the engine crashing.
    pub crash_at_request: Option<u64>,
    pub crash: Arc<Notify>,
}

const MAX_BODY_BYTES: usize = 32 << 20;

/// All routes.
pub(crate) fn router(frontend: Frontend) -> Router {
    let asked = Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(completions))
        .route("/api/chat", post(ollama_chat))
        .route("/api/generate", post(ollama_generate))
        .route("/api/pull", post(library::pull))
        .route("/generate", post(tgi_generate))
        .route("/generate_stream", post(tgi_generate_stream));
    let info_routes = Router::new()
        .route("/health", get(about::health))
        .route("/v1/models", get(about::models))
        .route("/version", get(about::version))
        .route("/props", get(about::props))
        .route("/info", get(about::info))
        .route("/get_model_info", get(about::model_info))
        .route("/get_server_info", get(about::server_info))
        .route("/flush_cache", post(about::flush_cache))
        .route("/api/version", get(about::version))
        .route("/api/tags", get(library::tags))
        .route("/api/ps", get(library::tags))
        .route("/metrics", get(about::metrics))
        .route("/truth", get(about::truth).delete(about::forget_truth));
    asked
        .merge(info_routes)
        .fallback(|| async { ApiError::new(StatusCode::NOT_FOUND, "Not Found") })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(frontend))
}

/// Seconds since 1970, for the `created` field of responses.
pub(crate) fn unix_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(crate) type Shared = State<Arc<Frontend>>;
pub(crate) type MaybeBody = Result<Bytes, BytesRejection>;

async fn chat(state: Shared, received: MaybeReceived) -> Result<Response, ApiError> {
    state.answer_openai(Api::Chat, received).await
}

async fn completions(state: Shared, received: MaybeReceived) -> Result<Response, ApiError> {
    state.answer_openai(Api::Completions, received).await
}

async fn ollama_chat(state: Shared, received: MaybeReceived) -> Result<Response, ApiError> {
    let answered = state.answer_ollama(Api::Chat, received).await;
    answered.map_err(|error| error.in_words_of(Voice::Ollama))
}

async fn ollama_generate(state: Shared, received: MaybeReceived) -> Result<Response, ApiError> {
    let answered = state.answer_ollama(Api::Completions, received).await;
    answered.map_err(|error| error.in_words_of(Voice::Ollama))
}

async fn tgi_generate(state: Shared, received: MaybeReceived) -> Result<Response, ApiError> {
    state.answer_tgi(false, received).await.map_err(|error| error.in_words_of(Voice::Tgi))
}

async fn tgi_generate_stream(state: Shared, received: MaybeReceived) -> Result<Response, ApiError> {
    state.answer_tgi(true, received).await.map_err(|error| error.in_words_of(Voice::Tgi))
}

type MaybeReceived = Result<Received, ApiError>;

/// A request that has arrived.
struct Received {
    /// When its last byte arrived at this machine.
    arrived_ns: Nanos,
    /// When the server had read it.
    taken_ns: Nanos,
    id: String,
    body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Received {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Received, ApiError> {
        let newest = request.extensions().get::<ConnectInfo<Newest>>().cloned();
        let id =
            request.headers().get("x-request-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = Bytes::from_request(request, state).await;
        let taken_ns = clock::now();
        Ok(Received {
            arrived_ns: newest.map_or(taken_ns, |ConnectInfo(newest)| newest.ns()),
            taken_ns,
            id: id.unwrap_or_else(|| format!("{taken_ns:016x}")),
            body: body.map_err(|error| ApiError::new(error.status(), error.body_text()))?,
        })
    }
}

impl Frontend {
    async fn answer_openai(&self, api: Api, received: MaybeReceived) -> Result<Response, ApiError> {
        let received = received?;
        let asked = openai::read(api, &received.body, &received.id, self.server())?;
        self.answer(asked, received).await
    }

    async fn answer_ollama(&self, api: Api, received: MaybeReceived) -> Result<Response, ApiError> {
        let received = received?;
        let models = self.library.lock().expect("the library lock is not poisoned").models();
        match ollama::read(api, &received.body, &models, self.server())? {
            OllamaRequest::Generate(asked) => self.answer(asked, received).await,
            OllamaRequest::Load => {
                Ok(about::json(r#"{"response":"","done":true,"done_reason":"load"}"#.to_owned()))
            }
        }
    }

    async fn answer_tgi(&self, stream: bool, received: MaybeReceived) -> Result<Response, ApiError> {
        let received = received?;
        let asked = tgi::read(stream, &received.body, self.server())?;
        self.answer(asked, received).await
    }

    fn server(&self) -> Server<'_> {
        Server { identity: &self.identity, max_model_len: self.max_model_len, now_s: unix_s() }
    }

    async fn answer(&self, asked: ParsedRequest, received: Received) -> Result<Response, ApiError> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if self.crash_at_request.is_some_and(|at| number >= at) {
            self.crash.notify_one();
            return std::future::pending().await;
        }
        let fate = self.lottery.lock().expect("the lottery lock is not poisoned").draw(asked.0.max_tokens);
        if fate == Fate::Refused {
            let message = "the engine failed as configured (error_rate)";
            return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message));
        }
        let streamed = asked.0.stream;
        let answer = self.submit(number, asked, fate, received)?;
        if streamed {
            let content_type = [(CONTENT_TYPE, answer.reply.content_type())];
            return Ok((content_type, Body::from_stream(answer)).into_response());
        }
        match answer.whole().await {
            Ok(whole) => {
                let mut response = about::json(whole.body);
                let headers = whole.headers.into_iter().filter_map(|(name, value)| {
                    Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
                });
                response.headers_mut().extend(headers);
                Ok(response)
            }
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
        (request, reply): ParsedRequest,
        fate: Fate,
        received: Received,
    ) -> Result<AnswerStream, ApiError> {
        let mut lottery = self.lottery.lock().expect("the lottery lock is not poisoned");
        let early_end = lottery.early_end(request.max_tokens, request.ignore_eos);
        let (sender, tokens) = unbounded_channel();
        let arrival = Arrival {
            id,
            arrived_ns: received.taken_ns,
            prompt_tokens: request.prompt_tokens,
            max_tokens: early_end.unwrap_or(request.max_tokens),
            ends_early: early_end.is_some(),
            stalls_after: if let Fate::Stalled(token) = fate { Some(token) } else { None },
        };
        self.commands.send(PacerCommand::Arrive(arrival, sender)).map_err(|_| BrokenOff::EngineStopped)?;
        Ok(AnswerStream {
            id,
            fate,
            reply,
            account: Account {
                received_ns: received.taken_ns,
                ends_early: early_end.is_some(),
                ..Account::default()
            },
            tokens,
            commands: self.commands.clone(),
            log: self.log.clone(),
            truth: Some(RequestTruth {
                id: received.id,
                received_ns: received.arrived_ns,
                ..RequestTruth::default()
            }),
        })
    }
}

impl From<BrokenOff> for ApiError {
    fn from(reason: BrokenOff) -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, reason.to_string())
    }
}
