//! Why an engine says that a response ended.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::metrics::record::Finish;

/// A `finish_reason` or `done_reason`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The response goes on.
    #[default]
    None,
    Good(Finish),
    /// The engine gave up, with its word for it.
    Aborted(String),
}

impl Ending {
    pub(crate) fn is_none(&self) -> bool {
        *self == Ending::None
    }

    /// The ending of two choices or chunks: an abort outweighs all.
    pub(crate) fn and(self, other: Ending) -> Ending {
        match (&self, &other) {
            (Ending::Aborted(_), _) | (_, Ending::None) => self,
            _ => other,
        }
    }

    /// Only what is known to be good is good. `content_filter` is not: the engine withheld the rest.
    fn of(word: &str) -> Ending {
        match word.to_ascii_lowercase().as_str() {
            // Some servers write it into every chunk.
            "" | "null" | "none" => Ending::None,
            "length" | "max_tokens" | "model_length" => Ending::Good(Finish::Length),
            // TGI also names the stop sequence; gateways pass on Anthropic's words.
            "stop" | "eos" | "eos_token" | "stop_sequence" | "end_turn" => Ending::Good(Finish::Stop),
            // vLLM's `repetition` and Ollama's `load` happen only on request.
            "tool_calls" | "tool_use" | "function_call" | "repetition" | "load" => {
                Ending::Good(Finish::Other)
            }
            _ => Ending::Aborted(word.to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Ending {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ending, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null | Value::Bool(false) => Ending::None,
            Value::String(word) => Ending::of(&word),
            // SGLang's own form.
            Value::Object(reason) => match (reason.get("type"), reason.get("message")) {
                (Some(Value::String(word)), message) => Ending::of(word).explained(message),
                _ => Ending::Aborted(Value::Object(reason).to_string()),
            },
            other => Ending::Aborted(other.to_string()),
        })
    }
}

impl Ending {
    fn explained(self, message: Option<&Value>) -> Ending {
        match (self, message.and_then(Value::as_str)) {
            (Ending::Aborted(word), Some(message)) => Ending::Aborted(format!("{word}: {message}")),
            (ending, _) => ending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(json: &str) -> Ending {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn known_words_are_good_endings() {
        for (json, finish) in [
            ("\"stop\"", Finish::Stop),
            ("\"STOP\"", Finish::Stop),
            ("\"eos_token\"", Finish::Stop),
            ("\"length\"", Finish::Length),
            ("\"tool_calls\"", Finish::Other),
            ("\"function_call\"", Finish::Other),
            ("{\"type\":\"length\",\"length\":8}", Finish::Length),
        ] {
            assert_eq!(ending(json), Ending::Good(finish), "{json}");
        }
    }

    #[test]
    fn null_in_any_spelling_is_no_ending() {
        for json in ["null", "\"\"", "\"null\"", "\"None\"", "false"] {
            assert_eq!(ending(json), Ending::None, "{json}");
        }
    }

    #[test]
    fn any_other_word_is_an_abort() {
        for word in ["abort", "error", "content_filter", "cancelled", "insufficient_system_resource"] {
            assert_eq!(ending(&format!("\"{word}\"")), Ending::Aborted(word.into()));
        }
        let sglang = "{\"type\":\"abort\",\"message\":\"out of memory\"}";
        assert_eq!(ending(sglang), Ending::Aborted("abort: out of memory".into()));
    }
}
