//! The files of one commit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

use crate::error::{Attempt, Cause, Error};

/// File modes as git stores them.
pub(crate) const REGULAR: i32 = 0o100_644;
pub(crate) const EXECUTABLE: i32 = 0o100_755;

/// The regular files of a commit: no symbolic links, no submodules, no names that are not UTF-8.
///
/// It stays as it is while the mirror moves on.
pub struct MirrorTree {
    files: BTreeMap<String, Oid>,
    // Only one thread at a time may use a handle of libgit2.
    repository: Mutex<Repository>,
    unread: AtomicBool,
}

impl MirrorTree {
    pub(crate) fn new(repository: Repository, tree: Oid) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        let root = repository
            .find_tree(tree)
            .attempt("read the tree of a commit")?;
        root.walk(TreeWalkMode::PreOrder, |folder, entry| {
            let regular = matches!(entry.filemode(), REGULAR | EXECUTABLE);
            if let Ok(name) = entry.name()
                && regular
                && entry.kind() == Some(ObjectType::Blob)
            {
                files.insert(format!("{folder}{name}"), entry.id());
            }
            TreeWalkResult::Ok
        })
        .attempt("list the files of a commit")?;
        drop(root);
        Ok(Self {
            files,
            repository: Mutex::new(repository),
            unread: AtomicBool::new(false),
        })
    }

    /// The paths of all files, sorted.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    /// The wanted files with the object names of their contents, sorted: equal lists mean equal
    /// files.
    #[must_use]
    pub fn blobs(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let files = self.files.iter().filter(|(path, _)| wanted(path));
        files
            .map(|(path, oid)| (path.clone(), oid.to_string()))
            .collect()
    }

    /// Whether everything that was asked for could be read. What was concluded from a tree with a
    /// file missing is worth nothing.
    pub fn all_read(&self) -> Result<(), Error> {
        if self.unread.load(Ordering::SeqCst) {
            return Err(Error::Busy {
                attempt: "read the files of a commit".to_owned(),
                cause: Cause("a file in the mirror cannot be read".to_owned()),
            });
        }
        Ok(())
    }

    /// The content of a file as it is stored, or none if there is no such file.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let oid = *self.files.get(path)?;
        let repository = self
            .repository
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let blob = repository.find_blob(oid);
        match blob {
            Ok(blob) => Some(blob.content().to_vec()),
            Err(error) => {
                self.unread.store(true, Ordering::SeqCst);
                tracing::error!(path, error = error.message(), "failed to read a file");
                None
            }
        }
    }
}

impl std::fmt::Debug for MirrorTree {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("MirrorTree")
            .field("files", &self.files.len())
            .finish()
    }
}

impl terraform::Tree for MirrorTree {
    fn paths(&self) -> Vec<String> {
        MirrorTree::paths(self)
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        MirrorTree::read(self, path)
    }
}
