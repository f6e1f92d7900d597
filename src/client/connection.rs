//! One connection, driven by the task that uses it, with one request at a time.
//!
//! There is no connection pool and, with HTTP/2, no second stream: each request has its connection to itself. So no
//! request waits for another, the client knows whether a request was the first on its connection, and it reads and
//! timestamps a response in one step without passing it between tasks.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use crate::client::address::Address;
use crate::client::head::Head;
use crate::client::message::WireRequest;
use crate::client::{http1, http2};
use crate::engine::HttpVersion;
use crate::sys::clock;
use crate::units::Nanos;

pub(crate) struct Connection {
    protocol: Protocol,
    idle_since_ns: Nanos,
}

enum Protocol {
    Http1(http1::Http1Connection),
    Http2(Box<http2::Http2Connection>),
}

use Protocol::{Http1, Http2};

/// Why a response could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the connection was closed")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Head(#[from] http1::BadHead),
    #[error(transparent)]
    Framing(#[from] http1::BadFraming),
    #[error(transparent)]
    Http2(h2::Error),
}

impl Broken {
    /// Whether the server sent something that is not valid HTTP.
    pub(crate) fn is_bad_payload(&self) -> bool {
        match self {
            Broken::Head(_) | Broken::Framing(_) => true,
            Broken::Http2(error) => error.is_library(),
            Broken::Closed | Broken::Io(_) => false,
        }
    }

    /// Whether the error came from the server over HTTP/2, which means that it speaks HTTP/2.
    fn is_spoken(&self) -> bool {
        matches!(self, Broken::Http2(error) if error.is_remote())
    }

    /// Whether the server said that it did not process the request (RFC 9113, 8.7).
    pub(crate) fn is_unprocessed(&self) -> bool {
        let Broken::Http2(error) = self else { return false };
        let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        // `h2` ends a stream with a GOAWAY only if that names a lower stream as the last one processed.
        self.is_spoken() && (is_refused || error.is_go_away())
    }
}

/// uvicorn and llama.cpp close connections that are idle for 5 s.
const IDLE_MAX_NS: Nanos = 4_000_000_000;

impl Connection {
    /// An error says what went wrong.
    pub(crate) async fn open(address: &Address, timeout: Duration) -> Result<Connection, String> {
        let what = match address.http_version() {
            HttpVersion::Http1 => "connection",
            HttpVersion::Http2 => "HTTP/2 connection",
        };
        let authority = address.authority();
        match tokio::time::timeout(timeout, Protocol::open(address)).await {
            Ok(Ok(protocol)) => Ok(Connection { protocol, idle_since_ns: clock::now() }),
            Ok(Err(why)) => Err(format!("no {what} to {authority}: {why}")),
            Err(_) => Err(format!("no {what} to {authority} within {timeout:?}")),
        }
    }

    /// Whether the server still listens on this connection, as far as the client can tell without sending, and probably
    /// will for this long.
    pub(crate) fn is_usable_for(&mut self, ahead_ns: Nanos) -> bool {
        let idle_ns = clock::now() - self.idle_since_ns;
        idle_ns + ahead_ns <= IDLE_MAX_NS
            && match &mut self.protocol {
                Http1(connection) => connection.is_usable(),
                Http2(connection) => connection.is_usable(),
            }
    }

    /// Prepares a request so completely that from the returned time on it only has to be sent.
    pub(crate) fn take_up(&mut self, message: &WireRequest, id: &str) -> Nanos {
        match (&mut self.protocol, message) {
            (Http1(connection), WireRequest::Http1(message)) => connection.take_up(message, id),
            (Http2(connection), WireRequest::Http2(message)) => connection.take_up(message, id),
            _ => unreachable!("a client sends only to its address, in its HTTP version"),
        }
    }

    /// Sends the prepared request and reads the head of its response.
    pub(crate) async fn ask(&mut self) -> Result<Head, Broken> {
        match &mut self.protocol {
            Http1(connection) => connection.ask().await,
            Http2(connection) => connection.ask().await,
        }
    }

    /// Whether a byte has arrived since the last request was prepared.
    pub(crate) fn has_received(&self) -> bool {
        match &self.protocol {
            Http1(connection) => connection.has_received(),
            Http2(connection) => connection.has_received(),
        }
    }

    /// Whether a response has begun.
    pub(crate) fn has_begun(&self) -> bool {
        match &self.protocol {
            Http1(connection) => connection.has_received(),
            // Its head is complete or absent; anything else the server sends is not a response.
            Http2(_) => false,
        }
    }

    /// When the newest bytes arrived.
    pub(crate) fn received_ns(&self) -> Nanos {
        match &self.protocol {
            Http1(connection) => connection.received_ns(),
            Http2(connection) => connection.received_ns(),
        }
    }

    /// The next part of the response that has arrived, and when it arrived; does not wait.
    pub(crate) fn part(&mut self) -> Result<Option<(&[u8], Nanos)>, Broken> {
        match &mut self.protocol {
            Http1(connection) => connection.part(),
            Http2(connection) => connection.part(),
        }
    }

    /// Whether a response was read to its end.
    pub(crate) fn is_over(&self) -> bool {
        match &self.protocol {
            Http1(connection) => connection.is_over(),
            Http2(connection) => connection.is_over(),
        }
    }

    /// Waits until more of the response has arrived, or its end.
    pub(crate) async fn more(&mut self) -> Result<(), Broken> {
        poll_fn(|cx| match &mut self.protocol {
            Http1(connection) => connection.poll_more(cx),
            Http2(connection) => connection.poll_more(cx),
        })
        .await
    }

    /// Whether it may carry another request after this response.
    pub(crate) fn keeps_alive(&self) -> bool {
        match &self.protocol {
            Http1(connection) => connection.keeps_alive(),
            // If the server wants no more, that shows when the connection is next used.
            Http2(_) => true,
        }
    }

    /// Must be called after a response was read to its end: only then can the connection take another request.
    pub(crate) fn rest(&mut self) {
        self.idle_since_ns = clock::now();
    }
}

impl Protocol {
    async fn open(address: &Address) -> Result<Protocol, String> {
        let socket = address.connect().await?;
        Ok(match address.http_version() {
            HttpVersion::Http1 => Http1(http1::Http1Connection::new(socket)),
            HttpVersion::Http2 => match http2::Http2Connection::open(socket).await {
                Ok(connection) => Http2(Box::new(connection)),
                Err(broken) if broken.is_spoken() => return Err(broken.to_string()),
                Err(broken) => return Err(format!("{broken}{}", address.other_version())),
            },
        })
    }
}
