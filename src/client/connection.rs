//! One connection, driven by the task that uses it, with one request on it at a time.
//!
//! There is no pool that hides anything, and with HTTP/2 no second stream: a request has its connection to itself, so
//! that none of them waits for another, it is known whether a request was the first on its connection, and an answer is
//! read and dated in one step without passing between tasks.

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

pub struct Connection {
    protocol: Protocol,
    idle_since_ns: Nanos,
}

enum Protocol {
    Http1(http1::Http1Connection),
    Http2(Box<http2::Http2Connection>),
}

use Protocol::{Http1, Http2};

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
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
    /// Whether the server said something that is not HTTP, or not as it should be.
    pub fn is_bad_payload(&self) -> bool {
        match self {
            Broken::Head(_) | Broken::Framing(_) => true,
            Broken::Http2(error) => error.is_library(),
            Broken::Closed | Broken::Io(_) => false,
        }
    }

    /// Whether the server has said it in HTTP/2: then that is what it speaks.
    fn is_spoken(&self) -> bool {
        matches!(self, Broken::Http2(error) if error.is_remote())
    }

    /// Whether the server has said that it did not look at the request (RFC 9113, 8.7).
    pub fn is_untaken(&self) -> bool {
        let Broken::Http2(error) = self else { return false };
        let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        // `h2` ends a stream by a GOAWAY only if that names a lower one as the last that was looked at.
        self.is_spoken() && (is_refused || error.is_go_away())
    }
}

/// uvicorn and llama.cpp close a connection that was idle for 5 s.
const IDLE_MAX_NS: Nanos = 4_000_000_000;

impl Connection {
    /// An error says in words what came in between.
    pub async fn open(address: &Address, timeout: Duration) -> Result<Connection, String> {
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

    /// Whether the server still listens on this connection, as far as can be known without sending, and is likely to
    /// for so long.
    pub fn is_usable_for(&mut self, ahead_ns: Nanos) -> bool {
        let idle_ns = clock::now() - self.idle_since_ns;
        idle_ns + ahead_ns <= IDLE_MAX_NS
            && match &mut self.protocol {
                Http1(connection) => connection.is_usable(),
                Http2(connection) => connection.is_usable(),
            }
    }

    /// Takes a request up, so that nothing is left to do but to send it from the returned moment on.
    pub fn take_up(&mut self, message: &WireRequest, id: &str) -> Nanos {
        match (&mut self.protocol, message) {
            (Http1(connection), WireRequest::Http1(message)) => connection.take_up(message, id),
            (Http2(connection), WireRequest::Http2(message)) => connection.take_up(message, id),
            _ => unreachable!("all that a client sends goes to one address, and is of its version"),
        }
    }

    /// Sends what was taken up and reads the head of its answer.
    pub async fn ask(&mut self) -> Result<Head, Broken> {
        match &mut self.protocol {
            Http1(connection) => connection.ask().await,
            Http2(connection) => connection.ask().await,
        }
    }

    /// Whether a byte has come since the last request was taken up.
    pub fn has_heard(&self) -> bool {
        match &self.protocol {
            Http1(connection) => connection.has_heard(),
            Http2(connection) => connection.has_heard(),
        }
    }

    /// Whether an answer has begun.
    pub fn has_begun(&self) -> bool {
        match &self.protocol {
            Http1(connection) => connection.has_heard(),
            // Its head is there as a whole, or not at all; what else the server says is no answer.
            Http2(_) => false,
        }
    }

    /// When the newest of it came.
    pub fn heard_ns(&self) -> Nanos {
        match &self.protocol {
            Http1(connection) => connection.heard_ns(),
            Http2(connection) => connection.heard_ns(),
        }
    }

    /// The next part of an answer that has arrived, and when it did; waits for none.
    pub fn part(&mut self) -> Result<Option<(&[u8], Nanos)>, Broken> {
        match &mut self.protocol {
            Http1(connection) => connection.part(),
            Http2(connection) => connection.part(),
        }
    }

    /// Whether an answer was read to its end.
    pub fn is_over(&self) -> bool {
        match &self.protocol {
            Http1(connection) => connection.is_over(),
            Http2(connection) => connection.is_over(),
        }
    }

    /// Waits until more of an answer has arrived, or its end.
    pub async fn more(&mut self) -> Result<(), Broken> {
        poll_fn(|cx| match &mut self.protocol {
            Http1(connection) => connection.poll_more(cx),
            Http2(connection) => connection.poll_more(cx),
        })
        .await
    }

    /// Whether it may carry another request after this answer.
    pub fn keeps_alive(&self) -> bool {
        match &self.protocol {
            Http1(connection) => connection.keeps_alive(),
            // That the server wants no more is found out when it is to be used.
            Http2(_) => true,
        }
    }

    /// To be called after an answer was read to its end: only then the connection can take another request.
    pub fn rest(&mut self) {
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
