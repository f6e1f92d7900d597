//! A TCP stream whose bytes the system timestamps.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::sys::arrival::{Arrivals, Newest};
use crate::units::Nanos;

/// Knows when the bytes that it read arrived.
pub struct Stream {
    tcp: TcpStream,
    arrivals: Arrivals,
}

impl Stream {
    pub fn new(tcp: TcpStream) -> Stream {
        Stream { arrivals: Arrivals::at(&tcp), tcp }
    }

    /// When the newest bytes that were read arrived at this machine.
    pub fn newest_ns(&self) -> Nanos {
        self.arrivals.newest_ns()
    }

    pub fn newest(&self) -> &Newest {
        self.arrivals.newest()
    }

    /// Notes that nothing that is awaited can have arrived before now.
    pub fn since(&mut self, now_ns: Nanos) {
        self.arrivals.since(now_ns);
    }

    /// How many bytes were read; 0 means the end of the stream.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let Stream { tcp, arrivals } = self;
        loop {
            ready!(tcp.poll_read_ready(cx))?;
            let mut read = None;
            let tried = tcp.try_io(Interest::READABLE, || {
                let length = arrivals.read(tcp, space)?;
                read = Some(length);
                // A short read means there was no more: this saves the event loop another read to find that out.
                if (1..space.len()).contains(&length) {
                    Err(io::ErrorKind::WouldBlock.into())
                } else {
                    Ok(())
                }
            });
            match (read, tried) {
                (Some(length), _) => return Poll::Ready(Ok(length)),
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                _ => {}
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = ready!(self.poll_recv(cx, space.initialize_unfilled()))?;
        space.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}
