//! One HTTP/1.1 connection, driven by the task that uses it.
//!
//! There is no pool: a user of a load keeps its connection, so that none of them waits for another's, it is known
//! whether a request was the first on its connection, and an answer is read and dated in one step without passing
//! between tasks.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::clock;
use crate::measure::address::Address;
use crate::measure::socket::Socket;
use crate::record::Nanos;

pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    received: Arc<AtomicU64>,
    idle_since_ns: Nanos,
}

/// Reads and writes the connection whenever it is polled, until it is closed.
struct Driver(Option<http1::Connection<TokioIo<Socket>, Full<Bytes>>>);

/// uvicorn and llama.cpp close a connection that was idle for 5 s.
const IDLE_MAX_NS: Nanos = 4_000_000_000;

impl Connection {
    pub async fn open(address: &Address, timeout: Duration) -> Result<Connection, String> {
        let socket = address.connect(timeout).await?;
        let received = socket.received();
        let (sender, driver) = http1::handshake(TokioIo::new(socket))
            .await
            .map_err(|error| format!("no connection to {}: {}", address.authority(), chain(&error)))?;
        let driver = Driver(Some(driver));
        Ok(Connection { sender, driver, received, idle_since_ns: clock::now() })
    }

    /// Whether the server still listens on this connection, as far as can be known without sending.
    pub async fn is_usable(&mut self) -> bool {
        if clock::now() - self.idle_since_ns > IDLE_MAX_NS {
            return false;
        }
        // A closing that has arrived shows only once the event loop has looked at the socket.
        tokio::task::yield_now().await;
        self.driver.drive(pin!(self.sender.ready())).await.is_ok()
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, hyper::Error> {
        self.driver.drive(pin!(self.sender.send_request(request))).await
    }

    /// The answer's next piece, `None` after its last one.
    pub async fn piece(&mut self, body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            let frame = self.driver.drive(pin!(body.frame())).await?;
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(data)) => return Some(Ok(data)),
                Ok(Err(_trailers)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Bytes received on this connection so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// To be called after an answer was read to its end: only then the connection can take another request.
    pub fn rest(&mut self) {
        self.idle_since_ns = clock::now();
    }
}

impl Driver {
    /// Awaits something that needs the connection to make progress.
    async fn drive<F: Future>(&mut self, mut awaited: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| {
            if let Some(connection) = &mut self.0
                && Pin::new(connection).poll(cx).is_ready()
            {
                self.0 = None;
            }
            awaited.as_mut().poll(cx)
        })
        .await
    }
}

/// A whole body, cut off beyond a limit or where it breaks off.
pub async fn short_body(connection: &mut Connection, mut body: Incoming, max_bytes: usize) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(Ok(piece)) = connection.piece(&mut body).await {
        whole.extend_from_slice(&piece);
        if whole.len() > max_bytes {
            break;
        }
    }
    whole
}

/// An error with its causes, which hyper keeps apart.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
