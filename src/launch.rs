//! Makes a target's engine available for one session.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::measure::{Cancel, Client, Connect};
use crate::report::Environment;
use crate::simulator::Simulator;
use crate::target::{Endpoint, Place, SimulatorSettings, TargetSpec};

/// An engine that answers. It ends with this value, where it was started for it.
pub struct Launched {
    pub client: Client,
    pub environment: Environment,
    _simulator: Option<Simulator>,
}

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// This machine lacks what the target needs. That is no verdict on the engine.
    #[error("{0}")]
    NotToBeHad(String),
    #[error("{0}")]
    Failed(String),
}

/// How long an engine may take until it says that it is well.
const START_TIMEOUT: Duration = Duration::from_secs(30);
