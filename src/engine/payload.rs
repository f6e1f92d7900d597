//! The OpenAI response's JSON, read without allocating: only whether there is content matters, not the content.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::engine::ending::Ending;
use crate::engine::lenient::{Filled, Number, Object};

/// A chunk of a streamed response, or a whole response. Unknown fields are skipped.
#[derive(Debug, Deserialize)]
pub(crate) struct Payload {
    #[serde(default)]
    pub choices: Choices,
    #[serde(default)]
    pub usage: Object<Usage>,
    /// llama.cpp's own times.
    #[serde(default)]
    pub timings: Object<Timings>,
    /// Whether there is an `error`.
    #[serde(default)]
    pub error: Filled,
}

impl Payload {
    /// Whether it holds content and nothing else, or nothing at all.
    pub(crate) fn is_only_content(&self) -> bool {
        let Payload { choices, usage, timings, error } = self;
        choices.ending.is_none() && usage.0.is_none() && timings.0.is_none() && !error.0 && !choices.error
    }

    /// Whether it may be an error object: one in itself or in a choice, or something other than a response.
    pub(crate) fn may_be_error(&self) -> bool {
        let Payload { choices, usage, timings, error } = self;
        let is_unknown = choices.is_empty && usage.0.is_none() && timings.0.is_none();
        error.0 || choices.error || is_unknown
    }
}

/// All choices, reduced to the facts needed; usage chunks have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choices {
    pub is_empty: bool,
    pub content: bool,
    pub ending: Ending,
    /// Whether a choice has an `error`.
    pub error: bool,
}

impl Default for Choices {
    fn default() -> Choices {
        Choices { is_empty: true, content: false, ending: Ending::None, error: false }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Usage {
    #[serde(default)]
    pub prompt_tokens: Number,
    #[serde(default)]
    pub completion_tokens: Number,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Timings {
    #[serde(default)]
    pub prompt_ms: Number,
    #[serde(default)]
    pub predicted_ms: Number,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Object<Content>,
    #[serde(default)]
    message: Object<Content>,
    #[serde(default)]
    text: Filled,
    #[serde(default)]
    finish_reason: Ending,
    #[serde(default)]
    error: Filled,
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
    #[serde(default)]
    error: Filled,
}

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
            let content = choice.delta.0.or(choice.message.0);
            choices.is_empty = false;
            choices.content |= choice.text.0 || content.as_ref().is_some_and(Content::filled);
            choices.error |= choice.error.0 || content.is_some_and(|content| content.error.0);
            choices.ending = choices.ending.and(choice.finish_reason);
        }
        Ok(choices)
    }
}
