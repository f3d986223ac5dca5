//! The mirror on disk and how it is brought up to date.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{
    AutotagOption, Direction, ErrorCode, FetchOptions, Oid, Repository, RepositoryInitOptions,
};

use crate::commit::Commit;
use crate::error::{Attempt, Error};
use crate::remote::Remote;
use crate::timeouts::{self, Timeouts};
use crate::tree::MirrorTree;

/// A bare repository that follows one branch of a remote.
///
/// It holds nothing that cannot be fetched or built again: its directory may be lost at any time.
/// One mirror may be used from several threads; conversations with the host take turns.
#[derive(Debug)]
pub struct Mirror {
    dir: PathBuf,
    remote: Remote,
    conversation: Mutex<()>,
}

impl Mirror {
    /// Opens the mirror in `dir`, or creates an empty one there. Does not talk to the host.
    pub fn open(dir: &Path, remote: Remote) -> Result<Self, Error> {
        Self::open_within(dir, remote, None)
    }

    /// As [`open`](Self::open), with other time-outs than the default for the whole process.
    pub fn open_with(dir: &Path, remote: Remote, timeouts: Timeouts) -> Result<Self, Error> {
        Self::open_within(dir, remote, Some(timeouts))
    }

    fn open_within(dir: &Path, remote: Remote, timeouts: Option<Timeouts>) -> Result<Self, Error> {
        timeouts::ensure(timeouts)?;
        // Creating over an existing one keeps what is there and completes what a crash cut short.
        let mut options = RepositoryInitOptions::new();
        options.bare(true).mkpath(true).external_template(false);
        Repository::init_opts(dir, &options).attempt("create the mirror")?;
        let remote = remote.without_user_info();
        Ok(Self {
            dir: dir.to_owned(),
            remote,
            conversation: Mutex::default(),
        })
    }

    /// Where the branch is; the address has no credentials in it.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Brings the mirror up to date and returns the commit the branch points at.
    pub fn fetch(&self) -> Result<Commit, Error> {
        let _turn = self.turn();
        self.fetch_in_turn()
    }

    /// Where the branch was at the last fetch.
    pub fn head(&self) -> Result<Commit, Error> {
        let repository = self.repository()?;
        match repository.refname_to_id(&self.remote.tracking_ref()) {
            Ok(oid) => Ok(Commit::of(oid)),
            Err(error) if error.code() == ErrorCode::NotFound => Err(Error::NotFetched {
                branch: self.remote.branch.clone(),
            }),
            Err(error) => Err(error).attempt("read the fetched branch"),
        }
    }

    /// The files of a commit.
    pub fn tree(&self, commit: &Commit) -> Result<MirrorTree, Error> {
        let repository = self.repository()?;
        let tree = find(&repository, commit)?
            .tree()
            .attempt("read the tree of a commit")?
            .id();
        MirrorTree::new(repository, tree)
    }

    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.conversation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fetch_in_turn(&self) -> Result<Commit, Error> {
        let repository = self.repository()?;
        let remote = &self.remote;
        let attempt = format!("fetch {} of {}", remote.branch, remote.url);
        let refused = Cell::new(false);
        let failed = |error: git2::Error| remote.error(&attempt, &error, refused.get());

        let mut host = repository.remote_anonymous(&remote.url).map_err(failed)?;
        let callbacks = remote.callbacks(&refused);
        let mut connection = host
            .connect_auth(Direction::Fetch, Some(callbacks), None)
            .map_err(failed)?;
        let branch = remote.branch_ref();
        // A fetch of a branch that is gone succeeds and leaves the old reference in place.
        let Some(head) = head_of(&branch, connection.list().map_err(failed)?) else {
            let (branch, url) = (remote.branch.clone(), remote.url.clone());
            return Err(Error::NoBranch { branch, url });
        };
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(remote.callbacks(&refused))
            .download_tags(AutotagOption::None);
        options.update_fetchhead(false);
        let refspec = format!("+{branch}:{}", remote.tracking_ref());
        connection
            .remote()
            .fetch(&[refspec], Some(&mut options), None)
            .map_err(failed)?;
        Ok(Commit::of(head))
    }

    /// A handle of its own for each call: libgit2's may not be shared between threads.
    pub(crate) fn repository(&self) -> Result<Repository, Error> {
        Repository::open_bare(&self.dir).attempt("open the mirror")
    }
}

fn head_of(branch: &str, heads: &[git2::RemoteHead<'_>]) -> Option<Oid> {
    heads
        .iter()
        .find(|head| head.name() == branch)
        .map(git2::RemoteHead::oid)
}

/// The commit in the mirror.
pub(crate) fn find<'repo>(
    repository: &'repo Repository,
    commit: &Commit,
) -> Result<git2::Commit<'repo>, Error> {
    match commit.oid().and_then(|oid| repository.find_commit(oid)) {
        Err(error) if error.code() == ErrorCode::NotFound => Err(Error::UnknownCommit {
            commit: commit.clone(),
        }),
        found => found.attempt("read a commit"),
    }
}
