//! [`Repository`] on the bare mirror and the Terraform engine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use job::Site;
use mirror::{Commit, FileEdit, Meta, Mirror, PushOutcome, Remote};
use runtime::settings::Settings;
use terraform::{Options, SiteKey};

use crate::ports::{Landed, PortError, Refound, Repository};

/// No git operation may hold a worker longer than this, whatever the transport does.
const DEADLINE: Duration = Duration::from_secs(120);

/// The infrastructure repository.
pub struct GitRepository {
    mirror: Arc<Mirror>,
    options: Options,
    author: (String, String),
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
        let folder = settings.data_dir.join("executor.git");
        Ok(GitRepository {
            mirror: Arc::new(Mirror::open(&folder, remote)?),
            options: Options {
                stacks: settings.repository.stacks.clone(),
            },
            author: (
                settings.repository.author_name.clone(),
                settings.repository.author_email.clone(),
            ),
        })
    }

    /// Runs a blocking git operation aside, with a deadline.
    async fn aside<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Mirror) -> Result<T, mirror::Error> + Send + 'static,
    ) -> Result<T, PortError> {
        let mirror = Arc::clone(&self.mirror);
        let task = tokio::task::spawn_blocking(move || work(&mirror));
        match tokio::time::timeout(DEADLINE, task).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(PortError::new(format!(
                "failed to {what}: {}",
                chain(&error)
            ))),
            Ok(Err(error)) => Err(PortError::new(format!("failed to {what}: {error}"))),
            Err(_) => Err(PortError::new(format!(
                "failed to {what} within {DEADLINE:?}"
            ))),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn keys(sites: &[Site]) -> Vec<SiteKey> {
    sites
        .iter()
        .map(|site| SiteKey {
            path: site.path.clone(),
            address: site.address.clone(),
            before: site.before.clone(),
            after: site.after.clone(),
        })
        .collect()
}

/// A commit as the log names it.
fn commit(text: &str) -> Result<Commit, PortError> {
    text.parse().map_err(PortError::new)
}

#[async_trait]
impl Repository for GitRepository {
    async fn fetch(&self) -> Result<String, PortError> {
        self.aside("fetch", |mirror| mirror.fetch())
            .await
            .map(|head| head.to_string())
    }

    async fn refind(&self, head: &str, sites: &[Site]) -> Result<Refound, PortError> {
        let (head, keys, options) = (commit(head)?, keys(sites), self.options.clone());
        let found = self
            .aside("read the tree", move |mirror| {
                let tree = mirror.tree(&head)?;
                Ok(terraform::refind(&tree, &options, &keys))
            })
            .await?;
        Ok(match found {
            terraform::Refound::Ready(_) => Refound::Ready,
            terraform::Refound::AlreadyThere => Refound::AlreadyThere,
            other => Refound::Changed(other.to_string()),
        })
    }

    async fn build(
        &self,
        head: &str,
        sites: &[Site],
        message: &str,
        commit_at: i64,
    ) -> Result<String, PortError> {
        let (head, keys, options) = (commit(head)?, keys(sites), self.options.clone());
        let meta = Meta {
            message: message.to_owned(),
            author_name: self.author.0.clone(),
            author_email: self.author.1.clone(),
            at_unix: commit_at,
        };
        let built = self
            .aside("build the commit", move |mirror| {
                let tree = mirror.tree(&head)?;
                let terraform::Refound::Ready(found) = terraform::refind(&tree, &options, &keys)
                else {
                    return Ok(Err(
                        "the sites changed while the commit was built".to_owned()
                    ));
                };
                let edits = match terraform::edit(&tree, &found) {
                    Ok(edits) => edits,
                    Err(error) => return Ok(Err(chain(&error))),
                };
                let edits: Vec<FileEdit> = edits
                    .into_iter()
                    .map(|edit| FileEdit {
                        path: edit.path,
                        before: edit.before,
                        after: edit.after,
                    })
                    .collect();
                mirror.build(&head, &edits, &meta).map(Ok)
            })
            .await?;
        built
            .map(|commit| commit.to_string())
            .map_err(PortError::new)
    }

    async fn push(&self, built: &str, base: &str) -> Result<Landed, PortError> {
        let (built, base) = (commit(built)?, commit(base)?);
        let outcome = self
            .aside("push", move |mirror| match mirror.push(&built, &base) {
                // The credentials may read and not write: a person has to see to it, and nothing
                // of ours is in the branch. Where they may not even read, that is waited for.
                Err(error @ mirror::Error::AccessRefused { .. }) => {
                    let head = mirror.fetch()?;
                    Ok(if mirror.is_ancestor(&built, &head)? {
                        PushOutcome::Landed
                    } else if head == base {
                        PushOutcome::Refused {
                            reason: chain(&error),
                        }
                    } else {
                        PushOutcome::Moved { head }
                    })
                }
                other => other,
            })
            .await?;
        Ok(match outcome {
            PushOutcome::Landed => Landed::Yes,
            PushOutcome::Moved { head } => Landed::Moved(head.to_string()),
            PushOutcome::Refused { reason } => Landed::Refused(reason),
        })
    }

    async fn find_trailer(
        &self,
        base: &str,
        head: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<String>, PortError> {
        let (base, head) = (commit(base)?, commit(head)?);
        let (key, value) = (key.to_owned(), value.to_owned());
        self.aside("search the branch", move |mirror| {
            mirror.find_trailer(&base, &head, &key, &value)
        })
        .await
        .map(|found| found.map(|commit| commit.to_string()))
    }

    async fn subject(&self, of: &str) -> Result<String, PortError> {
        let of = commit(of)?;
        let message = self
            .aside("read a commit", move |mirror| mirror.message(&of))
            .await?;
        Ok(message.lines().next().unwrap_or("").to_owned())
    }
}
