//! An engine that somebody else runs.

use std::time::Duration;

use crate::client::{Access, Client, detect};
use crate::launch::{
    LaunchError, Launched, Launcher, MissingRequirement, PreparedEngine, access, address, environment_name,
    failed,
};
use crate::sys::machine;
use crate::target::{Endpoint, Environment, TargetSpec};
use crate::text::secret::Secret;

/// The engine should already be running: this only covers a restart.
const TIMEOUT: Duration = Duration::from_secs(5);

impl Launcher<'_> {
    pub(super) fn endpoint(&self, target: &TargetSpec, endpoint: &Endpoint) -> Result<Launched, LaunchError> {
        let url = &endpoint.url;
        let access = Access {
            api_key: endpoint.api_key_env.as_deref().map(api_key).transpose()?,
            headers: endpoint.headers.clone(),
            ca_file: endpoint.ca_file.clone(),
            ..access(target, url.clone())
        };
        let engine = match target.engine.kind() {
            Some(kind) => kind,
            None => self.poll(TIMEOUT, || Ok(()), |_| detect(&access).map_err(|error| error.to_string()))?,
        };
        let mut address = address(target, engine, access);
        self.await_health(&address, TIMEOUT, || Ok(())).map_err(|error| match error {
            LaunchError::Failed(why) => {
                LaunchError::Failed(format!("{why}; is the engine running, and is the URL correct?"))
            }
            other => other,
        })?;
        let PreparedEngine { version, model, model_shown } = self.prepare_engine(target, &mut address)?;
        let hardware = endpoint.hardware.as_deref().unwrap_or("endpoint");
        let version = version.as_deref().unwrap_or("of unknown version");
        let is_local = Client::new(address.clone()).map_err(failed)?.is_local();
        let environment = Environment {
            name: environment_name(hardware, &model),
            engine: format!("{} {version}", engine.name()),
            model: model_shown,
            machine: if is_local { machine::describe() } else { hardware.to_owned() },
            url: Some(url.clone()),
            http_version: target.http_version,
            simulator: None,
            image: None,
            args: None,
        };
        Ok(Launched { environment, log: None, address, _running: Box::new(()) })
    }
}

fn api_key(variable: &str) -> Result<Secret, LaunchError> {
    std::env::var(variable).map(Secret::new).map_err(|_| {
        MissingRequirement::Target
            .because(format!("environment variable {variable} (api_key_env) is not set"))
    })
}
