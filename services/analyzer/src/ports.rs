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
    /// It stays like this until a person does something.
    pub lasting: bool,
}

impl PortError {
    /// An error without a time to come back.
    pub fn new(what: impl std::fmt::Display) -> PortError {
        PortError {
            what: what.to_string(),
            retry_after: None,
            lasting: false,
        }
    }

    /// An error that only a person can mend.
    pub fn lasting(what: impl std::fmt::Display) -> PortError {
        PortError {
            lasting: true,
            ..PortError::new(what)
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

/// A source repository on a git host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Home {
    /// The host, such as `github.com`.
    pub host: String,
    /// The path on it, such as `immich-app/immich`.
    pub path: String,
}

impl Home {
    /// A repository on GitHub.
    #[must_use]
    pub fn github(path: &str) -> Home {
        Home {
            host: "github.com".to_owned(),
            path: path.to_owned(),
        }
    }

    /// Where people look at it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/{}", self.host, self.path)
    }
}

impl std::fmt::Display for Home {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.host, self.path)
    }
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

/// A tag of a source repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Its name.
    pub name: String,
    /// What its annotation says, if the list of tags tells.
    pub message: Option<String>,
}

/// Where release notes come from. An error means out of reach: notes that are out of reach are not
/// notes that do not exist.
#[async_trait]
pub trait Releases: Send + Sync + 'static {
    /// Whether anybody knows how to ask this git host.
    fn knows(&self, host: &str) -> bool {
        host == "github.com"
    }

    /// Every published release; none if there is no such repository.
    async fn all(&self, home: &Home) -> Result<Option<Vec<Release>>, PortError>;

    /// The names of the files in a folder (the root is empty), on the default branch or at a tag.
    async fn files(
        &self,
        _home: &Home,
        _folder: &str,
        _at: Option<&str>,
    ) -> Result<Vec<String>, PortError> {
        Ok(Vec::new())
    }

    /// A file's text; none if there is no such file.
    async fn text(
        &self,
        _home: &Home,
        _file: &str,
        _at: Option<&str>,
    ) -> Result<Option<String>, PortError> {
        Ok(None)
    }

    /// Every tag.
    async fn tags(&self, _home: &Home) -> Result<Vec<Tagged>, PortError> {
        Ok(Vec::new())
    }

    /// What a tag's annotation says; none if it has none.
    async fn annotation(&self, _home: &Home, _tag: &Tagged) -> Result<Option<String>, PortError> {
        Ok(None)
    }
}

/// What a registry has under a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// An image that the cluster can run.
    Here,
    /// Nothing.
    Nothing,
    /// Images, and none for the cluster's platform, which is given.
    NotFor(String),
}

/// What registries know of images. Names are normalised and without tag.
#[async_trait]
pub trait Images: Send + Sync + 'static {
    /// What is there at this tag for the cluster's platform.
    async fn look(&self, image: &str, tag: &str) -> Result<Published, PortError>;

    /// Every tag of the image.
    async fn tags(&self, image: &str) -> Result<Vec<String>, PortError>;

    /// The address that the image gives as its source; its base image may have left it there.
    async fn source(&self, image: &str, tag: &str) -> Result<Option<String>, PortError>;
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
