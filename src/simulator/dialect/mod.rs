//! Formats of requests and responses, one dialect per file.

mod error;
mod fields;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod tgi;
mod words;

use crate::metrics::record::Finish;
use crate::simulator::batch::Token;
use crate::units::Nanos;

pub(crate) use error::{ApiError, Voice};

/// What the simulated engine takes from a request; other sampling options have no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    pub stream: bool,
    /// The model must not end the response by itself.
    pub ignore_eos: bool,
}

/// The server that gets the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server<'a> {
    pub identity: &'a Identity,
    /// Prompt and response together.
    pub max_model_len: u32,
    pub now_s: u64,
}

/// What all responses of an engine share.
#[derive(Debug)]
pub(crate) struct Identity {
    pub model: String,
    pub version: String,
    pub seed: u64,
}

/// A parsed request, and the writer for its response.
pub(crate) type ParsedRequest = (Request, Box<dyn Reply>);

/// Writes one response.
pub(crate) trait Reply: Send {
    fn content_type(&self) -> &'static str;

    /// The events for a token.
    fn events(&self, token: &Token, account: &Account) -> String;

    /// The body of a response without streaming.
    fn whole(&self, tokens: u32, account: &Account) -> String;

    /// Additional headers of a response without streaming.
    fn headers(&self, _tokens: u32, _account: &Account) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// An event that is not valid JSON.
    fn malformed(&self) -> &'static str;
}

/// What the engine knows about a response's progress, in model time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub received_ns: Nanos,
    /// How long it waited for a slot in the batch.
    pub queued_ns: Nanos,
    pub first_token_ns: Nanos,
    pub last_token_ns: Nanos,
    /// The model ended it before the requested length.
    pub ends_early: bool,
}

impl Account {
    pub(crate) fn note(&mut self, token: &Token) {
        if token.index == 0 {
            self.queued_ns = token.queued_ns;
            self.first_token_ns = token.due_ns;
        }
        self.last_token_ns = token.due_ns;
    }

    pub(crate) fn finish(&self) -> Finish {
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
