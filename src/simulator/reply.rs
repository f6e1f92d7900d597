//! The text of an answer, in the shape of vLLM's.

use serde_json::Value;

use crate::simulator::batch::Token;
use crate::simulator::request::Request;
use crate::workload::Api;

/// Everything but the times of one answer.
#[derive(Debug)]
pub struct Reply {
    request: Request,
    seed: u64,
    /// The members that start every object: `"id":…,"object":…,"created":…,"model":…`.
    head: String,
    fingerprint: String,
}

/// What the replies of one engine have in common.
#[derive(Debug)]
pub struct Identity {
    pub model: String,
    pub version: String,
    pub seed: u64,
}

const WORDS: [&str; 16] = [
    " the", " of", " and", " to", " in", " is", " that", " it", " was", " for", " on", " are", " as",
    " with", " his", " they",
];

impl Reply {
    pub fn new(request: Request, request_id: &str, created_s: u64, identity: &Identity) -> Reply {
        let (prefix, object) = match (request.api, request.stream) {
            (Api::Chat, true) => ("chatcmpl", "chat.completion.chunk"),
            (Api::Chat, false) => ("chatcmpl", "chat.completion"),
            (Api::Completions, _) => ("cmpl", "text_completion"),
        };
        let id = Value::from(format!("{prefix}-{request_id}"));
        let model = Value::from(identity.model.as_str());
        Reply {
            request,
            seed: identity.seed,
            head: format!(r#""id":{id},"object":"{object}","created":{created_s},"model":{model}"#),
            fingerprint: Value::from(format!("simulated-{}", identity.version)).to_string(),
        }
    }

    /// The events that go out with a token: chat's first one is led by the role, the last one followed by the usage
    /// and the end of the stream.
    pub fn events(&self, token: &Token) -> String {
        let mut events = String::with_capacity(1024);
        if token.index == 0 && self.request.api == Api::Chat {
            let delta = r#"{"role":"assistant","content":""}"#;
            let choice = format!(r#""index":0,"delta":{delta},"logprobs":null,"finish_reason":null"#);
            self.push_chunk(&mut events, &choice, 0);
        }
        let word = self.word(token.index);
        let finish = if token.last {
            r#""finish_reason":"length","stop_reason":null"#
        } else {
            r#""finish_reason":null"#
        };
        let choice = match self.request.api {
            Api::Chat => format!(r#""index":0,"delta":{{"content":"{word}"}},"logprobs":null,{finish}"#),
            Api::Completions => format!(r#""index":0,"text":"{word}","logprobs":null,{finish}"#),
        };
        self.push_chunk(&mut events, &choice, token.index + 1);
        if token.last {
            self.push_end(&mut events, token.index + 1);
        }
        events
    }

    /// The body of an answer that is not streamed.
    pub fn whole(&self, tokens: u32) -> String {
        let text: String = (0..tokens).map(|index| self.word(index)).collect();
        let content = match self.request.api {
            Api::Chat => format!(r#""message":{{"role":"assistant","content":"{text}","refusal":null}}"#),
            Api::Completions => format!(r#""text":"{text}""#),
        };
        let finish = r#""logprobs":null,"finish_reason":"length","stop_reason":null"#;
        let (head, fingerprint, usage) = (&self.head, &self.fingerprint, self.usage(tokens));
        format!(
            r#"{{{head},"choices":[{{"index":0,{content},{finish}}}],"system_fingerprint":{fingerprint},"usage":{usage}}}"#
        )
    }

    fn push_chunk(&self, events: &mut String, choice: &str, tokens: u32) {
        events.push_str("data: {");
        events.push_str(&self.head);
        events.push_str(r#","choices":[{"#);
        events.push_str(choice);
        events.push_str("}]");
        if self.request.continuous_usage {
            events.push_str(r#","usage":"#);
            events.push_str(&self.usage(tokens));
        }
        events.push_str("}\n\n");
    }

    fn push_end(&self, events: &mut String, tokens: u32) {
        if self.request.include_usage {
            let (head, fingerprint, usage) = (&self.head, &self.fingerprint, self.usage(tokens));
            let members =
                format!(r#"{head},"choices":[],"usage":{usage},"system_fingerprint":{fingerprint}"#);
            events.push_str(&format!("data: {{{members}}}\n\n"));
        }
        events.push_str("data: [DONE]\n\n");
    }

    fn usage(&self, completion_tokens: u32) -> String {
        let prompt_tokens = self.request.prompt_tokens;
        let total_tokens = u64::from(prompt_tokens) + u64::from(completion_tokens);
        format!(
            r#"{{"prompt_tokens":{prompt_tokens},"total_tokens":{total_tokens},"completion_tokens":{completion_tokens}}}"#
        )
    }

    /// Drawn from the seed, the length of the prompt and the place in the answer: every start says the same.
    fn word(&self, index: u32) -> &'static str {
        let place = (u64::from(self.request.prompt_tokens) << 32) | u64::from(index);
        let drawn = (place ^ self.seed).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        WORDS[(drawn >> 60) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(api: Api, stream: bool, include_usage: bool, continuous_usage: bool) -> Reply {
        let request =
            Request { api, prompt_tokens: 7, max_tokens: 2, stream, include_usage, continuous_usage };
        let identity = Identity { model: "m\"1".into(), version: "1.0.0".into(), seed: 1 };
        Reply::new(request, "r1", 1_795_306_874, &identity)
    }

    fn token(index: u32, last: bool) -> Token {
        Token { id: 1, index, due_ns: 0, last }
    }

    /// The JSON of every event but `[DONE]`, which has to be the last one where there is one.
    fn chunks(events: &str) -> Vec<Value> {
        let events = events.strip_suffix("data: [DONE]\n\n").unwrap_or(events);
        let payloads = events.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap());
        payloads.map(|payload| serde_json::from_str(payload).unwrap()).collect()
    }

    #[test]
    fn a_chat_starts_with_the_role_alone() {
        let chunks = chunks(&reply(Api::Chat, true, false, false).events(&token(0, false)));
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(chunks[0]["choices"][0]["delta"]["content"], "");
        assert!(!chunks[1]["choices"][0]["delta"]["content"].as_str().unwrap().is_empty());
        assert_eq!(chunks[1]["id"], "chatcmpl-r1");
        assert_eq!(chunks[1]["model"], "m\"1");
        assert!(chunks[1].get("usage").is_none());
    }

    #[test]
    fn a_stream_ends_with_its_usage_and_done() {
        let events = reply(Api::Completions, true, true, false).events(&token(1, true));
        assert!(events.ends_with("data: [DONE]\n\n"));
        let chunks = chunks(&events);
        assert_eq!(chunks[0]["choices"][0]["finish_reason"], "length");
        assert_eq!(chunks[1]["choices"], serde_json::json!([]));
        let usage = serde_json::json!({"prompt_tokens":7,"total_tokens":9,"completion_tokens":2});
        assert_eq!(chunks[1]["usage"], usage);
    }

    #[test]
    fn continuous_usage_counts_up_from_the_role() {
        let reply = reply(Api::Chat, true, true, true);
        let events = reply.events(&token(0, false)) + &reply.events(&token(1, true));
        let counts: Vec<_> =
            chunks(&events).iter().map(|chunk| chunk["usage"]["completion_tokens"].clone()).collect();
        assert_eq!(counts, [0, 1, 2, 2]);
    }

    #[test]
    fn a_whole_answer_has_the_text_of_the_streamed_one() {
        let streamed = reply(Api::Completions, true, false, false);
        let events = streamed.events(&token(0, false)) + &streamed.events(&token(1, true));
        let text: String =
            chunks(&events).iter().map(|chunk| chunk["choices"][0]["text"].as_str().unwrap()).collect();
        let whole: Value =
            serde_json::from_str(&reply(Api::Completions, false, false, false).whole(2)).unwrap();
        assert_eq!(whole["choices"][0]["text"], text);
        assert_eq!(whole["usage"]["completion_tokens"], 2);
    }

    #[test]
    fn the_words_vary() {
        let reply = reply(Api::Chat, true, false, false);
        let words: std::collections::BTreeSet<_> = (0..100).map(|index| reply.word(index)).collect();
        assert!(words.len() > 8, "only {words:?}");
    }
}
