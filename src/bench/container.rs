//! An engine that a benchmark starts from a container image.

use std::collections::BTreeMap;

use crate::bench::BenchError;
use crate::bench::plan::engine_named;
use crate::target::{ContainerSpec, Gpus, MalformedVolume, Pull};
use crate::text::secret::Secret;

/// A container image of an engine. A container is started for one run and removed afterwards.
///
/// Set the model with [`Bench::model`](crate::Bench::model). Engines that take the model as a flag get it from there.
#[derive(Clone, Debug)]
pub struct Container {
    engine: String,
    image: String,
    args: Vec<String>,
    env: BTreeMap<String, Secret>,
    volumes: Vec<String>,
    gpus: Option<Gpus>,
}

impl Container {
    /// An engine, and its image with a tag or digest: `Container::new("vllm", "vllm/vllm-openai:v0.31.0")`. The image
    /// is pulled if it is not on this machine.
    pub fn new(engine: impl Into<String>, image: impl Into<String>) -> Container {
        Container {
            engine: engine.into(),
            image: image.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            volumes: Vec::new(),
            gpus: None,
        }
    }

    /// Arguments after the image's entry point.
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Container {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// An environment variable of the container. No output shows its value.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Container {
        self.env.insert(name.into(), Secret::new(value));
        self
    }

    /// A mount in the syntax of `docker run -v`, such as `/data/models:/models:ro`.
    pub fn volume(mut self, volume: impl Into<String>) -> Container {
        self.volumes.push(volume.into());
        self
    }

    /// How many GPUs the container gets; none by default.
    pub fn gpus(mut self, count: u32) -> Container {
        self.gpus = Some(Gpus::Count(count));
        self
    }

    pub(super) fn spec(&self, model: Option<&str>) -> Result<ContainerSpec, BenchError> {
        let engine = engine_named("container", &self.engine)?;
        let image = self.image.parse();
        let image = image
            .map_err(|error| BenchError::setting("container", &self.image, format!("an image: {error}")))?;
        let port = engine.container_port().ok_or_else(|| {
            BenchError::setting("container", &self.engine, "an engine whose images listen at a known port")
        })?;
        let volumes =
            self.volumes.iter().map(|volume| volume.parse().map_err(|error| invalid_volume(volume, error)));
        if self.gpus == Some(Gpus::Count(0)) {
            return Err(BenchError::setting("gpus", 0, "1 or more"));
        }
        Ok(ContainerSpec {
            engine,
            image,
            pull: Pull::Missing,
            args: engine.args_with_model(model, self.args.clone()),
            env: self.env.clone(),
            volumes: volumes.collect::<Result<_, _>>()?,
            port,
            host_port: None,
            shm_bytes: None,
            gpus: self.gpus,
            user: None,
            start_timeout: ContainerSpec::START_TIMEOUT,
            hardware: None,
        })
    }
}

fn invalid_volume(volume: &str, error: MalformedVolume) -> BenchError {
    let expected = match error {
        MalformedVolume::Parts => "HOST:CONTAINER, such as `/data/models:/models:ro`".to_owned(),
        error => format!("a volume ({error})"),
    };
    BenchError::setting("volume", format!("`{volume}`"), expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_volume_says_what_was_expected() {
        let spec = |volume| Container::new("vllm", "vllm/vllm-openai:v0.31.0").volume(volume).spec(None);
        let refusal = |volume| spec(volume).unwrap_err().to_string();
        assert_eq!(
            refusal("/data"),
            "`volume` is `/data`: expected HOST:CONTAINER, such as `/data/models:/models:ro`"
        );
        assert!(refusal("/data:models").ends_with("must start with `/`)"));
        assert!(spec("/data:/models").is_ok());
    }
}
