//! Release notes: every version has some.

use std::time::Duration;

use analyzer::{Home, Images, PortError, Published, Release, Releases};
use async_trait::async_trait;

use super::World;
use crate::ops::{Outside, UNPUBLISHED, VERSIONS};
use crate::world::name;

#[async_trait]
impl Releases for World {
    async fn all(&self, home: &Home) -> Result<Option<Vec<Release>>, PortError> {
        self.call(Outside::Notes).await.map_err(in_a_minute)?;
        let release = |version: &&str| Release {
            tag: format!("v{version}"),
            title: None,
            body: format!("Changes of {version}."),
            url: format!("{}/releases/{version}", home.url()),
            prerelease: false,
        };
        Ok(Some(VERSIONS.iter().map(release).collect()))
    }
}

#[async_trait]
impl Images for World {
    async fn look(&self, image: &str, tag: &str) -> Result<Published, PortError> {
        let tags = Images::tags(self, image).await?;
        Ok(if tags.iter().any(|known| known == tag) {
            Published::Here
        } else {
            Published::Nothing
        })
    }

    async fn tags(&self, image: &str) -> Result<Vec<String>, PortError> {
        self.call(Outside::Registry).await.map_err(in_a_minute)?;
        let (service, missing) = UNPUBLISHED;
        let ours = image.ends_with(&name(service));
        let published = VERSIONS.iter().filter(|tag| !(ours && **tag == missing));
        Ok(published.map(|tag| (*tag).to_owned()).collect())
    }

    async fn source(&self, _: &str, _: &str) -> Result<Option<String>, PortError> {
        Ok(None)
    }
}

fn in_a_minute(what: String) -> PortError {
    PortError {
        what,
        retry_after: Some(Duration::from_secs(60)),
        lasting: false,
    }
}
