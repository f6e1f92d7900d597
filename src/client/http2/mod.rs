//! An HTTP/2 connection (RFC 9113) with one stream at a time.
//!
//! `h2` implements the protocol. Whoever waits for a response drives it step by step, with no task in between: a step
//! is one read from the system, after which the connection handles everything that the read returned.

mod message;
mod shared_socket;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Error, RecvStream};
use http::response::Parts;

use crate::client::connection::Broken;
use crate::client::head::{Head, Headers};
use crate::client::socket::Socket;
use crate::sys::clock;
use crate::units::Nanos;

use shared_socket::SharedSocket;

pub(crate) use message::Http2Request;

pub(crate) struct Http2Connection {
    socket: SharedSocket,
    driver: h2::client::Connection<SharedSocket, Bytes>,
    requests: SendRequest<Bytes>,
    /// Whether there is something to be sent.
    sends: bool,
    asked: Option<Result<ResponseFuture, Error>>,
    /// Of a response that was not read to its end.
    body: Option<RecvStream>,
    /// Read but not yet handed out.
    next: Option<Bytes>,
    part: Bytes,
}

/// Large enough that no response has to wait for a window update.
const WINDOW_BYTES: u32 = 16 << 20;
/// As much as with HTTP/1.1.
const MAX_HEAD_BYTES: u32 = 32 << 10;

impl Http2Connection {
    /// Returns once the server has begun to speak HTTP/2.
    pub(crate) async fn open(socket: Socket) -> Result<Http2Connection, Broken> {
        let socket = SharedSocket::new(socket);
        let opened = Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_header_list_size(MAX_HEAD_BYTES)
            .enable_push(false)
            .handshake(socket.clone())
            .await;
        let (requests, driver) = opened.map_err(|error| broken(error, &socket))?;
        let (asked, body, next, part) = (None, None, None, Bytes::new());
        let mut connection =
            Http2Connection { socket, driver, requests, sends: true, asked, body, next, part };
        poll_fn(|cx| connection.poll_step(cx)).await?;
        Ok(connection)
    }

    /// Reads what the server has sent in the meantime, possibly that it goes away.
    pub(crate) fn is_usable(&mut self) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        while !self.socket.is_closed() {
            match self.poll_step(cx) {
                Poll::Pending => return matches!(self.requests.poll_ready(cx), Poll::Ready(Ok(()))),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return false,
            }
        }
        false
    }

    pub(crate) fn take_up(&mut self, message: &Http2Request, id: &str) -> Nanos {
        let sent = self.requests.send_request(message.head(id), false);
        self.asked = Some(sent.and_then(|(response, mut stream)| {
            stream.send_data(message.body(), true)?;
            Ok(response)
        }));
        self.sends = true;
        let now_ns = clock::now();
        self.socket.await_from(now_ns);
        now_ns
    }

    pub(crate) async fn ask(&mut self) -> Result<Head, Broken> {
        let asked = self.asked.take().expect("a request was prepared");
        let mut response = asked.map_err(|error| broken(error, &self.socket))?;
        let response = poll_fn(|cx| {
            loop {
                let step = self.poll_step(cx);
                if let Poll::Ready(found) = Pin::new(&mut response).poll(&mut quietly()) {
                    return Poll::Ready(found.map_err(|error| broken(error, &self.socket)));
                }
                ready!(step)?;
            }
        });
        let (head, body) = response.await?.into_parts();
        self.body = Some(body);
        Ok(read_head(&head))
    }

    pub(crate) fn has_received(&self) -> bool {
        self.socket.has_received()
    }

    pub(crate) fn received_ns(&self) -> Nanos {
        self.socket.received_ns()
    }

    pub(crate) fn part(&mut self) -> Result<Option<(&[u8], Nanos)>, Broken> {
        if !self.looks_at_more()? {
            return Ok(None);
        }
        self.part = self.next.take().unwrap_or_default();
        Ok(Some((&self.part, self.socket.received_ns())))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.body.is_none() && self.next.is_none()
    }

    pub(crate) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            let step = self.poll_step(cx);
            if self.looks_at_more()? || self.is_over() {
                return Poll::Ready(Ok(()));
            }
            ready!(step)?;
        }
    }

    /// Reads once and sends what has to be sent. What arrived is then available, and all of it arrived at the same
    /// time. Window updates go out when the next bytes arrive, long before the window is used up.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let filled = self.socket.poll_fill(cx)?;
        if filled.is_pending() && !self.sends {
            return Poll::Pending;
        }
        let has_news = filled.is_ready() || self.socket.has_unread();
        let driven = Pin::new(&mut self.driver).poll(cx);
        self.sends = self.socket.is_blocked();
        match driven {
            Poll::Ready(Ok(())) => Poll::Ready(Err(Broken::Closed)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(error, &self.socket))),
            // It reads nothing before it could send what it has to.
            Poll::Pending if has_news && !self.socket.has_unread() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether there is another part.
    fn looks_at_more(&mut self) -> Result<bool, Broken> {
        while self.next.is_none()
            && let Some(body) = &mut self.body
        {
            match body.poll_data(&mut quietly()) {
                Poll::Pending => break,
                Poll::Ready(None) => self.body = None,
                Poll::Ready(Some(Err(error))) => return Err(broken(error, &self.socket)),
                Poll::Ready(Some(Ok(part))) => {
                    let released = body.flow_control().release_capacity(part.len());
                    released.map_err(|error| broken(error, &self.socket))?;
                    self.next = Some(part).filter(|part| !part.is_empty());
                }
            }
        }
        Ok(self.next.is_some())
    }
}

/// No wakeup is needed: the task that awaits a response drives its connection and checks after every step.
fn quietly() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn read_head(head: &Parts) -> Head {
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Head::of(head.status.as_u16(), &Headers::of(headers))
}

/// Uses HTTP/1.1's wording, unless the error is specific to HTTP/2.
fn broken(error: Error, socket: &SharedSocket) -> Broken {
    if !error.is_io() {
        Broken::Http2(error)
    } else if socket.has_ended() {
        Broken::Closed
    } else {
        error.into_io().map_or(Broken::Closed, Broken::Io)
    }
}
