//! An HTTP/1.1 connection.

mod framing;
mod head;
mod message;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use crate::client::connection::Broken;
use crate::client::head::Head;
use crate::client::inbox::Inbox;
use crate::client::socket::Socket;
use crate::sys::clock;
use crate::units::Nanos;

use framing::Framing;
use head::Heading;

pub(crate) use framing::BadFraming;
pub(crate) use head::BadHead;
pub(crate) use message::Http1Request;

pub(crate) struct Http1Connection {
    socket: Socket,
    inbox: Inbox,
    /// Reused from request to request.
    outbox: Vec<u8>,
    /// How far the response's body has been read.
    framing: Framing,
    keeps_alive: bool,
    heard: bool,
}

impl Http1Connection {
    pub(crate) fn new(socket: Socket) -> Http1Connection {
        let (inbox, outbox) = (Inbox::new(), Vec::new());
        Http1Connection { socket, inbox, outbox, framing: Framing::Over, keeps_alive: true, heard: false }
    }

    pub(crate) fn is_usable(&mut self) -> bool {
        self.inbox.is_empty() && self.socket.is_quiet()
    }

    pub(crate) fn take_up(&mut self, message: &Http1Request, id: &str) -> Nanos {
        self.outbox.clear();
        message.write(id, &mut self.outbox);
        self.heard = false;
        let now_ns = clock::now();
        self.socket.await_from(now_ns);
        now_ns
    }

    pub(crate) async fn ask(&mut self) -> Result<Head, Broken> {
        let mut sent = 0;
        let sending = poll_fn(|cx| self.poll_send(cx, &mut sent)).await;
        loop {
            if let Some((heading, length)) = Heading::read(self.inbox.unread())? {
                self.inbox.take(length);
                if !heading.is_interim() {
                    self.framing = heading.framing;
                    self.keeps_alive = heading.keeps_alive && sent == self.outbox.len();
                    return Ok(heading.head);
                }
                continue;
            }
            match (self.fill().await, &sending) {
                (Ok(1..), _) => {}
                // The error that ended the sending says more than the missing response.
                (_, Err(_)) => return Err(sending.unwrap_err().into()),
                (Ok(0), _) => return Err(Broken::Closed),
                (Err(error), _) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn has_received(&self) -> bool {
        self.heard
    }

    pub(crate) fn received_ns(&self) -> Nanos {
        self.inbox.filled_ns()
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    pub(crate) fn part(&mut self) -> Result<Option<(&[u8], Nanos)>, Broken> {
        let at_ns = self.inbox.filled_ns();
        Ok(self.framing.next(&mut self.inbox)?.map(|part| (part, at_ns)))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.framing.is_over()
    }

    pub(crate) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match (ready!(self.poll_fill(cx))?, &self.framing) {
            (0, Framing::UntilClose) => self.framing = Framing::Over,
            (0, _) => return Poll::Ready(Err(Broken::Closed)),
            _ => {}
        }
        Poll::Ready(Ok(()))
    }

    /// How many bytes have arrived; 0 means the end of the connection.
    async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let length = ready!(self.socket.poll_read(cx, self.inbox.space()))?;
        self.inbox.filled(length, self.socket.newest_ns());
        self.heard |= length > 0;
        Poll::Ready(Ok(length))
    }

    /// Sends until everything is sent or a response has begun: an engine may refuse a request before it has read all of
    /// it.
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
