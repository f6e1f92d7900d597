//! One HTTP/1.1 connection, driven by the task that uses it.
//!
//! There is no pool that hides anything: a request has its connection to itself, so that none of them waits for another,
//! it is known whether a request was the first on its connection, and an answer is read and dated in one step without
//! passing between tasks.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::clock;
use crate::measure::address::Address;
use crate::measure::framing::{BadFraming, Framing};
use crate::measure::head::{BadHead, Head};
use crate::measure::inbox::Inbox;
use crate::measure::socket::Socket;
use crate::record::Nanos;

pub struct Connection {
    socket: Socket,
    inbox: Inbox,
    /// Kept from request to request.
    outbox: Vec<u8>,
    answered: bool,
    idle_since_ns: Nanos,
}

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the connection was closed")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Head(#[from] BadHead),
    #[error(transparent)]
    Framing(#[from] BadFraming),
}

impl Broken {
    /// Whether the server said something that is not HTTP, or not as it should be.
    pub fn is_bad_payload(&self) -> bool {
        matches!(self, Broken::Head(_) | Broken::Framing(_))
    }
}

/// uvicorn and llama.cpp close a connection that was idle for 5 s.
const IDLE_MAX_NS: Nanos = 4_000_000_000;

impl Connection {
    pub async fn open(address: &Address, timeout: Duration) -> Result<Connection, String> {
        let socket = address.connect(timeout).await?;
        let (inbox, outbox) = (Inbox::new(), Vec::new());
        Ok(Connection { socket, inbox, outbox, answered: false, idle_since_ns: clock::now() })
    }

    /// Whether the server still listens on this connection, as far as can be known without sending.
    pub fn is_usable(&mut self) -> bool {
        self.is_usable_for(0)
    }

    /// Whether it does and is likely to for so long.
    pub fn is_usable_for(&mut self, ahead_ns: Nanos) -> bool {
        let idle_ns = clock::now() - self.idle_since_ns;
        idle_ns + ahead_ns <= IDLE_MAX_NS && self.inbox.is_empty() && self.socket.is_quiet()
    }

    /// Takes a request up, so that nothing is left to do but to send it from the returned moment on.
    pub fn take_up(&mut self, request: &[&[u8]]) -> Nanos {
        self.outbox.clear();
        request.iter().for_each(|part| self.outbox.extend_from_slice(part));
        self.answered = false;
        let now_ns = clock::now();
        self.socket.await_from(now_ns);
        now_ns
    }

    /// Sends what was taken up and reads the head of its answer.
    pub async fn ask(&mut self) -> Result<Head, Broken> {
        let mut sent = 0;
        let sending = poll_fn(|cx| self.poll_send(cx, &mut sent)).await;
        loop {
            if let Some((head, length)) = Head::read(self.inbox.unread())? {
                self.inbox.take(length);
                if !head.is_interim() {
                    let keeps_alive = head.keeps_alive && sent == self.outbox.len();
                    return Ok(Head { keeps_alive, ..head });
                }
                continue;
            }
            match (self.fill().await, &sending) {
                (Ok(1..), _) => {}
                // What ended the sending says more than that nothing came back.
                (_, Err(_)) => return Err(sending.unwrap_err().into()),
                (Ok(0), _) => return Err(Broken::Closed),
                (Err(error), _) => return Err(error.into()),
            }
        }
    }

    /// Whether a byte has come since the last request was sent.
    pub fn has_answered(&self) -> bool {
        self.answered
    }

    /// When the newest of it came.
    pub fn heard_ns(&self) -> Nanos {
        self.inbox.filled_ns()
    }

    /// The next part of an answer that has arrived, and when it did; waits for none.
    pub fn part(&mut self, framing: &mut Framing) -> Result<Option<(&[u8], Nanos)>, Broken> {
        let at_ns = self.inbox.filled_ns();
        Ok(framing.next(&mut self.inbox)?.map(|part| (part, at_ns)))
    }

    /// Waits until more of an answer has arrived, or its end.
    pub async fn more(&mut self, framing: &mut Framing) -> Result<(), Broken> {
        match (self.fill().await?, &framing) {
            (0, Framing::UntilClose) => *framing = Framing::Over,
            (0, _) => return Err(Broken::Closed),
            _ => {}
        }
        Ok(())
    }

    /// To be called after an answer was read to its end: only then the connection can take another request.
    pub fn rest(&mut self) {
        self.idle_since_ns = clock::now();
    }

    /// How many bytes have arrived, none at the connection's end.
    async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let length = ready!(self.socket.poll_read(cx, self.inbox.space()))?;
        self.inbox.filled(length, self.socket.newest_ns());
        self.answered |= length > 0;
        Poll::Ready(Ok(length))
    }

    /// Until everything is sent, or an answer has begun: an engine may refuse a request before it has read all of it.
    fn poll_send(&mut self, cx: &mut Context<'_>, sent: &mut usize) -> Poll<io::Result<()>> {
        while *sent < self.outbox.len() {
            match self.socket.poll_write(cx, &self.outbox[*sent..])? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(length) => *sent += length,
                Poll::Pending => return self.poll_fill(cx).map_ok(drop),
            }
        }
        self.socket.poll_flush(cx)
    }
}
