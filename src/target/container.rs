//! An engine that runs in a container.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::engine::EngineKind;
use crate::text::secret::Secret;

/// How an engine's container is started.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerSpec {
    /// `auto` doesn't work here: nothing can be asked before the container starts.
    #[serde(serialize_with = "by_name")]
    pub engine: EngineKind,
    pub image: ImageRef,
    pub pull: Pull,
    /// Arguments after the image's entry point.
    pub args: Vec<String>,
    pub env: BTreeMap<String, Secret>,
    pub volumes: Vec<Volume>,
    /// Port that the engine listens on inside the container.
    pub port: u16,
    /// Port on 127.0.0.1; any free one if not given.
    pub host_port: Option<u16>,
    pub shm_bytes: Option<u64>,
    pub gpus: Option<Gpus>,
    /// User that the engine runs as; the image's own if not given.
    pub user: Option<String>,
    /// How long the engine may take from its start until it is healthy.
    pub start_timeout: Duration,
    /// Hardware name for the baselines' folder, as a slug; detected if not given.
    pub hardware: Option<String>,
}

impl ContainerSpec {
    /// Large images load models of many gigabytes from slow disks.
    pub const START_TIMEOUT: Duration = Duration::from_secs(15 * 60);
}

fn by_name<S: Serializer>(engine: &EngineKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(engine.name())
}

/// When to pull an image from its registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// If it is not on this machine.
    #[default]
    Missing,
    /// At every start of the suite; for a tag that changes, such as `latest`.
    Always,
    /// The image was built on this machine.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gpus {
    All,
    Count(u32),
}

/// `HOST:CONTAINER` or `HOST:CONTAINER:ro`, as in `docker run -v`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    pub source: VolumeSource,
    /// Path inside the container.
    pub path: String,
    pub read_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeSource {
    Folder(String),
    /// A named Docker volume.
    Named(String),
}

/// An image reference with a tag, a digest, or both: `vllm/vllm-openai:v0.31.0@sha256:4f1c…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ImageRef {
    /// Includes the registry, if the reference names one.
    pub name: String,
    pub tag: Option<String>,
    /// `sha256:` and 64 hexadecimal digits. For an image built here, the image's ID.
    pub digest: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Error)]
pub enum MalformedImage {
    #[error("invalid image name `{0}`: use lower-case letters, digits, and . _ - / :")]
    Name(String),
    #[error("invalid image tag `{0}`: use up to 128 letters, digits, `.`, `_`, or `-`")]
    Tag(String),
    #[error("invalid digest `{0}`: expected `sha256:` and 64 hexadecimal digits")]
    Digest(String),
}

#[derive(Clone, Debug, PartialEq, Error)]
pub enum MalformedVolume {
    #[error("expected HOST:CONTAINER or HOST:CONTAINER:ro, such as \"/data/models:/models:ro\"")]
    Parts,
    #[error("`{0}` is neither an absolute path nor a volume name")]
    Source(String),
    #[error("`{0}` is the path inside the container and must start with `/`")]
    Path(String),
    #[error("found `{0}` after the second colon: expected `ro` or `rw`")]
    Mode(String),
}

impl ImageRef {
    /// This exact image, even if its tag later moves to another one.
    pub fn pinned(&self, digest: String) -> ImageRef {
        ImageRef { digest: Some(digest), ..self.clone() }
    }

    /// Name and digest, or name and tag if there is no digest.
    pub fn exact(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.name),
            (None, tag) => format!("{}:{}", self.name, tag.as_deref().unwrap_or(LATEST)),
        }
    }

    /// Short version for people: the tag, or the start of the digest.
    pub fn version(&self) -> String {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => tag.clone(),
            (None, Some(digest)) => digest.chars().take("sha256:".len() + 12).collect(),
            (None, None) => LATEST.into(),
        }
    }

    /// Whether both are the same image, whatever their names.
    pub fn is_same(&self, other: &ImageRef) -> bool {
        self.digest.is_some() && self.digest == other.digest
    }
}

const LATEST: &str = "latest";

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl FromStr for ImageRef {
    type Err = MalformedImage;

    fn from_str(text: &str) -> Result<ImageRef, MalformedImage> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c);
        let parts_are_there = name.split('/').all(|part| !part.is_empty());
        // Only the registry's name may contain a colon or capital letters.
        let path = name.split_once('/').map_or(name, |(_, path)| path);
        if !parts_are_there
            || path.contains(':')
            || !name.to_ascii_lowercase().chars().all(of_name)
            || !path.chars().all(of_name)
        {
            return Err(MalformedImage::Name(name.into()));
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(MalformedImage::Tag(tag.into()));
        }
        if let Some(digest) = digest.filter(|digest| !is_digest(digest)) {
            return Err(MalformedImage::Digest(digest.into()));
        }
        Ok(ImageRef { name: name.into(), tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_digest(digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
}

impl TryFrom<String> for ImageRef {
    type Error = MalformedImage;

    fn try_from(text: String) -> Result<ImageRef, MalformedImage> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> String {
        image.to_string()
    }
}

impl FromStr for Volume {
    type Err = MalformedVolume;

    fn from_str(text: &str) -> Result<Volume, MalformedVolume> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, path, mode) = match parts[..] {
            [source, path] => (source, path, "rw"),
            [source, path, mode] => (source, path, mode),
            _ => return Err(MalformedVolume::Parts),
        };
        let is_name = source.starts_with(|c: char| c.is_ascii_alphanumeric())
            && source.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let source = match source {
            folder if folder.starts_with('/') => VolumeSource::Folder(folder.into()),
            name if is_name => VolumeSource::Named(name.into()),
            other => return Err(MalformedVolume::Source(other.into())),
        };
        if !path.starts_with('/') {
            return Err(MalformedVolume::Path(path.into()));
        }
        match mode {
            "ro" | "rw" => Ok(Volume { source, path: path.into(), read_only: mode == "ro" }),
            other => Err(MalformedVolume::Mode(other.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:b4538455c2c1e2c6a3ba4f2f1d7b9c1f0a4d5e6f7081920a1b2c3d4e5f607182";

    fn image(text: &str) -> ImageRef {
        text.parse().unwrap()
    }

    #[test]
    fn an_image_reference_round_trips() {
        for text in [
            "llama-server",
            "vllm/vllm-openai:v0.31.0",
            "ghcr.io/huggingface/text-generation-inference:3.3.5",
            "localhost:5000/a/b",
            "localhost:5000/a/b:1",
            &format!("vllm/vllm-openai:v0.31.0@{DIGEST}"),
            &format!("vllm/vllm-openai@{DIGEST}"),
        ] {
            assert_eq!(image(text).to_string(), text);
        }
        assert_eq!(image("localhost:5000/a/b").tag, None);
        assert_eq!(image("localhost:5000/a/b:1").tag.as_deref(), Some("1"));
    }

    #[test]
    fn a_digest_says_more_than_a_tag() {
        let pinned = image("vllm/vllm-openai:v1").pinned(DIGEST.into());
        assert_eq!(pinned.exact(), format!("vllm/vllm-openai@{DIGEST}"));
        assert_eq!(pinned.version(), "v1");
        assert_eq!(image(&format!("a@{DIGEST}")).version(), "sha256:b4538455c2c1");
        assert_eq!(image("a").exact(), "a:latest");
    }

    #[test]
    fn two_tags_of_one_digest_are_one_image() {
        let [a, b] = ["a:1", "b:2"].map(|text| image(text).pinned(DIGEST.into()));
        assert!(a.is_same(&b));
        assert!(!image("a:1").is_same(&image("a:1")), "a tag alone does not identify an image");
    }

    #[test]
    fn invalid_image_references_are_rejected() {
        for text in ["", "A", "a b", "a:", "a:b c", "a@sha256:12", "a/", "a//b", "a:-1", "https://a/b"] {
            assert!(text.parse::<ImageRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_volume_is_a_folder_or_a_name() {
        let volume = |text: &str| text.parse::<Volume>();
        let folder = volume("/data:/models:ro").unwrap();
        assert_eq!(folder.source, VolumeSource::Folder("/data".into()));
        assert!(folder.read_only);
        assert_eq!(volume("cache:/root/.cache").unwrap().source, VolumeSource::Named("cache".into()));
        assert_eq!(volume("data:models"), Err(MalformedVolume::Path("models".into())));
        assert_eq!(volume("./data:/models"), Err(MalformedVolume::Source("./data".into())));
        assert_eq!(volume("/data:/models:rx"), Err(MalformedVolume::Mode("rx".into())));
        assert_eq!(volume("/data"), Err(MalformedVolume::Parts));
    }
}
