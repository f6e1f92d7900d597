//! Error messages of engines.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::engine::lenient::{Filled, Object};
use crate::engine::lines::{LineTooLong, without_mark};
use crate::metrics::record::{Failure, FailureClass};

/// The error message in a response with a status other than 200.
pub(crate) fn refusal(body: &[u8]) -> String {
    let body = without_mark(body);
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return excerpt(String::from_utf8_lossy(body).trim());
    };
    error_message(reported(&answer).unwrap_or(&answer))
}

/// Reads a response's JSON, or fails with the error that it has instead.
pub(super) fn parsed<T: DeserializeOwned>(expected: &str, json: &[u8]) -> Result<T, Failure> {
    match serde_json::from_slice(json) {
        Ok(Object(Some(payload))) => Ok(payload),
        Ok(Object(None)) => Err(no_object(expected, json)),
        Err(error) => Err(unreadable(expected, &error, json)),
    }
}

/// For JSON other than an object, such as a list of errors.
pub(super) fn no_object(expected: &str, json: &[u8]) -> Failure {
    error_in(json).unwrap_or_else(|| bad_payload(expected, json))
}

pub(super) fn unreadable(expected: &str, error: &serde_json::Error, json: &[u8]) -> Failure {
    error_in(json).unwrap_or_else(|| bad_payload(&format!("{expected} ({error})"), json))
}

/// The engine's own message, if this reports an error.
pub(super) fn error_in(json: &[u8]) -> Option<Failure> {
    let answer: Value = serde_json::from_slice(json).ok()?;
    Some(in_stream_error(error_message(reported(&answer)?)))
}

/// For the data of an `error` event, whatever its form.
pub(super) fn error_event(data: &[u8]) -> Failure {
    match refusal(data) {
        words if words.is_empty() => in_stream_error("an error event without data".to_owned()),
        words => in_stream_error(words),
    }
}

fn in_stream_error(detail: String) -> Failure {
    Failure { class: FailureClass::InStreamError, detail }
}

/// The error that an answer reports, in any form that servers use.
fn reported(answer: &Value) -> Option<&Value> {
    let Value::Object(_) = answer else {
        return answer.as_array()?.iter().find_map(reported);
    };
    let choices = answer["choices"].as_array().map_or(&[][..], Vec::as_slice);
    let in_choices = choices.iter().flat_map(|choice| [choice, &choice["delta"], &choice["message"]]);
    let error = [answer].into_iter().chain(in_choices).find_map(|part| filled(&part["error"]));
    if error.is_some() || !choices.is_empty() {
        return error;
    }
    let says_error = ["object", "type", "status"].iter().any(|key| answer[key] == "error");
    let whole = says_error.then_some(answer);
    let is_ping = answer["type"] == "ping";
    let message = Some(&answer["message"]).filter(|message| message.is_string() && !is_ping);
    let named = ["errors", "detail"].iter().find_map(|key| filled(&answer[key]));
    whole.or(named).or(message.and_then(filled))
}

/// `null`, `0`, `false`, and everything empty stand for no error.
fn filled(value: &Value) -> Option<&Value> {
    Filled::deserialize(value).is_ok_and(|filled| filled.0).then_some(value)
}

pub(super) fn bad_payload(expected: &str, found: &[u8]) -> Failure {
    let found = excerpt(&String::from_utf8_lossy(found));
    Failure { class: FailureClass::BadPayload, detail: format!("expected {expected}, found `{found}`") }
}

/// Usually `{"error": {"message": …}}`; some engines put a string there, or use other names.
fn error_message(error: &Value) -> String {
    excerpt(words(error).unwrap_or(&error.to_string()))
}

fn words(error: &Value) -> Option<&str> {
    match error {
        Value::String(words) => Some(words.as_str()).filter(|words| !words.is_empty()),
        Value::Array(errors) => errors.iter().find_map(words),
        Value::Object(_) => {
            ["message", "msg", "detail", "error", "errors"].iter().find_map(|key| words(&error[key]))
        }
        _ => None,
    }
}

fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 300;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl From<LineTooLong> for Failure {
    fn from(error: LineTooLong) -> Failure {
        Failure { class: FailureClass::BadPayload, detail: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_reported_in_the_engines_words() {
        assert_eq!(refusal(br#"{"error":{"message":"too long","type":"BadRequestError"}}"#), "too long");
        assert_eq!(refusal(br#"{"error":"no such model"}"#), "no such model");
        assert_eq!(refusal(br#"{"detail":"Not Found"}"#), "Not Found");
        assert_eq!(refusal(b"<html>502 Bad Gateway</html>\n"), "<html>502 Bad Gateway</html>");
        assert_eq!(refusal("ü".repeat(400).as_bytes()).chars().count(), 301);
    }

    #[test]
    fn an_error_is_found_in_every_form() {
        for (json, words) in [
            (r#"{"error":"a"}"#, "a"),
            (r#"{"error":{"error":{"message":"a"}}}"#, "a"),
            (r#"{"error":500}"#, "500"),
            (r#"{"object":"error","message":"a","code":400}"#, "a"),
            (r#"{"type":"error","message":"a"}"#, "a"),
            (r#"{"detail":"a"}"#, "a"),
            (r#"{"detail":[{"loc":["body"],"msg":"a"}]}"#, "a"),
            (r#"{"errors":["a"]}"#, "a"),
            (r#"{"message":"a"}"#, "a"),
            (r#"[{"error":{"message":"a"}}]"#, "a"),
            (r#"{"choices":[{"error":{"message":"a"},"delta":{}}]}"#, "a"),
            (r#"{"choices":[{"delta":{"error":"a"}}]}"#, "a"),
        ] {
            let failure = error_in(json.as_bytes()).unwrap_or_else(|| panic!("{json}"));
            assert_eq!((failure.class, failure.detail.as_str()), (FailureClass::InStreamError, words));
        }
    }

    #[test]
    fn an_empty_error_is_none() {
        for error in ["null", "0", "false", "\"\"", "{}", "[]"] {
            assert_eq!(error_in(format!("{{\"error\":{error}}}").as_bytes()), None, "{error}");
        }
        for json in ["{}", "[]", "7", r#"{"type":"ping","message":"a"}"#, r#"{"choices":[{}],"detail":"a"}"#]
        {
            assert_eq!(error_in(json.as_bytes()), None, "{json}");
        }
    }
}
