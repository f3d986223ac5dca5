//! What the repository of a git host begins with.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::{BRANCH, Host, git, line};

impl Host {
    /// With the files of a folder.
    pub(super) fn seed(&self, seed: &Path) -> anyhow::Result<()> {
        let bare = self.bare();
        // The seed stays a plain directory: index and objects live in the bare repository.
        let git_dir = format!("--git-dir={}", bare.display());
        let work_tree = format!("--work-tree={}", seed.display());
        git(
            seed,
            [&git_dir, &work_tree, "add", "--all", "--force", "."],
            b"",
        )?;
        let tree = line(git(&bare, ["write-tree"], b"")?)?;
        let _ = fs::remove_file(bare.join("index"));
        self.begin(&tree, "Seed\n")
    }

    /// With the files of somebody's committed `HEAD`.
    pub(super) fn copy(&self, repository: &Path) -> anyhow::Result<()> {
        let bare = self.bare();
        let repository = repository
            .canonicalize()
            .with_context(|| format!("failed to find {}", repository.display()))?;
        let url = format!("file://{}", repository.display());
        let fetch = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--depth=1",
            "--update-shallow",
            &url,
            "HEAD",
        ];
        git(&bare, fetch, b"")
            .with_context(|| format!("failed to copy the HEAD of {}", repository.display()))?;
        let tree = line(git(&bare, ["rev-parse", "FETCH_HEAD^{tree}"], b"")?)?;
        let head = line(git(
            &bare,
            ["log", "-1", "--format=%h %s", "FETCH_HEAD"],
            b"",
        )?)?;
        self.begin(&tree, &format!("Copy of {head}\n"))?;
        // Its own commit is whole: who clones it must not be told of a cut history.
        let _ = fs::remove_file(bare.join("shallow"));
        Ok(())
    }

    /// Makes a tree the first commit of the branch.
    fn begin(&self, tree: &str, message: &str) -> anyhow::Result<()> {
        let bare = self.bare();
        let commit = ["commit-tree", tree, "-F", "-"];
        let commit = line(git(&bare, commit, message.as_bytes())?)?;
        let branch = format!("refs/heads/{BRANCH}");
        git(&bare, ["update-ref", &branch, &commit], b"").map(drop)
    }
}
