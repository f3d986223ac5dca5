//! Undoing a commit in git's own way.

use git2::{Delta, DiffOptions};

use crate::build::FileEdit;
use crate::commit::Commit;
use crate::error::{Attempt, Error};
use crate::repository::{Mirror, find};

impl Mirror {
    /// The message that `git revert` would give to the revert of a commit.
    pub fn revert_message(&self, commit: &Commit) -> Result<String, Error> {
        let message = self.message(commit)?;
        let subject = message
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        Ok(format!(
            "{}\n\nThis reverts commit {commit}.\n",
            revert_subject(subject)
        ))
    }

    /// The edits of `head` that take a commit back and keep what others did since.
    ///
    /// None are left if it is taken back already. Later changes of the same lines are an
    /// [`Error::Conflict`].
    pub fn revert_edits(&self, commit: &Commit, head: &Commit) -> Result<Vec<FileEdit>, Error> {
        let repository = self.repository()?;
        let bad = find(&repository, commit)?;
        if bad.parent_count() != 1 {
            return Err(Error::NotRevertible {
                commit: commit.clone(),
            });
        }
        let ours = find(&repository, head)?;
        let mut index = repository
            .revert_commit(&bad, &ours, 0, None)
            .attempt("revert a commit")?;
        if index.has_conflicts() {
            let mut conflicts = index
                .conflicts()
                .attempt("list the conflicts of a revert")?;
            let entry = conflicts.next().and_then(Result::ok);
            let entry = entry.and_then(|found| found.our.or(found.ancestor).or(found.their));
            let path = entry.map(|entry| String::from_utf8_lossy(&entry.path).into_owned());
            let path = path.unwrap_or_default();
            return Err(Error::Conflict {
                commit: commit.clone(),
                path,
            });
        }
        let new = index
            .write_tree_to(&repository)
            .attempt("write the reverted tree")?;
        let new = repository
            .find_tree(new)
            .attempt("read the reverted tree")?;
        let old = ours.tree().attempt("read the tree of a commit")?;
        let mut options = DiffOptions::new();
        options.include_typechange(true).skip_binary_check(true);
        let diff = repository
            .diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options))
            .attempt("compare two trees")?;
        diff.deltas()
            .map(|delta| {
                let (before, after) = (delta.old_file(), delta.new_file());
                let path = before
                    .path_bytes()
                    .and_then(|path| std::str::from_utf8(path).ok());
                let Some(path) = path
                    .filter(|_| delta.status() == Delta::Modified && before.mode() == after.mode())
                else {
                    return Err(Error::NotRevertible {
                        commit: commit.clone(),
                    });
                };
                let content = |oid| {
                    repository
                        .find_blob(oid)
                        .map(|blob| blob.content().to_vec())
                };
                Ok(FileEdit {
                    path: path.to_owned(),
                    before: content(before.id()).attempt("read a file")?,
                    after: content(after.id()).attempt("read a reverted file")?,
                })
            })
            .collect()
    }
}

/// `Revert "…"`, or `Reapply "…"` for the revert of a plain revert, as git has it since 2.43.
fn revert_subject(subject: &str) -> String {
    match subject.strip_prefix("Revert \"") {
        Some(original) if !original.starts_with("Revert \"") => format!("Reapply \"{original}"),
        _ => format!("Revert \"{subject}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revert_of_a_revert_reapplies() {
        assert_eq!(revert_subject("Set a"), r#"Revert "Set a""#);
        assert_eq!(revert_subject(r#"Revert "Set a""#), r#"Reapply "Set a""#);
        let twice = r#"Revert "Revert "Set a"""#;
        assert_eq!(revert_subject(twice), format!("Revert \"{twice}\""));
    }
}
