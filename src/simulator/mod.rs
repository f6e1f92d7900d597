//! A simulated engine: a real HTTP server that times its tokens by a model of continuous batching.
//!
//! # Layout
//!
//! `batch` is the model and reads no clock. `pacer` drives it in real time on its own thread. `routes` accept requests;
//! each becomes an `answer` that writes its response token by token, in the `dialect` of the request, and records the
//! times for `/truth`. `about` and `library` hold what engines report about themselves, and `exposition` their
//! counters. `faults` draws the requests that fail: `batch` slows or starves the engine, `answer` spoils a response,
//! and `routes` reject a request.

mod about;
mod answer;
mod batch;
mod dialect;
mod exposition;
mod faults;
mod library;
mod listener;
mod metrics;
mod pacer;
mod routes;
mod truth;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use axum::Router;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};

use crate::simulator::batch::Batch;
use crate::simulator::dialect::Identity;
use crate::simulator::faults::Lottery;
use crate::simulator::library::Library;
use crate::simulator::listener::Listener;
use crate::simulator::metrics::Metrics;
use crate::simulator::pacer::{Pacer, PacerCommand};
use crate::simulator::routes::{Frontend, router, unix_s};
use crate::simulator::truth::TruthLog;
use crate::sys::arrival::Newest;
use crate::sys::clock;
use crate::sys::open_files::raise_open_files;
use crate::target::{InvalidSetting, SimulatorSettings};

/// A running simulated engine. It runs on its own threads, outside the caller's runtime, and stops when it is dropped;
/// open connections are cut.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// Why a simulated engine could not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Settings(#[from] InvalidSetting),
    #[error("can't listen on {addr}: {source}; choose another port, or 0 for any free one")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("can't start the simulator's threads: {0}")]
    Threads(io::Error),
}

/// The default model name.
pub(crate) const DEFAULT_MODEL: &str = "simulated";

/// Maximum tokens of prompt and response together, unless the KV cache is smaller.
const MAX_MODEL_LEN: u32 = 131_072;

/// Connections that may wait to be accepted: a load opens all of its connections at once.
const BACKLOG: u32 = 4096;

impl Simulator {
    /// Starts an engine that serves [`DEFAULT_MODEL`]; port 0 is any free one. `start_number` numbers the starts of one
    /// engine: two starts differ in their jitter.
    pub fn start(
        settings: SimulatorSettings,
        start_number: u64,
        addr: SocketAddr,
    ) -> Result<Simulator, StartError> {
        Simulator::start_serving(DEFAULT_MODEL, settings, start_number, addr)
    }

    /// Like [`Simulator::start`], with another model name.
    pub fn start_serving(
        model: &str,
        settings: SimulatorSettings,
        start_number: u64,
        addr: SocketAddr,
    ) -> Result<Simulator, StartError> {
        settings.validate()?;
        raise_open_files();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(StartError::Threads)?;
        let listener = listen(&runtime, addr).map_err(|source| StartError::Listen { addr, source })?;
        let addr = listener.local_addr().map_err(|source| StartError::Listen { addr, source })?;

        let (commands, orders) = mpsc::channel();
        let metrics = Arc::new(Mutex::new(Metrics::new()));
        let crash = Arc::new(Notify::new());
        let resets = settings.faults.reset_rate > 0.0;
        let (frontend, batch) = engine(model, settings, start_number, commands, &metrics, &crash);
        let pacer = Pacer::new(batch, orders, metrics);

        let (stop, stopped) = oneshot::channel();
        let mut simulator = Simulator { addr, stop: Some(stop), threads: Vec::new() };
        simulator.spawn("simulator-http", move || {
            serve(runtime, listener, router(frontend), resets, async {
                tokio::select! {
                    _ = stopped => {}
                    () = crash.notified() => {}
                }
            });
        })?;
        simulator.spawn("simulator-pacer", move || pacer.run())?;
        Ok(simulator)
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether it crashed by itself, due to `crash_after_requests`.
    pub fn has_crashed(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
        let thread =
            std::thread::Builder::new().name(name.into()).spawn(work).map_err(StartError::Threads)?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.take();
        for thread in self.threads.drain(..) {
            // A thread that panicked has already printed that to stderr.
            let _ = thread.join();
        }
    }
}

/// An engine's two halves: the HTTP routes, and the part that computes.
fn engine(
    model: &str,
    settings: SimulatorSettings,
    start_number: u64,
    commands: mpsc::Sender<PacerCommand>,
    metrics: &Arc<Mutex<Metrics>>,
    crash: &Arc<Notify>,
) -> (Frontend, Batch) {
    let SimulatorSettings { version, seed, kv_cache_tokens, eos_rate, faults, .. } = settings.clone();
    let batch = Batch::new(settings, start_number, clock::now());
    let frontend = Frontend {
        identity: Identity { model: model.into(), version, seed },
        library: Mutex::new(Library::of(model)),
        warm_ns: batch.warm_ns(),
        started_s: unix_s(),
        commands,
        metrics: metrics.clone(),
        log: Arc::new(Mutex::new(TruthLog::default())),
        requests: AtomicU64::new(0),
        max_model_len: if kv_cache_tokens == 0 { MAX_MODEL_LEN } else { kv_cache_tokens.min(MAX_MODEL_LEN) },
        crash_at_request: Some(u64::from(faults.crash_after_requests)).filter(|requests| *requests > 0),
        crash: crash.clone(),
        lottery: Mutex::new(Lottery::new(faults, eos_rate, seed, start_number)),
    };
    (frontend, batch)
}

fn listen(runtime: &Runtime, addr: SocketAddr) -> io::Result<TcpListener> {
    let _inside = runtime.enter();
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Serves until `end` resolves. Then the runtime stops, with all connections and with the routes' command sender, which
/// also ends the pacer.
fn serve(
    runtime: Runtime,
    listener: TcpListener,
    routes: Router,
    resets: bool,
    end: impl Future<Output = ()>,
) {
    let listener = Listener { tcp: listener, resets };
    let routes = routes.into_make_service_with_connect_info::<Newest>();
    runtime.block_on(async {
        tokio::select! {
            _ = axum::serve(listener, routes) => {}
            () = end => {}
        }
    });
}
