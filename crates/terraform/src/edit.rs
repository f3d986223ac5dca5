//! Sites → byte splices, checked before and after.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::answer::Site;
use crate::index::Index;
use crate::parts::{Part, whole};
use crate::reference::Reference;
use crate::tree::Tree;

/// One file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub path: String,
    /// All its bytes as they are.
    pub before: Vec<u8>,
    /// All its bytes as they are to be.
    pub after: Vec<u8>,
}

/// Why sites were not edited.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// The file is gone.
    #[error("failed to read {path}")]
    Missing {
        /// The file.
        path: String,
    },
    /// Something else stands at the site.
    #[error("expected {expected:?} at {path}:{line}, and found something else")]
    Changed {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// What the site says.
        expected: String,
    },
    /// Two sites share bytes.
    #[error("two sites overlap at {path}:{line}")]
    Overlap {
        /// The file.
        path: String,
        /// The line of the second.
        line: usize,
    },
    /// After the edit the sites do not hold what they should.
    #[error("the edited files do not read as planned: {found}")]
    NotAsPlanned {
        /// What they read as.
        found: String,
    },
}

/// Replaces the bytes of the sites and nothing else: one [`Edit`] per file, in the order of paths.
///
/// # Errors
/// When the bytes at a site are not its `before`, or the edited files, read again, do not hold
/// every `after`.
pub fn edit(tree: &dyn Tree, sites: &[Site]) -> Result<Vec<Edit>, EditError> {
    Index::of(tree).edit(tree, sites)
}

impl Index {
    /// As [`edit`], in the tree that was read.
    ///
    /// # Errors
    /// As [`edit`].
    pub fn edit(&self, tree: &dyn Tree, sites: &[Site]) -> Result<Vec<Edit>, EditError> {
        let edits = spliced(tree, sites)?;
        if !sites.is_empty() {
            let after = Index::of(&Edited {
                tree,
                edits: &edits,
            });
            self.check(&after, sites)?;
        }
        Ok(edits)
    }

    /// Whether exactly what was planned reads differently after the edit, and everything else as it
    /// was.
    fn check(&self, after: &Index, sites: &[Site]) -> Result<(), EditError> {
        let wrong = |found: String| EditError::NotAsPlanned { found };
        if let Some(problem) = after
            .problems
            .iter()
            .find(|new| !self.problems.contains(new))
        {
            return Err(wrong(problem.clone()));
        }
        if self.references.len() != after.references.len() {
            return Err(wrong(format!(
                "{} references instead of {}",
                after.references.len(),
                self.references.len()
            )));
        }
        for (before, after) in self.references.iter().zip(&after.references) {
            let same = before.path == after.path
                && before.address == after.address
                && before.root == after.root
                && entry(before) == entry(after)
                && repository(before) == repository(after);
            let (wanted, found) = (planned(before, sites), tag_of(after));
            if !same || wanted != found {
                return Err(wrong(format!(
                    "{} in {} says {} instead of {}",
                    after.address,
                    after.path,
                    found.unwrap_or_else(|| "nothing that is known".to_owned()),
                    wanted.unwrap_or_else(|| "nothing that is known".to_owned()),
                )));
            }
        }
        Ok(())
    }
}

fn entry(reference: &Reference) -> Option<&str> {
    reference
        .ignored_by
        .as_ref()
        .map(|ignored| ignored.entry.as_str())
}

fn repository(reference: &Reference) -> Option<&str> {
    reference.said.as_ref().map(|said| said.repository.as_str())
}

fn tag_of(reference: &Reference) -> Option<String> {
    let said = reference.said.as_ref()?;
    let digest = whole(&said.digest)?;
    let tag = whole(&said.tag)?;
    Some(if digest.is_empty() {
        tag
    } else {
        format!("{tag}@{digest}")
    })
}

/// What a reference is to say after the edit.
fn planned(reference: &Reference, sites: &[Site]) -> Option<String> {
    let said = reference.said.as_ref()?;
    if let [
        Part::Text {
            place: Some(place), ..
        },
    ] = said.pinned.as_slice()
        && let Some(site) = sites
            .iter()
            .find(|site| site.path == place.path && site.span == place.span)
    {
        return Some(site.after.clone());
    }
    let replaced = |parts: &[Part]| -> Option<String> {
        parts
            .iter()
            .map(|part| match part {
                Part::Text { text, place } => {
                    let site = place.as_ref().and_then(|place| {
                        let mut here = sites.iter();
                        here.find(|site| site.path == place.path && site.span == place.span)
                    });
                    Some(site.map_or(text.as_str(), |site| site.after.as_str()))
                }
                Part::Unknown { .. } => None,
            })
            .collect()
    };
    let (tag, digest) = (replaced(&said.tag)?, replaced(&said.digest)?);
    Some(if digest.is_empty() {
        tag
    } else {
        format!("{tag}@{digest}")
    })
}

fn spliced(tree: &dyn Tree, sites: &[Site]) -> Result<Vec<Edit>, EditError> {
    let mut files: BTreeMap<&str, Vec<&Site>> = BTreeMap::new();
    for site in sites {
        files.entry(&site.path).or_default().push(site);
    }
    let mut edits = Vec::new();
    for (path, mut sites) in files {
        sites.sort_by_key(|site| site.span.start);
        let before = tree.read(path).ok_or_else(|| EditError::Missing {
            path: path.to_owned(),
        })?;
        let after = splice(&before, &sites)?;
        edits.push(Edit {
            path: path.to_owned(),
            before,
            after,
        });
    }
    Ok(edits)
}

fn splice(before: &[u8], sites: &[&Site]) -> Result<Vec<u8>, EditError> {
    let mut after = Vec::with_capacity(before.len() + 16);
    let mut done = 0;
    for site in sites {
        let (path, line) = (site.path.clone(), site.line);
        if site.span.start < done {
            return Err(EditError::Overlap { path, line });
        }
        let found = before.get(site.span.clone());
        let untouched = before.get(done..site.span.start);
        match (found, untouched) {
            (Some(found), Some(untouched)) if found == site.before.as_bytes() => {
                after.extend_from_slice(untouched);
                after.extend_from_slice(site.after.as_bytes());
                done = site.span.end;
            }
            _ => {
                return Err(EditError::Changed {
                    path,
                    line,
                    expected: site.before.clone(),
                });
            }
        }
    }
    after.extend_from_slice(before.get(done..).unwrap_or_default());
    Ok(after)
}

/// The tree as it will be.
struct Edited<'a> {
    tree: &'a dyn Tree,
    edits: &'a [Edit],
}

impl Tree for Edited<'_> {
    fn paths(&self) -> Vec<String> {
        self.tree.paths()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self.edits.iter().find(|edit| edit.path == path) {
            Some(edit) => Some(edit.after.clone()),
            None => self.tree.read(path),
        }
    }
}
