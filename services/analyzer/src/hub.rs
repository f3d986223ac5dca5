//! What Docker Hub tells of an image beside its registry, where a look inside counts as a pull.
//!
//! Source: the API of hub.docker.com, `GET /v2/namespaces/…/repositories/…/tags/…`, which has limits
//! of its own.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::cache;
use crate::ports::PortError;
use crate::registry::{Place, Registries, Remembered, json};

/// Where Docker Hub answers about what its registry holds.
pub(crate) const DOCKER_HUB_API: &str = "https://hub.docker.com";
/// A tag has a few platforms.
const MAX_BODY: usize = 1024 * 1024;

/// Docker Hub's own interface.
pub(crate) struct Hub {
    url: String,
    /// It did not answer; then it is left alone, as what it tells can be done without.
    silent: Remembered<(), ()>,
}

/// A platform that an image is for; Docker Hub leaves out what it does not know.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    pub(crate) os: Option<String>,
    pub(crate) architecture: Option<String>,
}

#[derive(Deserialize)]
struct Tag {
    images: Option<Vec<Platform>>,
}

impl Hub {
    pub(crate) fn at(url: &str) -> Hub {
        Hub {
            url: url.trim_end_matches('/').to_owned(),
            silent: Remembered::default(),
        }
    }

    /// The platforms that a tag has images for; none if that is not told, as of what is private.
    ///
    /// # Errors
    /// A limit, for as long as it lasts. Whatever else fails is no reason to wait.
    pub(crate) async fn platforms(
        &self,
        registries: &Registries,
        place: &Place,
        tag: &str,
    ) -> Result<Option<Vec<Platform>>, PortError> {
        let Some((owner, name)) = place.repository.split_once('/') else {
            return Ok(None);
        };
        if self.silent.get(&()).is_some() {
            return Ok(None);
        }
        let url = format!(
            "{}/v2/namespaces/{owner}/repositories/{name}/tags/{tag}",
            self.url
        );
        let limit = cache::key(&["limit", "hub", &self.url]);
        let request = registries.client.get(&url);
        let asked = registries.open(&url, &limit, request, MAX_BODY).await;
        let told = match asked {
            Ok(answer) if answer.status.is_success() => json::<Tag>(&url, &answer.body),
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => return Ok(None),
            Ok(answer) => Err(PortError::new(format!("{url} answered {}", answer.status))),
            Err(error) => Err(error),
        };
        match told {
            Ok(tag) => Ok(tag.images.filter(|images| !images.is_empty())),
            Err(error) if error.retry_after.is_some() => Err(error),
            Err(error) => {
                tracing::warn!("the platforms of images on Docker Hub are not known: {error}");
                self.silent.put((), ());
                Ok(None)
            }
        }
    }
}
