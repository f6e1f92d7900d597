//! A prompt in the form that routes accept: chat messages, or one text.

use std::borrow::Cow;

use serde::Serialize;

use crate::load::workload::{ChatMessage, Prompt};

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Messages<'a> {
    Given(&'a [ChatMessage]),
    Said([Said<'a>; 1]),
}

#[derive(Serialize)]
pub(crate) struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

/// A text becomes a user message.
pub(crate) fn messages(prompt: &Prompt) -> Messages<'_> {
    match prompt {
        Prompt::Messages(messages) => Messages::Given(messages),
        Prompt::Text(content) => Messages::Said([Said { role: "user", content }]),
    }
}

/// A text has no roles: the messages' contents are joined by line feeds.
pub(crate) fn text(prompt: &Prompt) -> Cow<'_, str> {
    match prompt {
        Prompt::Text(text) => Cow::Borrowed(text),
        Prompt::Messages(messages) => {
            let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
            Cow::Owned(contents.join("\n"))
        }
    }
}
