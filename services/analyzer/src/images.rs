//! [`Images`] from registries: which tags are there, and what an image says of itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode, Url};
use runtime::Settings;
use serde::Deserialize;
use version::DOCKER_HUB;

use crate::cache::{self, Cache};
use crate::hub::{self, DOCKER_HUB_API, Hub};
use crate::ports::{Images, PortError, Published};
use crate::registry::{LOGIN, Place, Registries, Remembered, json, refusal};

const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// Where an image's source is. Source: the annotations of the OCI image specification.
const SOURCE: &str = "org.opencontainers.image.source";

/// So long is a label remembered.
const LABEL: Duration = Duration::from_secs(24 * 3_600);

/// Images in their registries.
pub struct Registered {
    registries: Registries,
    /// Where Docker Hub is asked itself, and no mirror of it.
    hub: Option<Hub>,
    /// Operating system and architecture of the cluster.
    platform: (String, String),
    /// By address of the manifest: whether there is one for the platform. Only what is there is
    /// remembered.
    there: Remembered<String, ()>,
    /// Labels: to read one is two pulls, of which Docker Hub allows few.
    cache: Arc<dyn Cache>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Deserialize)]
struct Config {
    config: Option<Labels>,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(rename = "Labels", default)]
    labels: Option<std::collections::BTreeMap<String, String>>,
}

impl Registered {
    /// A client for all registries.
    ///
    /// # Errors
    /// A password cannot be read, or the TLS set-up of this machine is unusable.
    pub fn new(settings: &Settings, cache: &Arc<dyn Cache>) -> anyhow::Result<Registered> {
        let platform = settings.kubernetes.platform.split_once('/');
        let (os, architecture) = platform.unwrap_or(("linux", "amd64"));
        let docker_hub = settings.registries.get(DOCKER_HUB);
        let mirror = docker_hub.and_then(|registry| registry.url.as_ref());
        Ok(Registered {
            registries: Registries::new(settings, cache)?,
            hub: mirror.is_none().then(|| Hub::at(DOCKER_HUB_API)),
            platform: (os.to_owned(), architecture.to_owned()),
            there: Remembered::default(),
            cache: Arc::clone(cache),
        })
    }

    /// Asks Docker Hub at another address for the platforms of its images.
    #[must_use]
    pub fn with_hub(mut self, url: &str) -> Registered {
        self.hub = Some(Hub::at(url));
        self
    }

    fn accept() -> String {
        [INDEXES, MANIFESTS].concat().join(", ")
    }

    /// An entry that names no platform may be for any.
    fn is_ours(&self, entry: &Entry) -> bool {
        let platform = entry.platform.as_ref();
        platform.is_none_or(|found| self.is_our_platform(&found.os, &found.architecture))
    }

    fn is_our_platform(&self, os: &str, architecture: &str) -> bool {
        self.platform.0 == os && self.platform.1 == architecture
    }

    /// Whether an index has an image for the cluster; where that is not told, it is taken to have.
    async fn has_ours(&self, place: &Place, tag: &str, url: &Url) -> Result<bool, PortError> {
        if !place.counts_looks() {
            let accept = Registered::accept();
            let answer = self.registries.found(place, url, Some(&accept)).await?;
            let index: Index = json(url, &answer.body)?;
            return Ok(index.manifests.iter().any(|entry| self.is_ours(entry)));
        }
        let Some(hub) = &self.hub else {
            return Ok(true);
        };
        let told = hub.platforms(&self.registries, place, tag).await?;
        let ours = |platform: &hub::Platform| match (&platform.os, &platform.architecture) {
            (Some(os), Some(architecture)) => self.is_our_platform(os, architecture),
            _ => true,
        };
        Ok(told.is_none_or(|platforms| platforms.iter().any(ours)))
    }

    async fn published(&self, place: &Place, tag: &str) -> Result<Published, PortError> {
        let url = place.url(&format!("manifests/{tag}"))?;
        if self.there.get(&url.to_string()).is_some() {
            return Ok(Published::Here);
        }
        let accept = Registered::accept();
        // Docker Hub does not count this one against the limit on pulls.
        let ask = |method| self.registries.ask(method, place, &url, Some(&accept));
        let mut head = ask(Method::HEAD).await?;
        if head.status == StatusCode::METHOD_NOT_ALLOWED {
            head = ask(Method::GET).await?;
        }
        match head.status {
            StatusCode::NOT_FOUND => return Ok(Published::Nothing),
            status if !status.is_success() => return Err(refusal(url.as_str(), &head, LOGIN)),
            _ => {}
        }
        let kind = head.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_index = INDEXES.iter().any(|index| kind.starts_with(index));
        // An image for one platform says which only in its config; nodes take it at its word.
        if is_index && !self.has_ours(place, tag, &url).await? {
            let (os, architecture) = &self.platform;
            return Ok(Published::NotFor(format!("{os}/{architecture}")));
        }
        self.there.put(url.to_string(), ());
        Ok(Published::Here)
    }

    async fn label(&self, place: &Place, tag: &str) -> Result<Option<String>, PortError> {
        let accept = Registered::accept();
        let mut reference = tag.to_owned();
        // An index leads to a manifest, and that to the config.
        for _ in 0..2 {
            let url = place.url(&format!("manifests/{reference}"))?;
            let found = self.registries.find(place, &url, Some(&accept)).await?;
            let Some(answer) = found else {
                return Ok(None);
            };
            let manifest: Manifest = json(&url, &answer.body)?;
            if let Some(config) = manifest.config {
                let blob = place.url(&format!("blobs/{}", config.digest))?;
                let answer = self.registries.found(place, &blob, None).await?;
                let config: Config = json(&blob, &answer.body)?;
                let labels = config.config.and_then(|config| config.labels);
                return Ok(labels.and_then(|mut labels| labels.remove(SOURCE)));
            }
            let index: Index = json(&url, &answer.body)?;
            let entry = index.manifests.iter().find(|entry| self.is_ours(entry));
            match entry.or_else(|| index.manifests.first()) {
                Some(entry) => reference.clone_from(&entry.digest),
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Images for Registered {
    async fn look(&self, image: &str, tag: &str) -> Result<Published, PortError> {
        let place = self.registries.place_of(image)?;
        runtime::outside("registry_manifest", None, self.published(&place, tag)).await
    }

    async fn tags(&self, image: &str) -> Result<Vec<String>, PortError> {
        let place = self.registries.place_of(image)?;
        let asked = runtime::outside("registry_tags", None, self.registries.tags(&place));
        let unknown = || PortError::lasting(format!("its registry knows no {image}"));
        asked.await?.ok_or_else(unknown)
    }

    async fn source(&self, image: &str, tag: &str) -> Result<Option<String>, PortError> {
        let key = cache::key(&["label", image, tag]);
        if let Some(known) = self.cache.get(&key).await {
            let known = String::from_utf8_lossy(&known).into_owned();
            return Ok(Some(known).filter(|label| !label.is_empty()));
        }
        let place = self.registries.place_of(image)?;
        let found = runtime::outside("registry_label", None, self.label(&place, tag)).await?;
        let label = found.clone().unwrap_or_default();
        self.cache.put(&key, label.as_bytes(), Some(LABEL)).await;
        Ok(found)
    }
}
