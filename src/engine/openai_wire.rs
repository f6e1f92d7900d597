//! The API that nearly every engine speaks: OpenAI's chat and completions routes, streamed or not.

use std::borrow::Cow;

use serde::Serialize;

use crate::engine::lenient::Number;
use crate::engine::payload::{Payload, Timings};
use crate::engine::prompt::{Messages, messages, text};
use crate::engine::refusal::{error_in, parsed};
use crate::engine::sse::{Event, EventReader};
use crate::engine::{Ask, Reply, Request, Wire};
use crate::load::workload::{Api, Sampling};
use crate::metrics::record::Failure;
use crate::metrics::server_side::Mean;
use crate::units::Nanos;

#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenaiWire {
    /// Whether the engine supports `ignore_eos`, which OpenAI's own API does not have.
    pub knows_ignore_eos: bool,
}

impl Wire for OpenaiWire {
    fn request(&self, ask: &Ask) -> Request {
        let path = match ask.api {
            Api::Chat => "/v1/chat/completions",
            Api::Completions => "/v1/completions",
        };
        let ask = Ask { ignore_eos: ask.ignore_eos && self.knows_ignore_eos, ..*ask };
        let body = serde_json::to_vec(&OpenAiBody::new(&ask)).expect("plain data is always JSON");
        Request { path, body }
    }

    fn read_line(&self, line: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        if reply.events.is_between_events()
            && let Some(content) = reply.template.read(line)
        {
            reply.note_content(content, at_ns);
            return Ok(());
        }
        match reply.events.read(line, EXPECTED)? {
            Event::Json(payload, json) => {
                let payload = verified(payload, &json)?;
                if payload.choices.content && payload.is_only_content() && matches!(json, Cow::Borrowed(_)) {
                    reply.template.learn(line, is_blank);
                }
                take_in(payload, at_ns, reply);
            }
            Event::End => reply.done = true,
            Event::Nothing => {}
        }
        Ok(())
    }

    fn read_body(&self, json: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        take_in(verified(parsed(EXPECTED, json)?, json)?, at_ns, reply);
        Ok(())
    }
}

const EXPECTED: &str = "OpenAI JSON";

fn verified(payload: Payload, json: &[u8]) -> Result<Payload, Failure> {
    match payload.may_be_error().then(|| error_in(json)).flatten() {
        Some(error) => Err(error),
        None => Ok(payload),
    }
}

/// Whether a chunk carries no information.
fn is_blank(line: &[u8]) -> bool {
    match EventReader::default().read::<Payload>(line, EXPECTED) {
        Ok(Event::Json(payload, _)) => !payload.choices.content && payload.is_only_content(),
        _ => false,
    }
}

fn take_in(payload: Payload, at_ns: Nanos, reply: &mut Reply) {
    reply.note_content(payload.choices.content, at_ns);
    reply.note_ending(payload.choices.ending);
    // Some engines put a usage of zeros into every chunk; the last nonzero one is the response's.
    if let Some(usage) = payload.usage.0 {
        let nonzero = |number: Number| number.count().filter(|&tokens| tokens > 0);
        reply.input_tokens = nonzero(usage.prompt_tokens).or(reply.input_tokens);
        reply.output_tokens = nonzero(usage.completion_tokens).or(reply.output_tokens);
    }
    if let Some(Timings { prompt_ms, predicted_ms }) = payload.timings.0 {
        reply.server_times.prefill_ms = prompt_ms.0.map(Mean::of).unwrap_or_default();
        reply.server_times.decode_ms = predicted_ms.0.map(Mean::of).unwrap_or_default();
    }
}

/// The request body.
#[derive(Serialize)]
struct OpenAiBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(flatten)]
    prompt: OpenAiPrompt<'a>,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ignore_eos: bool,
    #[serde(flatten)]
    sampling: Sampling,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OpenAiPrompt<'a> {
    Chat { messages: Messages<'a> },
    Text { prompt: Cow<'a, str> },
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> OpenAiBody<'a> {
    fn new(ask: &Ask<'a>) -> OpenAiBody<'a> {
        OpenAiBody {
            model: ask.model,
            prompt: match ask.api {
                Api::Chat => OpenAiPrompt::Chat { messages: messages(ask.prompt) },
                Api::Completions => OpenAiPrompt::Text { prompt: text(ask.prompt) },
            },
            max_tokens: ask.output_tokens,
            stream: ask.stream,
            stream_options: ask.stream.then_some(StreamOptions { include_usage: true }),
            ignore_eos: ask.ignore_eos,
            sampling: ask.sampling,
        }
    }
}

#[cfg(test)]
mod tests;
