//! What is known of an answer while it arrives.

use crate::engine::lines::Lines;
use crate::record::{Failure, FailureClass, Finish, Nanos};
use crate::server_side::ServerTimes;

/// An answer as far as it has arrived; one per request.
#[derive(Debug, Default)]
pub struct Reply {
    /// When each chunk with content arrived.
    pub content_ns: Vec<Nanos>,
    pub input_tokens: Option<u32>,
    /// As the server counted them.
    pub output_tokens: Option<u32>,
    pub finish: Option<Finish>,
    /// As the engine measured them.
    pub server_times: ServerTimes,
    /// The engine said that nothing more will come.
    pub done: bool,
    pub(super) lines: Lines,
}

impl Reply {
    /// Whether a finished answer is one: an answer without content has no first token to measure.
    pub(super) fn verify(&self) -> Result<(), Failure> {
        if !self.done && self.finish.is_none() {
            let detail = match self.content_ns.len() {
                0 => "the answer ended before any content".to_owned(),
                chunks => format!("the answer ended after {chunks} content chunks, unfinished"),
            };
            return Err(Failure { class: FailureClass::BrokenStream, detail });
        }
        if self.content_ns.is_empty() {
            let detail =
                "expected output tokens, found an answer that finished without any content".to_owned();
            return Err(Failure { class: FailureClass::BadPayload, detail });
        }
        Ok(())
    }
}
