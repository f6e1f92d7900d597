//! OpenAI's chat and completions, in vLLM's form. The last chunk also has llama.cpp's timings.

use serde_json::Value;

use crate::load::workload::Api;
use crate::metrics::record::Finish;
use crate::simulator::batch::Token;
use crate::simulator::dialect::error::ApiError;
use crate::simulator::dialect::fields::{Fields, check_length, parse};
use crate::simulator::dialect::words::Words;
use crate::simulator::dialect::{Account, ParsedRequest, Reply, Request, Server};

/// OpenAI's default on the completions route, used for both here.
const DEFAULT_MAX_TOKENS: u32 = 16;

/// Parses a request with this id.
pub(crate) fn read(api: Api, body: &[u8], id: &str, server: Server) -> Result<ParsedRequest, ApiError> {
    let body = parse(body)?;
    let fields = Fields::of(&body)?;
    fields.check_model(&server.identity.model)?;
    fields.check_sampling()?;
    let prompt_tokens = match api {
        Api::Chat => fields.message_tokens()?,
        Api::Completions => fields.prompt_tokens()?,
    };
    let max_tokens = match fields.count("max_completion_tokens")? {
        Some(count) => count,
        None => fields.count("max_tokens")?.unwrap_or(DEFAULT_MAX_TOKENS),
    };
    check_length(prompt_tokens, max_tokens, server.max_model_len)?;
    let (stream, ignore_eos) = (fields.flag("stream")?, fields.flag("ignore_eos")?);
    let (include_usage, continuous_usage) = usage_options(&fields, stream)?;
    let answer = OpenAiReply {
        api,
        words: Words { seed: server.identity.seed, prompt_tokens },
        include_usage,
        continuous_usage,
        head: head(api, stream, id, server),
        fingerprint: Value::from(format!("simulated-{}", server.identity.version)).to_string(),
    };
    Ok((Request { prompt_tokens, max_tokens, stream, ignore_eos }, Box::new(answer)))
}

/// Whether the stream ends with the token counts, and whether every chunk has them.
fn usage_options(fields: &Fields, stream: bool) -> Result<(bool, bool), ApiError> {
    let Some(given) = fields.get("stream_options") else { return Ok((false, false)) };
    if !stream {
        let expected = "can only be given when `stream` is true";
        return Err(ApiError::invalid("stream_options", expected, given));
    }
    let Some(options) = fields.table("stream_options")? else { return Ok((false, false)) };
    let include_usage = options.flag("include_usage")?;
    Ok((include_usage, include_usage && options.flag("continuous_usage_stats")?))
}

/// The fields at the start of every object: `"id":…,"object":…,"created":…,"model":…`.
fn head(api: Api, stream: bool, id: &str, server: Server) -> String {
    let (prefix, object) = match (api, stream) {
        (Api::Chat, true) => ("chatcmpl", "chat.completion.chunk"),
        (Api::Chat, false) => ("chatcmpl", "chat.completion"),
        (Api::Completions, _) => ("cmpl", "text_completion"),
    };
    let id = Value::from(format!("{prefix}-{id}"));
    let (created_s, model) = (server.now_s, Value::from(server.identity.model.as_str()));
    format!(r#""id":{id},"object":"{object}","created":{created_s},"model":{model}"#)
}

struct OpenAiReply {
    api: Api,
    words: Words,
    include_usage: bool,
    continuous_usage: bool,
    head: String,
    fingerprint: String,
}

impl Reply for OpenAiReply {
    fn content_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// In chats, the role comes first, and the usage and the end of the stream come last.
    fn events(&self, token: &Token, account: &Account) -> String {
        let mut events = String::with_capacity(1024);
        if token.index == 0 && self.api == Api::Chat {
            let delta = r#"{"role":"assistant","content":""}"#;
            let choice = format!(r#""index":0,"delta":{delta},"logprobs":null,"finish_reason":null"#);
            self.push_chunk(&mut events, &choice, 0);
        }
        let word = self.words.word(token.index);
        let finish = if token.last { finish(account) } else { r#""finish_reason":null"#.to_owned() };
        let choice = match self.api {
            Api::Chat => format!(r#""index":0,"delta":{{"content":"{word}"}},"logprobs":null,{finish}"#),
            Api::Completions => format!(r#""index":0,"text":"{word}","logprobs":null,{finish}"#),
        };
        self.push_chunk(&mut events, &choice, token.index + 1);
        if token.last {
            self.push_end(&mut events, token.index + 1, account);
        }
        events
    }

    fn whole(&self, tokens: u32, account: &Account) -> String {
        let text = self.words.text(tokens);
        let content = match self.api {
            Api::Chat => format!(r#""message":{{"role":"assistant","content":"{text}","refusal":null}}"#),
            Api::Completions => format!(r#""text":"{text}""#),
        };
        let (head, fingerprint, finish) = (&self.head, &self.fingerprint, finish(account));
        let (usage, timings) = (self.usage(tokens), self.timings(tokens, account));
        format!(
            r#"{{{head},"choices":[{{"index":0,{content},"logprobs":null,{finish}}}],"system_fingerprint":{fingerprint},"usage":{usage},"timings":{timings}}}"#
        )
    }

    fn malformed(&self) -> &'static str {
        "data: {\"id\":\"chatcmpl-\n\n"
    }
}

fn finish(account: &Account) -> String {
    let reason = if account.finish() == Finish::Stop { "stop" } else { "length" };
    format!(r#""finish_reason":"{reason}","stop_reason":null"#)
}

impl OpenAiReply {
    fn push_chunk(&self, events: &mut String, choice: &str, tokens: u32) {
        events.push_str("data: {");
        events.push_str(&self.head);
        events.push_str(r#","choices":[{"#);
        events.push_str(choice);
        events.push_str("}]");
        if self.continuous_usage {
            events.push_str(r#","usage":"#);
            events.push_str(&self.usage(tokens));
        }
        events.push_str("}\n\n");
    }

    fn push_end(&self, events: &mut String, tokens: u32, account: &Account) {
        if self.include_usage {
            let (head, fingerprint) = (&self.head, &self.fingerprint);
            let (usage, timings) = (self.usage(tokens), self.timings(tokens, account));
            let members = format!(
                r#"{head},"choices":[],"usage":{usage},"system_fingerprint":{fingerprint},"timings":{timings}"#
            );
            events.push_str(&format!("data: {{{members}}}\n\n"));
        }
        events.push_str("data: [DONE]\n\n");
    }

    fn usage(&self, completion_tokens: u32) -> String {
        let prompt_tokens = self.words.prompt_tokens;
        let total_tokens = u64::from(prompt_tokens) + u64::from(completion_tokens);
        format!(
            r#"{{"prompt_tokens":{prompt_tokens},"total_tokens":{total_tokens},"completion_tokens":{completion_tokens}}}"#
        )
    }

    fn timings(&self, tokens: u32, account: &Account) -> String {
        let (prompt_ms, predicted_ms) = (account.prefill_ns() as f64 / 1e6, account.decode_ns() as f64 / 1e6);
        let prompt_tokens = self.words.prompt_tokens;
        format!(
            r#"{{"cache_n":0,"prompt_n":{prompt_tokens},"prompt_ms":{prompt_ms},"predicted_n":{tokens},"predicted_ms":{predicted_ms}}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::simulator::dialect::Identity;

    fn parse(api: Api, body: &str) -> Result<ParsedRequest, ApiError> {
        let identity = Identity { model: "m\"1".into(), version: "1.0.0".into(), seed: 1 };
        read(api, body.as_bytes(), "r1", Server { identity: &identity, max_model_len: 131_072, now_s: 1 })
    }

    fn request(api: Api, body: &str) -> Request {
        parse(api, body).unwrap().0
    }

    fn reply(api: Api, members: &str) -> Box<dyn Reply> {
        let prompt = match api {
            Api::Chat => r#""messages":[{"role":"user","content":"a b c d e f g"}]"#,
            Api::Completions => r#""prompt":"a b c d e f g""#,
        };
        parse(api, &format!(r#"{{{prompt},"max_tokens":2{members}}}"#)).unwrap().1
    }

    const STREAM: &str = r#","stream":true"#;
    const USAGE: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;
    const CONTINUOUS: &str =
        r#","stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}"#;

    fn token(index: u32, last: bool) -> Token {
        Token { id: 1, index, due_ns: 0, queued_ns: 0, last }
    }

    fn account() -> Account {
        let ms = 1_000_000;
        Account {
            received_ns: 10 * ms,
            queued_ns: 5 * ms,
            first_token_ns: 35 * ms,
            last_token_ns: 65 * ms,
            ends_early: false,
        }
    }

    /// The JSON of every event except `[DONE]`, which must be the last one if present.
    fn chunks(events: &str) -> Vec<Value> {
        let events = events.strip_suffix("data: [DONE]\n\n").unwrap_or(events);
        let payloads = events.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
        payloads.map(|payload| serde_json::from_str(payload).unwrap()).collect()
    }

    #[test]
    fn prompt_tokens_are_the_words_of_all_messages() {
        let body = r#"{"messages":[{"role":"system","content":"be  brief"},
            {"role":"user","content":[{"type":"text","text":"Hello\nthere you"}]}],"max_tokens":7}"#;
        let request = request(Api::Chat, body);
        assert_eq!((request.prompt_tokens, request.max_tokens, request.stream), (5, 7, false));
    }

    #[test]
    fn an_empty_prompt_is_one_token() {
        assert_eq!(request(Api::Completions, r#"{"prompt":""}"#).prompt_tokens, 1);
    }

    #[test]
    fn token_ids_count_as_they_are() {
        assert_eq!(request(Api::Completions, r#"{"prompt":[5,5,5]}"#).prompt_tokens, 3);
    }

    #[test]
    fn max_completion_tokens_overrides_max_tokens() {
        let body = r#"{"prompt":"a","max_tokens":3,"max_completion_tokens":5}"#;
        assert_eq!(request(Api::Completions, body).max_tokens, 5);
    }

    #[test]
    fn an_unknown_model_is_not_found() {
        let error = parse(Api::Chat, r#"{"model":"nope","messages":[]}"#).err().unwrap();
        assert_eq!(error.status, StatusCode::NOT_FOUND);
        assert_eq!(error.message, "The model `nope` does not exist. Valid aliases: m\"1.");
    }

    #[test]
    fn a_bad_field_is_named() {
        for (api, body, param) in [
            (Api::Chat, r#"{"prompt":"a"}"#, Some("messages")),
            (Api::Chat, r#"{"messages":[]}"#, Some("messages")),
            (Api::Chat, r#"{"messages":[{"content":"a"}]}"#, Some("messages")),
            (Api::Chat, r#"{"messages":"a"}"#, Some("messages")),
            (Api::Completions, r#"{}"#, Some("prompt")),
            (Api::Completions, r#"{"prompt":["a","b"]}"#, Some("prompt")),
            (Api::Completions, r#"{"prompt":"a","max_tokens":0}"#, Some("max_tokens")),
            (Api::Completions, r#"{"prompt":"a","max_tokens":1.5}"#, Some("max_tokens")),
            (Api::Completions, r#"{"prompt":"a","max_tokens":131072}"#, Some("input_tokens")),
            (Api::Completions, r#"{"prompt":"a","stream":"yes"}"#, Some("stream")),
            (Api::Completions, r#"{"prompt":"a","stream_options":{}}"#, Some("stream_options")),
            (Api::Completions, r#"{"prompt":"a","temperature":-5}"#, Some("temperature")),
            (Api::Completions, r#"{"prompt":"a","n":2}"#, Some("n")),
            (Api::Completions, "{", None),
            (Api::Completions, "[1]", None),
        ] {
            let error = parse(api, body).err().unwrap();
            assert_eq!((error.status, error.param), (StatusCode::BAD_REQUEST, param), "{body}: {error}");
        }
    }

    #[test]
    fn a_chat_starts_with_only_the_role() {
        let chunks = chunks(&reply(Api::Chat, STREAM).events(&token(0, false), &account()));
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(chunks[0]["choices"][0]["delta"]["content"], "");
        assert!(!chunks[1]["choices"][0]["delta"]["content"].as_str().unwrap().is_empty());
        assert_eq!(chunks[1]["id"], "chatcmpl-r1");
        assert_eq!(chunks[1]["model"], "m\"1");
        assert!(chunks[1].get("usage").is_none());
    }

    #[test]
    fn a_stream_ends_with_its_usage_its_timings_and_done() {
        let events = reply(Api::Completions, USAGE).events(&token(1, true), &account());
        assert!(events.ends_with("data: [DONE]\n\n"));
        let chunks = chunks(&events);
        assert_eq!(chunks[0]["choices"][0]["finish_reason"], "length");
        assert_eq!(chunks[1]["choices"], json!([]));
        assert_eq!(chunks[1]["usage"], json!({"prompt_tokens":7,"total_tokens":9,"completion_tokens":2}));
        assert_eq!(chunks[1]["timings"]["prompt_ms"], 20.0);
        assert_eq!(chunks[1]["timings"]["predicted_ms"], 30.0);
    }

    #[test]
    fn an_early_end_is_reported() {
        let early = Account { ends_early: true, ..account() };
        let chunks = chunks(&reply(Api::Chat, STREAM).events(&token(1, true), &early));
        assert_eq!(chunks[0]["choices"][0]["finish_reason"], "stop");
    }

    #[test]
    fn continuous_usage_counts_up_from_the_role() {
        let reply = reply(Api::Chat, CONTINUOUS);
        let counts = |events: &str| -> Vec<Value> {
            chunks(events).iter().map(|chunk| chunk["usage"]["completion_tokens"].clone()).collect()
        };
        assert_eq!(counts(&reply.events(&token(0, false), &account())), [0, 1]);
        assert_eq!(counts(&reply.events(&token(1, true), &account())), [2, 2]);
    }

    #[test]
    fn a_whole_response_has_the_text_of_a_streamed_one() {
        let streamed = reply(Api::Completions, STREAM);
        let events =
            streamed.events(&token(0, false), &account()) + &streamed.events(&token(1, true), &account());
        let text: String =
            chunks(&events).iter().map(|chunk| chunk["choices"][0]["text"].as_str().unwrap()).collect();
        let whole: Value = serde_json::from_str(&reply(Api::Completions, "").whole(2, &account())).unwrap();
        assert_eq!(whole["choices"][0]["text"], text);
        assert_eq!(whole["usage"]["completion_tokens"], 2);
    }
}
