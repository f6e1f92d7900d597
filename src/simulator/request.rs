//! What a request to the OpenAI routes asks for.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::workload::Api;

/// What the simulated engine makes of a request; whatever else it says about sampling has no effect here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub api: Api,
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    pub stream: bool,
    /// The stream ends with a chunk that holds the token counts.
    pub include_usage: bool,
    /// Every chunk holds the token counts so far.
    pub continuous_usage: bool,
}

/// A refusal, as OpenAI and vLLM word it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ApiError {
    pub status: StatusCode,
    pub message: String,
    pub param: Option<&'static str>,
}

/// OpenAI's default on the completions route, here for both.
const DEFAULT_MAX_TOKENS: u32 = 16;

impl Request {
    /// Reads the body of a request to an engine that serves `model`, prompt and answer of no more than
    /// `max_model_len` tokens together.
    pub fn parse(api: Api, body: &[u8], model: &str, max_model_len: u32) -> Result<Request, ApiError> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|e| ApiError::bad_request(None, format!("JSON decode error: {e}")))?;
        let Value::Object(fields) = body else {
            return Err(ApiError::bad_request(None, "the body must be a JSON object".into()));
        };
        let body = Fields(&fields);
        body.check_model(model)?;
        body.check_sampling()?;
        let prompt_tokens = match api {
            Api::Chat => body.message_tokens()?,
            Api::Completions => body.prompt_tokens()?,
        };
        let max_tokens = match body.count("max_completion_tokens")? {
            Some(count) => count,
            None => body.count("max_tokens")?.unwrap_or(DEFAULT_MAX_TOKENS),
        };
        check_length(prompt_tokens, max_tokens, max_model_len)?;
        let stream = body.flag("stream")?;
        let (include_usage, continuous_usage) = body.stream_options(stream)?;
        Ok(Request { api, prompt_tokens, max_tokens, stream, include_usage, continuous_usage })
    }
}

fn check_length(prompt_tokens: u32, max_tokens: u32, max_model_len: u32) -> Result<(), ApiError> {
    if u64::from(prompt_tokens) + u64::from(max_tokens) <= u64::from(max_model_len) {
        return Ok(());
    }
    let message = format!(
        "This model's maximum context length is {max_model_len} tokens. However, you requested {max_tokens} output \
         tokens and your prompt contains {prompt_tokens} input tokens. Please reduce the length of either."
    );
    Err(ApiError::bad_request(Some("input_tokens"), message))
}

struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// `null` counts as absent.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn check_model(&self, served: &str) -> Result<(), ApiError> {
        match self.get("model") {
            None => Ok(()),
            Some(Value::String(asked)) if asked == served => Ok(()),
            Some(Value::String(asked)) => Err(ApiError {
                status: StatusCode::NOT_FOUND,
                message: format!("The model `{asked}` does not exist. Valid aliases: {served}."),
                param: Some("model"),
            }),
            Some(other) => Err(ApiError::invalid("model", "must be a string", other)),
        }
    }

    fn check_sampling(&self) -> Result<(), ApiError> {
        if let Some(value) = self.get("temperature")
            && value.as_f64().is_none_or(|temperature| temperature < 0.0)
        {
            return Err(ApiError::invalid("temperature", "must be a non-negative number", value));
        }
        match self.count("n")? {
            None | Some(1) => Ok(()),
            Some(n) => Err(ApiError::invalid("n", "must be 1 on a simulated engine", &n.into())),
        }
    }

    fn flag(&self, key: &'static str) -> Result<bool, ApiError> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(ApiError::invalid(key, "must be true or false", other)),
        }
    }

    fn count(&self, key: &'static str) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count) if count >= 1 => Ok(Some(count)),
            _ => Err(ApiError::invalid(key, "must be a whole number of at least 1", value)),
        }
    }

    fn stream_options(&self, stream: bool) -> Result<(bool, bool), ApiError> {
        let Some(options) = self.get("stream_options") else { return Ok((false, false)) };
        if !stream {
            let expected = "can only be given when `stream` is true";
            return Err(ApiError::invalid("stream_options", expected, options));
        }
        let Value::Object(options) = options else {
            return Err(ApiError::invalid("stream_options", "must be an object", options));
        };
        let options = Fields(options);
        let include_usage = options.flag("include_usage")?;
        Ok((include_usage, include_usage && options.flag("continuous_usage_stats")?))
    }

    fn message_tokens(&self) -> Result<u32, ApiError> {
        let Some(value) = self.get("messages") else { return Err(ApiError::missing("messages")) };
        let messages = value.as_array().filter(|messages| !messages.is_empty());
        let words = messages.and_then(|messages| messages.iter().map(message_words).sum::<Option<usize>>());
        let expected = "must be a list of at least one {role, content}";
        words.map(tokens).ok_or_else(|| ApiError::invalid("messages", expected, value))
    }

    fn prompt_tokens(&self) -> Result<u32, ApiError> {
        let Some(value) = self.get("prompt") else { return Err(ApiError::missing("prompt")) };
        prompt_words(value).map(tokens).ok_or_else(|| {
            let expected = "must be a string, a list of one string, or a list of token ids";
            ApiError::invalid("prompt", expected, value)
        })
    }
}

fn tokens(words: usize) -> u32 {
    u32::try_from(words).unwrap_or(u32::MAX).max(1)
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn message_words(message: &Value) -> Option<usize> {
    message.get("role")?.as_str()?;
    match message.get("content")? {
        Value::Null => Some(0),
        Value::String(text) => Some(words(text)),
        Value::Array(parts) => parts.iter().map(|part| part.get("text")?.as_str().map(words)).sum(),
        _ => None,
    }
}

fn prompt_words(prompt: &Value) -> Option<usize> {
    match prompt {
        Value::String(text) => Some(words(text)),
        Value::Array(items) => match items.as_slice() {
            [] => None,
            [Value::String(text)] => Some(words(text)),
            ids => ids.iter().all(Value::is_u64).then_some(ids.len()),
        },
        _ => None,
    }
}

impl ApiError {
    pub fn bad_request(param: Option<&'static str>, message: String) -> ApiError {
        ApiError { status: StatusCode::BAD_REQUEST, message, param }
    }

    fn missing(param: &'static str) -> ApiError {
        ApiError::bad_request(Some(param), format!("Field required: `{param}`. (parameter={param})"))
    }

    fn invalid(param: &'static str, expected: &str, value: &Value) -> ApiError {
        let mut found: String = value.to_string().chars().take(80).collect();
        if found.len() < value.to_string().len() {
            found.push('…');
        }
        let message = format!("{param} {expected}, got {found}. (parameter={param}, value={found})");
        ApiError::bad_request(Some(param), message)
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
        let code = self.status.as_u16();
        let error =
            json!({ "message": self.message, "type": self.kind(), "param": self.param, "code": code });
        let body = json!({ "error": error }).to_string();
        (self.status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(api: Api, body: &str) -> Result<Request, ApiError> {
        Request::parse(api, body.as_bytes(), "simulated", 131_072)
    }

    #[test]
    fn prompt_tokens_are_the_words_of_all_messages() {
        let body = r#"{"messages":[{"role":"system","content":"be  brief"},
            {"role":"user","content":[{"type":"text","text":"Hello\nthere you"}]}],"max_tokens":7}"#;
        let request = parse(Api::Chat, body).unwrap();
        assert_eq!((request.prompt_tokens, request.max_tokens, request.stream), (5, 7, false));
    }

    #[test]
    fn an_empty_prompt_is_one_token() {
        assert_eq!(parse(Api::Completions, r#"{"prompt":""}"#).unwrap().prompt_tokens, 1);
    }

    #[test]
    fn token_ids_count_as_they_are() {
        assert_eq!(parse(Api::Completions, r#"{"prompt":[5,5,5]}"#).unwrap().prompt_tokens, 3);
    }

    #[test]
    fn max_completion_tokens_goes_before_max_tokens() {
        let body = r#"{"prompt":"a","max_tokens":3,"max_completion_tokens":5}"#;
        assert_eq!(parse(Api::Completions, body).unwrap().max_tokens, 5);
    }

    #[test]
    fn usage_is_sent_as_the_stream_options_say() {
        let usage = |options: &str| {
            let body = format!(r#"{{"prompt":"a","stream":true,"stream_options":{options}}}"#);
            let request = parse(Api::Completions, &body).unwrap();
            (request.include_usage, request.continuous_usage)
        };
        assert_eq!(usage("{}"), (false, false));
        assert_eq!(usage(r#"{"include_usage":true}"#), (true, false));
        assert_eq!(usage(r#"{"include_usage":true,"continuous_usage_stats":true}"#), (true, true));
    }

    #[test]
    fn an_unknown_model_is_not_found() {
        let error = parse(Api::Chat, r#"{"model":"nope","messages":[]}"#).unwrap_err();
        assert_eq!(error.status, StatusCode::NOT_FOUND);
        assert_eq!(error.message, "The model `nope` does not exist. Valid aliases: simulated.");
    }

    #[test]
    fn a_bad_field_is_named() {
        for (api, body, param) in [
            (Api::Chat, r#"{"prompt":"a"}"#, Some("messages")),
            (Api::Chat, r#"{"messages":[]}"#, Some("messages")),
            (Api::Chat, r#"{"messages":[{"content":"a"}]}"#, Some("messages")),
            (Api::Chat, r#"{"messages":"a"}"#, Some("messages")),
            (Api::Completions, r#"{}"#, Some("prompt")),
            (Api::Completions, r#"{"prompt":["a","b"]}"#, Some("prompt")),
            (Api::Completions, r#"{"prompt":"a","max_tokens":0}"#, Some("max_tokens")),
            (Api::Completions, r#"{"prompt":"a","max_tokens":1.5}"#, Some("max_tokens")),
            (Api::Completions, r#"{"prompt":"a","max_tokens":131072}"#, Some("input_tokens")),
            (Api::Completions, r#"{"prompt":"a","stream":"yes"}"#, Some("stream")),
            (Api::Completions, r#"{"prompt":"a","stream_options":{}}"#, Some("stream_options")),
            (Api::Completions, r#"{"prompt":"a","temperature":-5}"#, Some("temperature")),
            (Api::Completions, r#"{"prompt":"a","n":2}"#, Some("n")),
            (Api::Completions, "{", None),
            (Api::Completions, "[1]", None),
        ] {
            let error = parse(api, body).unwrap_err();
            assert_eq!((error.status, error.param), (StatusCode::BAD_REQUEST, param), "{body}: {error}");
        }
    }
}
