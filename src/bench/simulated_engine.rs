//! A simulated engine as the server of a test.

use std::net::{Ipv4Addr, SocketAddr};

use crate::bench::BenchError;
use crate::simulator::Simulator;
use crate::target::SimulatorSettings;

/// A simulated engine that runs in this process, on a free port of 127.0.0.1, until it is dropped.
///
/// It is a real HTTP server that speaks the API of every supported engine. A simulation of continuous batching times
/// its tokens, so a benchmark of it needs neither a GPU nor a model.
#[derive(Debug)]
pub struct SimulatedEngine {
    url: String,
    _server: Simulator,
}

impl SimulatedEngine {
    /// Starts the default engine: 200 ms to the first token, then a token every 20 ms, for up to 64 concurrent
    /// requests.
    ///
    /// # Errors
    /// If it can't listen or can't start its threads.
    pub fn start() -> Result<SimulatedEngine, BenchError> {
        SimulatedEngine::with(SimulatorSettings::default())
    }

    /// Starts an engine with these settings: one that is slower, queues earlier, or fails.
    ///
    /// # Errors
    /// If a setting is out of range, if it can't listen, or if it can't start its threads.
    pub fn with(settings: SimulatorSettings) -> Result<SimulatedEngine, BenchError> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Simulator::start(settings, 1, any_port)?;
        Ok(SimulatedEngine { url: format!("http://{}", server.addr()), _server: server })
    }

    /// Its base URL, such as `http://127.0.0.1:41234`.
    pub fn url(&self) -> &str {
        &self.url
    }
}
