//! The OpenAI response's JSON, read without allocating: only whether there is content matters, not the content.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::metrics::record::Finish;

/// A chunk of a streamed response, or a whole response. Unknown fields are skipped.
#[derive(Debug, Deserialize)]
pub(crate) struct Payload {
    #[serde(default)]
    pub choices: Choices,
    #[serde(default)]
    pub usage: Option<Usage>,
    /// llama.cpp's own times.
    #[serde(default)]
    pub timings: Option<Timings>,
    /// Whether there is an `error`.
    #[serde(default)]
    pub error: Filled,
}

impl Payload {
    /// Whether it holds content and nothing else, or nothing at all.
    pub(crate) fn is_only_content(&self) -> bool {
        let Payload { choices, usage, timings, error } = self;
        choices.finish.is_none() && usage.is_none() && timings.is_none() && !error.0
    }
}

/// All choices, reduced to the facts needed; usage chunks have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    pub content: bool,
    pub finish: Option<Finish>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Usage {
    #[serde(default)]
    pub prompt_tokens: Option<u32>,
    #[serde(default)]
    pub completion_tokens: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Timings {
    #[serde(default)]
    pub prompt_ms: Option<f64>,
    #[serde(default)]
    pub predicted_ms: Option<f64>,
}

/// Whether a value is present and not empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filled(pub bool);

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Content>,
    #[serde(default)]
    message: Option<Content>,
    #[serde(default)]
    text: Filled,
    #[serde(default)]
    finish_reason: Option<FinishReason>,
}

/// The content of a message or of a part of one.
#[derive(Deserialize)]
pub(crate) struct Content {
    #[serde(default)]
    content: Filled,
    #[serde(default)]
    reasoning: Filled,
    #[serde(default)]
    reasoning_content: Filled,
    /// Ollama's reasoning.
    #[serde(default)]
    thinking: Filled,
    #[serde(default)]
    tool_calls: Filled,
}

pub(crate) struct FinishReason(pub Finish);

impl Content {
    pub(crate) fn filled(&self) -> bool {
        let reasoning = self.reasoning.0 || self.reasoning_content.0 || self.thinking.0;
        self.content.0 || reasoning || self.tool_calls.0
    }
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Choices, D::Error> {
        deserializer.deserialize_any(ChoicesVisitor)
    }
}

struct ChoicesVisitor;

impl<'de> Visitor<'de> for ChoicesVisitor {
    type Value = Choices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of choices")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Choices, E> {
        Ok(Choices::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices, A::Error> {
        let mut choices = Choices::default();
        while let Some(choice) = seq.next_element::<Choice>()? {
            let content = choice.delta.or(choice.message).is_some_and(|content| content.filled());
            choices.content |= content || choice.text.0;
            choices.finish = choices.finish.or(choice.finish_reason.map(|reason| reason.0));
        }
        Ok(choices)
    }
}

impl<'de> Deserialize<'de> for FinishReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FinishReason, D::Error> {
        deserializer.deserialize_str(FinishVisitor)
    }
}

struct FinishVisitor;

impl Visitor<'_> for FinishVisitor {
    type Value = FinishReason;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a finish reason")
    }

    fn visit_str<E: de::Error>(self, reason: &str) -> Result<FinishReason, E> {
        Ok(FinishReason(match reason {
            "length" => Finish::Length,
            // TGI also names the stop sequence.
            "stop" | "eos_token" | "stop_sequence" => Finish::Stop,
            _ => Finish::Other,
        }))
    }
}

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Filled, D::Error> {
        deserializer.deserialize_any(FilledVisitor)
    }
}

struct FilledVisitor;

impl<'de> Visitor<'de> for FilledVisitor {
    type Value = Filled;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Filled, E> {
        Ok(Filled(false))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Filled, E> {
        Ok(Filled(value))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Filled, E> {
        Ok(Filled(true))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Filled, E> {
        Ok(Filled(true))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Filled, E> {
        Ok(Filled(true))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Filled, E> {
        Ok(Filled(!value.is_empty()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Filled, A::Error> {
        let mut filled = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Filled(filled))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Filled, A::Error> {
        let mut filled = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Filled(filled))
    }
}
