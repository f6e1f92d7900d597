//! One request and its answer.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};

use crate::clock;
use crate::engine::{Ask, EngineKind, Reply, Wire, refusal};
use crate::measure::address::Address;
use crate::measure::connection::{Connection, chain, short_body};
use crate::record::{Failure, FailureClass, Nanos, RequestRecord, TokenCount};

/// What all requests of a client share.
pub struct Peer {
    pub address: Address,
    /// Of the target's own: key and others.
    pub headers: HeaderMap,
    pub engine: EngineKind,
    pub request_timeout: Duration,
}

/// A request that is ready to go: nothing of it remains to be computed once its time has come.
pub struct Prepared {
    path: &'static str,
    body: Bytes,
    stream: bool,
    wire: &'static dyn Wire,
}

/// Where a request stands; kept outside of the exchange, so that a timeout finds how far it got.
struct Standing {
    sent_ns: Option<Nanos>,
    reconnects: u32,
    reply: Reply,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// More than any engine has to say about an error.
const REFUSAL_MAX_BYTES: usize = 64 << 10;

/// How long a server may take to close an answer that it has declared finished.
const CLOSING_GRACE: Duration = Duration::from_secs(1);

impl Peer {
    pub fn prepare(&self, ask: &Ask) -> Prepared {
        let wire = self.engine.wire(ask.api);
        let request = wire.request(ask);
        Prepared { path: request.path, body: Bytes::from(request.body), stream: ask.stream, wire }
    }

    /// Sends a request on the user's connection, opening one where there is none, and reads its answer to the end.
    /// The connection is left in `slot` when it can carry another request.
    pub async fn exchange(
        &self,
        slot: &mut Option<Connection>,
        prepared: &Prepared,
        id: String,
        due_ns: Nanos,
    ) -> RequestRecord {
        let mut standing = Standing { sent_ns: None, reconnects: 0, reply: Reply::default() };
        // Taken out, so that a connection with half an answer on it is dropped when time runs out.
        let held = slot.take();
        let answered = self.attempt(held, prepared, &id, &mut standing);
        let outcome = match tokio::time::timeout(self.request_timeout, answered).await {
            Ok(Ok(connection)) => {
                *slot = connection;
                Ok(())
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(self.timed_out(&standing)),
        };
        standing.into_record(id, due_ns, outcome)
    }

    /// Returns the connection if it can be used again.
    async fn attempt(
        &self,
        held: Option<Connection>,
        prepared: &Prepared,
        id: &str,
        standing: &mut Standing,
    ) -> Result<Option<Connection>, Failure> {
        let (mut connection, mut fresh) = self.connection(held).await?;
        loop {
            let request = self.http_request(prepared, id);
            let received = connection.received();
            standing.sent_ns.get_or_insert_with(clock::now);
            let error = match connection.send(request).await {
                Ok(response) => return self.read(connection, response, prepared, standing).await,
                Err(error) => error,
            };
            // RFC 9112, 9.3.1: a server may close an idle connection at any time, also at the very moment in which a
            // request is on its way. Without a byte of an answer, that request was not taken.
            let stale = !fresh && connection.received() == received && is_closed(&error);
            if !stale {
                return Err(send_failure(&error, connection.received() > received));
            }
            standing.reconnects += 1;
            connection = self.open().await?;
            fresh = true;
        }
    }

    /// The user's connection, and whether it was opened just now.
    pub async fn connection(&self, held: Option<Connection>) -> Result<(Connection, bool), Failure> {
        if let Some(mut connection) = held
            && connection.is_usable().await
        {
            return Ok((connection, false));
        }
        Ok((self.open().await?, true))
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let opened = Connection::open(&self.address, self.request_timeout).await;
        opened.map_err(|detail| Failure { class: FailureClass::Connect, detail })
    }

    fn http_request(&self, prepared: &Prepared, id: &str) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::new(Full::new(prepared.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.address.target(prepared.path);
        let headers = request.headers_mut();
        headers.insert(HOST, checked(self.address.authority()));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(REQUEST_ID, checked(id));
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        request
    }

    async fn read(
        &self,
        mut connection: Connection,
        response: Response<Incoming>,
        prepared: &Prepared,
        standing: &mut Standing,
    ) -> Result<Option<Connection>, Failure> {
        let status = response.status();
        let (head, mut body) = response.into_parts();
        if status != StatusCode::OK {
            let said = refusal(&short_body(&mut connection, body, REFUSAL_MAX_BYTES).await);
            let detail = format!("HTTP {}: {said}", status.as_u16());
            return Err(Failure { class: FailureClass::HttpStatus, detail });
        }
        let reply = &mut standing.reply;
        prepared.wire.read_headers(&|name| head.headers.get(name)?.to_str().ok()?.parse().ok(), reply);
        match prepared.stream {
            true => read_stream(prepared.wire, &mut connection, &mut body, reply).await?,
            false => read_whole(prepared.wire, &mut connection, &mut body, reply).await?,
        }
        if reply.done && !drain(&mut connection, &mut body).await {
            return Ok(None);
        }
        connection.rest();
        Ok(Some(connection))
    }

    fn timed_out(&self, standing: &Standing) -> Failure {
        let within = self.request_timeout;
        let detail = match (standing.sent_ns, standing.reply.content_ns.len()) {
            (None, _) => format!("not sent within {within:?}"),
            (Some(_), 0) => format!("no content within {within:?}"),
            (Some(_), chunks) => format!("unfinished after {within:?}, with {chunks} content chunks"),
        };
        Failure { class: FailureClass::Timeout, detail }
    }
}

impl Standing {
    fn into_record(self, id: String, due_ns: Nanos, outcome: Result<(), Failure>) -> RequestRecord {
        let end_ns = clock::now();
        let reply = self.reply;
        let (output_tokens, tokens_counted_by) = match reply.output_tokens {
            Some(tokens) => (tokens, TokenCount::Usage),
            None => (reply.content_ns.len() as u32, TokenCount::Chunks),
        };
        RequestRecord {
            id,
            due_ns,
            sent_ns: self.sent_ns.unwrap_or(end_ns),
            content_ns: reply.content_ns,
            end_ns,
            input_tokens: reply.input_tokens,
            output_tokens,
            tokens_counted_by,
            finish: reply.finish,
            server_times: reply.server_times,
            reconnects: self.reconnects,
            outcome,
        }
    }
}

fn checked(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("authorities were parsed, and ids are made of letters and digits")
}

/// Returns when the answer is over: at the body's end, or when the engine says that it is done.
async fn read_stream(
    wire: &dyn Wire,
    connection: &mut Connection,
    body: &mut Incoming,
    reply: &mut Reply,
) -> Result<(), Failure> {
    while !reply.done {
        let Some(piece) = connection.piece(body).await else { break };
        let at_ns = clock::now();
        let piece = piece.map_err(|error| broken(&error, reply))?;
        wire.read_piece(&piece, at_ns, reply)?;
    }
    wire.read_end(clock::now(), reply)
}

async fn read_whole(
    wire: &dyn Wire,
    connection: &mut Connection,
    body: &mut Incoming,
    reply: &mut Reply,
) -> Result<(), Failure> {
    let mut whole = Vec::new();
    let mut last_ns = clock::now();
    while let Some(piece) = connection.piece(body).await {
        last_ns = clock::now();
        whole.extend_from_slice(&piece.map_err(|error| broken(&error, reply))?);
    }
    wire.read_whole(&whole, last_ns, reply)
}

/// Reads what follows a finished answer, without which its connection can't be used again. Whatever goes wrong here
/// costs the connection, not the answer.
async fn drain(connection: &mut Connection, body: &mut Incoming) -> bool {
    let rest = async {
        while let Some(piece) = connection.piece(body).await {
            if piece.is_err() {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(CLOSING_GRACE, rest).await.unwrap_or(false)
}

/// Whether the server has closed the connection, in any of the ways in which that shows.
fn is_closed(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return true;
    }
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|error| {
        matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
        )
    })
}

fn send_failure(error: &hyper::Error, answered: bool) -> Failure {
    if error.is_parse() {
        let detail = format!("expected an HTTP/1.1 answer: {}", chain(error));
        return Failure { class: FailureClass::BadPayload, detail };
    }
    let when = if answered { "in the middle of its headers" } else { "before it began" };
    Failure {
        class: FailureClass::BrokenStream,
        detail: format!("the answer broke off {when}: {}", chain(error)),
    }
}

fn broken(error: &hyper::Error, reply: &Reply) -> Failure {
    let chunks = reply.content_ns.len();
    let detail = format!("the answer broke off after {chunks} content chunks: {}", chain(error));
    Failure { class: FailureClass::BrokenStream, detail }
}
