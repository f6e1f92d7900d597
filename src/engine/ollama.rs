//! Ollama's native API: one record per line, durations in nanoseconds.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::ending::Ending;
use crate::engine::lenient::{Filled, Number, Object};
use crate::engine::payload::Content;
use crate::engine::prompt::{self, Messages};
use crate::engine::refusal::{error_in, parsed};
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
            // Gateways send keep-alives.
            b"" | b"null" | [b':', ..] => Ok(()),
            json => self.read_body(json, at_ns, reply),
        }
    }

    fn read_body(&self, json: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        let record: Record = parsed("an Ollama record", json)?;
        if record.may_be_error()
            && let Some(error) = error_in(json)
        {
            return Err(error);
        }
        if record.response.0 || record.thinking.0 || record.message.0.as_ref().is_some_and(Content::filled) {
            reply.content_ns.push(at_ns);
        }
        if record.done.0 {
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
    message: Object<Content>,
    #[serde(default)]
    response: Filled,
    #[serde(default)]
    thinking: Filled,
    #[serde(default)]
    done: Filled,
    #[serde(default)]
    done_reason: Ending,
    #[serde(default)]
    total_duration: Number,
    #[serde(default)]
    load_duration: Number,
    #[serde(default)]
    prompt_eval_count: Number,
    #[serde(default)]
    prompt_eval_duration: Number,
    #[serde(default)]
    eval_count: Number,
    #[serde(default)]
    eval_duration: Number,
    #[serde(default)]
    error: Filled,
}

impl Record {
    /// Whether it may be an error object: one in itself, or something other than a record.
    fn may_be_error(&self) -> bool {
        let is_unknown = self.message.0.is_none() && !self.response.0 && !self.thinking.0 && !self.done.0;
        self.error.0 || is_unknown
    }

    fn end(&self, reply: &mut Reply) {
        reply.done = true;
        reply.note_ending(self.done_reason.clone());
        reply.input_tokens = self.prompt_eval_count.count().filter(|&tokens| tokens > 0);
        reply.output_tokens = self.eval_count.count().filter(|&tokens| tokens > 0);
        let total_ns = self.total_duration.nanos();
        if total_ns == 0 {
            return;
        }
        let parts_ns = [self.load_duration, self.prompt_eval_duration, self.eval_duration].map(Number::nanos);
        let [load_ns, prefill_ns, decode_ns] = parts_ns;
        let worked_ns = parts_ns.into_iter().fold(0, Nanos::saturating_add);
        let mean = |ns: Nanos| Mean::of(ns as f64 / 1e6);
        let times = &mut reply.server_times;
        times.load_ms = mean(load_ns);
        times.prefill_ms = mean(prefill_ns);
        times.decode_ms = mean(decode_ns);
        times.e2e_ms = mean(total_ns);
        // Ollama doesn't report it; it is the remaining time.
        times.queue_ms = mean(total_ns.saturating_sub(worked_ns));
    }
}

#[cfg(test)]
mod tests;
