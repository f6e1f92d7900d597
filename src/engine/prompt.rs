//! A prompt as routes take it: as a chat's messages, or as one text.

use std::borrow::Cow;

use serde::Serialize;

use crate::load::workload::{ChatMessage, Prompt};

#[derive(Serialize)]
#[serde(untagged)]
pub enum Messages<'a> {
    Given(&'a [ChatMessage]),
    Said([Said<'a>; 1]),
}

#[derive(Serialize)]
pub struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

/// A text is what a user says.
pub fn messages(prompt: &Prompt) -> Messages<'_> {
    match prompt {
        Prompt::Messages(messages) => Messages::Given(messages),
        Prompt::Text(content) => Messages::Said([Said { role: "user", content }]),
    }
}

/// A text knows no roles: messages are their contents, a line feed between.
pub fn text(prompt: &Prompt) -> Cow<'_, str> {
    match prompt {
        Prompt::Text(text) => Cow::Borrowed(text),
        Prompt::Messages(messages) => {
            let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
            Cow::Owned(contents.join("\n"))
        }
    }
}
