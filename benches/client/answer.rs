//! The server's responses: OpenAI's chat chunks as vLLM sends them.

/// How a response is written.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// One write per token.
    Tokens { ttft_ns: u64, itl_ns: u64 },
    /// Everything in one write.
    Whole,
}

/// The response to every request.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub pace: Pace,
    pub tokens: u32,
}

const MODELS: &str = r#"{"object":"list","data":[{"id":"tiny-llama","object":"model","owned_by":"vllm","max_model_len":131072}]}"#;

/// As many tokens as vLLM's client is configured to send; otherwise it would change its prompts until they fit.
const TOKENIZED: &str = r#"{"count":16,"max_model_len":131072,"tokens":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"token_strs":null}"#;

/// Other requests of vLLM's client, which need a response.
pub fn beside_the_load(asked: &str) -> Option<&'static str> {
    match asked {
        "POST /tokenize" => Some(TOKENIZED),
        asked => asked.starts_with("GET ").then_some(MODELS),
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 00:21:14 GMT\r\nserver: uvicorn\r\ncontent-type: \
                    text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

const WORDS: [&str; 8] = [" than", " the", " a", " model", " of", " serving", ",", " engine"];

/// Placeholder for the response's number in a prepared write.
const NUMBER: &[u8; 16] = b"NNNNNNNNNNNNNNNN";

/// The writes of a response, prepared except for its number, so that only copying is left.
pub struct Answers {
    writes: Vec<Write>,
}

struct Write {
    bytes: Vec<u8>,
    /// Where the number goes.
    numbers: Vec<usize>,
}

impl Answers {
    pub fn of(script: Script) -> Answers {
        let tokens = (0..script.tokens).map(|index| token(script.tokens, index));
        let writes: Vec<Vec<u8>> = match script.pace {
            Pace::Tokens { .. } => tokens.collect(),
            Pace::Whole => vec![tokens.flatten().collect()],
        };
        Answers { writes: writes.into_iter().map(Write::of).collect() }
    }

    /// The number of writes per response.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// The bytes of one write, in a reused buffer.
    pub fn write(&self, number: u64, index: usize, out: &mut Vec<u8>) {
        let Write { bytes, numbers } = &self.writes[index];
        let digits: [u8; 16] = std::array::from_fn(|at| {
            let digit = number >> (60 - 4 * at) & 15;
            b"0123456789abcdef"[digit as usize]
        });
        out.clear();
        out.extend_from_slice(bytes);
        numbers.iter().for_each(|&at| out[at..at + digits.len()].copy_from_slice(&digits));
    }
}

impl Write {
    fn of(bytes: Vec<u8>) -> Write {
        let numbers = memchr::memmem::find_iter(&bytes, NUMBER).collect();
        Write { bytes, numbers }
    }
}

/// The bytes of one token of a response.
fn token(tokens: u32, index: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let last = index + 1 == tokens;
    if index == 0 {
        out.extend_from_slice(HEAD.as_bytes());
        out.extend(chunk(
            r#"[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null"#,
        ));
    }
    let word = WORDS[index as usize % WORDS.len()];
    let finish = if last { r#""length","stop_reason":null"# } else { "null" };
    out.extend(chunk(&format!(
        r#"[{{"index":0,"delta":{{"content":"{word}"}},"logprobs":null,"finish_reason":{finish},"token_ids":null}}]"#
    )));
    if last {
        let total = 7 + tokens;
        out.extend(chunk(&format!(
            r#"[],"usage":{{"prompt_tokens":7,"total_tokens":{total},"completion_tokens":{tokens}}}"#
        )));
        out.extend_from_slice(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    }
    out
}

fn chunk(choices: &str) -> Vec<u8> {
    let number = String::from_utf8_lossy(NUMBER);
    let event = format!(
        "data: {{\"id\":\"chatcmpl-{number}\",\"object\":\"chat.completion.chunk\",\"created\":1795306874,\
         \"model\":\"tiny-llama\",\"choices\":{choices}}}\n\n"
    );
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}
