//! The wire that nearly every engine speaks: OpenAI's chat and completions routes, streamed or not.

use serde::Serialize;
use serde_json::Value;

use crate::engine::lines::LineTooLong;
use crate::engine::payload::Payload;
use crate::engine::{Ask, Engine, Identity, Reply, Request};
use crate::record::{Failure, FailureClass, Nanos};
use crate::target::EngineKind;
use crate::workload::{Api, Message, Prompt, Sampling};

/// An engine with this wire, and in what it differs from the others.
#[derive(Clone, Copy, Debug)]
pub struct Openai {
    kind: EngineKind,
    health_path: &'static str,
    /// `/v1/models` names the model everywhere; the version is each engine's own affair.
    identity_paths: &'static [&'static str],
    forces_output_length: bool,
}

const MODELS: &str = "/v1/models";
const VERSION: &str = "/version";
const PROPS: &str = "/props";
/// What llama.cpp calls itself when it was built from sources without their history.
const UNKNOWN_BUILD: &str = "b0-unknown";

pub const OPENAI: Openai = Openai {
    kind: EngineKind::Openai,
    health_path: MODELS,
    identity_paths: &[MODELS],
    forces_output_length: false,
};

pub const VLLM: Openai = Openai {
    kind: EngineKind::Vllm,
    health_path: "/health",
    identity_paths: &[MODELS, VERSION],
    forces_output_length: true,
};

pub const SIMULATOR: Openai = Openai { kind: EngineKind::Simulator, ..VLLM };

pub const LLAMACPP: Openai = Openai { kind: EngineKind::Llamacpp, identity_paths: &[MODELS, PROPS], ..VLLM };

impl Engine for Openai {
    fn kind(&self) -> EngineKind {
        self.kind
    }

    fn request(&self, ask: &Ask) -> Request {
        let path = match ask.api {
            Api::Chat => "/v1/chat/completions",
            Api::Completions => "/v1/completions",
        };
        let body = serde_json::to_vec(&Body::new(ask)).expect("plain data is always JSON");
        Request { path, body }
    }

    fn read_piece(&self, piece: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        let mut lines = std::mem::take(&mut reply.lines);
        let read = lines.push(piece, |line| read_line(line, at_ns, reply));
        reply.lines = lines;
        read
    }

    fn read_end(&self, at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        let lines = std::mem::take(&mut reply.lines);
        read_line(lines.rest(), at_ns, reply)?;
        reply.verify()
    }

    fn read_whole(&self, body: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        read_payload(body, at_ns, reply)?;
        reply.done = true;
        reply.verify()
    }

    fn health_path(&self) -> &'static str {
        self.health_path
    }

    fn identity_paths(&self) -> &'static [&'static str] {
        self.identity_paths
    }

    fn read_identity(&self, path: &str, answer: &Value, identity: &mut Identity) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match path {
            MODELS => identity.model = text(&answer["data"][0]["id"]),
            VERSION => identity.version = text(&answer["version"]),
            PROPS => {
                let build = text(&answer["build_info"]);
                identity.version = build.filter(|build| build != UNKNOWN_BUILD);
            }
            _ => {}
        }
    }

    fn forces_output_length(&self) -> bool {
        self.forces_output_length
    }
}

/// What is asked, as JSON.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(flatten)]
    prompt: BodyPrompt<'a>,
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
enum BodyPrompt<'a> {
    Given { messages: &'a [Message] },
    Said { messages: [Said<'a>; 1] },
    Text { prompt: &'a str },
    Joined { prompt: String },
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> Body<'a> {
    fn new(ask: &Ask<'a>) -> Body<'a> {
        Body {
            model: ask.model,
            prompt: BodyPrompt::new(ask.api, ask.prompt),
            max_tokens: ask.output_tokens,
            stream: ask.stream,
            stream_options: ask.stream.then_some(StreamOptions { include_usage: true }),
            ignore_eos: ask.ignore_eos,
            sampling: ask.sampling,
        }
    }
}

impl<'a> BodyPrompt<'a> {
    /// The completions route knows no roles: there, messages are their contents, a line feed between.
    fn new(api: Api, prompt: &'a Prompt) -> BodyPrompt<'a> {
        match (api, prompt) {
            (Api::Chat, Prompt::Messages(messages)) => BodyPrompt::Given { messages },
            (Api::Chat, Prompt::Text(content)) => {
                BodyPrompt::Said { messages: [Said { role: "user", content }] }
            }
            (Api::Completions, Prompt::Text(prompt)) => BodyPrompt::Text { prompt },
            (Api::Completions, Prompt::Messages(messages)) => {
                let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
                BodyPrompt::Joined { prompt: contents.join("\n") }
            }
        }
    }
}

/// Each of these engines puts an event into one `data:` line. Comments and other fields carry nothing; a line of bare
/// JSON is what some gateways answer in place of a stream when something went wrong.
fn read_line(line: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
    if let Some(data) = line.strip_prefix(b"data:") {
        return match data.trim_ascii() {
            b"" => Ok(()),
            b"[DONE]" => {
                reply.done = true;
                Ok(())
            }
            event => read_payload(event, at_ns, reply),
        };
    }
    match line.starts_with(b"{") {
        true => Err(error_in(line).unwrap_or_else(|| bad_payload("an event as a `data:` line", line))),
        false => Ok(()),
    }
}

fn read_payload(json: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
    let payload: Payload =
        serde_json::from_slice(json).map_err(|error| bad_payload(&format!("OpenAI JSON ({error})"), json))?;
    if payload.error.0 {
        return Err(error_in(json).unwrap_or_else(|| bad_payload("an error object", json)));
    }
    if payload.choices.content {
        reply.content_ns.push(at_ns);
    }
    reply.finish = payload.choices.finish.or(reply.finish);
    // Some engines put a usage of zeros into every chunk; the last that counts anything is the answer's.
    if let Some(usage) = payload.usage {
        reply.input_tokens = usage.prompt_tokens.filter(|&tokens| tokens > 0).or(reply.input_tokens);
        reply.output_tokens = usage.completion_tokens.filter(|&tokens| tokens > 0).or(reply.output_tokens);
    }
    Ok(())
}

/// The engine's own words, where this is an error object.
fn error_in(json: &[u8]) -> Option<Failure> {
    let answer: Value = serde_json::from_slice(json).ok()?;
    let error = answer.get("error").filter(|error| !error.is_null())?;
    Some(Failure { class: FailureClass::InStreamError, detail: error_message(error) })
}

/// `{"error": {"message": …}}` is the rule; some put a string there, or use `message` or `detail`.
fn error_message(error: &Value) -> String {
    let message = match error {
        Value::String(message) => Some(message.as_str()),
        error => error["message"].as_str(),
    };
    excerpt(message.unwrap_or(&error.to_string()))
}

/// What an answer with another status than 200 says went wrong.
pub fn refusal(body: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return excerpt(String::from_utf8_lossy(body).trim());
    };
    let error = ["error", "detail", "message"].into_iter().find_map(|key| answer.get(key));
    error_message(error.unwrap_or(&answer))
}

fn bad_payload(expected: &str, found: &[u8]) -> Failure {
    let found = excerpt(&String::from_utf8_lossy(found));
    Failure { class: FailureClass::BadPayload, detail: format!("expected {expected}, found `{found}`") }
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
mod tests;
