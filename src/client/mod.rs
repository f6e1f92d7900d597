//! The load client: drives a load against one target and records what happens to every request.

mod access;
mod address;
mod cancel;
mod connection;
mod control;
mod detect;
mod exchange;
mod head;
mod http1;
mod http2;
mod inbox;
mod lanes;
mod message;
mod pacer;
mod progress;
mod schedule;
mod setup_calls;
mod socket;
pub(crate) mod telemetry;
mod tls;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::client::telemetry::Telemetry;
use crate::engine::{EngineKind, Identity, SetupCall, refusal};
use crate::load::Load;
use crate::load::prompts::PromptSampler;
use crate::load::workload::Workload;
use crate::metrics::health::ClientHealth;
use crate::metrics::record::{Failure, RecordSink, RequestRecord};
use crate::metrics::server_side::ServerSide;
use crate::metrics::truth::Truth;
use crate::sys::clock;
use crate::units::Nanos;

use crate::sys::open_files::{TooManyConnections, allow_connections};
use connection::Connection;
use control::ControlClient;
use exchange::Peer;
use lanes::READY;
use schedule::{Asking, Schedule};

pub use access::Access;
pub(crate) use access::AccessError;
pub(crate) use address::{Address, AddressError};
pub use cancel::Cancel;
pub(crate) use detect::{Undetected, detect};
pub use progress::Progress;
pub(crate) use progress::Share;

/// A client of one target, with its connections.
///
/// Its calls block, and the calling thread does all of the client's work: this is the cheapest way, and it separates
/// the client's CPU time from everything else's. From within an async runtime, call them on a separate thread.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    peer: Peer,
    control: ControlClient,
    model: Option<String>,
    /// Kept from round to round.
    connections: Vec<Connection>,
    rounds: u32,
    /// Per connection.
    files_each: u32,
    /// When the next round begins, if that was agreed on.
    begin_ns: Option<Nanos>,
}

#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub access: Access,
    pub engine: EngineKind,
    /// If `None`, [`Client::identity`] takes the first model that the target serves.
    pub model: Option<String>,
    pub request_timeout: Duration,
}

/// Connects a running round with other threads.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    pub progress: &'a Progress,
    pub cancel: &'a Cancel,
}

/// When a block of requests ran, and the client's health in the meantime.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    pub started_ns: Nanos,
    pub ended_ns: Nanos,
    pub health: ClientHealth,
    pub cancelled: bool,
}

/// The result of a warm-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarmUp {
    pub requests: u32,
    pub failed: u32,
    pub first_failure: Option<Failure>,
}

impl RecordSink for WarmUp {
    fn take(&mut self, record: &RequestRecord) {
        self.requests += 1;
        if let Err(failure) = &record.outcome {
            self.failed += 1;
            self.first_failure.get_or_insert_with(|| failure.clone());
        }
    }
}

/// Time between deciding to start a round and its start, so that the start is not already late.
const LEAD_NS: Nanos = 2_000_000;
/// Time to get ready before an agreed start, even if other workers do so on the same processors. The pacing thread
/// keeps the exact time.
const STARTING_NS: Nanos = 50_000_000;
/// Time to open connections before an agreed start. An engine closes connections that are idle for longer.
const CONNECTING_NS: Nanos = 3_000_000_000;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Undetected(#[from] Undetected),
    #[error(transparent)]
    Connections(#[from] TooManyConnections),
    #[error("can't start the client: {0}")]
    System(#[from] std::io::Error),
    #[error("can't start the client: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the requests were ready {late_ms:.0} ms too late for --start-at: choose a later time")]
    WrittenLate { late_ms: f64 },
    #[error(
        "the connections were open {late_ms:.0} ms too late for --start-at: use fewer, or run closer to the engine"
    )]
    ConnectedLate { late_ms: f64 },
    #[error("{path} of {authority}: {why}")]
    Identity { path: &'static str, authority: String, why: String },
}

impl Client {
    pub fn new(settings: ClientSettings) -> Result<Client, ClientError> {
        let address = Address::of(&settings.access)?;
        let headers = settings.access.header_map()?;
        Ok(Client {
            runtime: runtime()?,
            control: ControlClient::new(&address, headers.clone())?,
            peer: Peer {
                address,
                headers,
                engine: settings.engine,
                request_timeout: settings.request_timeout,
            },
            model: settings.model,
            connections: Vec::new(),
            rounds: 0,
            files_each: if settings.access.is_in_this_process { 2 } else { 1 },
            begin_ns: None,
        })
    }

    /// Model name in requests.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether the target is on this machine.
    pub fn is_local(&self) -> bool {
        self.peer.address.is_loopback()
    }

    /// Whether the engine says that it accepts requests; if not, its message.
    pub fn health(&self) -> Result<(), String> {
        let path = self.peer.engine.health_path();
        match self.runtime.block_on(self.control.get(&self.peer.address.url(path)))? {
            (status, _) if status.is_success() => Ok(()),
            (status, body) => Err(format!("{path} answered HTTP {}: {}", status.as_u16(), refusal(&body))),
        }
    }

    /// Asks the engine for its identity. What it has no route for stays `None`; it is an error if the engine can't be
    /// reached or rejects the key.
    pub fn identity(&mut self) -> Result<Identity, ClientError> {
        let mut identity = Identity { model: self.model.clone(), ..Identity::default() };
        for path in self.peer.engine.identity_paths().iter().copied() {
            let failed = |why| {
                let authority = self.peer.address.authority().to_owned();
                ClientError::Identity { path, authority, why }
            };
            let answered = self.runtime.block_on(self.control.get(&self.peer.address.url(path)));
            let (status, body) = answered.map_err(failed)?;
            if matches!(status.as_u16(), 401 | 403) {
                return Err(failed(format!("HTTP {}: {}", status.as_u16(), refusal(&body))));
            }
            if let Ok(answer) = serde_json::from_slice::<Value>(&body)
                && status.is_success()
            {
                self.peer.engine.read_identity(path, &answer, &mut identity);
            }
        }
        if self.model.is_none() {
            self.model = identity.model.clone();
        }
        Ok(identity)
    }

    pub fn engine(&self) -> EngineKind {
        self.peer.engine
    }

    /// Makes a call outside the load; an error says what went wrong.
    pub fn run_setup_call(&self, call: &SetupCall, share: &Share, cancel: &Cancel) -> Result<(), String> {
        self.runtime.block_on(setup_calls::run(&self.control, &self.peer.address, call, share, cancel))
    }

    /// The engine's counters since its start; `None` if it has none.
    pub fn server_side(&self) -> Result<Option<ServerSide>, String> {
        let Some(counters) = self.peer.engine.counter_names() else { return Ok(None) };
        let url = self.peer.address.url(counters.path);
        let (status, body) = self.runtime.block_on(self.control.get(&url))?;
        if !status.is_success() {
            return Ok(None);
        }
        let read = counters.read(&String::from_utf8_lossy(&body), self.model());
        read.map(Some).map_err(|error| format!("{}: {error}", counters.path))
    }

    /// What the simulated engine saw of the requests; no other engine reports this.
    pub fn truth(&self) -> Result<Truth, String> {
        let url = self.peer.address.url("/truth");
        let (status, body) = self.runtime.block_on(self.control.get(&url))?;
        if status.is_success() {
            serde_json::from_slice(&body).map_err(|error| error.to_string())
        } else {
            Err(format!("HTTP {}: {}", status.as_u16(), refusal(&body)))
        }
    }

    /// Sends fresh prompts until the load stops. Opens connections and writes the first requests before the clock
    /// starts. A failed request is a record like any other; an error means that nothing was sent. Requests that are in
    /// flight when the round is canceled leave no record.
    pub fn run_round(
        &mut self,
        workload: &Workload,
        load: &Load,
        sampler: &mut PromptSampler,
        watch: Watch,
        records: &mut dyn RecordSink,
    ) -> Result<Round, ClientError> {
        allow_connections(load.connections(), self.files_each)?;
        self.rounds += 1;
        let held = self.take_connections(load);
        let ask = Asking { workload, model: self.model.as_deref() };
        let id_prefix = format!("tollgate-{:x}-{:x}-{}", std::process::id(), clock::now(), self.rounds);
        let lanes = load.connections() as usize;

        let schedule = Schedule::new(&self.peer, ask, sampler, load, watch.progress, id_prefix, records);
        schedule.prepare();
        let begin_ns = self.begin_ns.take();
        if let Some(late_ms) = late_ms(begin_ns) {
            return Err(ClientError::WrittenLate { late_ms });
        }
        let ran = self.runtime.block_on(async {
            let connected = async {
                let at_ns = |before_ns| begin_ns.unwrap_or(0).saturating_sub(before_ns);
                wait_until(at_ns(CONNECTING_NS)).await;
                let idle_ns = if begin_ns.is_some() { CONNECTING_NS } else { 0 };
                let held = open_all(&self.peer, held, idle_ns).await;
                wait_until(at_ns(STARTING_NS)).await;
                held
            };
            let mut held = tokio::select! {
                held = connected => held,
                () = watch.cancel.cancelled() => return Ok(None),
            };
            held.resize_with(lanes, || None);
            let mut telemetry = Telemetry::start()?;
            let started_ns = begin_ns.unwrap_or(0).max(clock::now() + LEAD_NS);
            if let Some(late_ms) = late_ms(begin_ns) {
                return Err(ClientError::ConnectedLate { late_ms });
            }
            let held = tokio::select! {
                held = tokio::task::unconstrained(schedule.run(held, started_ns, &mut telemetry)) => held?,
                () = watch.cancel.cancelled() => Vec::new(),
            };
            Ok::<_, ClientError>(Some((held, started_ns, clock::now(), telemetry.finish())))
        })?;
        let cancelled = watch.cancel.is_cancelled();
        let (mut held, started_ns, ended_ns, health) =
            ran.unwrap_or_else(|| (Vec::new(), clock::now(), clock::now(), ClientHealth::default()));
        held.append(&mut self.connections);
        self.connections = held;
        Ok(Round { started_ns, ended_ns, health, cancelled })
    }

    /// Makes the next round send its first request at this time, after it has written requests and opened connections.
    pub fn begin_next_round_at(&mut self, begin_ns: Nanos) {
        self.begin_ns = Some(begin_ns);
    }

    /// Drives the load for a while with prompts that are not measured: at least one request, and with users at least
    /// one per user.
    pub fn warm_up(
        &mut self,
        workload: &Workload,
        load: &Load,
        sampler: &mut PromptSampler,
        duration: Duration,
        watch: Watch,
    ) -> Result<WarmUp, ClientError> {
        let mut warm_up = WarmUp::default();
        self.run_round(workload, &load.warm_up(duration), sampler, watch, &mut warm_up)?;
        Ok(warm_up)
    }

    /// The connections that the load starts with: one for every user. An open load's need is unknown: it continues with
    /// those that earlier rounds and the warm-up needed, and opens more as it needs them.
    fn take_connections(&mut self, load: &Load) -> Vec<Option<Connection>> {
        let lanes = load.connections() as usize;
        let at_first = if load.is_open() { self.connections.len().max(READY).min(lanes) } else { lanes };
        let spare = self.connections.split_off(at_first.min(self.connections.len()));
        let held = std::mem::replace(&mut self.connections, spare);
        let mut held: Vec<Option<Connection>> = held.into_iter().map(Some).collect();
        held.resize_with(at_first, || None);
        held
    }
}

/// Gives every lane a connection that is usable now, or after having been idle for this long. If that fails, the lane
/// starts without one, and its request will say why.
async fn open_all(peer: &Peer, held: Vec<Option<Connection>>, idle_ns: Nanos) -> Vec<Option<Connection>> {
    let connections = held.into_iter().map(async |held| {
        let usable = held.and_then(|mut held| held.is_usable_for(idle_ns).then_some(held));
        match usable {
            Some(connection) => Some(connection),
            None => peer.open().await.ok(),
        }
    });
    join_all(connections).await
}

/// How far the agreed start is in the past, if there is one and it is.
fn late_ms(begin_ns: Option<Nanos>) -> Option<f64> {
    Some(clock::now().checked_sub(begin_ns?)? as f64 / 1e6)
}

async fn wait_until(at_ns: Nanos) {
    let asleep_ns = at_ns.saturating_sub(clock::now());
    if asleep_ns > 0 {
        tokio::time::sleep(Duration::from_nanos(asleep_ns)).await;
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests;
