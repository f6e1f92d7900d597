//! Server-sent events as engines send them: each event is one `data:` line of JSON.

use crate::engine::refusal::{bad_payload, error_in};
use crate::metrics::record::Failure;

/// The content of one line of an event stream.
pub(crate) enum Event<'a> {
    Json(&'a [u8]),
    /// OpenAI's `[DONE]`.
    End,
    /// An empty line, a comment, or an irrelevant field.
    Nothing,
}

/// Some gateways return a line of bare JSON instead of a stream if something went wrong.
pub(crate) fn event(line: &[u8]) -> Result<Event<'_>, Failure> {
    if let Some(data) = line.strip_prefix(b"data:") {
        return Ok(match data.trim_ascii() {
            b"" => Event::Nothing,
            b"[DONE]" => Event::End,
            json => Event::Json(json),
        });
    }
    if line.starts_with(b"{") {
        return Err(error_in(line).unwrap_or_else(|| bad_payload("an event as a `data:` line", line)));
    }
    Ok(Event::Nothing)
}
