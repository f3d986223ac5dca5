//! [`Repository`] on the bare mirror.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mirror::{Mirror, Remote};
use runtime::settings::Settings;
use terraform::Tree;

use crate::ports::{PortError, Repository};

/// No fetch may hold a worker longer than this, whatever the transport does.
const DEADLINE: Duration = Duration::from_secs(120);

/// The infrastructure repository.
pub struct GitRepository {
    mirror: Arc<Mirror>,
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
        })
    }
}

#[async_trait]
impl Repository for GitRepository {
    async fn newest(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), PortError> {
        let mirror = Arc::clone(&self.mirror);
        let read = tokio::task::spawn_blocking(move || {
            let head = mirror.fetch()?;
            let tree = mirror.tree(&head)?;
            Ok::<_, mirror::Error>((head.to_string(), tree))
        });
        match tokio::time::timeout(DEADLINE, read).await {
            Ok(Ok(Ok((head, tree)))) => Ok((head, Box::new(tree))),
            Ok(Ok(Err(error))) => Err(PortError::new(format!("{:#}", anyhow::Error::new(error)))),
            Ok(Err(error)) => Err(PortError::new(format!(
                "failed to read the repository: {error}"
            ))),
            Err(_) => Err(PortError::new(format!(
                "failed to fetch within {DEADLINE:?}"
            ))),
        }
    }
}
