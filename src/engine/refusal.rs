//! Error messages of engines.

use serde_json::Value;

use crate::engine::lines::LineTooLong;
use crate::metrics::record::{Failure, FailureClass};

/// The error message in a response with a status other than 200.
pub(crate) fn refusal(body: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return excerpt(String::from_utf8_lossy(body).trim());
    };
    let error = ["error", "detail", "message"].into_iter().find_map(|key| answer.get(key));
    error_message(error.unwrap_or(&answer))
}

/// The engine's own message, if this is an error object.
pub(super) fn error_in(json: &[u8]) -> Option<Failure> {
    let answer: Value = serde_json::from_slice(json).ok()?;
    let error = answer.get("error").filter(|error| !error.is_null())?;
    Some(Failure { class: FailureClass::InStreamError, detail: error_message(error) })
}

/// For JSON whose `error` is not empty.
pub(super) fn reported_error(json: &[u8]) -> Failure {
    error_in(json).unwrap_or_else(|| bad_payload("an error object", json))
}

pub(super) fn bad_payload(expected: &str, found: &[u8]) -> Failure {
    let found = excerpt(&String::from_utf8_lossy(found));
    Failure { class: FailureClass::BadPayload, detail: format!("expected {expected}, found `{found}`") }
}

/// Usually `{"error": {"message": …}}`; some engines put a string there, or use `message` or `detail`.
fn error_message(error: &Value) -> String {
    let message = match error {
        Value::String(message) => Some(message.as_str()),
        error => error["message"].as_str(),
    };
    excerpt(message.unwrap_or(&error.to_string()))
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
}
