//! An engine's container, from start to removal.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::models::{DeviceRequest, HostConfig, PortBinding};
use testcontainers::bollard::query_parameters::LogsOptionsBuilder;
use testcontainers::core::{AccessMode, IntoContainerPort, Mount};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerRequest, GenericImage, ImageExt};

use crate::launch::docker::{Docker, DockerError, Image, OWNER, Owner, RECIPE, RUN, TARGET, label, refused};
use crate::target::{ContainerSpec, Gpus, Volume, VolumeSource};

/// A container of this run. Unless it is shared, it is removed when this value is dropped.
pub(crate) struct Container {
    docker: Arc<Docker>,
    id: String,
    /// On 127.0.0.1.
    pub port: u16,
    is_shared: bool,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Died {
    pub exit_code: Option<i64>,
    pub out_of_memory: bool,
}

/// Timeout for Docker itself; the engine has its own start timeout.
const CREATE_TIMEOUT: Duration = Duration::from_secs(120);

/// Who owns a container.
pub(crate) struct Belonging<'a> {
    pub owner: &'a Owner,
    pub run: &'a str,
    pub target: &'a str,
    /// The recipe that it was started from; `None` if no other test may reuse it.
    pub shared_as: Option<&'a str>,
}

impl Docker {
    /// Starts the engine, without waiting until it is healthy.
    pub(crate) fn start(
        self: &Arc<Docker>,
        spec: &ContainerSpec,
        image: &Image,
        of: &Belonging,
    ) -> Result<Container, DockerError> {
        let labels = of.labels();
        let started = self.runtime.block_on(request(spec, image, &labels)?.start());
        let container = match started {
            Ok(container) => container,
            Err(error) => {
                // Docker keeps whatever it could create.
                self.remove_labeled(&labels)?;
                return Err(refused(format!("can't start {}", image.pinned), error));
            }
        };
        let id = container.id().to_owned();
        // The container's own destructor would remove a shared container, and it hides errors.
        std::mem::forget(container);
        Container::found(self.clone(), id, spec.port, of.shared_as.is_some())
    }

    /// A running container that an earlier test of this run has left for others.
    pub(crate) fn shared(
        self: &Arc<Docker>,
        spec: &ContainerSpec,
        of: &Belonging,
    ) -> Result<Option<Container>, DockerError> {
        for (id, _) in self.labeled(as_filters(&of.labels()))? {
            if self.died(&id)?.is_none() {
                return Container::found(self.clone(), id, spec.port, true).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether this run has started something for this target that still exists.
    pub(crate) fn is_in_use(&self, of: &Belonging) -> Result<bool, DockerError> {
        Ok(!self.labeled(as_filters(&of.labels()))?.is_empty())
    }

    /// Removes shared containers that are no longer needed, to make room.
    pub(crate) fn end_shared(&self, of: &Belonging) -> Result<(), DockerError> {
        let of_all = Belonging { shared_as: None, ..*of }.labels();
        for (id, _) in self.labeled(as_filters(&of_all).chain([RECIPE.to_owned()]))? {
            self.remove(&id)?;
        }
        Ok(())
    }

    fn remove_labeled(&self, labels: &HashMap<&'static str, String>) -> Result<(), DockerError> {
        for (id, _) in self.labeled(as_filters(labels))? {
            if self.died(&id)?.is_some() {
                self.remove(&id)?;
            }
        }
        Ok(())
    }

    fn died(&self, id: &str) -> Result<Option<Died>, DockerError> {
        let found = self.ask("can't inspect a container", self.client.inspect_container(id, None))?;
        let state = found.state.unwrap_or_default();
        Ok((state.running != Some(true))
            .then_some(Died { exit_code: state.exit_code, out_of_memory: state.oom_killed == Some(true) }))
    }
}

impl Belonging<'_> {
    fn labels(&self) -> HashMap<&'static str, String> {
        let always = [(OWNER, self.owner.to_string()), (RUN, self.run.into()), (TARGET, self.target.into())];
        always.into_iter().chain(self.shared_as.map(|recipe| (RECIPE, recipe.to_owned()))).collect()
    }
}

fn as_filters(labels: &HashMap<&'static str, String>) -> impl Iterator<Item = String> {
    labels.iter().map(|(key, value)| label(key, value))
}

impl Container {
    fn found(docker: Arc<Docker>, id: String, port: u16, is_shared: bool) -> Result<Container, DockerError> {
        let mut container = Container { docker, id, port: 0, is_shared };
        container.port = container.host_port(port)?;
        Ok(container)
    }

    /// The start of its ID, as in `docker ps`.
    pub(crate) fn short_id(&self) -> &str {
        &self.id[..self.id.len().min(12)]
    }

    /// How it ended, if it has.
    pub(crate) fn died(&self) -> Result<Option<Died>, DockerError> {
        self.docker.died(&self.id)
    }

    /// Everything that the engine has logged so far.
    pub(crate) fn log(&self) -> Result<Vec<u8>, DockerError> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("all").build();
        let mut lines = self.docker.client.logs(&self.id, Some(options));
        self.docker.ask("can't read a container's log", async {
            let mut log = Vec::new();
            while let Some(line) = lines.next().await {
                log.extend_from_slice(&line.map(LogOutput::into_bytes)?);
            }
            Ok(log)
        })
    }

    /// A container that exits at once has lost its port; the code that waits for it will notice that it exited.
    fn host_port(&self, port: u16) -> Result<u16, DockerError> {
        let docker = &self.docker;
        let found =
            docker.ask("can't inspect a container", docker.client.inspect_container(&self.id, None))?;
        let ports = found.network_settings.and_then(|network| network.ports).unwrap_or_default();
        let bindings = ports.get(&format!("{port}/tcp")).cloned().flatten().unwrap_or_default();
        let host_port = bindings.first().and_then(|binding| binding.host_port.as_ref()?.parse().ok());
        Ok(host_port.unwrap_or(0))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.is_shared
            && let Err(error) = self.docker.remove(&self.id)
        {
            eprintln!("warning: {error}; the next run removes it");
        }
    }
}

fn request(
    spec: &ContainerSpec,
    image: &Image,
    labels: &HashMap<&'static str, String>,
) -> Result<ContainerRequest<GenericImage>, DockerError> {
    // Docker takes `sha256:…` for the image with this ID.
    let (algorithm, hash) = image.id.split_once(':').unwrap_or(("sha256", &image.id));
    let labels = labels.iter().map(|(key, value)| (*key, value.clone()));
    let mut request = GenericImage::new(algorithm, hash)
        .with_exposed_port(spec.port.tcp())
        .with_cmd(&spec.args)
        .with_labels(labels)
        .with_startup_timeout(CREATE_TIMEOUT)
        .with_host_config_modifier(port_bindings(spec));
    for (name, value) in &spec.env {
        request = request.with_env_var(name, value.reveal());
    }
    for volume in &spec.volumes {
        request = request.with_mount(mount(volume)?);
    }
    if let Some(bytes) = spec.shm_bytes {
        request = request.with_shm_size(bytes);
    }
    if let Some(gpus) = spec.gpus {
        request = request.with_device_requests(vec![device_request(gpus)]);
    }
    Ok(match spec.user.as_deref() {
        Some("me") => request.with_user(myself()),
        Some(user) => request.with_user(user),
        None => request,
    })
}

/// On 127.0.0.1 only, so that nobody else can reach the engine.
fn port_bindings(spec: &ContainerSpec) -> impl Fn(&mut HostConfig) + Send + Sync + 'static {
    let port = format!("{}/tcp", spec.port);
    let binding = PortBinding {
        host_ip: Some("127.0.0.1".into()),
        host_port: Some(spec.host_port.map_or(String::new(), |port| port.to_string())),
    };
    move |config| {
        config.publish_all_ports = Some(false);
        config.port_bindings = Some(HashMap::from([(port.clone(), Some(vec![binding.clone()]))]));
    }
}

/// Creates a missing folder as this user; Docker would create it as root.
fn mount(volume: &Volume) -> Result<Mount, DockerError> {
    let mount = match &volume.source {
        VolumeSource::Named(name) => Mount::volume_mount(name, &volume.path),
        VolumeSource::Folder(folder) if volume.read_only && !Path::new(folder).exists() => {
            let missing = std::io::Error::other("no such folder on this machine");
            return Err(refused(format!("can't mount {folder} as {}", volume.path), missing));
        }
        VolumeSource::Folder(folder) => {
            if !Path::new(folder).exists() {
                fs::create_dir_all(folder)
                    .map_err(|error| refused(format!("can't create {folder}"), error))?;
            }
            Mount::bind_mount(folder, &volume.path)
        }
    };
    let mode = if volume.read_only { AccessMode::ReadOnly } else { AccessMode::ReadWrite };
    Ok(mount.with_access_mode(mode))
}

fn device_request(gpus: Gpus) -> DeviceRequest {
    let count = match gpus {
        Gpus::All => -1,
        Gpus::Count(count) => i64::from(count),
    };
    DeviceRequest {
        count: Some(count),
        capabilities: Some(vec![vec!["gpu".into()]]),
        ..DeviceRequest::default()
    }
}

fn myself() -> String {
    format!("{}:{}", rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
}
