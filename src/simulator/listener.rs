//! Takes connections in whose bytes are dated by the system.

use std::io;
use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::TcpListener;

use crate::sys::arrival::{Newest, Stream};

pub struct Listener {
    pub tcp: TcpListener,
    /// Whether a connection that is dropped is reset instead of closed.
    pub resets: bool,
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (tcp, from) = axum::serve::Listener::accept(&mut self.tcp).await;
        // Without it a token could wait for the last one's acknowledgement; a dead connection fails soon enough.
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

/// So that a request finds out when it arrived: the server may be late to read it.
impl Connected<IncomingStream<'_, Listener>> for Newest {
    fn connect_info(incoming: IncomingStream<'_, Listener>) -> Newest {
        incoming.io().newest().clone()
    }
}
