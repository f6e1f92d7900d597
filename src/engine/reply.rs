//! What is known of a response while it arrives.

use crate::engine::ending::Ending;
use crate::engine::lines::Lines;
use crate::engine::sse::EventReader;
use crate::engine::template::Template;
use crate::metrics::record::{Failure, FailureClass, Finish};
use crate::metrics::server_side::ServerTimes;
use crate::units::Nanos;

/// A response, as far as it has arrived; one per request.
#[derive(Debug, Default)]
pub struct Reply {
    /// When each chunk with content arrived.
    pub content_ns: Vec<Nanos>,
    pub input_tokens: Option<u32>,
    /// As counted by the server.
    pub output_tokens: Option<u32>,
    pub finish: Option<Finish>,
    /// The engine's word for why it gave up.
    pub(super) aborted: Option<String>,
    /// As measured by the engine.
    pub server_times: ServerTimes,
    /// The engine said that nothing more will come.
    pub done: bool,
    pub(super) lines: Lines,
    pub(super) events: EventReader,
    pub(super) template: Template,
}

impl Reply {
    /// With capacity for this many chunks.
    pub fn expecting(chunks: u32) -> Reply {
        const ROOM_AT_MOST: u32 = 4096;
        Reply { content_ns: Vec::with_capacity(chunks.min(ROOM_AT_MOST) as usize), ..Reply::default() }
    }

    pub(super) fn note_content(&mut self, is_there: bool, at_ns: Nanos) {
        if is_there {
            self.content_ns.push(at_ns);
        }
    }

    pub(super) fn note_ending(&mut self, ending: Ending) {
        match ending {
            Ending::None => {}
            Ending::Good(finish) => self.finish = Some(finish),
            Ending::Aborted(word) => {
                self.finish = Some(Finish::Other);
                self.aborted.get_or_insert(word);
            }
        }
    }

    /// The failure of a response that the engine gave up, however the stream ends afterwards.
    pub fn abort(&self) -> Option<Failure> {
        let word = self.aborted.as_ref()?;
        let chunks = self.content_ns.len();
        let detail = format!("the engine ended the response with `{word}`, after {chunks} content chunks");
        Some(Failure { class: FailureClass::EngineAborted, detail })
    }

    /// Whether a finished response is valid: one without content has no first token to measure.
    pub(super) fn verify(&self) -> Result<(), Failure> {
        if let Some(abort) = self.abort() {
            return Err(abort);
        }
        if !self.done && self.finish.is_none() {
            let detail = match self.content_ns.len() {
                0 => "the response ended before any content".to_owned(),
                chunks => format!("the response ended early, after {chunks} content chunks"),
            };
            return Err(Failure { class: FailureClass::BrokenStream, detail });
        }
        if self.content_ns.is_empty() {
            let detail =
                "expected output tokens, found a response that finished without any content".to_owned();
            return Err(Failure { class: FailureClass::BadPayload, detail });
        }
        Ok(())
    }
}
