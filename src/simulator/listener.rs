//! Takes connections in, and knows when what came over them arrived.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;

use crate::arrival::Stream;
use crate::record::Nanos;

pub struct Listener {
    pub tcp: TcpListener,
    /// Whether a connection that is dropped is reset instead of closed.
    pub resets: bool,
}

/// A connection with one request on it at a time.
pub struct Connection {
    stream: Stream,
    heard: Heard,
}

/// When the newest bytes of a connection arrived at this machine; the server may be late to read them.
#[derive(Clone, Default)]
pub struct Heard(Arc<AtomicU64>);

impl Heard {
    pub fn newest_ns(&self) -> Nanos {
        self.0.load(Ordering::Relaxed)
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (tcp, from) = axum::serve::Listener::accept(&mut self.tcp).await;
        // Without it a token could wait for the last one's acknowledgement; a dead connection fails soon enough.
        let _ = tcp.set_nodelay(true);
        if self.resets {
            let _ = tcp.set_zero_linger();
        }
        (Connection { stream: Stream::new(tcp), heard: Heard::default() }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listener>> for Heard {
    fn connect_info(incoming: IncomingStream<'_, Listener>) -> Heard {
        incoming.io().heard.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_read(cx, space))?;
        self.heard.0.store(self.stream.newest_ns(), Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
