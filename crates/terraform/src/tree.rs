//! Where files come from: a folder, a map in memory, or (in another crate) a git tree.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Read access to a tree of files.
pub trait Tree {
    /// The paths of all regular files, relative and with `/`; symlinks are not listed.
    fn paths(&self) -> Vec<String>;
    /// The bytes of one file, `None` where there is none or it cannot be read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
}

/// A tree in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemTree(pub BTreeMap<String, Vec<u8>>);

impl Tree for MemTree {
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }
}

/// A folder on disk, listed once when it is opened. Neither follows nor lists symlinks, and skips
/// `.git`, `.terraform` and `.terragrunt-cache`.
#[derive(Debug, Clone)]
pub struct DirTree {
    root: PathBuf,
    paths: Vec<String>,
}

impl DirTree {
    /// Lists the folder.
    ///
    /// # Errors
    /// When the folder, or one below it, cannot be listed.
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref().to_path_buf();
        let mut paths = Vec::new();
        let mut open = vec![(root.clone(), String::new())];
        while let Some((folder, prefix)) = open.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                // A name that is no UTF-8 cannot be a path of a plan.
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let kind = entry.file_type()?;
                let path = format!("{prefix}{name}");
                if kind.is_dir()
                    && !matches!(name.as_str(), ".git" | ".terraform" | ".terragrunt-cache")
                {
                    open.push((entry.path(), format!("{path}/")));
                } else if kind.is_file() {
                    paths.push(path);
                }
            }
        }
        paths.sort();
        Ok(Self { root, paths })
    }
}

impl Tree for DirTree {
    fn paths(&self) -> Vec<String> {
        self.paths.clone()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        // Only what was listed: a path from elsewhere can neither climb out nor follow a link.
        self.paths
            .binary_search_by(|listed| listed.as_str().cmp(path))
            .ok()?;
        std::fs::read(self.root.join(path)).ok()
    }
}

/// The folder of a path, `""` at the top.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The name of a file without its folder.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A folder and all above it, the nearest first, the top (`""`) last.
pub(crate) fn ancestors(folder: &str) -> Vec<&str> {
    let mut all = vec![folder];
    let mut rest = folder;
    while !rest.is_empty() {
        rest = folder_of(rest);
        all.push(rest);
    }
    all
}

/// `base` and a relative path (`./x`, `../../x`) joined; `None` where it climbs out of the tree.
pub(crate) fn join(base: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lists_files_but_neither_links_nor_git() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("stacks/x/.terragrunt-cache")).unwrap();
        std::fs::create_dir_all(dir.path().join(".git")).unwrap();
        for path in [
            "stacks/x/main.tf",
            "stacks/x/.terragrunt-cache/copy.tf",
            ".git/config",
        ] {
            std::fs::write(dir.path().join(path), path).unwrap();
        }
        std::os::unix::fs::symlink("main.tf", dir.path().join("stacks/x/link.tf")).unwrap();
        let tree = DirTree::open(dir.path()).unwrap();
        assert_eq!(tree.paths(), ["stacks/x/main.tf"]);
        assert_eq!(tree.read("stacks/x/main.tf").unwrap(), b"stacks/x/main.tf");
        assert_eq!(tree.read("stacks/x/link.tf"), None);
        assert_eq!(tree.read("stacks/x/../x/main.tf"), None);
    }

    #[test]
    fn module_sources_join_within_the_tree() {
        assert_eq!(
            join("stacks/x", "../../modules/ingress").unwrap(),
            "modules/ingress"
        );
        assert_eq!(join("stacks/x", "./app").unwrap(), "stacks/x/app");
        assert_eq!(join("stacks", "../../elsewhere"), None);
        assert_eq!(ancestors("a/b"), ["a/b", "a", ""]);
    }
}
