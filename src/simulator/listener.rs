//! Accepts connections whose bytes the system timestamps.

use std::io;
use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::TcpListener;

use crate::sys::arrival::{Newest, Stream};

pub struct Listener {
    pub tcp: TcpListener,
    /// Whether a dropped connection is reset instead of closed.
    pub resets: bool,
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (tcp, from) = axum::serve::Listener::accept(&mut self.tcp).await;
        // Without this, a token could wait for the last one's acknowledgment; a dead connection fails soon enough.
        let _ = tcp.set_nodelay(true);
        if self.resets {
            let _ = tcp.set_zero_linger();
        }
        (Stream::new(tcp), from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Tells a request when it arrived: the server may read it late.
impl Connected<IncomingStream<'_, Listener>> for Newest {
    fn connect_info(incoming: IncomingStream<'_, Listener>) -> Newest {
        incoming.io().newest().clone()
    }
}
