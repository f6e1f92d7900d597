//! Text Generation Inference: its own route for completions, with times in headers, and OpenAI's for chats, because its
//! own applies no template.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::ending::Ending;
use crate::engine::lenient::{Filled, Number, Object};
use crate::engine::openai_wire::OpenaiWire;
use crate::engine::refusal::{error_in, parsed};
use crate::engine::sse::Event;
use crate::engine::{Ask, CounterNames, Engine, Identity, Probe, Reply, Request, Wire, prompt, text};
use crate::load::workload::Api;
use crate::metrics::record::Failure;
use crate::metrics::server_side::Mean;
use crate::units::Nanos;

#[derive(Debug)]
pub(crate) struct Tgi;

const INFO: &str = "/info";

static COUNTERS: CounterNames = CounterNames {
    path: "/metrics",
    model_label: None,
    // Histograms over requests.
    input_tokens: &[&["tgi_request_input_length_sum"]],
    output_tokens: &["tgi_request_generated_tokens_sum"],
    cached_input_tokens: &[],
    preemptions: &[],
    times: &[
        (|times| &mut times.queue_ms, &["tgi_request_queue_duration"]),
        (|times| &mut times.inference_ms, &["tgi_request_inference_duration"]),
        (|times| &mut times.e2e_ms, &["tgi_request_duration"]),
    ],
};

impl Engine for Tgi {
    fn name(&self) -> &'static str {
        "tgi"
    }

    fn wire(&self, api: Api) -> &'static dyn Wire {
        match api {
            Api::Chat => &OpenaiWire { knows_ignore_eos: false },
            Api::Completions => &GenerateWire,
        }
    }

    fn container_port(&self) -> Option<u16> {
        Some(80)
    }

    fn model_flag(&self) -> Option<&'static str> {
        Some("--model-id")
    }

    fn probe(&self) -> Probe {
        Probe {
            path: INFO,
            is_mine: |info| info["max_total_tokens"].is_u64() && info["model_id"].is_string(),
        }
    }

    fn identity_paths(&self) -> &'static [&'static str] {
        &[INFO]
    }

    fn read_identity(&self, _: &str, info: &Value, identity: &mut Identity) {
        identity.version = text(&info["version"]);
        identity.model_digest = text(&info["model_sha"]);
        if identity.model.is_none() {
            identity.model = text(&info["model_id"]);
        }
    }

    /// `max_new_tokens` is only a cap.
    fn fixes_output_length(&self) -> bool {
        false
    }

    fn counter_names(&self) -> Option<&'static CounterNames> {
        Some(&COUNTERS)
    }
}

/// `/generate_stream` and `/generate`. They serve one model and don't take its name.
#[derive(Debug)]
struct GenerateWire;

impl Wire for GenerateWire {
    fn request(&self, ask: &Ask) -> Request {
        let path = if ask.stream { "/generate_stream" } else { "/generate" };
        // A temperature of 0 is rejected; without one, TGI decodes greedily unless asked to sample.
        let temperature = ask.sampling.temperature.filter(|temperature| *temperature > 0.0);
        let parameters = Parameters {
            max_new_tokens: ask.output_tokens,
            details: true,
            do_sample: ask.sampling.temperature.map(|temperature| temperature > 0.0),
            temperature,
            top_p: ask.sampling.top_p,
            top_k: ask.sampling.top_k,
        };
        let body = TgiBody { inputs: &prompt::text(ask.prompt), parameters };
        Request { path, body: serde_json::to_vec(&body).expect("plain data is always JSON") }
    }

    fn read_line(&self, line: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        let (event, json): (StreamEvent, _) = match reply.events.read(line, EXPECTED)? {
            Event::Json(event, json) => (event, json),
            Event::End | Event::Nothing => return Ok(()),
        };
        let is_unknown = event.token.0.is_none() && event.generated_text.is_none();
        fail_on_error(event.error.0 || is_unknown, &json)?;
        if event.token.0.is_some_and(|token| token.text.0 && !token.special.0) {
            reply.content_ns.push(at_ns);
        }
        // The whole text comes with the last token.
        reply.done |= event.generated_text.is_some();
        event.details.0.into_iter().for_each(|details| details.tell(reply));
        Ok(())
    }

    fn read_body(&self, json: &[u8], at_ns: Nanos, reply: &mut Reply) -> Result<(), Failure> {
        let answer: WholeAnswer = parsed(EXPECTED, json)?;
        fail_on_error(answer.error.0 || !answer.generated_text.0, json)?;
        if answer.generated_text.0 {
            reply.content_ns.push(at_ns);
        }
        answer.details.0.into_iter().for_each(|details| details.tell(reply));
        Ok(())
    }

    fn read_headers(&self, header: &dyn Fn(&str) -> Option<f64>, reply: &mut Reply) {
        let mean = |name: &str| header(name).map(Mean::of).unwrap_or_default();
        reply.server_times.queue_ms = mean("x-queue-time");
        reply.server_times.inference_ms = mean("x-inference-time");
        reply.server_times.e2e_ms = mean("x-total-time");
        reply.input_tokens = Number(header("x-prompt-tokens")).count();
    }
}

/// The request body.
#[derive(Serialize)]
struct TgiBody<'a> {
    inputs: &'a str,
    parameters: Parameters,
}

#[derive(Serialize)]
struct Parameters {
    max_new_tokens: u32,
    details: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    do_sample: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
}

#[derive(Deserialize)]
struct StreamEvent {
    #[serde(default)]
    token: Object<TgiToken>,
    /// Present, though possibly empty, in the last event only.
    #[serde(default)]
    generated_text: Option<Filled>,
    #[serde(default)]
    details: Object<Details>,
    #[serde(default)]
    error: Filled,
}

#[derive(Deserialize)]
struct TgiToken {
    #[serde(default)]
    text: Filled,
    /// Ends a sequence and the like; not part of the response.
    #[serde(default)]
    special: Filled,
}

#[derive(Deserialize)]
struct WholeAnswer {
    #[serde(default)]
    generated_text: Filled,
    #[serde(default)]
    details: Object<Details>,
    #[serde(default)]
    error: Filled,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    finish_reason: Ending,
    #[serde(default)]
    generated_tokens: Number,
    #[serde(default)]
    input_length: Number,
}

impl Details {
    fn tell(self, reply: &mut Reply) {
        reply.note_ending(self.finish_reason);
        reply.output_tokens = self.generated_tokens.count();
        reply.input_tokens = self.input_length.count().or(reply.input_tokens);
    }
}

const EXPECTED: &str = "a TGI response";

fn fail_on_error(may_be_error: bool, json: &[u8]) -> Result<(), Failure> {
    may_be_error.then(|| error_in(json)).flatten().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
