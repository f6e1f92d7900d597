//! The simulated engine, in this process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::client::Access;
use crate::engine::EngineKind;
use crate::launch::{LaunchError, Launched, Launcher, access, address, failed};
use crate::simulator::{DEFAULT_MODEL, Simulator};
use crate::target::{Environment, SimulatorSettings, TargetSpec};

const START_TIMEOUT: Duration = Duration::from_secs(30);

impl Launcher<'_> {
    pub(super) fn simulator(
        &self,
        target: &TargetSpec,
        settings: &SimulatorSettings,
        start: u32,
    ) -> Result<Launched, LaunchError> {
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let simulator = Simulator::start(settings.clone(), start.into(), any_port).map_err(failed)?;
        let access =
            Access { is_in_this_process: true, ..access(target, format!("http://{}", simulator.addr())) };
        let address = address(target, EngineKind::SIMULATOR, access);
        self.await_health(&address, START_TIMEOUT, || Ok(()))?;
        let environment = Environment {
            name: "simulator".into(),
            engine: format!("simulator {}", settings.version),
            model: DEFAULT_MODEL.into(),
            // Its speed depends on its settings and not on the hardware.
            machine: "simulated".into(),
            url: None,
            http_version: target.http_version,
            simulator: Some(settings.clone()),
            image: None,
            args: None,
        };
        Ok(Launched { environment, log: None, address, _running: Box::new(simulator) })
    }
}
