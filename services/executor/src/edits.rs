//! What the engine makes of a step's sites, remembered for as long as no file that it reads changes.
//!
//! On a branch that others move all the time, reading every Terraform file again for each new head
//! is what loses the race. The commit itself is still built on the newest head, and refused if a
//! file differs from what its edit was computed on.

use std::sync::{Mutex, PoisonError};

use mirror::{FileEdit, MirrorTree};
use terraform::{Options, SiteKey};

/// So many steps are remembered; more are not worked on at the same time.
const CAPACITY: usize = 16;

/// What the engine says about sites in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// They hold the value before the step; the edits of the files, or why there are none.
    Ready(Result<Vec<FileEdit>, String>),
    /// They hold the value after it.
    There,
    /// Something else; in words.
    Other(String),
}

/// The engine with its memory.
pub(crate) struct Edits {
    options: Options,
    seen: Mutex<Vec<Seen>>,
}

struct Seen {
    /// The files that the engine reads, with their contents' ids.
    files: Vec<(String, String)>,
    keys: Vec<SiteKey>,
    edits: Vec<FileEdit>,
}

impl Edits {
    pub(crate) fn new(options: Options) -> Edits {
        Edits {
            options,
            seen: Mutex::default(),
        }
    }

    /// Looks the sites up, and derives their edits.
    ///
    /// # Errors
    /// When a file of the tree could not be read: then nothing is known about the sites.
    pub(crate) fn of(&self, tree: &MirrorTree, keys: &[SiteKey]) -> Result<Answer, mirror::Error> {
        let files = tree.blobs(terraform::reads);
        if let Some(edits) = self.known(&files, keys) {
            return Ok(Answer::Ready(Ok(edits)));
        }
        let answer = match terraform::refind(tree, &self.options, keys) {
            terraform::Refound::Ready(found) => Answer::Ready(edits(tree, &found)),
            terraform::Refound::AlreadyThere => Answer::There,
            other => Answer::Other(other.to_string()),
        };
        tree.all_read()?;
        if let Answer::Ready(Ok(edits)) = &answer {
            self.remember(Seen {
                files,
                keys: keys.to_vec(),
                edits: edits.clone(),
            });
        }
        Ok(answer)
    }

    fn known(&self, files: &[(String, String)], keys: &[SiteKey]) -> Option<Vec<FileEdit>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = seen
            .iter()
            .filter(|seen| seen.keys == keys && seen.files == files);
        same.next().map(|seen| seen.edits.clone())
    }

    fn remember(&self, new: Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|seen| seen.keys != new.keys);
        if seen.len() >= CAPACITY {
            seen.remove(0);
        }
        seen.push(new);
    }
}

fn edits(tree: &MirrorTree, found: &[terraform::Site]) -> Result<Vec<FileEdit>, String> {
    let edits = terraform::edit(tree, found).map_err(|error| error.to_string())?;
    let edits = edits.into_iter().map(|edit| FileEdit {
        path: edit.path,
        before: edit.before,
        after: edit.after,
    });
    Ok(edits.collect())
}
