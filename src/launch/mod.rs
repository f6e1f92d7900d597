//! Makes a target's engine available for one session.

#[cfg(feature = "container")]
mod container;
#[cfg(feature = "container")]
pub(crate) mod docker;
mod endpoint;
pub(crate) mod gpu;
mod simulator;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Access, Cancel, Client, ClientError, ClientSettings, Share};
use crate::engine::{EngineKind, Identity};
use crate::target::{Environment, ImageRef, Place, TargetSpec};

/// Work before a session, such as pulling an image or having the engine load its model.
#[derive(Clone, Debug)]
pub(crate) struct Preparation<'a> {
    pub target: &'a str,
    pub what: &'a str,
    pub share: Arc<Share>,
}

/// Starts engines for one run.
pub(crate) struct Launcher<'a> {
    /// The run's ID.
    pub run: &'a str,
    /// Folder for the run's reports and the engines' logs.
    pub folder: PathBuf,
    pub cancel: &'a Cancel,
    pub listen: Box<dyn Fn(Preparation) + 'a>,
    starts: Cell<u32>,
    /// Images that this run has pulled.
    #[cfg_attr(not(feature = "container"), expect(dead_code))]
    pulled: RefCell<BTreeSet<ImageRef>>,
}

/// An engine that answers. If it was started for this value, it ends with it.
pub(crate) struct Launched {
    pub environment: Environment,
    /// File next to the reports that will hold the engine's log.
    pub log: Option<String>,
    address: ClientSettings,
    _running: Box<dyn Any>,
}

impl Launched {
    /// A client of this engine with its own connections.
    pub(crate) fn client(&self, request_timeout: Duration) -> Result<Client, ClientError> {
        Client::new(ClientSettings { request_timeout, ..self.address.clone() })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// This machine lacks what the target needs, which says nothing about the engine.
    #[error("{reason}")]
    Unavailable { reason: String, missing: MissingRequirement },
    #[error("{0}")]
    Failed(String),
}

/// What an unavailable target lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingRequirement {
    Docker,
    Gpu,
    /// Something specific to the target, such as a variable.
    Target,
}

impl MissingRequirement {
    /// The name in `TOLLGATE_REQUIRE`, if it has one besides the target's.
    pub fn name(self) -> Option<&'static str> {
        match self {
            MissingRequirement::Docker => Some("docker"),
            MissingRequirement::Gpu => Some("gpu"),
            MissingRequirement::Target => None,
        }
    }

    fn because(self, reason: impl Into<String>) -> LaunchError {
        LaunchError::Unavailable { reason: reason.into(), missing: self }
    }
}

const POLL: Duration = Duration::from_millis(50);

/// Every program that launches engines must call this first: it may have been started to clean up after another one.
pub(crate) fn clean_up_if_asked() -> Option<ExitCode> {
    #[cfg(feature = "container")]
    return crate::launch::docker::reap_if_asked();
    #[cfg(not(feature = "container"))]
    None
}

impl<'a> Launcher<'a> {
    pub(crate) fn new(
        run: &'a str,
        folder: PathBuf,
        cancel: &'a Cancel,
        listen: impl Fn(Preparation) + 'a,
    ) -> Launcher<'a> {
        Launcher {
            run,
            folder,
            cancel,
            listen: Box::new(listen),
            starts: Cell::new(0),
            pulled: RefCell::default(),
        }
    }

    /// Checks before anything starts whether this machine has what the targets need: the target under test and those it
    /// may be compared with.
    pub(crate) fn check(&self, target: &TargetSpec, others: &[TargetSpec]) -> Result<(), LaunchError> {
        if let Some(reason) = &target.unavailable {
            return Err(MissingRequirement::Target.because(reason));
        }
        match &target.place {
            Place::Simulator(_) | Place::Endpoint(_) => Ok(()),
            #[cfg(feature = "container")]
            Place::Container(spec) => self.check_container(target, spec, others),
            #[cfg(not(feature = "container"))]
            Place::Container(_) => {
                let _ = others;
                Err(MissingRequirement::Docker.because("tollgate was built without the `container` feature"))
            }
        }
    }

    /// Gets what a start needs, such as an image or a response from a server that somebody else runs. If this fails,
    /// the target can't run anymore. Returns the environment, if it is known before a start.
    pub(crate) fn obtain(&self, target: &TargetSpec) -> Result<Option<Environment>, LaunchError> {
        match &target.place {
            #[cfg(feature = "container")]
            Place::Container(spec) => self.obtain_image(spec).map(|_| None),
            Place::Endpoint(endpoint) => {
                self.endpoint(target, endpoint).map(|launched| Some(launched.environment))
            }
            _ => Ok(None),
        }
    }

    /// Whether this target would still run what was once measured in this environment. For an endpoint, nobody knows
    /// what it has become in the meantime.
    pub(crate) fn is_still(&self, target: &TargetSpec, measured: &Environment) -> Result<bool, LaunchError> {
        match &target.place {
            Place::Simulator(_) => Ok(true),
            Place::Endpoint(_) => Ok(false),
            #[cfg(feature = "container")]
            Place::Container(spec) => match &measured.image {
                Some(image) => self.is_still_called(spec, image),
                None => Ok(false),
            },
            #[cfg(not(feature = "container"))]
            Place::Container(_) => {
                let _ = measured;
                Ok(false)
            }
        }
    }

    /// For a session that no other test shares.
    pub(crate) fn launch(&self, target: &TargetSpec) -> Result<Launched, LaunchError> {
        let start = self.next_start();
        match &target.place {
            Place::Simulator(settings) => self.simulator(target, settings, start),
            Place::Endpoint(endpoint) => self.endpoint(target, endpoint),
            #[cfg(feature = "container")]
            Place::Container(spec) => self.container(target, spec),
            #[cfg(not(feature = "container"))]
            Place::Container(_) => self.check(target, &[]).map(|()| unreachable!("it was just refused")),
        }
    }

    /// For a session that other tests of this run share: if each of them is its own process, this one may reuse the
    /// engine that an earlier one has started, and leaves it to the next.
    pub(crate) fn launch_shared(&self, target: &TargetSpec) -> Result<Launched, LaunchError> {
        match &target.place {
            #[cfg(feature = "container")]
            Place::Container(spec) => {
                let is_first = self.next_start() == 1;
                self.shared_container(target, spec, is_first)
            }
            _ => self.launch(target),
        }
    }

    /// Numbers the starts, so that two starts of a simulated engine differ as two starts of a real one do.
    fn next_start(&self) -> u32 {
        self.starts.set(self.starts.get() + 1);
        self.starts.get()
    }

    /// Waits until the engine is healthy, as long as `check_alive` returns no error.
    fn await_health(
        &self,
        address: &ClientSettings,
        timeout: Duration,
        check_alive: impl Fn() -> Result<(), LaunchError>,
    ) -> Result<(), LaunchError> {
        let client = Client::new(address.clone()).map_err(failed)?;
        let url = &address.access.url;
        self.poll(timeout, check_alive, |seconds| {
            client.health().map_err(|why| format!("{url} accepted no requests within {seconds} s: {why}"))
        })
    }

    /// Prepares the engine for a session: with its model loaded, and with its caches cleared if it can do that. From
    /// then on, the address knows the model.
    fn prepare_engine(
        &self,
        target: &TargetSpec,
        address: &mut ClientSettings,
    ) -> Result<PreparedEngine, LaunchError> {
        let mut client = Client::new(address.clone()).map_err(failed)?;
        let mut identity = client.identity().map_err(failed)?;
        let setup_calls = client.engine().setup_calls(&identity);
        for call in &setup_calls {
            let share = Arc::new(Share::default());
            (self.listen)(Preparation { target: &target.name, what: &call.what, share: share.clone() });
            // A refused optional call says nothing about the engine.
            if let Err(why) = client.run_setup_call(call, &share, self.cancel)
                && call.is_needed
            {
                return Err(LaunchError::Failed(format!("{} failed: {why}", call.what)));
            }
        }
        if !setup_calls.is_empty() {
            // A model that was just pulled has its digest only now.
            identity = client.identity().map_err(failed)?;
        }
        let Identity { version, model, model_digest, .. } = identity;
        let Some(model) = model else {
            let (url, name) = (&address.access.url, &target.name);
            let message = format!("{url} doesn't say which model it serves; set `model` in [targets.{name}]");
            return Err(LaunchError::Failed(message));
        };
        address.model = Some(model.clone());
        let model_shown = with_digest(&model, model_digest.as_deref());
        Ok(PreparedEngine { version, model, model_shown })
    }

    /// Retries until it works, the time is up, or `check_alive` returns an error. Each attempt gets the seconds that
    /// have passed.
    fn poll<T>(
        &self,
        timeout: Duration,
        check_alive: impl Fn() -> Result<(), LaunchError>,
        mut attempt: impl FnMut(u64) -> Result<T, String>,
    ) -> Result<T, LaunchError> {
        let began = Instant::now();
        loop {
            let why = match attempt(began.elapsed().as_secs()) {
                Ok(there) => return Ok(there),
                Err(why) => why,
            };
            if self.cancel.is_cancelled() {
                return Err(interrupted());
            }
            check_alive()?;
            if began.elapsed() > timeout {
                return Err(LaunchError::Failed(why));
            }
            thread::sleep(POLL);
        }
    }
}

/// Who the engine says it is.
struct PreparedEngine {
    version: Option<String>,
    model: String,
    /// With the start of its digest, if that is known.
    model_shown: String,
}

/// Access as the target configures it, wherever it runs.
fn access(target: &TargetSpec, url: String) -> Access {
    Access { http_version: target.http_version, ..Access::to(url) }
}

fn address(target: &TargetSpec, engine: EngineKind, access: Access) -> ClientSettings {
    ClientSettings { access, engine, model: target.model.clone(), request_timeout: POLL }
}

fn interrupted() -> LaunchError {
    LaunchError::Failed("interrupted while the engine was starting".into())
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

/// The environment's name, also a folder's name: `l40s` and `Qwen/Qwen3-8B` become `l40s-qwen3-8b`.
fn environment_name(hardware: &str, model: &str) -> String {
    let model = model.trim_end_matches('/').rsplit('/').next().unwrap_or(model);
    slug(&format!("{hardware}-{model}"))
}

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
    fn any_model_name_gives_a_valid_folder_name() {
        assert_eq!(environment_name("l40s", "Qwen/Qwen3-8B"), "l40s-qwen3-8b");
        assert_eq!(environment_name("cpu", "../../etc passwd"), "cpu-etc-passwd");
        assert_eq!(environment_name("NVIDIA L40S", "a:b"), "nvidia-l40s-a-b");
    }

    #[test]
    fn a_model_is_shown_with_the_start_of_its_digest() {
        assert_eq!(with_digest("m", Some("sha256:365c0bd3c000a25d")), "m@365c0bd3c000");
        assert_eq!(with_digest("m", Some("365c0bd3c000a25d")), "m@365c0bd3c000");
        assert_eq!(with_digest("m", None), "m");
    }
}
