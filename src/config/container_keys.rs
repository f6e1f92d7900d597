//! The keys of a target that is started from an image.

use std::time::Duration;

use crate::config::error::ConfigError;
use crate::config::targets_file::{GpusValue, TargetCheck, TargetTable};
use crate::engine::EngineKind;
use crate::target::{ContainerSpec, Gpus, ImageRef, Volume};
use crate::text::secret::Secret;

/// Large images load models of many gigabytes from slow disks.
const START_TIMEOUT: Duration = Duration::from_secs(15 * 60);

impl TargetTable {
    /// Those that make no sense without an image, and whether they are given.
    pub(super) fn container_keys(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("image", self.image.is_some()),
            ("pull", self.pull.is_some()),
            ("args", self.args.is_some()),
            ("env", self.env.is_some()),
            ("volumes", self.volumes.is_some()),
            ("port", self.port.is_some()),
            ("host_port", self.host_port.is_some()),
            ("shm", self.shm.is_some()),
            ("gpus", self.gpus.is_some()),
            ("user", self.user.is_some()),
            ("start_timeout", self.start_timeout.is_some()),
        ]
    }
}

impl TargetCheck<'_, '_> {
    pub(super) fn container(&self, table: TargetTable) -> Result<ContainerSpec, ConfigError> {
        let engine = table.engine.kind().ok_or_else(|| {
            self.error("engine", "the engine of an image has to be said").help("for example \"vllm\"")
        })?;
        Ok(ContainerSpec {
            engine,
            image: self.image(table.image.as_deref().unwrap_or_default())?,
            pull: table.pull.unwrap_or_default(),
            volumes: self.volumes(table.volumes.unwrap_or_default())?,
            port: self.port(table.port.or(engine.container_port()))?,
            host_port: table.host_port,
            shm_bytes: table.shm.map(|size| size.bytes),
            gpus: table.gpus.map(|gpus| self.gpus(gpus)).transpose()?,
            user: table.user.map(|user| self.user(user)).transpose()?,
            start_timeout: table.start_timeout.map_or(START_TIMEOUT, |timeout| timeout.0),
            args: with_model(engine, table.model.as_deref(), table.args.unwrap_or_default()),
            env: table
                .env
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name, Secret::new(value)))
                .collect(),
            hardware: table.hardware,
        })
    }

    fn image(&self, text: &str) -> Result<ImageRef, ConfigError> {
        if self.is_unset("image") {
            return Ok(ImageRef { name: text.to_owned(), tag: None, digest: None });
        }
        text.parse().map_err(|error| {
            self.error("image", format!("not an image: {error}"))
                .help("for example \"vllm/vllm-openai:v0.31.0\", or \"NAME@sha256:…\"")
        })
    }

    /// Those that can't be read because of a variable are left out: the target is not to be had anyway.
    fn volumes(&self, texts: Vec<String>) -> Result<Vec<Volume>, ConfigError> {
        let mut volumes = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match text.parse() {
                Ok(volume) => volumes.push(volume),
                Err(_) if self.is_unset("volumes") => {}
                Err(error) => {
                    return Err(self.error_at_index("volumes", index, format!("not a volume: {error}")));
                }
            }
        }
        Ok(volumes)
    }

    fn port(&self, port: Option<u16>) -> Result<u16, ConfigError> {
        match port {
            Some(0) => Err(self.error("port", "`port` has to be 1 or more")),
            Some(port) => Ok(port),
            None => Err(self
                .error("image", "images of this engine listen at no port that is known")
                .help("add `port`: where the engine listens inside the container")),
        }
    }

    fn gpus(&self, gpus: GpusValue) -> Result<Gpus, ConfigError> {
        match gpus {
            GpusValue::Count(0) => Err(self
                .error("gpus", "`gpus` has to be 1 or more, or \"all\"")
                .help("leave it out for none")),
            GpusValue::Count(count) => Ok(Gpus::Count(count)),
            GpusValue::Word(_) => Ok(Gpus::All),
        }
    }

    fn user(&self, user: String) -> Result<String, ConfigError> {
        let is_id = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
        let valid =
            user == "me" || user.split_once(':').map_or(is_id(&user), |(uid, gid)| is_id(uid) && is_id(gid));
        if valid || self.is_unset("user") {
            return Ok(user);
        }
        Err(self.error("user", format!("`{user}` is no user: expected \"UID:GID\" in numbers, or \"me\"")))
    }
}

/// An engine that takes its model by name needs no second mention of it.
fn with_model(engine: EngineKind, model: Option<&str>, args: Vec<String>) -> Vec<String> {
    match (engine.model_flag(), model) {
        (Some(flag), Some(model))
            if !args.iter().any(|arg| arg == flag || arg.starts_with(&format!("{flag}="))) =>
        {
            [flag.to_owned(), model.to_owned()].into_iter().chain(args).collect()
        }
        _ => args,
    }
}
