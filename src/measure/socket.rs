//! A TCP or TLS stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

pub enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub fn poll_read(&mut self, cx: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, space),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, space),
        }
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    /// To be called after the last write: TLS may hold some of it back.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    /// Whether the server still listens and has said nothing, as far as can be known without sending.
    pub fn is_quiet(&mut self) -> bool {
        // Asks the system itself: the event loop may not have looked at this socket yet.
        let tcp: &TcpStream = match self {
            Socket::Plain(stream) => stream,
            Socket::Tls(stream) => stream.get_ref().0,
        };
        let found = recv(tcp, &mut [0u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        match (found, self) {
            (Err(Errno::AGAIN), _) => true,
            // TLS has things to say of its own.
            (Ok((_, 1..)), Socket::Tls(stream)) => {
                let mut byte = [0];
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(stream.as_mut()).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
            _ => false,
        }
    }
}
