//! [`Repository`] on the bare mirror.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mirror::{Mirror, Remote};
use runtime::probe::Access;
use runtime::settings::Settings;
use terraform::Tree;

use crate::ports::{PortError, Repository};

/// No fetch may hold a worker longer than this, whatever the transport does.
const DEADLINE: Duration = Duration::from_secs(120);

/// The infrastructure repository.
pub struct GitRepository {
    mirror: Arc<Mirror>,
    url: String,
}

impl GitRepository {
    /// Opens the mirror that the settings name, or makes it.
    ///
    /// # Errors
    /// When the folder cannot be used or the token cannot be read.
    pub fn open(settings: &Settings) -> anyhow::Result<GitRepository> {
        let remote = Remote {
            url: settings.repository.url.clone(),
            branch: settings.repository.branch.clone(),
            user: settings.repository.user.clone(),
            token: settings
                .secrets()
                .repository_token()?
                .map(|token| mirror::Secret::new(token.expose())),
        };
        let folder = settings.data_dir.join("analyzer.git");
        Ok(GitRepository {
            mirror: Arc::new(Mirror::open(&folder, remote)?),
            url: settings.repository.url.clone(),
        })
    }

    /// Whether the repository can be read.
    pub(crate) async fn look(&self) -> Access {
        let mirror = Arc::clone(&self.mirror);
        match tokio::task::spawn_blocking(move || mirror.fetch()).await {
            Ok(Ok(_head)) => Access::Granted,
            Ok(Err(error)) if error.refuses_credentials() => Access::Refused(explained(error)),
            Ok(Err(error)) => Access::Unknown(format!("{:#}", anyhow::Error::new(error))),
            Err(error) => Access::Unknown(error.to_string()),
        }
    }
}

/// An error of the git host, with what to do about refused credentials.
fn explained(error: mirror::Error) -> String {
    let refused = error.refuses_credentials();
    let mut text = format!("{:#}", anyhow::Error::new(error));
    if refused {
        text.push_str(
            "; `repository.token_file` or BOWLINE_SECRET_REPOSITORY_TOKEN must hold a token that \
             may read the repository's contents, and `repository.user` the user that goes with it",
        );
    }
    text
}

#[async_trait]
impl Repository for GitRepository {
    async fn newest(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), PortError> {
        runtime::outside("git_fetch", Some(&self.url), self.fetched()).await
    }
}

impl GitRepository {
    async fn fetched(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), PortError> {
        let mirror = Arc::clone(&self.mirror);
        let read = tokio::task::spawn_blocking(move || {
            let head = mirror.fetch()?;
            let tree = mirror.tree(&head)?;
            Ok::<_, mirror::Error>((head.to_string(), tree))
        });
        match tokio::time::timeout(DEADLINE, read).await {
            Ok(Ok(Ok((head, tree)))) => Ok((head, Box::new(tree))),
            Ok(Ok(Err(error))) => Err(PortError::new(explained(error))),
            Ok(Err(error)) => Err(PortError::new(format!(
                "failed to read the repository: {error}"
            ))),
            Err(_) => Err(PortError::new(format!(
                "failed to fetch within {DEADLINE:?}"
            ))),
        }
    }
}
