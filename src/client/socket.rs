//! A TCP or TLS stream whose bytes the system timestamps.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::sys::arrival::Stream;
use crate::units::Nanos;

pub(crate) enum Socket {
    Plain(Stream),
    Tls(Box<TlsStream<Stream>>),
}

impl Socket {
    /// Notes that a response can't arrive earlier than now.
    pub(crate) fn await_from(&mut self, now_ns: Nanos) {
        let stream = match self {
            Socket::Plain(stream) => stream,
            Socket::Tls(stream) => stream.get_mut().0,
        };
        stream.since(now_ns);
    }

    /// When the newest bytes that were read arrived at this machine.
    pub(crate) fn newest_ns(&self) -> Nanos {
        self.stream().newest_ns()
    }

    /// How many bytes were read; 0 means the end of the stream.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(stream) => stream.poll_recv(cx, space),
            Socket::Tls(stream) => {
                let mut space = ReadBuf::new(space);
                ready!(Pin::new(stream.as_mut()).poll_read(cx, &mut space))?;
                Poll::Ready(Ok(space.filled().len()))
            }
        }
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, parts),
        }
    }

    /// Must be called after the last write: TLS may hold some of it back.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    /// Whether the server still listens and has sent nothing, as far as the client can tell without sending.
    pub(crate) fn is_quiet(&mut self) -> bool {
        match (self.peek(), self) {
            (Err(Errno::AGAIN), _) => true,
            // TLS sends its own messages.
            (Ok(1..), Socket::Tls(stream)) => {
                let mut byte = [0];
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(stream.as_mut()).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
            _ => false,
        }
    }

    /// Whether the server has closed the connection without sending anything more, as far as the client can tell
    /// without reading.
    pub(crate) fn is_closed(&self) -> bool {
        !matches!(self.peek(), Ok(1..) | Err(Errno::AGAIN))
    }

    /// How many bytes can be read, at most one. Asks the system itself: the event loop may not have checked this socket
    /// yet.
    fn peek(&self) -> Result<usize, Errno> {
        let found = recv(self.stream(), &mut [0u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        found.map(|(_, length)| length)
    }

    fn stream(&self) -> &Stream {
        match self {
            Socket::Plain(stream) => stream,
            Socket::Tls(stream) => stream.get_ref().0,
        }
    }
}
