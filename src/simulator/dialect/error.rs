//! Error responses in each engine's words.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct ApiError {
    pub status: StatusCode,
    pub message: String,
    pub param: Option<&'static str>,
    pub voice: Voice,
}

/// The engine whose words an error uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Voice {
    /// OpenAI's, in vLLM's form.
    #[default]
    Openai,
    Ollama,
    Tgi,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into(), param: None, voice: Voice::default() }
    }

    pub(crate) fn bad_request(param: Option<&'static str>, message: String) -> ApiError {
        ApiError { param, ..ApiError::new(StatusCode::BAD_REQUEST, message) }
    }

    pub(crate) fn missing(param: &'static str) -> ApiError {
        ApiError::bad_request(Some(param), format!("Field required: `{param}`. (parameter={param})"))
    }

    pub(crate) fn invalid(param: &'static str, expected: &str, value: &Value) -> ApiError {
        let mut found: String = value.to_string().chars().take(80).collect();
        if found.len() < value.to_string().len() {
            found.push('…');
        }
        let message = format!("{param} {expected}, got {found}. (parameter={param}, value={found})");
        ApiError::bad_request(Some(param), message)
    }

    pub(crate) fn in_words_of(self, voice: Voice) -> ApiError {
        ApiError { voice, ..self }
    }

    fn body(&self) -> Value {
        match self.voice {
            Voice::Openai => {
                let code = self.status.as_u16();
                json!({ "error": { "message": self.message, "type": self.kind(), "param": self.param, "code": code } })
            }
            Voice::Ollama => json!({ "error": self.message }),
            Voice::Tgi => json!({ "error": self.message, "error_type": "validation" }),
        }
    }

    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::NOT_FOUND => "NotFoundError",
            status if status.is_server_error() => "InternalServerError",
            _ => "BadRequestError",
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, [(CONTENT_TYPE, "application/json")], self.body().to_string()).into_response()
    }
}
