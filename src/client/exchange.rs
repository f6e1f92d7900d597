//! One request and its response.

use std::time::Duration;

use http::HeaderMap;

use crate::client::address::Address;
use crate::client::connection::{Broken, Connection};
use crate::client::head::Head;
use crate::client::message::{RequestHead, WireRequest};
use crate::engine::{Ask, EngineKind, Reply, Wire, refusal};
use crate::metrics::record::{Failure, FailureClass, RequestRecord, TokenCount};
use crate::sys::clock;
use crate::units::Nanos;

/// What all requests of a client share.
pub(crate) struct Peer {
    pub address: Address,
    /// The target's own headers, including the key.
    pub headers: HeaderMap,
    pub engine: EngineKind,
    pub request_timeout: Duration,
}

/// A request that is ready to send: nothing is left to compute once it is due.
pub(crate) struct Prepared {
    message: WireRequest,
    output_tokens: u32,
    stream: bool,
    wire: &'static dyn Wire,
}

/// A request's progress, kept outside of the exchange so that a timeout knows how far it got.
struct ExchangeState {
    taken_ns: Nanos,
    sent_ns: Option<Nanos>,
    reconnects: u32,
    reply: Reply,
}

const OK: u16 = 200;

/// Longer than any engine's error message.
const REFUSAL_MAX_BYTES: usize = 64 << 10;

/// How long a server may take to close a response that it has declared finished.
const CLOSING_GRACE: Duration = Duration::from_secs(1);

impl Peer {
    pub(crate) fn prepare(&self, ask: &Ask) -> Prepared {
        let wire = self.engine.wire(ask.api);
        let request = wire.request(ask);
        let request_head = RequestHead { address: &self.address, headers: &self.headers };
        Prepared {
            message: request_head.message(request.path, request.body),
            output_tokens: ask.output_tokens,
            stream: ask.stream,
            wire,
        }
    }

    /// Sends a request on the lane's connection, opening one if there is none, and reads its response to the end.
    /// Leaves the connection in `slot` if it can carry another request.
    pub(crate) async fn exchange(
        &self,
        slot: &mut Option<Connection>,
        prepared: &Prepared,
        id: String,
        due_ns: Nanos,
    ) -> RequestRecord {
        let reply = Reply::expecting(prepared.output_tokens);
        let mut standing = ExchangeState { taken_ns: clock::now(), sent_ns: None, reconnects: 0, reply };
        // Take the connection out, so that one with half a response on it is dropped if time runs out.
        let held = slot.take();
        let answered = self.attempt(held, prepared, &id, &mut standing);
        let outcome = match tokio::time::timeout(self.request_timeout, answered).await {
            Ok(Ok(connection)) => {
                *slot = connection;
                Ok(())
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(standing.reply.abort().unwrap_or_else(|| self.timed_out(&standing))),
        };
        standing.into_record(id, due_ns, outcome)
    }

    /// Returns the connection if it can be reused.
    async fn attempt(
        &self,
        held: Option<Connection>,
        prepared: &Prepared,
        id: &str,
        standing: &mut ExchangeState,
    ) -> Result<Option<Connection>, Failure> {
        let mut fresh = held.is_none();
        let mut connection = match held {
            Some(connection) => connection,
            None => self.open().await?,
        };
        loop {
            let sent_ns = connection.take_up(&prepared.message, id);
            standing.sent_ns.get_or_insert(sent_ns);
            let broken = match connection.ask().await {
                Ok(head) => return self.read(connection, head, prepared, standing).await,
                Err(broken) => broken,
            };
            // RFC 9112, 9.3.1: a server may close an idle connection at any time, even while a request is on its way.
            // If no byte of a response came back, the server did not take the request.
            let is_taken = connection.has_received() && !broken.is_unprocessed();
            if fresh || is_taken {
                return Err(send_failure(&broken, connection.has_begun()));
            }
            standing.reconnects += 1;
            connection = self.open().await?;
            fresh = true;
        }
    }

    pub(crate) async fn open(&self) -> Result<Connection, Failure> {
        let opened = Connection::open(&self.address, self.request_timeout).await;
        opened.map_err(|detail| Failure { class: FailureClass::Connect, detail })
    }

    async fn read(
        &self,
        mut connection: Connection,
        head: Head,
        prepared: &Prepared,
        standing: &mut ExchangeState,
    ) -> Result<Option<Connection>, Failure> {
        if head.status != OK {
            let said = match &head.coding {
                Some(coding) => format!("its body is encoded ({coding})"),
                None => refusal(&short_body(&mut connection).await),
            };
            let detail = format!("HTTP {}: {said}", head.status);
            return Err(Failure { class: FailureClass::HttpStatus, detail });
        }
        if let Some(coding) = &head.coding {
            let detail = format!("expected a response without content encoding, found {coding}");
            return Err(Failure { class: FailureClass::BadPayload, detail });
        }
        let reply = &mut standing.reply;
        prepared.wire.read_headers(&|name| head.number(name), reply);
        if prepared.stream {
            read_stream(prepared.wire, &mut connection, reply).await?
        } else {
            read_whole(prepared.wire, &mut connection, reply).await?
        }
        let reusable = connection.keeps_alive() && drain(&mut connection).await;
        connection.rest();
        Ok(reusable.then_some(connection))
    }

    fn timed_out(&self, standing: &ExchangeState) -> Failure {
        let within = self.request_timeout;
        let detail = match (standing.sent_ns, standing.reply.content_ns.len()) {
            (None, _) => format!("not sent within {within:?}"),
            (Some(_), 0) => format!("no content within {within:?}"),
            (Some(_), chunks) => format!("incomplete after {within:?}, with {chunks} content chunks"),
        };
        Failure { class: FailureClass::Timeout, detail }
    }
}

impl ExchangeState {
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
            taken_ns: self.taken_ns,
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

/// Returns when the response is over: at the body's end, or when the engine says that it is done.
async fn read_stream(wire: &dyn Wire, connection: &mut Connection, reply: &mut Reply) -> Result<(), Failure> {
    loop {
        while !reply.done
            && let Some((part, at_ns)) = connection.part().map_err(|error| broken(&error, reply))?
        {
            wire.read_piece(part, at_ns, reply)?;
        }
        if reply.done || connection.is_over() {
            return wire.read_end(connection.received_ns(), reply);
        }
        connection.more().await.map_err(|error| broken(&error, reply))?;
    }
}

async fn read_whole(wire: &dyn Wire, connection: &mut Connection, reply: &mut Reply) -> Result<(), Failure> {
    let mut whole = Vec::new();
    read_rest(connection, |part| whole.extend_from_slice(part))
        .await
        .map_err(|error| broken(&error, reply))?;
    wire.read_whole(&whole, connection.received_ns(), reply)
}

/// Passes on the rest of a body.
async fn read_rest(connection: &mut Connection, mut take: impl FnMut(&[u8])) -> Result<(), Broken> {
    loop {
        while let Some((part, _)) = connection.part()? {
            take(part);
        }
        if connection.is_over() {
            return Ok(());
        }
        connection.more().await?;
    }
}

/// The body of an error response, truncated at a limit or where it breaks off.
async fn short_body(connection: &mut Connection) -> Vec<u8> {
    let mut short = Vec::new();
    while short.len() < REFUSAL_MAX_BYTES && !connection.is_over() {
        let has_more = match connection.part() {
            Ok(Some((part, _))) => {
                short.extend_from_slice(part);
                true
            }
            Ok(None) => connection.is_over() || connection.more().await.is_ok(),
            Err(_) => false,
        };
        if !has_more {
            break;
        }
    }
    short
}

/// Reads what follows a finished response, which is required to reuse its connection. A failure here costs the
/// connection, but not the response.
async fn drain(connection: &mut Connection) -> bool {
    let rest = read_rest(connection, |_| {});
    matches!(tokio::time::timeout(CLOSING_GRACE, rest).await, Ok(Ok(())))
}

fn send_failure(broken: &Broken, begun: bool) -> Failure {
    if broken.is_bad_payload() {
        return Failure { class: FailureClass::BadPayload, detail: broken.to_string() };
    }
    let when = if begun { "in the middle of its headers" } else { "before it began" };
    Failure { class: FailureClass::BrokenStream, detail: format!("the response broke off {when}: {broken}") }
}

fn broken(broken: &Broken, reply: &Reply) -> Failure {
    if let Some(abort) = reply.abort() {
        return abort;
    }
    let chunks = reply.content_ns.len();
    if broken.is_bad_payload() {
        let detail = format!("{broken}, after {chunks} content chunks");
        return Failure { class: FailureClass::BadPayload, detail };
    }
    let detail = format!("the response broke off after {chunks} content chunks: {broken}");
    Failure { class: FailureClass::BrokenStream, detail }
}
