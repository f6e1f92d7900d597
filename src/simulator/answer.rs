//! One response while it is written.

use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::metrics::truth::RequestTruth;
use crate::simulator::batch::{SequenceId, Token};
use crate::simulator::dialect::{Account, Reply};
use crate::simulator::faults::Fate;
use crate::simulator::pacer::PacerCommand;
use crate::simulator::truth::TruthLog;
use crate::sys::clock;
use crate::units::Nanos;

/// Turns tokens into bytes and timestamps them as soon as the connection asks for them. Dropping it before its end,
/// which happens when the client disconnects, frees the slot in the batch.
pub(crate) struct AnswerStream {
    pub id: SequenceId,
    pub fate: Fate,
    pub reply: Box<dyn Reply>,
    pub account: Account,
    pub tokens: UnboundedReceiver<Token>,
    pub commands: Sender<PacerCommand>,
    pub log: Arc<Mutex<TruthLog>>,
    /// Taken out when the response ends.
    pub truth: Option<RequestTruth>,
}

/// Why a response has no end.
#[derive(Debug, Error)]
pub(crate) enum BrokenOff {
    /// The pacer has stopped.
    #[error("the engine stopped before the end of the response")]
    EngineStopped,
    #[error("the engine broke off the response as configured (reset_rate)")]
    Reset,
}

/// A response in one piece.
pub(crate) struct Whole {
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl AnswerStream {
    /// The response without streaming.
    pub(crate) async fn whole(mut self) -> Result<Whole, BrokenOff> {
        let mut due_ns = Vec::new();
        loop {
            let token = self.tokens.recv().await.ok_or(BrokenOff::EngineStopped)?;
            if self.fate == Fate::Reset(token.index) {
                return Err(BrokenOff::Reset);
            }
            self.account.note(&token);
            due_ns.push(token.due_ns);
            if token.last {
                break;
            }
        }
        let tokens = due_ns.len() as u32;
        let headers = self.reply.headers(tokens, &self.account);
        let mut body = self.reply.whole(tokens, &self.account);
        if matches!(self.fate, Fate::Malformed(_)) {
            body.truncate(body.floor_char_boundary(body.len() / 2));
        }
        let written_ns = clock::now();
        if let Some(truth) = &mut self.truth {
            truth.token_written_ns = vec![written_ns; due_ns.len()];
            truth.token_due_ns = due_ns;
        }
        self.end(written_ns);
        Ok(Whole { headers, body })
    }

    fn end(&mut self, end_ns: Nanos) {
        if let Some(truth) = self.truth.take() {
            self.log.lock().expect("the log lock is not poisoned").push(RequestTruth { end_ns, ..truth });
        }
    }
}

impl Stream for AnswerStream {
    type Item = Result<Bytes, BrokenOff>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.truth.is_none() {
            return Poll::Ready(None);
        }
        let Some(token) = ready!(self.tokens.poll_recv(cx)) else {
            return Poll::Ready(Some(Err(BrokenOff::EngineStopped)));
        };
        if self.fate == Fate::Reset(token.index) {
            return Poll::Ready(Some(Err(BrokenOff::Reset)));
        }
        self.account.note(&token);
        let mut events = self.reply.events(&token, &self.account);
        if self.fate == Fate::Malformed(token.index) {
            events.insert_str(0, self.reply.malformed());
        }
        let written_ns = clock::now();
        if let Some(truth) = &mut self.truth {
            truth.token_due_ns.push(token.due_ns);
            truth.token_written_ns.push(written_ns);
        }
        if token.last {
            self.end(written_ns);
        }
        Poll::Ready(Some(Ok(events.into())))
    }
}

impl Drop for AnswerStream {
    fn drop(&mut self) {
        if self.truth.is_some() {
            // Without a pacer, there is no slot to free.
            let _ = self.commands.send(PacerCommand::Cancel(self.id));
            self.end(clock::now());
        }
    }
}
