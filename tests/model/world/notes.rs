//! Release notes: every version has some.

use std::time::Duration;

use analyzer::{Home, PortError, Release, Releases};
use async_trait::async_trait;

use super::World;
use crate::ops::{Outside, VERSIONS};

#[async_trait]
impl Releases for World {
    async fn all(&self, home: &Home) -> Result<Option<Vec<Release>>, PortError> {
        self.call(Outside::Notes).await.map_err(|what| PortError {
            what,
            retry_after: Some(Duration::from_secs(60)),
            lasting: false,
        })?;
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
