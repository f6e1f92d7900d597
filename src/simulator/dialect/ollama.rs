//! Ollama's native chat and generate: one record per line, durations in nanoseconds.

use axum::http::StatusCode;
use serde_json::Value;

use crate::load::workload::Api;
use crate::metrics::record::Finish;
use crate::simulator::batch::Token;
use crate::simulator::dialect::error::ApiError;
use crate::simulator::dialect::fields::{Fields, check_length, parse};
use crate::simulator::dialect::words::Words;
use crate::simulator::dialect::{Account, ParsedRequest, Reply, Request, Server};

/// What a body asks for.
pub(crate) enum OllamaRequest {
    Generate(ParsedRequest),
    /// An empty prompt only loads or unloads the model.
    Load,
}

/// Ollama generates until the model ends.
const DEFAULT_MAX_TOKENS: u32 = 128;

/// Parses a request for one of these models.
pub(crate) fn read(
    api: Api,
    body: &[u8],
    models: &[String],
    server: Server,
) -> Result<OllamaRequest, ApiError> {
    let body = parse(body)?;
    let fields = Fields::of(&body)?;
    let model = asked_model(&fields, models)?;
    let prompt_tokens = match api {
        Api::Chat => fields.message_tokens()?,
        Api::Completions if fields.get("prompt").is_none_or(|prompt| prompt == "") => {
            return Ok(OllamaRequest::Load);
        }
        Api::Completions => fields.text_tokens("prompt")?,
    };
    let options = fields.table("options")?;
    let asked_for = options.map(|options| options.count("num_predict")).transpose()?.flatten();
    let max_tokens = asked_for.unwrap_or(DEFAULT_MAX_TOKENS);
    check_length(prompt_tokens, max_tokens, server.max_model_len)?;
    let stream = fields.get("stream").is_none_or(|stream| stream == true);
    let words = Words { seed: server.identity.seed, prompt_tokens };
    // A length is only a cap: nothing makes the model go on.
    let request = Request { prompt_tokens, max_tokens, stream, ignore_eos: false };
    Ok(OllamaRequest::Generate((
        request,
        Box::new(OllamaReply { api, words, model: Value::from(model).to_string() }),
    )))
}

fn asked_model(fields: &Fields, models: &[String]) -> Result<String, ApiError> {
    match fields.get("model") {
        Some(Value::String(model)) if models.contains(model) => Ok(model.clone()),
        Some(Value::String(model)) => {
            Err(ApiError::new(StatusCode::NOT_FOUND, format!("model '{model}' not found")))
        }
        _ => Err(ApiError::bad_request(Some("model"), "model is required".into())),
    }
}

struct OllamaReply {
    api: Api,
    words: Words,
    /// As JSON.
    model: String,
}

impl Reply for OllamaReply {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    /// The last record has no text.
    fn events(&self, token: &Token, account: &Account) -> String {
        let mut records = self.record(self.words.word(token.index), r#""done":false"#);
        if token.last {
            records.push_str(&self.record("", &self.end(token.index + 1, account)));
        }
        records
    }

    fn whole(&self, tokens: u32, account: &Account) -> String {
        self.record(&self.words.text(tokens), &self.end(tokens, account))
    }

    fn malformed(&self) -> &'static str {
        "{\"model\":\"\n"
    }
}

impl OllamaReply {
    fn record(&self, text: &str, end: &str) -> String {
        let model = &self.model;
        let content = match self.api {
            Api::Chat => format!(r#""message":{{"role":"assistant","content":"{text}"}}"#),
            Api::Completions => format!(r#""response":"{text}""#),
        };
        format!("{{\"model\":{model},\"created_at\":\"2026-11-22T00:00:00Z\",{content},{end}}}\n")
    }

    fn end(&self, tokens: u32, account: &Account) -> String {
        let reason = if account.finish() == Finish::Stop { "stop" } else { "length" };
        let (total, prompt, eval) = (account.total_ns(), account.prefill_ns(), account.decode_ns());
        let prompt_tokens = self.words.prompt_tokens;
        format!(
            r#""done":true,"done_reason":"{reason}","total_duration":{total},"prompt_eval_count":{prompt_tokens},"prompt_eval_duration":{prompt},"eval_count":{tokens},"eval_duration":{eval}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::dialect::Identity;

    fn read_it(api: Api, body: &str) -> Result<OllamaRequest, ApiError> {
        let identity = Identity { model: "m".into(), version: "1.0.0".into(), seed: 1 };
        let server = Server { identity: &identity, max_model_len: 1000, now_s: 1 };
        read(api, body.as_bytes(), &["m".into()], server)
    }

    fn asked(api: Api, body: &str) -> ParsedRequest {
        match read_it(api, body) {
            Ok(OllamaRequest::Generate(asked)) => asked,
            _ => panic!("expected a request for an answer: {body}"),
        }
    }

    const CHAT: &str =
        r#"{"model":"m","messages":[{"role":"user","content":"a b"}],"options":{"num_predict":2}}"#;

    #[test]
    fn a_stream_has_a_record_per_token_and_one_with_counts() {
        let (request, reply) = asked(Api::Chat, CHAT);
        assert_eq!((request.prompt_tokens, request.max_tokens, request.stream), (2, 2, true));
        let account =
            Account { received_ns: 5, queued_ns: 2, first_token_ns: 17, last_token_ns: 47, ends_early: true };
        let token = Token { id: 1, index: 1, due_ns: 0, queued_ns: 0, last: true };
        let records = reply.events(&token, &account);
        let records: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&records[0]["done"], &records[1]["done"]), (&Value::from(false), &Value::from(true)));
        assert_ne!(records[0]["message"]["content"], "");
        assert_eq!((&records[1]["done_reason"], &records[1]["eval_count"]), (&"stop".into(), &2.into()));
        let durations = ["total_duration", "prompt_eval_duration", "eval_duration"];
        assert_eq!(durations.map(|key| records[1][key].as_u64().unwrap()), [42, 10, 30]);
    }

    #[test]
    fn an_empty_prompt_only_loads_the_model() {
        for body in [r#"{"model":"m"}"#, r#"{"model":"m","prompt":"","keep_alive":0}"#] {
            assert!(matches!(read_it(Api::Completions, body), Ok(OllamaRequest::Load)), "{body}");
        }
    }

    #[test]
    fn a_missing_model_is_not_found() {
        let error = read_it(Api::Completions, r#"{"model":"n","prompt":"a"}"#).err().unwrap();
        assert_eq!((error.status, error.message.as_str()), (StatusCode::NOT_FOUND, "model 'n' not found"));
    }
}
