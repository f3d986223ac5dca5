//! Sites → byte splices, checked before and after.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::answer::{Options, Site};
use crate::refind::{Refound, SiteKey, refind};
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
    verify(tree, sites, &edits)?;
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

fn verify(tree: &dyn Tree, sites: &[Site], edits: &[Edit]) -> Result<(), EditError> {
    if sites.is_empty() {
        return Ok(());
    }
    let keys: Vec<SiteKey> = sites.iter().map(SiteKey::from).collect();
    // Only the addresses matter here, and they do not depend on where the stacks are.
    match refind(&Edited { tree, edits }, &Options::default(), &keys) {
        Refound::AlreadyThere => Ok(()),
        other => Err(EditError::NotAsPlanned {
            found: other.to_string(),
        }),
    }
}
