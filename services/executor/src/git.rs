//! [`Repository`] on the bare mirror and the Terraform engine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use job::Site;
use mirror::{Commit, Meta, Mirror, PushOutcome, Remote};
use runtime::probe::Access;
use runtime::settings::Settings;
use terraform::{Options, SiteKey};

use crate::edits::{Answer, Edits};
use crate::ports::{Landed, PortError, Refound, Repository};

/// No git operation may hold a worker longer than this, whatever the transport does.
const DEADLINE: Duration = Duration::from_secs(120);

/// The infrastructure repository.
pub struct GitRepository {
    mirror: Arc<Mirror>,
    url: String,
    options: Options,
    edits: Arc<Edits>,
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
        let options = Options {
            stacks: settings.repository.stacks.clone(),
        };
        Ok(GitRepository {
            mirror: Arc::new(Mirror::open(&folder, remote)?),
            url: settings.repository.url.clone(),
            edits: Arc::new(Edits::new(options.clone())),
            options,
            author: (
                settings.repository.author_name.clone(),
                settings.repository.author_email.clone(),
            ),
        })
    }

    /// Whether the repository can be read and written.
    pub(crate) async fn look(&self) -> Access {
        let mirror = Arc::clone(&self.mirror);
        let looking = tokio::task::spawn_blocking(move || {
            mirror.fetch()?;
            mirror.may_push()
        });
        match looking.await {
            Ok(Ok(())) => Access::Granted,
            Ok(Err(error)) if error.refuses_credentials() => Access::Refused(explained(&error)),
            Ok(Err(error)) => Access::Unknown(explained(&error)),
            Err(error) => Access::Unknown(error.to_string()),
        }
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
            Ok(Ok(Err(error))) => {
                let text = format!("failed to {what}: {}", explained(&error));
                Err(if lasts(&error) {
                    PortError::lasting(text)
                } else {
                    PortError::new(text)
                })
            }
            Ok(Err(error)) => Err(PortError::new(format!("failed to {what}: {error}"))),
            Err(_) => Err(PortError::new(format!(
                "failed to {what} within {DEADLINE:?}"
            ))),
        }
    }
}

/// Whether the same call would fail in the same way for ever: it follows from commits, which do not
/// change. What a person can mend meanwhile, such as credentials, is waited for.
fn lasts(error: &mirror::Error) -> bool {
    use mirror::Error;
    matches!(
        error,
        Error::UnknownCommit { .. }
            | Error::NotAFile { .. }
            | Error::EditedTwice { .. }
            | Error::Empty
            | Error::NotOnBase { .. }
            | Error::Conflict { .. }
            | Error::NotRevertible { .. }
    )
}

/// An error of the mirror with its causes, and with what to do about refused credentials.
fn explained(error: &mirror::Error) -> String {
    let mut text = chain(error);
    if error.refuses_credentials() {
        text.push_str(
            "; `repository.token_file` or BOWLINE_SECRET_REPOSITORY_TOKEN must hold a token that \
             may read and write the repository's contents, and `repository.user` the user that \
             goes with it",
        );
    }
    text
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

/// Whether an upgrade leads from the one tag to the other.
pub(crate) fn newer(than: &str, tag: &str) -> bool {
    version::upgrade(&version::Tag::parse(than), &version::Tag::parse(tag)).is_ok()
}

/// A commit as the log names it.
fn commit(text: &str) -> Result<Commit, PortError> {
    text.parse().map_err(PortError::new)
}

#[async_trait]
impl Repository for GitRepository {
    async fn fetch(&self) -> Result<String, PortError> {
        let fetched = self.aside("fetch", |mirror| mirror.fetch());
        runtime::outside("git_fetch", Some(&self.url), fetched)
            .await
            .map(|head| head.to_string())
    }

    async fn refind(&self, head: &str, sites: &[Site]) -> Result<Refound, PortError> {
        let (head, keys, edits) = (commit(head)?, keys(sites), Arc::clone(&self.edits));
        let found = self
            .aside("read the tree", move |mirror| {
                edits.of(&mirror.tree(&head)?, &keys)
            })
            .await?;
        Ok(match found {
            Answer::Ready(_) => Refound::Ready,
            Answer::There => Refound::AlreadyThere,
            Answer::Other(how) => Refound::Changed(how),
        })
    }

    async fn at_or_beyond(&self, head: &str, sites: &[Site]) -> Result<bool, PortError> {
        let (head, keys, options) = (commit(head)?, keys(sites), self.options.clone());
        self.aside("read the tree", move |mirror| {
            let tree = mirror.tree(&head)?;
            let beyond = keys.iter().all(|key| {
                match terraform::refind(&tree, &options, std::slice::from_ref(key)) {
                    terraform::Refound::AlreadyThere => true,
                    terraform::Refound::ChangedByOther { found, .. } => newer(&key.after, &found),
                    terraform::Refound::Ready(_)
                    | terraform::Refound::Missing { .. }
                    | terraform::Refound::Mixed { .. } => false,
                }
            });
            tree.all_read().map(|()| beyond)
        })
        .await
    }

    async fn build(
        &self,
        head: &str,
        sites: &[Site],
        message: &str,
        commit_at: i64,
    ) -> Result<String, PortError> {
        let (head, keys, edits) = (commit(head)?, keys(sites), Arc::clone(&self.edits));
        let meta = Meta {
            message: message.to_owned(),
            author_name: self.author.0.clone(),
            author_email: self.author.1.clone(),
            at_unix: commit_at,
        };
        let built = self
            .aside("build the commit", move |mirror| {
                match edits.of(&mirror.tree(&head)?, &keys)? {
                    Answer::Ready(Ok(edits)) => mirror.build(&head, &edits, &meta).map(Ok),
                    // A commit's tree never changes, so asking again cannot help.
                    Answer::Ready(Err(why)) | Answer::Other(why) => Ok(Err(why)),
                    Answer::There => Ok(Err("the sites are there already".to_owned())),
                }
            })
            .await?;
        built
            .map(|commit| commit.to_string())
            .map_err(|why| PortError::lasting(format!("the commit cannot be built: {why}")))
    }

    async fn push(&self, built: &str, base: &str) -> Result<Landed, PortError> {
        let (built, base) = (commit(built)?, commit(base)?);
        let pushed = self.aside("push", move |mirror| match mirror.push(&built, &base) {
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
        });
        let outcome = runtime::effect("git_push", Some(&self.url), pushed).await?;
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
