//! What can go wrong, and whether trying again can help.

use git2::{ErrorClass, ErrorCode};

use crate::commit::Commit;
use crate::timeouts::Timeouts;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Try again later; nothing needs to change for it to work then.
    Retry,
    /// A person has to change something first.
    Person,
}

/// The words of libgit2, the host or the operating system, without credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub(crate) String);

/// Why a mirror could not do what it was asked.
#[expect(clippy::error_impl_error, reason = "read as `mirror::Error`")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The host cannot be reached, broke off, or has a fault of its own.
    #[error("failed to {attempt}")]
    Unreachable {
        /// What was tried on what.
        attempt: String,
        /// What happened.
        #[source]
        cause: Cause,
    },
    /// The host did not answer within [`Timeouts`].
    #[error("timed out trying to {attempt}")]
    TimedOut {
        /// What was tried on what.
        attempt: String,
        /// What happened.
        #[source]
        cause: Cause,
    },
    /// The host refuses our credentials, or does not let them do this.
    #[error("no access to {attempt}")]
    AccessRefused {
        /// What was tried on what.
        attempt: String,
        /// It is the credentials: 401 or 403. Else the host does not know the repository, or we do
        /// not trust the host, and either may pass.
        credentials: bool,
        /// What happened.
        #[source]
        cause: Cause,
    },
    /// The repository is there and the branch is not.
    #[error("no branch {branch} in {url}")]
    NoBranch {
        /// The branch asked for.
        branch: String,
        /// Where it was looked for.
        url: String,
    },
    /// The mirror was never fetched.
    #[error("branch {branch} has not been fetched yet")]
    NotFetched {
        /// The branch asked for.
        branch: String,
    },
    /// The commit is not in the mirror: never fetched, or no commit at all.
    #[error("commit {commit} is not in the mirror")]
    UnknownCommit {
        /// The commit asked for.
        commit: Commit,
    },
    /// The file differs from what the edit was computed on.
    #[error("{path} is not as it was when the edit was made")]
    Stale {
        /// The file.
        path: String,
    },
    /// The path is no regular file there, so there is nothing to edit.
    #[error("{path} is not a file in the repository")]
    NotAFile {
        /// The path.
        path: String,
    },
    /// Two edits for one file.
    #[error("{path} is edited twice in one commit")]
    EditedTwice {
        /// The file.
        path: String,
    },
    /// The commit would change nothing.
    #[error("nothing to commit")]
    Empty,
    /// The commit to push is not built on the base it is pushed onto.
    #[error("commit {commit} is not built on {base}")]
    NotOnBase {
        /// The commit to push.
        commit: Commit,
        /// Where it should start.
        base: Commit,
    },
    /// The host took the push without complaint, and yet the branch is where it was.
    #[error("pushed {commit}, but {branch} did not move")]
    Unconfirmed {
        /// The commit that was pushed.
        commit: Commit,
        /// The branch.
        branch: String,
    },
    /// Others have changed the same lines since.
    #[error("reverting {commit} conflicts with later changes of {path}")]
    Conflict {
        /// The commit to revert.
        commit: Commit,
        /// The first file in conflict.
        path: String,
    },
    /// The commit does more than change the content of files, so it is none of ours to revert.
    #[error("commit {commit} cannot be reverted by editing files")]
    NotRevertible {
        /// The commit to revert.
        commit: Commit,
    },
    /// Another mirror of this process has set other time-outs.
    #[error("network time-outs are already set to {set:?}")]
    TimeoutsAlreadySet {
        /// Those that hold.
        set: Timeouts,
    },
    /// The mirror on disk cannot be read or written for now: a lock, a full disk.
    #[error("failed to {attempt}")]
    Busy {
        /// What was tried.
        attempt: String,
        /// What happened.
        #[source]
        cause: Cause,
    },
    /// The mirror on disk is not as it must be; it may be deleted, it is fetched anew.
    #[error("failed to {attempt}")]
    Local {
        /// What was tried.
        attempt: String,
        /// What happened.
        #[source]
        cause: Cause,
    },
}

impl Error {
    /// Whether to try again or to ask a person.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::NotFetched { .. }
            | Self::Unconfirmed { .. }
            | Self::Stale { .. }
            | Self::Busy { .. } => Kind::Retry,
            Self::AccessRefused { .. }
            | Self::NoBranch { .. }
            | Self::UnknownCommit { .. }
            | Self::NotAFile { .. }
            | Self::EditedTwice { .. }
            | Self::Empty
            | Self::NotOnBase { .. }
            | Self::Conflict { .. }
            | Self::NotRevertible { .. }
            | Self::TimeoutsAlreadySet { .. }
            | Self::Local { .. } => Kind::Person,
        }
    }

    /// Whether the host refuses our credentials: other ones are needed, or more rights for these.
    #[must_use]
    pub fn refuses_credentials(&self) -> bool {
        matches!(
            self,
            Self::AccessRefused {
                credentials: true,
                ..
            }
        )
    }

    pub(crate) fn local(attempt: &str, cause: impl Into<String>) -> Self {
        Self::Local {
            attempt: attempt.to_owned(),
            cause: Cause(cause.into()),
        }
    }
}

/// Names what was tried on the mirror on disk.
pub(crate) trait Attempt<T> {
    fn attempt(self, attempt: &str) -> Result<T, Error>;
}

impl<T> Attempt<T> for Result<T, git2::Error> {
    fn attempt(self, attempt: &str) -> Result<T, Error> {
        self.map_err(|error| {
            let passing = matches!(error.code(), ErrorCode::Locked | ErrorCode::Modified)
                || matches!(error.class(), ErrorClass::Os | ErrorClass::Filesystem);
            let (attempt, cause) = (attempt.to_owned(), Cause(error.message().to_owned()));
            // A directory that belongs to somebody else will not change hands by itself.
            if passing && error.code() != ErrorCode::Owner {
                Error::Busy { attempt, cause }
            } else {
                Error::Local { attempt, cause }
            }
        })
    }
}
