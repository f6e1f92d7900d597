//! A socket that `h2` reads and writes, and that its connection can inspect.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::inbox::Inbox;
use crate::client::socket::Socket;
use crate::units::Nanos;

/// `h2` reads for as long as data arrives, and reports all of it at once. This socket gives it only the data of one
/// read from the system, and nothing more before the next one, so that the arrival time of what it reports is known.
#[derive(Clone)]
pub(crate) struct SharedSocket(Arc<Mutex<State>>);

struct State {
    socket: Socket,
    inbox: Inbox,
    heard: bool,
    ended: bool,
    blocked: bool,
}

impl SharedSocket {
    pub(crate) fn new(socket: Socket) -> SharedSocket {
        let inbox = Inbox::new();
        let state = State { socket, inbox, heard: false, ended: false, blocked: false };
        SharedSocket(Arc::new(Mutex::new(state)))
    }

    /// Reads once from the system, if everything from the last read was taken.
    pub(crate) fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state().poll_fill(cx)
    }

    pub(crate) fn has_unread(&self) -> bool {
        !self.state().inbox.is_empty()
    }

    /// Whether the last write has to wait until the system accepts more.
    pub(crate) fn is_blocked(&self) -> bool {
        self.state().blocked
    }

    /// Notes that a response can't arrive earlier than now.
    pub(crate) fn await_from(&self, now_ns: Nanos) {
        let mut state = self.state();
        state.heard = false;
        state.socket.await_from(now_ns);
    }

    /// Whether a byte has arrived since then.
    pub(crate) fn has_received(&self) -> bool {
        self.state().heard
    }

    /// When the newest bytes arrived.
    pub(crate) fn received_ns(&self) -> Nanos {
        self.state().inbox.filled_ns()
    }

    /// Whether the server has closed the connection and everything before that was read.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// Whether the server has closed the connection, as far as the client can tell without reading.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().socket.is_closed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("the socket lock is not poisoned")
    }
}

impl State {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended || !self.inbox.is_empty() {
            return Poll::Pending;
        }
        let length = ready!(self.socket.poll_read(cx, self.inbox.space()))?;
        self.inbox.filled(length, self.socket.newest_ns());
        self.heard |= length > 0;
        self.ended = length == 0;
        Poll::Ready(Ok(()))
    }

    fn note<T>(&mut self, written: Poll<T>) -> Poll<T> {
        self.blocked = written.is_pending();
        written
    }
}

impl AsyncRead for SharedSocket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if state.inbox.is_empty() && !state.ended {
            // No waker is needed: the task that filled the socket comes back.
            return Poll::Pending;
        }
        let length = space.remaining().min(state.inbox.unread().len());
        space.put_slice(state.inbox.take(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SharedSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        let written = state.socket.poll_write(cx, bytes);
        state.note(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        let written = state.socket.poll_write_vectored(cx, parts);
        state.note(written)
    }

    /// So that a request's head and body are one write.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        let flushed = state.socket.poll_flush(cx);
        state.note(flushed)
    }

    /// Dropping the socket closes it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
