//! Server-sent events as engines send them: an event's data is JSON, nearly always on one line.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use crate::engine::lenient::Object;
use crate::engine::lines::{LineTooLong, MAX_LINE_BYTES};
use crate::engine::refusal::{bad_payload, error_event, error_in, no_object, parsed, unreadable};
use crate::metrics::record::Failure;

/// What a line of an event stream completes.
pub(crate) enum Event<'a, T> {
    /// The payload, with its JSON.
    Json(T, Cow<'a, [u8]>),
    /// OpenAI's `[DONE]`.
    End,
    /// An empty line, a comment, a keep-alive, an irrelevant field, or a part of an event.
    Nothing,
}

/// Reads lines as events.
///
/// An event is read as soon as its JSON is whole, and not only at the empty line that ends it, which may arrive later.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    /// The data of an event that is not whole yet.
    data: Vec<u8>,
    is_error: bool,
}

impl EventReader {
    /// Whether the next line can be an event by itself.
    pub(crate) fn is_between_events(&self) -> bool {
        self.data.is_empty() && !self.is_error
    }

    /// `expected` names the payload in error messages.
    pub(crate) fn read<'a, T: DeserializeOwned>(
        &mut self,
        line: &'a [u8],
        expected: &str,
    ) -> Result<Event<'a, T>, Failure> {
        if line.is_empty() {
            return self.dispatch(expected);
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            return self.take_data(data.trim_ascii(), expected);
        }
        if let Some(name) = line.strip_prefix(b"event:") {
            self.is_error = name.trim_ascii().eq_ignore_ascii_case(b"error");
        }
        // Old versions of llama.cpp.
        if let Some(data) = line.strip_prefix(b"error:") {
            return Err(error_event(data.trim_ascii()));
        }
        bare(line).map_or(Ok(Event::Nothing), Err)
    }

    fn take_data<'a, T: DeserializeOwned>(
        &mut self,
        data: &'a [u8],
        expected: &str,
    ) -> Result<Event<'a, T>, Failure> {
        if !self.is_between_events() {
            return self.buffer_part(data);
        }
        match data {
            b"[DONE]" => Ok(Event::End),
            [b'{' | b'[', ..] => match serde_json::from_slice(data) {
                Ok(Object(Some(payload))) => Ok(Event::Json(payload, Cow::Borrowed(data))),
                Ok(Object(None)) => Err(no_object(expected, data)),
                Err(error) if error.is_eof() => self.buffer_part(data),
                Err(error) if data[0] == b'{' => Err(unreadable(expected, &error, data)),
                // Text such as `[PING]`.
                Err(_) => Ok(Event::Nothing),
            },
            text => text_event(text, expected).map_or(Ok(Event::Nothing), Err),
        }
    }

    /// Keeps a line of an event that is not whole yet.
    fn buffer_part<'a, T>(&mut self, data: &[u8]) -> Result<Event<'a, T>, Failure> {
        if self.data.len() + data.len() > MAX_LINE_BYTES {
            return Err(LineTooLong.into());
        }
        self.data.extend_from_slice(data);
        self.data.push(b'\n');
        Ok(Event::Nothing)
    }

    /// At the empty line after an event.
    fn dispatch<'a, T: DeserializeOwned>(&mut self, expected: &str) -> Result<Event<'a, T>, Failure> {
        if self.is_between_events() {
            return Ok(Event::Nothing);
        }
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.is_error) {
            return Err(error_event(data.trim_ascii()));
        }
        let payload = parsed(expected, data.trim_ascii())?;
        Ok(Event::Json(payload, Cow::Owned(data)))
    }
}

/// Text is a keep-alive, unless it is an error message or a page.
fn text_event(text: &[u8], expected: &str) -> Option<Failure> {
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    if begins(b"error") {
        return Some(error_event(text));
    }
    begins(b"<").then(|| bad_payload(expected, text))
}

/// Some gateways return a line of bare JSON instead of a stream if something went wrong.
fn bare(line: &[u8]) -> Option<Failure> {
    match line {
        [b'{', ..] => Some(error_in(line).unwrap_or_else(|| bad_payload("an event as a `data:` line", line))),
        [b'[', ..] => error_in(line),
        _ => None,
    }
}
