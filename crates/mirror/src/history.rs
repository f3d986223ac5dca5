//! Questions about commits in the mirror.

use git2::{DiffOptions, Repository, Sort, Tree};

use crate::commit::Commit;
use crate::error::{Attempt, Error};
use crate::repository::{Mirror, find};

impl Mirror {
    /// Whether `commit` is `head` or one of its ancestors. A commit the mirror does not have is not.
    pub fn is_ancestor(&self, commit: &Commit, head: &Commit) -> Result<bool, Error> {
        let repository = self.repository()?;
        let head = find(&repository, head)?.id();
        let commit = match find(&repository, commit) {
            Ok(commit) => commit.id(),
            Err(Error::UnknownCommit { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(commit == head
            || repository
                .graph_descendant_of(head, commit)
                .attempt("compare two commits")?)
    }

    /// The newest commit in `first_base..head` with the line `key: value` among its trailers.
    ///
    /// Trailers are the last paragraph of a message that has more than one. The line is compared as
    /// it stands, so that `x/1` is not found in `x/12`. If the mirror does not have `first_base`,
    /// because the branch was rewritten before it was fetched, all of `head`'s history is searched.
    pub fn find_trailer(
        &self,
        first_base: &Commit,
        head: &Commit,
        key: &str,
        value: &str,
    ) -> Result<Option<Commit>, Error> {
        let repository = self.repository()?;
        let base = match find(&repository, first_base) {
            Ok(base) => Some(base.id()),
            Err(Error::UnknownCommit { .. }) => None,
            Err(error) => return Err(error),
        };
        let head = find(&repository, head)?.id();
        let mut walk = repository.revwalk().attempt("walk the history")?;
        walk.set_sorting(Sort::TOPOLOGICAL)
            .attempt("walk the history")?;
        walk.push(head).attempt("walk the history")?;
        if let Some(base) = base {
            walk.hide(base).attempt("walk the history")?;
        }
        let line = format!("{key}: {value}");
        for oid in walk {
            let oid = oid.attempt("walk the history")?;
            let commit = repository.find_commit(oid).attempt("read a commit")?;
            let message = String::from_utf8_lossy(commit.message_bytes());
            if trailers(&message).any(|trailer| trailer == line) {
                return Ok(Some(Commit::of(oid)));
            }
        }
        Ok(None)
    }

    /// The message of a commit.
    pub fn message(&self, commit: &Commit) -> Result<String, Error> {
        let repository = self.repository()?;
        let commit = find(&repository, commit)?;
        Ok(String::from_utf8_lossy(commit.message_bytes()).into_owned())
    }

    /// The paths in which a commit differs from its first parent, sorted; a renamed file is two.
    pub fn changed_paths(&self, commit: &Commit) -> Result<Vec<String>, Error> {
        let repository = self.repository()?;
        let commit = find(&repository, commit)?;
        let tree = commit.tree().attempt("read the tree of a commit")?;
        let parent = match commit.parent_count() {
            0 => None,
            _ => Some(
                commit
                    .parent(0)
                    .and_then(|parent| parent.tree())
                    .attempt("read a parent")?,
            ),
        };
        changed_paths(&repository, parent.as_ref(), &tree)
    }

    /// Whether a commit changes these paths, all of them and no other.
    pub fn diff_is_exactly(&self, commit: &Commit, paths: &[String]) -> Result<bool, Error> {
        let mut expected = paths.to_vec();
        expected.sort();
        expected.dedup();
        Ok(self.changed_paths(commit)? == expected)
    }
}

fn trailers(message: &str) -> impl Iterator<Item = &str> {
    let message = message.trim();
    let paragraph = |line: &&str| !line.trim().is_empty();
    let several = message.lines().any(|line| line.trim().is_empty());
    message
        .lines()
        .rev()
        .take_while(paragraph)
        .filter(move |_| several)
        .map(str::trim_end)
}

pub(crate) fn changed_paths(
    repository: &Repository,
    old: Option<&Tree<'_>>,
    new: &Tree<'_>,
) -> Result<Vec<String>, Error> {
    let mut options = DiffOptions::new();
    options.include_typechange(true).skip_binary_check(true);
    let diff = repository
        .diff_tree_to_tree(old, Some(new), Some(&mut options))
        .attempt("compare two trees")?;
    let mut paths: Vec<_> = diff
        .deltas()
        .flat_map(|delta| [delta.old_file(), delta.new_file()])
        .filter_map(|file| file.path_bytes())
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_of_several_paragraphs_has_trailers() {
        let check = |message: &str, expected: &[&str]| {
            let mut found: Vec<_> = trailers(message).collect();
            found.reverse();
            assert_eq!(found, expected, "{message:?}");
        };
        check("", &[]);
        check("Upgrade-Id: a/1", &[]);
        check("Subject\n\nUpgrade-Id: a/1\n", &["Upgrade-Id: a/1"]);
        check("Subject\r\n\r\nA: 1\r\nB: 2\r\n\r\n", &["A: 1", "B: 2"]);
        check(
            "Subject\n\nA: 1\n\nA quotation of it.\n",
            &["A quotation of it."],
        );
    }
}
