//! Ollama's native API: one record per line, durations in nanoseconds.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::payload::{Content, Filled, FinishReason};
use crate::engine::prompt::{self, Messages};
use crate::engine::refusal::{bad_payload, reported_error};
use crate::engine::{Ask, Engine, Identity, Probe, Reply, Request, SetupCall, Wire, text};
use crate::load::workload::{Api, Sampling};
use crate::metrics::record::Failure;
use crate::metrics::server_side::Mean;
use crate::units::Nanos;

#[derive(Debug)]
pub(crate) struct Ollama;

const VERSION: &str = "/api/version";
/// Lists the loaded models.
const PS: &str = "/api/ps";
/// Lists the installed models.
const TAGS: &str = "/api/tags";

/// Longer than any pause between two requests.
const KEEP_ALIVE: &str = "10m";

impl Engine for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    fn wire(&self, _: Api) -> &'static dyn Wire {
        &OllamaWire
    }

    fn health_path(&self) -> &'static str {
        VERSION
    }

    fn container_port(&self) -> Option<u16> {
        Some(11434)
    }

    fn probe(&self) -> Probe {
        Probe { path: VERSION, is_mine: |answer| answer["version"].is_string() }
    }

    fn identity_paths(&self) -> &'static [&'static str] {
        &[VERSION, PS, TAGS]
    }

    /// If no model is requested, it can only be the one that is installed.
    fn read_identity(&self, path: &str, answer: &Value, identity: &mut Identity) {
        let models = answer["models"].as_array().map_or(&[][..], Vec::as_slice);
        match (path, models) {
            (VERSION, _) => identity.version = text(&answer["version"]),
            (_, [only]) if identity.model.is_none() => identity.model = text(&only["name"]),
            _ => {}
        }
        if path == TAGS {
            let wanted = models.iter().find(|model| is_called(model, identity.model.as_deref()));
            identity.model_digest = wanted.and_then(|model| text(&model["digest"]));
        }
    }

    /// `num_predict` is only a cap.
    fn fixes_output_length(&self) -> bool {
        false
    }

    /// Pulls a missing model. Unloads a loaded one first: that clears its prefix cache, and the session starts with a
    /// fresh runner.
    fn setup_calls(&self, identity: &Identity) -> Vec<SetupCall> {
        let Some(model) = &identity.model else { return Vec::new() };
        let ask = |what: &str, path, body, is_needed| SetupCall {
            what: format!("{what} {model}"),
            path,
            body,
            is_needed,
        };
        // An empty prompt only loads the model; servers that don't know that answer with one token.
        let load = |keep_alive: Value| json!({ "model": model, "prompt": "", "stream": false, "keep_alive": keep_alive, "options": { "num_predict": 1 } });
        let pull = identity
            .model_digest
            .is_none()
            .then(|| ask("pulling", "/api/pull", json!({ "model": model, "stream": true }), true));
        let unload = ask("unloading", GENERATE, load(0.into()), false);
        let load = ask("loading", GENERATE, load(KEEP_ALIVE.into()), true);
        pull.into_iter().chain([unload, load]).collect()
    }

    fn queueing_hint(&self) -> Option<&'static str> {
        Some(
            "Ollama serves OLLAMA_NUM_PARALLEL requests at once: set that variable of its server to the number of users",
        )
    }
}

/// `qwen3` means `qwen3:latest`.
fn is_called(model: &Value, name: Option<&str>) -> bool {
    let found = model["name"].as_str();
    name.is_some() && (found == name || found.and_then(|found| found.strip_suffix(":latest")) == name)
}

const CHAT: &str = "/api/chat";
const GENERATE: &str = "/api/generate";

/// `/api/chat` and `/api/generate`.
#[derive(Debug)]
struct OllamaWire;

impl Wire for OllamaWire {
    fn request(&self, ask: &Ask) -> Request {
        let (path, prompt) = match ask.api {
            Api::Chat => (CHAT, OllamaPrompt::Chat { messages: prompt::messages(ask.prompt) }),
            Api::Completions => (GENERATE, OllamaPrompt::Raw { prompt: prompt::text(ask.prompt), raw: true }),
        };
        let options = Options { num_predict: ask.output_tokens, sampling: ask.sampling };
        let body =
            OllamaBody { model: ask.model, prompt, stream: ask.stream, keep_alive: KEEP_ALIVE, options };
        Request { path, body: serde_json::to_vec(&body).expect("plain data is always JSON") }
    }

    fn read_line(&self, line: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        match line.trim_ascii() {
            b"" => Ok(()),
            json => self.read_body(json, at_ns, reply),
        }
    }

    fn read_body(&self, json: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        let record: Record = serde_json::from_slice(json)
            .map_err(|error| bad_payload(&format!("an Ollama record ({error})"), json))?;
        if record.error.0 {
            return Err(reported_error(json));
        }
        if record.response.0 || record.thinking.0 || record.message.as_ref().is_some_and(Content::filled) {
            reply.content_ns.push(at_ns);
        }
        if record.done {
            record.end(reply);
        }
        Ok(())
    }
}

/// The request body.
#[derive(Serialize)]
struct OllamaBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(flatten)]
    prompt: OllamaPrompt<'a>,
    stream: bool,
    keep_alive: &'static str,
    options: Options,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OllamaPrompt<'a> {
    Chat {
        messages: Messages<'a>,
    },
    /// Without the model's template, like completions elsewhere.
    Raw {
        prompt: std::borrow::Cow<'a, str>,
        raw: bool,
    },
}

#[derive(Serialize)]
struct Options {
    num_predict: u32,
    #[serde(flatten)]
    sampling: Sampling,
}

/// One line of a response, or the whole response. Ollama omits zeros.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    message: Option<Content>,
    #[serde(default)]
    response: Filled,
    #[serde(default)]
    thinking: Filled,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    done_reason: Option<FinishReason>,
    #[serde(default)]
    total_duration: Nanos,
    #[serde(default)]
    load_duration: Nanos,
    #[serde(default)]
    prompt_eval_count: Option<u32>,
    #[serde(default)]
    prompt_eval_duration: Nanos,
    #[serde(default)]
    eval_count: Option<u32>,
    #[serde(default)]
    eval_duration: Nanos,
    #[serde(default)]
    error: Filled,
}

impl Record {
    fn end(&self, reply: &mut Reply) {
        reply.done = true;
        reply.finish = self.done_reason.as_ref().map(|reason| reason.0);
        reply.input_tokens = self.prompt_eval_count.filter(|&tokens| tokens > 0);
        reply.output_tokens = self.eval_count.filter(|&tokens| tokens > 0);
        if self.total_duration == 0 {
            return;
        }
        let worked_ns = self.load_duration + self.prompt_eval_duration + self.eval_duration;
        let mean = |ns: Nanos| Mean::of(ns as f64 / 1e6);
        let times = &mut reply.server_times;
        times.load_ms = mean(self.load_duration);
        times.prefill_ms = mean(self.prompt_eval_duration);
        times.decode_ms = mean(self.eval_duration);
        times.e2e_ms = mean(self.total_duration);
        // Ollama doesn't report it; it is the remaining time.
        times.queue_ms = mean(self.total_duration.saturating_sub(worked_ns));
    }
}

#[cfg(test)]
mod tests;
