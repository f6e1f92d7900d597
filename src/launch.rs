//! Makes a target's engine available for one session.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::{EngineKind, Identity};
use crate::event::{Event, Share};
use crate::machine;
use crate::measure::{Access, Cancel, Client, ClientError, ClientSettings, recognise};
use crate::report::Environment;
use crate::secret::Secret;
use crate::simulator::{DEFAULT_MODEL, Simulator};
use crate::target::{Endpoint, Place, SimulatorSettings, TargetSpec};

/// An engine that answers. One that was started for it ends with this value.
pub struct Launched {
    pub environment: Environment,
    address: ClientSettings,
    _simulator: Option<Simulator>,
}

impl Launched {
    /// A client of this engine, with connections of its own.
    pub fn client(&self, request_timeout: Duration) -> Result<Client, ClientError> {
        Client::new(ClientSettings { request_timeout, ..self.address.clone() })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// This machine lacks what the target needs, which says nothing about the engine.
    #[error("{0}")]
    NotToBeHad(String),
    #[error("{0}")]
    Failed(String),
}

/// How long an engine that is started here may take until it says that it is well.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// An endpoint is supposed to be running: this only bridges its restart.
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// `session` counts the starts of this engine: two starts of a simulated one differ as two starts of a real one do.
pub fn launch(
    target: &TargetSpec,
    session: u32,
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> Result<Launched, LaunchError> {
    if let Some(reason) = &target.unavailable {
        return Err(LaunchError::NotToBeHad(reason.clone()));
    }
    match &target.place {
        Place::Simulator(settings) => simulator(target, settings, session, cancel),
        Place::Endpoint(endpoint) => self::endpoint(target, endpoint, listen, cancel),
    }
}

fn simulator(
    target: &TargetSpec,
    settings: &SimulatorSettings,
    session: u32,
    cancel: &Cancel,
) -> Result<Launched, LaunchError> {
    let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let simulator = Simulator::start(settings.clone(), session.into(), any_port).map_err(failed)?;
    let access = Access::to(format!("http://{}", simulator.addr()));
    let address = address(target, EngineKind::SIMULATOR, access);
    await_health(&address, START_TIMEOUT, cancel)?;
    let environment = Environment {
        name: "simulator".into(),
        engine: format!("simulator {}", settings.version),
        model: DEFAULT_MODEL.into(),
        // Its times come from its settings and not from what it runs on.
        machine: "simulated".into(),
        url: None,
        simulator: Some(settings.clone()),
    };
    Ok(Launched { environment, address, _simulator: Some(simulator) })
}

fn endpoint(
    target: &TargetSpec,
    endpoint: &Endpoint,
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> Result<Launched, LaunchError> {
    let access = Access {
        api_key: endpoint.api_key_env.as_deref().map(api_key).transpose()?,
        headers: endpoint.headers.clone(),
        url: endpoint.url.clone(),
    };
    let engine = match target.engine.kind() {
        Some(kind) => kind,
        None => await_recognition(&access, cancel)?,
    };
    let mut address = address(target, engine, access);
    await_health(&address, ENDPOINT_TIMEOUT, cancel)?;
    let mut client = Client::new(address.clone()).map_err(failed)?;
    let identity = prepared(&mut client, target, listen, cancel)?;
    let model = identity.model.clone().ok_or_else(|| {
        let (url, name) = (&endpoint.url, &target.name);
        LaunchError::Failed(format!(
            "{url} doesn't say which model it serves; give `model` in [targets.{name}]"
        ))
    })?;
    address.model = Some(model.clone());
    let hardware = endpoint.hardware.as_deref().unwrap_or("endpoint");
    let version = identity.version.as_deref().unwrap_or("of unknown version");
    let environment = Environment {
        name: slug(&format!("{hardware}-{model}")),
        engine: format!("{} {version}", engine.name()),
        model: with_digest(&model, identity.model_digest.as_deref()),
        machine: if client.is_local() { machine::describe() } else { hardware.to_owned() },
        url: Some(endpoint.url.clone()),
        simulator: None,
    };
    Ok(Launched { environment, address, _simulator: None })
}

/// The engine as a session finds it: with its model loaded, and without memories where it can forget.
fn prepared(
    client: &mut Client,
    target: &TargetSpec,
    listen: &dyn Fn(Event),
    cancel: &Cancel,
) -> Result<Identity, LaunchError> {
    let identity = client.identity().map_err(failed)?;
    let errands = client.engine().errands(&identity);
    for errand in &errands {
        let share = Arc::new(Share::default());
        listen(Event::Errand { target: &target.name, what: &errand.what, share: share.clone() });
        match client.run_errand(errand, &share, cancel) {
            Err(why) if errand.is_needed => {
                return Err(LaunchError::Failed(format!("{} failed: {why}", errand.what)));
            }
            // That it can't do what is only good to have says nothing about it.
            Ok(()) | Err(_) => {}
        }
    }
    // A model that had to be got has its digest only now.
    if errands.is_empty() { Ok(identity) } else { client.identity().map_err(failed) }
}

fn address(target: &TargetSpec, engine: EngineKind, access: Access) -> ClientSettings {
    ClientSettings { access, engine, model: target.model.clone(), request_timeout: POLL }
}

fn api_key(variable: &str) -> Result<Secret, LaunchError> {
    std::env::var(variable).map(Secret::new).map_err(|_| {
        LaunchError::NotToBeHad(format!("environment variable {variable} (api_key_env) is not set"))
    })
}

fn await_recognition(access: &Access, cancel: &Cancel) -> Result<EngineKind, LaunchError> {
    poll(ENDPOINT_TIMEOUT, cancel, || recognise(access).map_err(|error| error.to_string()))
}

fn await_health(address: &ClientSettings, timeout: Duration, cancel: &Cancel) -> Result<(), LaunchError> {
    let client = Client::new(address.clone()).map_err(failed)?;
    let asked = Instant::now();
    poll(timeout, cancel, || {
        client.health().map_err(|why| {
            let (url, waited) = (&address.access.url, asked.elapsed().as_secs());
            format!(
                "{url} took no requests within {waited} s: is the engine running, and the URL right? {why}"
            )
        })
    })
}

/// Tries until it works or the time is up.
fn poll<T>(
    timeout: Duration,
    cancel: &Cancel,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> Result<T, LaunchError> {
    let began = Instant::now();
    loop {
        let why = match attempt() {
            Ok(there) => return Ok(there),
            Err(why) => why,
        };
        if cancel.is_cancelled() {
            return Err(LaunchError::Failed("interrupted while the engine was starting".into()));
        }
        if began.elapsed() > timeout {
            return Err(LaunchError::Failed(why));
        }
        thread::sleep(POLL);
    }
}

fn failed(error: impl std::error::Error) -> LaunchError {
    LaunchError::Failed(error.to_string())
}

/// `qwen3:8b@500a1f067a9f`.
fn with_digest(model: &str, digest: Option<&str>) -> String {
    const SHOWN_CHARS: usize = 12;
    match digest {
        Some(digest) => {
            let hex = digest.trim_start_matches("sha256:");
            format!("{model}@{}", hex.chars().take(SHOWN_CHARS).collect::<String>())
        }
        None => model.to_owned(),
    }
}

/// `cpu-Qwen/Qwen3-8B` as a folder's name: `cpu-qwen-qwen3-8b`.
fn slug(text: &str) -> String {
    let plain = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' });
    let words: Vec<String> =
        plain.collect::<String>().split('-').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_a_folder_name_whatever_the_model_is_called() {
        assert_eq!(slug("l40s-Qwen/Qwen3-8B"), "l40s-qwen-qwen3-8b");
        assert_eq!(slug("cpu-../../etc"), "cpu-..-..-etc");
    }

    #[test]
    fn a_model_is_told_with_the_beginning_of_its_digest() {
        assert_eq!(with_digest("m", Some("sha256:365c0bd3c000a25d")), "m@365c0bd3c000");
        assert_eq!(with_digest("m", Some("365c0bd3c000a25d")), "m@365c0bd3c000");
        assert_eq!(with_digest("m", None), "m");
    }
}
