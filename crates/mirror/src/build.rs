//! Building a commit without a work tree.

use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature, Time, Tree};

use crate::commit::Commit;
use crate::error::{Attempt, Error};
use crate::history::changed_paths;
use crate::repository::{Mirror, find};
use crate::tree::{EXECUTABLE, REGULAR};

/// The new content of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// The file, from the root of the repository.
    pub path: String,
    /// The content the edit was computed on; the commit is refused if the parent has another.
    pub before: Vec<u8>,
    /// The content afterwards.
    pub after: Vec<u8>,
}

/// What a commit says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The whole message, trailers included.
    pub message: String,
    /// The name of author and committer.
    pub author_name: String,
    /// The e-mail address of author and committer.
    pub author_email: String,
    /// The date of author and committer, in seconds since 1970, shown as UTC.
    pub at_unix: i64,
}

impl Mirror {
    /// Builds the commit that exchanges the edited files of `parent` and nothing else.
    ///
    /// It is in the mirror only until it is pushed. The same arguments always give the same commit,
    /// so a repetition after a crash does no harm.
    pub fn build(&self, parent: &Commit, edits: &[FileEdit], meta: &Meta) -> Result<Commit, Error> {
        let repository = self.repository()?;
        let parent = find(&repository, parent)?;
        let old = parent.tree().attempt("read the tree of a commit")?;
        let new = edited(&repository, &old, edits)?;
        if new == old.id() {
            return Err(Error::Empty);
        }
        let new = repository.find_tree(new).attempt("read the edited tree")?;
        only_edited(&repository, &old, &new, edits)?;
        let time = Time::new(meta.at_unix, 0);
        let signature = Signature::new(&meta.author_name, &meta.author_email, &time)
            .attempt("name the author")?;
        let message =
            git2::message_prettify(&meta.message, None).attempt("format the commit message")?;
        repository
            .commit(None, &signature, &signature, &message, &new, &[&parent])
            .map(Commit::of)
            .attempt("write the commit")
    }
}

fn edited(repository: &Repository, tree: &Tree<'_>, edits: &[FileEdit]) -> Result<Oid, Error> {
    let mut update = TreeUpdateBuilder::new();
    for (index, edit) in edits.iter().enumerate() {
        let path = edit.path.clone();
        if edits.iter().take(index).any(|earlier| earlier.path == path) {
            return Err(Error::EditedTwice { path });
        }
        let Ok(entry) = tree.get_path(Path::new(&path)) else {
            return Err(Error::Stale { path });
        };
        let mode = match entry.filemode() {
            REGULAR => FileMode::Blob,
            EXECUTABLE => FileMode::BlobExecutable,
            _ => return Err(Error::NotAFile { path }),
        };
        let before = repository
            .find_blob(entry.id())
            .attempt("read the file to edit")?;
        if before.content() != edit.before {
            return Err(Error::Stale { path });
        }
        let after = repository
            .blob(&edit.after)
            .attempt("write the edited file")?;
        update.upsert(path, after, mode);
    }
    update
        .create_updated(repository, tree)
        .attempt("write the edited tree")
}

/// The last look before a commit exists: no other path than the edited ones may differ.
fn only_edited(
    repository: &Repository,
    old: &Tree<'_>,
    new: &Tree<'_>,
    edits: &[FileEdit],
) -> Result<(), Error> {
    let changed = changed_paths(repository, Some(old), new)?;
    match changed
        .into_iter()
        .find(|path| edits.iter().all(|edit| edit.path != *path))
    {
        Some(path) => Err(Error::local(
            "build the commit",
            format!("{path} would change too"),
        )),
        None => Ok(()),
    }
}
