//! An engine in a container that tollgate starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::Share;
use crate::launch::docker::{Belonging, Container, Died, Docker, DockerError, Image, Owner};
use crate::launch::gpu::{self, Gpu};
use crate::launch::{
    LaunchError, Launched, Launcher, MissingRequirement, Preparation, PreparedEngine, access, address,
    environment_name, failed, interrupted,
};
use crate::sys::machine;
use crate::target::{ContainerSpec, Environment, Gpus, ImageRef, Place, Pull, TargetSpec};
use crate::text::figures;
use crate::text::fingerprint::fingerprint;

/// Space to require for an image of unknown size before pulling it.
const LEAST_FREE_BYTES: u64 = 2_000_000_000;
/// Lines of the engine's log that an error shows.
const LAST_LINES: usize = 15;
/// How often to check that a container is still running.
const LIVENESS_POLL: Duration = Duration::from_millis(500);

/// An engine in its container. Its log is saved when it ends.
struct Running {
    container: Container,
    log: PathBuf,
}

impl Launcher<'_> {
    pub(super) fn check_container(
        &self,
        target: &TargetSpec,
        spec: &ContainerSpec,
        others: &[TargetSpec],
    ) -> Result<(), LaunchError> {
        let docker = Docker::connect().map_err(launch_error)?;
        docker.sweep().map_err(launch_error)?;
        let belonging =
            Belonging { owner: &Owner::of_this_run(), run: self.run, target: &target.name, shared_as: None };
        if docker.is_in_use(&belonging).map_err(launch_error)? {
            // An earlier test of this run has left it running.
            return Ok(());
        }
        if let Some(wanted) = spec.gpus {
            gpus(wanted, &docker)?;
        }
        let others = others.iter().filter_map(|other| match &other.place {
            Place::Container(spec) => Some(&spec.image),
            _ => None,
        });
        has_room(&docker, [&spec.image].into_iter().chain(others))
    }

    pub(super) fn obtain_image(&self, spec: &ContainerSpec) -> Result<Image, LaunchError> {
        let docker = Docker::connect().map_err(launch_error)?;
        self.image(&docker, spec)
    }

    /// Whether the image's name still stands for that image, as far as this machine knows.
    pub(super) fn is_still_called(
        &self,
        spec: &ContainerSpec,
        image: &ImageRef,
    ) -> Result<bool, LaunchError> {
        let docker = Docker::connect().map_err(launch_error)?;
        let here = docker.image(&spec.image).map_err(launch_error)?;
        Ok(here.is_none_or(|here| here.pinned.is_same(image)))
    }

    pub(super) fn container(
        &self,
        target: &TargetSpec,
        spec: &ContainerSpec,
    ) -> Result<Launched, LaunchError> {
        let docker = Docker::connect().map_err(launch_error)?;
        let image = self.image(&docker, spec)?;
        let owner = Owner::of_this_run();
        let of = Belonging { owner: &owner, run: self.run, target: &target.name, shared_as: None };
        docker.end_shared(&of).map_err(launch_error)?;
        let container = self.start(&docker, spec, &image, &of)?;
        self.launched(target, spec, &image, container)
    }

    pub(super) fn shared_container(
        &self,
        target: &TargetSpec,
        spec: &ContainerSpec,
        is_first: bool,
    ) -> Result<Launched, LaunchError> {
        let owner = Owner::of_this_run();
        if !owner.shares() {
            return self.container(target, spec);
        }
        let docker = Docker::connect().map_err(launch_error)?;
        let image = self.image(&docker, spec)?;
        let recipe = recipe(spec, &image);
        let of = Belonging { owner: &owner, run: self.run, target: &target.name, shared_as: Some(&recipe) };
        let found = if is_first { docker.shared(spec, &of).map_err(launch_error)? } else { None };
        let container = match found {
            Some(container) => container,
            None => {
                docker.end_shared(&of).map_err(launch_error)?;
                self.start(&docker, spec, &image, &of)?
            }
        };
        self.launched(target, spec, &image, container)
    }

    fn image(&self, docker: &Docker, spec: &ContainerSpec) -> Result<Image, LaunchError> {
        let here = docker.image(&spec.image).map_err(launch_error)?;
        // If a tag moved in the middle of a suite, the suite would measure two engines.
        let is_wanted_anew = spec.pull == Pull::Always && !self.pulled.borrow().contains(&spec.image);
        match (here, spec.pull) {
            (Some(image), _) if !is_wanted_anew => return Ok(image),
            (None, Pull::Never) => {
                let message = format!("image {} is not on this machine and `pull` is \"never\"", spec.image);
                return Err(MissingRequirement::Target.because(message));
            }
            _ => {}
        }
        let share = Arc::new(Share::default());
        let what = format!("pulling {}", spec.image);
        (self.listen)(Preparation { target: spec.engine.name(), what: &what, share: share.clone() });
        docker.pull(&spec.image, &share, self.cancel).map_err(launch_error)?;
        self.pulled.borrow_mut().insert(spec.image.clone());
        docker.image(&spec.image).map_err(launch_error)?.ok_or_else(|| {
            LaunchError::Failed(format!("image {} was pulled but is not on this machine", spec.image))
        })
    }

    fn start(
        &self,
        docker: &Arc<Docker>,
        spec: &ContainerSpec,
        image: &Image,
        of: &Belonging,
    ) -> Result<Container, LaunchError> {
        of.owner.leave_to_reaper().map_err(failed)?;
        docker.start(spec, image, of).map_err(launch_error)
    }

    fn launched(
        &self,
        target: &TargetSpec,
        spec: &ContainerSpec,
        image: &Image,
        container: Container,
    ) -> Result<Launched, LaunchError> {
        let log = format!("logs/{}-{}.log", target.name, container.short_id());
        let access = access(target, format!("http://127.0.0.1:{}", container.port));
        let mut address = address(target, spec.engine, access);
        let running = Running { container, log: self.folder.join(&log) };
        let asked = Instant::now();
        let check_alive = || running.check_alive(&image.pinned, asked);
        // A container that has already exited publishes no port to ask.
        let published = if running.container.port == 0 { check_alive() } else { Ok(()) };
        published
            .and_then(|()| self.await_health(&address, spec.start_timeout, check_alive))
            .map_err(|error| running.explain(error, &image.pinned, self.cancel.is_cancelled()))?;
        let PreparedEngine { version, model, model_shown } = self.prepare_engine(target, &mut address)?;
        let gpus = spec.gpus.map(installed).transpose()?.unwrap_or_default();
        let version = version.or_else(|| image.version.clone()).unwrap_or(spec.image.version());
        let hardware = spec.hardware.clone().unwrap_or_else(|| gpu::hardware(&gpus));
        let environment = Environment {
            name: environment_name(&hardware, &model),
            engine: format!("{} {version}", spec.engine.name()),
            model: model_shown,
            machine: if gpus.is_empty() { machine::describe() } else { gpu::describe(&gpus) },
            url: None,
            http_version: target.http_version,
            simulator: None,
            image: Some(image.pinned.clone()),
            args: Some(spec.args.clone()),
        };
        Ok(Launched { environment, log: Some(log), address, _running: Box::new(running) })
    }
}

impl Running {
    fn check_alive(&self, image: &ImageRef, since: Instant) -> Result<(), LaunchError> {
        std::thread::sleep(LIVENESS_POLL);
        let Some(Died { exit_code, out_of_memory }) = self.container.died().map_err(launch_error)? else {
            return Ok(());
        };
        let why = if out_of_memory { " (out of memory)" } else { "" };
        let code = exit_code.map_or("an unknown code".to_owned(), |code| format!("code {code}"));
        let seconds = since.elapsed().as_secs();
        let message = format!(
            "the container of {image} exited with {code}{why} after {seconds} s, before the engine was ready"
        );
        Err(LaunchError::Failed(message))
    }

    /// Adds the engine's last log lines, unless the user interrupted it.
    fn explain(&self, error: LaunchError, image: &ImageRef, is_cancelled: bool) -> LaunchError {
        if is_cancelled {
            return interrupted();
        }
        let log = String::from_utf8_lossy(&self.container.log().unwrap_or_default()).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
        let last = if last.is_empty() { "nothing".to_owned() } else { format!("\n  {last}") };
        LaunchError::Failed(format!(
            "{error}\nLast log lines of {image}: {last}\nFull log: {}",
            self.log.display()
        ))
    }

    fn keep_log(&self) -> std::io::Result<()> {
        let log = self.container.log().map_err(std::io::Error::other)?;
        fs::create_dir_all(self.log.parent().unwrap_or(Path::new(".")))?;
        fs::write(&self.log, log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.keep_log() {
            eprintln!("warning: can't save the engine's log {}: {error}", self.log.display());
        }
    }
}

/// What another test of the run must match to reuse an engine.
fn recipe(spec: &ContainerSpec, image: &Image) -> String {
    let spec = serde_json::to_string(spec).expect("a container's settings are plain values");
    fingerprint(&format!("{} {spec}", image.id))
}

/// Free GPUs, or why there are none.
fn gpus(wanted: Gpus, docker: &Docker) -> Result<Vec<Gpu>, LaunchError> {
    let gpus = installed(wanted)?;
    if !docker.has_gpu_runtime() {
        return Err(MissingRequirement::Gpu
            .because("Docker has no GPU runtime: the NVIDIA Container Toolkit is missing"));
    }
    match gpus.iter().find_map(Gpu::in_use) {
        Some(why) => Err(LaunchError::Failed(format!(
            "{why}: measurements next to it would not show the engine's speed"
        ))),
        None => Ok(gpus),
    }
}

fn installed(wanted: Gpus) -> Result<Vec<Gpu>, LaunchError> {
    let gpus = gpu::all().map_err(|reason| MissingRequirement::Gpu.because(reason))?;
    match wanted {
        Gpus::All => Ok(gpus),
        Gpus::Count(count) if gpus.len() < count as usize => Err(MissingRequirement::Gpu
            .because(format!("the target asks for {count} GPUs, but this machine has {}", gpus.len()))),
        Gpus::Count(count) => Ok(gpus.into_iter().take(count as usize).collect()),
    }
}

/// Whether the missing images fit on the disk. The largest image of the same name gives an estimate of their size.
fn has_room<'i>(docker: &Docker, images: impl Iterator<Item = &'i ImageRef>) -> Result<(), LaunchError> {
    let Some(root) = docker.root() else { return Ok(()) };
    let mut missing = Vec::new();
    for image in images {
        if docker.image(image).map_err(launch_error)?.is_none() {
            let size = docker.size_of_relatives(image).map_err(launch_error)?;
            missing.push((image, size.unwrap_or(LEAST_FREE_BYTES)));
        }
    }
    let needed: u64 = missing.iter().map(|(_, size)| size).sum();
    let free = machine::free_bytes(root).map_err(failed)?;
    if needed <= free {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|(image, _)| image.to_string()).collect();
    Err(LaunchError::Failed(format!(
        "not enough space in {}: pulling {} needs about {}, but only {} is free\n\
         Free some space, for example with `docker image prune`",
        root.display(),
        names.join(" and "),
        figures::bytes(needed),
        figures::bytes(free)
    )))
}

fn launch_error(error: DockerError) -> LaunchError {
    match error {
        DockerError::Absent(_) => MissingRequirement::Docker.because(error.to_string()),
        DockerError::Refused { .. } => LaunchError::Failed(error.to_string()),
        DockerError::Interrupted => interrupted(),
    }
}
