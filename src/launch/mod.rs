//! Makes a target's engine available for one session.

#[cfg(feature = "container")]
mod container;
#[cfg(feature = "container")]
pub mod docker;
mod endpoint;
pub mod gpu;
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

/// Something that is done before a session, such as pulling an image or having the engine load its model.
#[derive(Clone, Debug)]
pub struct Preparation<'a> {
    pub target: &'a str,
    pub what: &'a str,
    pub share: Arc<Share>,
}

/// Starts engines for one run.
pub struct Launcher<'a> {
    /// The run's ID.
    pub run: &'a str,
    /// Where its reports are, and the engines' own words go.
    pub folder: PathBuf,
    pub cancel: &'a Cancel,
    pub listen: Box<dyn Fn(Preparation) + 'a>,
    starts: Cell<u32>,
    /// Images that this run has pulled.
    #[cfg_attr(not(feature = "container"), expect(dead_code))]
    pulled: RefCell<BTreeSet<ImageRef>>,
}

/// An engine that answers. One that was started for it ends with this value.
pub struct Launched {
    pub environment: Environment,
    /// What the engine said is in this file in the end, beside the reports.
    pub log: Option<String>,
    address: ClientSettings,
    _running: Box<dyn Any>,
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
    #[error("{reason}")]
    NotToBeHad { reason: String, missing: MissingRequirement },
    #[error("{0}")]
    Failed(String),
}

/// What is missing where a target is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingRequirement {
    Docker,
    Gpu,
    /// Something that is this target's own, such as a variable.
    Target,
}

impl MissingRequirement {
    /// As `TOLLGATE_REQUIRE` names it, where it has a name besides the target's.
    pub fn name(self) -> Option<&'static str> {
        match self {
            MissingRequirement::Docker => Some("docker"),
            MissingRequirement::Gpu => Some("gpu"),
            MissingRequirement::Target => None,
        }
    }

    fn because(self, reason: impl Into<String>) -> LaunchError {
        LaunchError::NotToBeHad { reason: reason.into(), missing: self }
    }
}

const POLL: Duration = Duration::from_millis(50);

/// To be asked first by every program that launches: it may have been started to clean up behind another one.
pub fn clean_up_if_asked() -> Option<ExitCode> {
    #[cfg(feature = "container")]
    return crate::launch::docker::reap_if_asked();
    #[cfg(not(feature = "container"))]
    None
}

impl<'a> Launcher<'a> {
    pub fn new(
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

    /// Whatever can be known before anything is started: whether this machine has what these targets need. They are
    /// the target under test and those it may have to be compared with.
    pub fn check(&self, target: &TargetSpec, others: &[TargetSpec]) -> Result<(), LaunchError> {
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
                Err(MissingRequirement::Docker.because("tollgate was built without its feature `container`"))
            }
        }
    }

    /// Gets what a start needs, such as an image, or an answer of a server that somebody else runs. Without it, this
    /// target can't be run any more. Tells what it is, where that is known before a start.
    pub fn obtain(&self, target: &TargetSpec) -> Result<Option<Environment>, LaunchError> {
        match &target.place {
            #[cfg(feature = "container")]
            Place::Container(spec) => self.obtain_image(spec).map(|_| None),
            Place::Endpoint(endpoint) => {
                self.endpoint(target, endpoint).map(|launched| Some(launched.environment))
            }
            _ => Ok(None),
        }
    }

    /// Whether what was once measured in this environment is what this target would be now. What an endpoint has
    /// become meanwhile, nobody knows.
    pub fn is_still(&self, target: &TargetSpec, measured: &Environment) -> Result<bool, LaunchError> {
        match &target.place {
            Place::Simulator(_) => Ok(true),
            Place::Endpoint(_) => Ok(false),
            #[cfg(feature = "container")]
            Place::Container(spec) => match &measured.image {
                Some(image) => self.is_still_called(spec, image),
                None => Ok(false),
            },
            #[cfg(not(feature = "container"))]
            Place::Container(_) => Ok(false),
        }
    }

    /// For a session that belongs to nobody else.
    pub fn launch(&self, target: &TargetSpec) -> Result<Launched, LaunchError> {
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

    /// For a session that the other tests of this run take part in: where each of them is a process of its own, this
    /// one may go on with the engine that an earlier one has started, and leaves it to the next.
    pub fn launch_shared(&self, target: &TargetSpec) -> Result<Launched, LaunchError> {
        match &target.place {
            #[cfg(feature = "container")]
            Place::Container(spec) => {
                let is_first = self.next_start() == 1;
                self.shared_container(target, spec, is_first)
            }
            _ => self.launch(target),
        }
    }

    /// Counts the starts, so that no two are alike: two starts of a simulated engine differ as two of a real one do.
    fn next_start(&self) -> u32 {
        self.starts.set(self.starts.get() + 1);
        self.starts.get()
    }

    /// Waits until the engine is well, as long as `lives` has no objection.
    fn await_health(
        &self,
        address: &ClientSettings,
        timeout: Duration,
        lives: impl Fn() -> Result<(), LaunchError>,
    ) -> Result<(), LaunchError> {
        let client = Client::new(address.clone()).map_err(failed)?;
        let url = &address.access.url;
        self.poll(timeout, lives, |seconds| {
            client.health().map_err(|why| format!("{url} took no requests within {seconds} s: {why}"))
        })
    }

    /// Has the engine made ready as a session wants it: with its model loaded, and without memories where it can
    /// forget. From then on the address knows the model.
    fn introduce(
        &self,
        target: &TargetSpec,
        address: &mut ClientSettings,
    ) -> Result<Introduced, LaunchError> {
        let mut client = Client::new(address.clone()).map_err(failed)?;
        let mut identity = client.identity().map_err(failed)?;
        let setup_calls = client.engine().setup_calls(&identity);
        for call in &setup_calls {
            let share = Arc::new(Share::default());
            (self.listen)(Preparation { target: &target.name, what: &call.what, share: share.clone() });
            // That it can't do what is only good to have says nothing about it.
            if let Err(why) = client.run_setup_call(call, &share, self.cancel)
                && call.is_needed
            {
                return Err(LaunchError::Failed(format!("{} failed: {why}", call.what)));
            }
        }
        if !setup_calls.is_empty() {
            // A model that had to be got has its digest only now.
            identity = client.identity().map_err(failed)?;
        }
        let Identity { version, model, model_digest, .. } = identity;
        let Some(model) = model else {
            let (url, name) = (&address.access.url, &target.name);
            let message =
                format!("{url} doesn't say which model it serves; give `model` in [targets.{name}]");
            return Err(LaunchError::Failed(message));
        };
        address.model = Some(model.clone());
        let model_shown = with_digest(&model, model_digest.as_deref());
        Ok(Introduced { version, model, model_shown })
    }

    /// Tries until it works, the time is up, or `lives` objects. An attempt gets the seconds that have passed.
    fn poll<T>(
        &self,
        timeout: Duration,
        lives: impl Fn() -> Result<(), LaunchError>,
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
            lives()?;
            if began.elapsed() > timeout {
                return Err(LaunchError::Failed(why));
            }
            thread::sleep(POLL);
        }
    }
}

/// Who the engine says it is.
struct Introduced {
    version: Option<String>,
    model: String,
    /// With the beginning of its digest, where that is known.
    model_shown: String,
}

/// As the target says, whatever it runs in.
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

/// What a baseline holds for, as a folder's name: `l40s` and `Qwen/Qwen3-8B` are `l40s-qwen3-8b`.
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
    fn an_environment_is_a_folder_name_whatever_the_model_is_called() {
        assert_eq!(environment_name("l40s", "Qwen/Qwen3-8B"), "l40s-qwen3-8b");
        assert_eq!(environment_name("cpu", "../../etc passwd"), "cpu-etc-passwd");
        assert_eq!(environment_name("NVIDIA L40S", "a:b"), "nvidia-l40s-a-b");
    }

    #[test]
    fn a_model_is_reported_with_the_beginning_of_its_digest() {
        assert_eq!(with_digest("m", Some("sha256:365c0bd3c000a25d")), "m@365c0bd3c000");
        assert_eq!(with_digest("m", Some("365c0bd3c000a25d")), "m@365c0bd3c000");
        assert_eq!(with_digest("m", None), "m");
    }
}
