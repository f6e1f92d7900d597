//! How engines are asked and how they answer, a dialect per file.

mod error;
mod fields;
pub mod ollama;
pub mod openai;
pub mod tgi;
mod words;

use crate::metrics::record::Finish;
use crate::simulator::batch::Token;
use crate::units::Nanos;

pub use error::{ApiError, Voice};

/// What the simulated engine makes of a request; whatever else it says about sampling has no effect here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    pub stream: bool,
    /// The model may not end the answer by itself.
    pub ignore_eos: bool,
}

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    pub identity: &'a Identity,
    /// Of prompt and answer together.
    pub max_model_len: u32,
    pub now_s: u64,
}

/// What the answers of one engine have in common.
#[derive(Debug)]
pub struct Identity {
    pub model: String,
    pub version: String,
    pub seed: u64,
}

/// What a request asks for, and in which words it is answered.
pub type ParsedRequest = (Request, Box<dyn Reply>);

/// The text of one answer.
pub trait Reply: Send {
    fn content_type(&self) -> &'static str;

    /// What goes out with a token.
    fn events(&self, token: &Token, account: &Account) -> String;

    /// The body of an answer that is not streamed.
    fn whole(&self, tokens: u32, account: &Account) -> String;

    /// The headers of an answer that is not streamed, beside the usual ones.
    fn headers(&self, _tokens: u32, _account: &Account) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// An event that is no JSON.
    fn malformed(&self) -> &'static str;
}

/// What the engine knows of an answer's way, in model time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    pub received_ns: Nanos,
    /// How long it waited for a place in the batch.
    pub queued_ns: Nanos,
    pub first_token_ns: Nanos,
    pub last_token_ns: Nanos,
    /// The model ended it before its length.
    pub ends_early: bool,
}

impl Account {
    pub fn note(&mut self, token: &Token) {
        if token.index == 0 {
            self.queued_ns = token.queued_ns;
            self.first_token_ns = token.due_ns;
        }
        self.last_token_ns = token.due_ns;
    }

    pub fn finish(&self) -> Finish {
        if self.ends_early { Finish::Stop } else { Finish::Length }
    }

    fn prefill_ns(&self) -> Nanos {
        self.first_token_ns.saturating_sub(self.received_ns + self.queued_ns)
    }

    fn decode_ns(&self) -> Nanos {
        self.last_token_ns.saturating_sub(self.first_token_ns)
    }

    fn total_ns(&self) -> Nanos {
        self.last_token_ns.saturating_sub(self.received_ns)
    }
}
