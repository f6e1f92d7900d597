//! A simulated engine: a real HTTP server whose tokens come when a model of continuous batching says so.
//!
//! # Layout
//!
//! `batch` is the model: it reads no clock. `pacer` drives it in real time on a thread of its own. `routes` take
//! requests in (`request`), each becomes an `answer` that writes its `reply` token by token and notes the times for
//! `/truth`. What slows or starves the engine belongs into `batch`, what spoils an answer into `answer`, what turns
//! a request away into `routes`.

mod answer;
mod batch;
mod metrics;
mod pacer;
mod reply;
mod request;
mod routes;
mod truth;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use axum::Router;
use axum::serve::ListenerExt;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::clock;
use crate::simulator::batch::Batch;
use crate::simulator::metrics::Metrics;
use crate::simulator::pacer::Pacer;
use crate::simulator::reply::Identity;
use crate::simulator::routes::{Frontend, router, unix_s};
use crate::simulator::truth::TruthLog;
use crate::target::{InvalidSetting, SimulatorSettings};

pub use crate::simulator::truth::{RequestTruth, Truth};

/// A running simulated engine. It lives on threads of its own, apart from any runtime of the caller, and stops when
/// it is dropped: open connections are cut.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// Why a simulated engine could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Settings(#[from] InvalidSetting),
    #[error("cannot listen on {addr}: {source}; choose another port, or 0 for any free one")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("cannot start the simulator's threads: {0}")]
    Threads(io::Error),
}

/// The model that a simulated engine serves unless it is given another name.
pub const DEFAULT_MODEL: &str = "simulated";

/// Connections that wait to be accepted: a load opens all of its own at once.
const BACKLOG: u32 = 4096;

impl Simulator {
    /// Starts an engine that serves [`DEFAULT_MODEL`]; port 0 is any free one. `start_number` counts the starts of
    /// one engine: two of them differ in their jitter.
    pub fn start(
        settings: SimulatorSettings,
        start_number: u64,
        addr: SocketAddr,
    ) -> Result<Simulator, StartError> {
        Simulator::start_serving(DEFAULT_MODEL, settings, start_number, addr)
    }

    /// Like [`Simulator::start`], with the model under another name.
    pub fn start_serving(
        model: &str,
        settings: SimulatorSettings,
        start_number: u64,
        addr: SocketAddr,
    ) -> Result<Simulator, StartError> {
        settings.validate()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(StartError::Threads)?;
        let listener = listen(&runtime, addr).map_err(|source| StartError::Listen { addr, source })?;
        let addr = listener.local_addr().map_err(|source| StartError::Listen { addr, source })?;

        let identity =
            Identity { model: model.into(), version: settings.version.clone(), seed: settings.seed };
        let batch = Batch::new(settings, start_number, clock::now());
        let (commands, orders) = mpsc::channel();
        let metrics = Arc::new(Mutex::new(Metrics::new()));
        let frontend = Frontend {
            identity,
            warm_ns: batch.warm_ns(),
            started_s: unix_s(),
            commands,
            metrics: metrics.clone(),
            log: Arc::new(Mutex::new(TruthLog::default())),
            requests: AtomicU64::new(0),
        };
        let pacer = Pacer::new(batch, orders, metrics);

        let (stop, stopped) = oneshot::channel();
        let mut simulator = Simulator { addr, stop: Some(stop), threads: Vec::new() };
        simulator.spawn("simulator-http", move || serve(runtime, listener, router(frontend), stopped))?;
        simulator.spawn("simulator-pacer", move || pacer.run())?;
        Ok(simulator)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
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
            // A thread that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

fn listen(runtime: &Runtime, addr: SocketAddr) -> io::Result<TcpListener> {
    let _inside = runtime.enter();
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Until `stopped` resolves. Then the runtime goes, with all connections and with the routes' sender of commands,
/// whose end is the pacer's.
fn serve(runtime: Runtime, listener: TcpListener, routes: Router, stopped: oneshot::Receiver<()>) {
    let listener = listener.tap_io(|connection| {
        // Without it a token could wait for the last one's acknowledgement; a dead connection fails soon enough.
        let _ = connection.set_nodelay(true);
    });
    runtime.block_on(async {
        tokio::select! {
            _ = axum::serve(listener, routes) => {}
            _ = stopped => {}
        }
    });
}
