//! What the analyzer needs of the outside world.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use terraform::Tree;

use crate::chart::ChartVersion;

/// An outside call failed; the analysis waits, because notes that are out of reach are not notes
/// that do not exist.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct PortError {
    /// What was tried on what, and what came back; never a secret.
    pub what: String,
    /// When the other side said to come back.
    pub retry_after: Option<Duration>,
}

impl PortError {
    /// An error without a time to come back.
    pub fn new(what: impl std::fmt::Display) -> PortError {
        PortError {
            what: what.to_string(),
            retry_after: None,
        }
    }
}

impl From<bus::Unavailable> for PortError {
    fn from(error: bus::Unavailable) -> PortError {
        PortError::new(error)
    }
}

/// The infrastructure repository, read only.
#[async_trait]
pub trait Repository: Send + Sync + 'static {
    /// Fetches the branch and gives its head and tree.
    async fn newest(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), PortError>;
}

/// One release of a source repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The tag in the source repository.
    pub tag: String,
    /// The title, if any.
    pub title: Option<String>,
    /// The notes; may be empty.
    pub body: String,
    /// Where people read it.
    pub url: String,
    /// Marked as not for everybody.
    pub prerelease: bool,
}

/// Where releases come from.
#[async_trait]
pub trait Releases: Send + Sync + 'static {
    /// Every published release of `owner/name`; none if there is no such repository.
    async fn all(&self, repository: &str) -> Result<Option<Vec<Release>>, PortError>;
}

/// Where Helm charts come from.
#[async_trait]
pub trait Charts: Send + Sync + 'static {
    /// The versions of a chart, as its repository lists them; none if it has no such chart.
    ///
    /// What is older than `written` may be left out; `written` itself is not.
    async fn versions(
        &self,
        repository: &str,
        chart: &str,
        written: &str,
    ) -> Result<Option<Arc<Vec<ChartVersion>>>, PortError>;
}
