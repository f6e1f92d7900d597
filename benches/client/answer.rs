//! What the server answers: OpenAI's chat chunks as vLLM sends them.

use std::fmt::Write;

/// How an answer is written.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// One write per token.
    Tokens { ttft_ns: u64, itl_ns: u64 },
    /// All in one write, at once.
    Whole,
}

/// What every request is answered with.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub pace: Pace,
    pub tokens: u32,
}

const MODELS: &str = r#"{"object":"list","data":[{"id":"tiny-llama","object":"model","owned_by":"vllm","max_model_len":131072}]}"#;

/// What vLLM's client asks besides, and has to be told.
pub fn beside_the_load(asked: &str) -> Option<&'static str> {
    match asked {
        "POST /tokenize" => Some(r#"{"count":3,"max_model_len":131072,"tokens":[1,2,3],"token_strs":null}"#),
        asked => asked.starts_with("GET ").then_some(MODELS),
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 00:21:14 GMT\r\nserver: uvicorn\r\ncontent-type: \
                    text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

const WORDS: [&str; 8] = [" than", " the", " a", " model", " of", " serving", ",", " engine"];

impl Script {
    pub fn writes(&self) -> u32 {
        match self.pace {
            Pace::Tokens { .. } => self.tokens,
            Pace::Whole => 1,
        }
    }

    /// Appends the bytes of an answer's next write.
    pub fn write(&self, number: u64, index: u32, out: &mut Vec<u8>) {
        match self.pace {
            Pace::Tokens { .. } => self.token(number, index, out),
            Pace::Whole => (0..self.tokens).for_each(|index| self.token(number, index, out)),
        }
    }

    fn token(&self, number: u64, index: u32, out: &mut Vec<u8>) {
        let mut event = String::with_capacity(512);
        let last = index + 1 == self.tokens;
        if index == 0 {
            out.extend_from_slice(HEAD.as_bytes());
            chunk(
                out,
                &mut event,
                number,
                r#"[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null"#,
            );
        }
        let word = WORDS[index as usize % WORDS.len()];
        let finish = if last { r#""length","stop_reason":null"# } else { "null" };
        let choice = format!(
            r#"[{{"index":0,"delta":{{"content":"{word}"}},"logprobs":null,"finish_reason":{finish},"token_ids":null}}]"#
        );
        chunk(out, &mut event, number, &choice);
        if last {
            let total = 7 + self.tokens;
            let usage = format!(
                r#"[],"usage":{{"prompt_tokens":7,"total_tokens":{total},"completion_tokens":{}}}"#,
                self.tokens
            );
            chunk(out, &mut event, number, &usage);
            out.extend_from_slice(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
        }
    }
}

fn chunk(out: &mut Vec<u8>, event: &mut String, number: u64, choices: &str) {
    event.clear();
    write!(
        event,
        "data: {{\"id\":\"chatcmpl-{number:016x}\",\"object\":\"chat.completion.chunk\",\"created\":1795306874,\
         \"model\":\"tiny-llama\",\"choices\":{choices}}}\n\n"
    )
    .expect("a String takes everything");
    out.extend_from_slice(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
}
