//! Access to the fields of a request's body.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::simulator::dialect::error::ApiError;

pub(crate) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|e| ApiError::bad_request(None, format!("JSON decode error: {e}")))
}

pub(crate) fn check_length(prompt_tokens: u32, max_tokens: u32, max_model_len: u32) -> Result<(), ApiError> {
    if u64::from(prompt_tokens) + u64::from(max_tokens) <= u64::from(max_model_len) {
        return Ok(());
    }
    let message = format!(
        "This model's maximum context length is {max_model_len} tokens. However, you requested {max_tokens} output \
         tokens and your prompt contains {prompt_tokens} input tokens. Please reduce the length of either."
    );
    Err(ApiError::bad_request(Some("input_tokens"), message))
}

/// The fields of a request's body.
pub(crate) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(crate) fn of(body: &'a Value) -> Result<Fields<'a>, ApiError> {
        let fields = body.as_object().map(Fields);
        fields.ok_or_else(|| ApiError::bad_request(None, "the body must be a JSON object".into()))
    }

    /// Treats `null` as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn check_model(&self, served: &str) -> Result<(), ApiError> {
        match self.get("model") {
            None => Ok(()),
            Some(Value::String(asked)) if asked == served => Ok(()),
            Some(Value::String(asked)) => {
                let message = format!("The model `{asked}` does not exist. Valid aliases: {served}.");
                let error = ApiError::new(StatusCode::NOT_FOUND, message);
                Err(ApiError { param: Some("model"), ..error })
            }
            Some(other) => Err(ApiError::invalid("model", "must be a string", other)),
        }
    }

    pub(crate) fn check_sampling(&self) -> Result<(), ApiError> {
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

    pub(crate) fn flag(&self, key: &'static str) -> Result<bool, ApiError> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(ApiError::invalid(key, "must be true or false", other)),
        }
    }

    pub(crate) fn count(&self, key: &'static str) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count) if count >= 1 => Ok(Some(count)),
            _ => Err(ApiError::invalid(key, "must be a whole number of at least 1", value)),
        }
    }

    /// A nested object.
    pub(crate) fn table(&self, key: &'static str) -> Result<Option<Fields<'a>>, ApiError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Fields(fields))),
            Some(other) => Err(ApiError::invalid(key, "must be an object", other)),
        }
    }

    pub(crate) fn message_tokens(&self) -> Result<u32, ApiError> {
        let Some(value) = self.get("messages") else { return Err(ApiError::missing("messages")) };
        let messages = value.as_array().filter(|messages| !messages.is_empty());
        let words = messages.and_then(|messages| messages.iter().map(message_words).sum::<Option<usize>>());
        let expected = "must be a list of at least one {role, content}";
        words.map(tokens).ok_or_else(|| ApiError::invalid("messages", expected, value))
    }

    pub(crate) fn prompt_tokens(&self) -> Result<u32, ApiError> {
        let Some(value) = self.get("prompt") else { return Err(ApiError::missing("prompt")) };
        prompt_words(value).map(tokens).ok_or_else(|| {
            let expected = "must be a string, a list of one string, or a list of token ids";
            ApiError::invalid("prompt", expected, value)
        })
    }

    /// Number of tokens in a text field.
    pub(crate) fn text_tokens(&self, key: &'static str) -> Result<u32, ApiError> {
        match self.get(key) {
            None => Err(ApiError::missing(key)),
            Some(Value::String(text)) => Ok(tokens(words(text))),
            Some(other) => Err(ApiError::invalid(key, "must be a string", other)),
        }
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
