//! TGI's own generate: one event per token, times in headers.

use axum::http::StatusCode;
use serde_json::Value;

use crate::metrics::record::Finish;
use crate::simulator::batch::Token;
use crate::simulator::dialect::error::ApiError;
use crate::simulator::dialect::fields::{Fields, check_length, parse};
use crate::simulator::dialect::words::Words;
use crate::simulator::dialect::{Account, ParsedRequest, Reply, Request, Server};
use crate::units::Nanos;

const DEFAULT_MAX_TOKENS: u32 = 100;

/// Parses a request; its route decides whether the response is streamed.
pub(crate) fn read(stream: bool, body: &[u8], server: Server) -> Result<ParsedRequest, ApiError> {
    let unprocessable = |error: ApiError| ApiError { status: StatusCode::UNPROCESSABLE_ENTITY, ..error };
    read_fields(stream, &parse(body)?, server).map_err(unprocessable)
}

fn read_fields(stream: bool, body: &Value, server: Server) -> Result<ParsedRequest, ApiError> {
    let fields = Fields::of(body)?;
    let prompt_tokens = fields.text_tokens("inputs")?;
    let parameters = fields.table("parameters")?;
    let (mut max_tokens, mut details) = (DEFAULT_MAX_TOKENS, false);
    if let Some(parameters) = parameters {
        if let Some(temperature) = parameters.get("temperature").filter(|value| value.as_f64() <= Some(0.0)) {
            return Err(ApiError::invalid("temperature", "must be strictly positive", temperature));
        }
        max_tokens = parameters.count("max_new_tokens")?.unwrap_or(max_tokens);
        details = parameters.flag("details")?;
    }
    check_length(prompt_tokens, max_tokens, server.max_model_len)?;
    let words = Words { seed: server.identity.seed, prompt_tokens };
    // A length is only a cap: nothing makes the model go on.
    let request = Request { prompt_tokens, max_tokens, stream, ignore_eos: false };
    Ok((request, Box::new(TgiReply { words, details })))
}

struct TgiReply {
    words: Words,
    details: bool,
}

impl Reply for TgiReply {
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn events(&self, token: &Token, account: &Account) -> String {
        let (index, id, word) = (token.index + 1, self.words.id(token.index), self.words.word(token.index));
        let end = if token.last {
            let text = self.words.text(index);
            let input_length = format!(r#","input_length":{}"#, self.words.prompt_tokens);
            format!(r#""generated_text":"{text}","details":{}"#, self.details(index, account, &input_length))
        } else {
            r#""generated_text":null,"details":null"#.to_owned()
        };
        let token = format!(r#"{{"id":{id},"text":"{word}","logprob":-0.5,"special":false}}"#);
        format!("data:{{\"index\":{index},\"token\":{token},{end}}}\n\n")
    }

    fn whole(&self, tokens: u32, account: &Account) -> String {
        let text = self.words.text(tokens);
        let lists = r#","prefill":[],"tokens":[]"#;
        format!(r#"{{"generated_text":"{text}","details":{}}}"#, self.details(tokens, account, lists))
    }

    fn headers(&self, tokens: u32, account: &Account) -> Vec<(&'static str, String)> {
        let ms = |ns: Nanos| (ns / 1_000_000).to_string();
        let inference_ns = account.prefill_ns() + account.decode_ns();
        vec![
            ("x-compute-type", "simulated".into()),
            ("x-total-time", ms(account.total_ns())),
            ("x-validation-time", "0".into()),
            ("x-queue-time", ms(account.queued_ns)),
            ("x-inference-time", ms(inference_ns)),
            ("x-time-per-token", ms(inference_ns / Nanos::from(tokens.max(1)))),
            ("x-prompt-tokens", self.words.prompt_tokens.to_string()),
            ("x-generated-tokens", tokens.to_string()),
        ]
    }

    fn malformed(&self) -> &'static str {
        "data:{\"index\":\n\n"
    }
}

impl TgiReply {
    fn details(&self, tokens: u32, account: &Account, more: &str) -> String {
        if !self.details {
            return "null".into();
        }
        let reason = if account.finish() == Finish::Stop { "eos_token" } else { "length" };
        format!(r#"{{"finish_reason":"{reason}","generated_tokens":{tokens},"seed":null{more}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::dialect::Identity;

    fn read_it(body: &str) -> Result<ParsedRequest, ApiError> {
        let identity = Identity { model: "m".into(), version: "1.0.0".into(), seed: 1 };
        read(true, body.as_bytes(), Server { identity: &identity, max_model_len: 1000, now_s: 1 })
    }

    const ASK: &str = r#"{"inputs":"a b c","parameters":{"max_new_tokens":2,"details":true}}"#;

    #[test]
    fn only_the_last_event_has_text_and_details() {
        let (request, reply) = read_it(ASK).unwrap();
        assert_eq!((request.prompt_tokens, request.max_tokens), (3, 2));
        let event = |index, last| -> Value {
            let token = Token { id: 1, index, due_ns: 0, queued_ns: 0, last };
            let event = reply.events(&token, &Account::default());
            serde_json::from_str(event.strip_prefix("data:").unwrap()).unwrap()
        };
        assert_eq!(event(0, false)["details"], Value::Null);
        let last = event(1, true);
        assert_eq!((&last["index"], &last["details"]["generated_tokens"]), (&2.into(), &2.into()));
        assert_eq!(
            (&last["details"]["finish_reason"], &last["details"]["input_length"]),
            (&"length".into(), &3.into())
        );
        assert!(last["generated_text"].is_string());
    }

    #[test]
    fn the_headers_are_in_whole_milliseconds() {
        let ms = 1_000_000;
        let account = Account {
            received_ns: 0,
            queued_ns: 5 * ms,
            first_token_ns: 25 * ms,
            last_token_ns: 55 * ms,
            ends_early: false,
        };
        let headers = read_it(ASK).unwrap().1.headers(2, &account);
        let header = |name: &str| headers.iter().find(|(found, _)| *found == name).unwrap().1.clone();
        assert_eq!(["x-total-time", "x-queue-time", "x-inference-time"].map(header), ["55", "5", "50"]);
    }

    #[test]
    fn a_temperature_of_zero_is_rejected_as_in_tgi() {
        let error = read_it(r#"{"inputs":"a","parameters":{"temperature":0}}"#).err().unwrap();
        assert_eq!(error.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
