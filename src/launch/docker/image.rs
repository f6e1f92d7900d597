//! Images: finding the one that a name stands for, and pulling it.

use std::collections::HashMap;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use futures_util::StreamExt;
use testcontainers::bollard::auth::DockerCredentials;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::ImageInspect;
use testcontainers::bollard::query_parameters::{CreateImageOptionsBuilder, ListImagesOptionsBuilder};

use crate::client::{Cancel, Share};
use crate::launch::docker::{Docker, DockerError, refused};
use crate::target::ImageRef;

/// An image on this machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Image {
    /// `sha256:…`, which Docker takes for exactly this image.
    pub id: String,
    /// The requested reference with its digest: the registry's digest, or for an image built here its ID.
    pub pinned: ImageRef,
    /// The version in the image's labels.
    pub version: Option<String>,
}

impl Docker {
    /// The image, if it is on this machine.
    pub(crate) fn image(&self, image: &ImageRef) -> Result<Option<Image>, DockerError> {
        // No registry knows an image that was built here: its digest is its ID.
        let names = [Some(image.exact()), image.digest.clone()];
        for name in names.into_iter().flatten() {
            if let Some(found) = self.inspect(&name)? {
                return Ok(Some(found.into_image(image)));
            }
        }
        Ok(None)
    }

    /// Reports through `share` how much of the layers known so far is here.
    pub(crate) fn pull(&self, image: &ImageRef, share: &Share, cancel: &Cancel) -> Result<(), DockerError> {
        let name = image.exact();
        let options = CreateImageOptionsBuilder::new().from_image(&name).build();
        let failed = |error| refused(format!("can't pull {name}"), error);
        let pull = async {
            let mut steps = self.client.create_image(Some(options), None, credentials(image));
            let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
            while let Some(step) = steps.next().await {
                let step = step.map_err(failed)?;
                let Some((layer, detail)) = step.id.zip(step.progress_detail) else { continue };
                if let (Some(current), Some(total)) = (detail.current, detail.total) {
                    layers.insert(layer, (current.max(0) as u64, total.max(0) as u64));
                }
                let (bytes, of) =
                    layers.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
                share.set(bytes as f64 / of.max(1) as f64);
            }
            Ok(())
        };
        self.runtime.block_on(async {
            tokio::select! {
                done = pull => done,
                () = cancel.cancelled() => Err(DockerError::Interrupted),
            }
        })
    }

    /// Size of the largest local image of the same name, as an estimate for another one.
    pub(crate) fn size_of_relatives(&self, image: &ImageRef) -> Result<Option<u64>, DockerError> {
        let filters = HashMap::from([("reference", vec![image.name.clone()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let relatives = self.ask("can't list images", self.client.list_images(Some(options)))?;
        Ok(relatives.iter().map(|image| image.size.max(0) as u64).max())
    }

    fn inspect(&self, name: &str) -> Result<Option<Inspected>, DockerError> {
        match self.runtime.block_on(self.client.inspect_image(name)) {
            Ok(found) => Ok(Some(Inspected(found))),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(refused(format!("can't inspect image {name}"), error)),
        }
    }
}

struct Inspected(ImageInspect);

impl Inspected {
    fn into_image(self, asked: &ImageRef) -> Image {
        let id = self.0.id.unwrap_or_default();
        let of_registry = self.0.repo_digests.unwrap_or_default().into_iter().find_map(|name| {
            let (name, digest) = name.rsplit_once('@')?;
            (name == asked.name).then(|| digest.to_owned())
        });
        let labels = self.0.config.and_then(|config| config.labels).unwrap_or_default();
        Image {
            pinned: asked.pinned(of_registry.unwrap_or_else(|| id.clone())),
            version: labels.get("org.opencontainers.image.version").cloned(),
            id,
        }
    }
}

/// The credentials that `docker login` stored.
fn credentials(image: &ImageRef) -> Option<DockerCredentials> {
    let registry = match image.name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "https://index.docker.io/v1/",
    };
    let found: Result<DockerCredential, CredentialRetrievalError> =
        docker_credential::get_credential(registry);
    let credentials = match found.ok()? {
        DockerCredential::UsernamePassword(username, password) => DockerCredentials {
            username: Some(username),
            password: Some(password),
            ..DockerCredentials::default()
        },
        DockerCredential::IdentityToken(token) => {
            DockerCredentials { identitytoken: Some(token), ..DockerCredentials::default() }
        }
    };
    Some(DockerCredentials { serveraddress: Some(registry.to_owned()), ..credentials })
}
