//! [`Charts`] from chart repositories: over HTTP with an index, and from OCI registries.

mod index;
mod registry;

use std::sync::Arc;

use async_trait::async_trait;
use runtime::Settings;

use crate::cache::Cache;
use crate::chart::ChartVersion;
use crate::ports::{Charts, PortError};
use crate::registry::{Registries, Remembered};

/// What an index said, with the tag of its contents.
type Tagged = (String, Arc<Vec<ChartVersion>>);

/// Chart repositories.
pub struct Helm {
    registries: Registries,
    /// By address and chart: the index's tag, and what it said.
    indexes: Remembered<(String, String), Tagged>,
    /// What was pushed: each version takes two requests, which Docker Hub counts as pulls.
    cache: Arc<dyn Cache>,
}

impl Helm {
    /// A client whose every answer has to come within `helm.timeout`.
    ///
    /// # Errors
    /// A password cannot be read, or the TLS set-up of this machine is unusable.
    pub fn new(settings: &Settings, cache: &Arc<dyn Cache>) -> anyhow::Result<Helm> {
        Ok(Helm {
            registries: Registries::new(settings, cache)?,
            indexes: Remembered::default(),
            cache: Arc::clone(cache),
        })
    }
}

#[async_trait]
impl Charts for Helm {
    async fn versions(
        &self,
        repository: &str,
        chart: &str,
        written: &str,
    ) -> Result<Option<Arc<Vec<ChartVersion>>>, PortError> {
        let repository = repository.trim_end_matches('/');
        match repository.strip_prefix("oci://") {
            Some(place) => {
                let asked = self.pushed(place, chart, written);
                runtime::outside("helm_registry", Some(repository), asked).await
            }
            None => {
                let asked = self.indexed(repository, chart);
                runtime::outside("helm_index", Some(repository), asked).await
            }
        }
    }
}

#[cfg(test)]
mod tests;
