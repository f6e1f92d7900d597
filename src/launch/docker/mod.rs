//! Docker: images and engines in containers. Everything started here carries labels that name its owner, so that
//! nothing is left behind, however a run ends.

mod container;
mod image;
mod owner;

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use testcontainers::bollard;
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;
use tokio::runtime::Runtime;

pub(crate) use container::{Belonging, Container, Died};
pub(crate) use image::Image;
pub(crate) use owner::{Owner, reap_if_asked};

/// A connection to a Docker daemon that responds.
pub(crate) struct Docker {
    client: bollard::Docker,
    runtime: Runtime,
    /// Where Docker stores its images, if that is a folder on this machine.
    root: Option<PathBuf>,
    has_gpu_runtime: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DockerError {
    #[error("Docker is not available: {0}")]
    Absent(String),
    #[error("Docker {doing}: {}", innermost(.source.as_ref()))]
    Refused { doing: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("interrupted")]
    Interrupted,
}

/// The hook through which Docker passes GPUs if no runtime is registered for that.
const GPU_HOOK: &str = "/usr/bin/nvidia-container-runtime-hook";

/// The run that a container belongs to, and its target.
const RUN: &str = "dev.tollgate.run";
const TARGET: &str = "dev.tollgate.target";
/// What it was started from: another test of the same run may reuse it if it needs exactly the same.
const RECIPE: &str = "dev.tollgate.recipe";
/// The process whose end it does not outlive.
const OWNER: &str = "dev.tollgate.owner";

impl Docker {
    pub(crate) fn connect() -> Result<Arc<Docker>, DockerError> {
        let absent = |error: &dyn std::error::Error| DockerError::Absent(innermost(error));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| absent(&error))?;
        let client = runtime.block_on(docker_client_instance()).map_err(|error| absent(&error))?;
        let info = runtime.block_on(client.info()).map_err(|error| absent(&error))?;
        let runtimes = info.runtimes.unwrap_or_default();
        Ok(Arc::new(Docker {
            client,
            runtime,
            root: info.docker_root_dir.map(PathBuf::from).filter(|root| root.is_dir()),
            has_gpu_runtime: runtimes.contains_key("nvidia") || Path::new(GPU_HOOK).exists(),
        }))
    }

    /// Whether containers can use GPUs.
    pub(crate) fn has_gpu_runtime(&self) -> bool {
        self.has_gpu_runtime
    }

    /// The folder where images take up space, if it can be inspected.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Removes what finished runs have left behind, however they ended. Containers of a live run stay.
    pub(crate) fn sweep(&self) -> Result<(), DockerError> {
        for (id, owner) in self.labeled([])? {
            if owner.as_deref().and_then(Owner::parse).is_some_and(|owner| owner.is_gone()) {
                self.remove(&id)?;
            }
        }
        Ok(())
    }

    /// Removes everything that one owner owns.
    fn remove_all_of(&self, owner: &Owner) -> Result<(), DockerError> {
        for (id, _) in self.labeled([label(OWNER, &owner.to_string())])? {
            self.remove(&id)?;
        }
        Ok(())
    }

    /// tollgate's containers, running or not, that also have these labels, with their owners.
    fn labeled(
        &self,
        labels: impl IntoIterator<Item = String>,
    ) -> Result<Vec<(String, Option<String>)>, DockerError> {
        let labels: Vec<String> = labels.into_iter().chain([OWNER.to_owned()]).collect();
        let filters = HashMap::from([("label", labels)]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.ask("can't list containers", self.client.list_containers(Some(options)))?;
        let owned = found.into_iter().filter_map(|container| {
            let owner = container.labels.and_then(|mut labels| labels.remove(OWNER));
            Some((container.id?, owner))
        });
        Ok(owned.collect())
    }

    /// Removes a container with its anonymous volumes. It is fine if it is already gone.
    fn remove(&self, id: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = self.runtime.block_on(self.client.remove_container(id, Some(options)));
        match removed {
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            other => other.map_err(|error| refused("can't remove a container", error)),
        }
    }

    fn ask<T>(
        &self,
        doing: &str,
        question: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, DockerError> {
        self.runtime.block_on(question).map_err(|error| refused(doing, error))
    }
}

/// In the form of Docker's filters.
fn label(key: &str, value: &str) -> String {
    format!("{key}={value}")
}

fn refused(doing: impl Into<String>, source: impl std::error::Error + Send + Sync + 'static) -> DockerError {
    DockerError::Refused { doing: doing.into(), source: Box::new(source) }
}

/// The outer errors only say who passed the inner one on.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    match error.to_string() {
        // Docker's own message, after the client's.
        text if text.starts_with("Docker responded with status code") => {
            text.split_once(": ").map(|(_, words)| words.to_owned()).unwrap_or(text)
        }
        text => text,
    }
}
