//! The data folder, which only one `bowline up` may use at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// What is locked. It stays when nobody holds it: removing it would let two lock two files.
const LOCK: &str = "up.lock";

/// The data folder, locked; the system gives it free when this process ends, however it ends.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, and locks it.
    pub(super) fn lock(path: &Path) -> anyhow::Result<Folder> {
        make(path)?;
        let path = path
            .canonicalize()
            .with_context(|| format!("failed to find {}", path.display()))?;
        let file = path.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .with_context(|| format!("failed to open {}", file.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "{} is in use by another `bowline up`{}: stop it, or set another `data_dir`",
                path.display(),
                holder(&mut lock)
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock {}", file.display()));
            }
        }
        note(&mut lock).with_context(|| format!("failed to write {}", file.display()))?;
        Ok(Folder { path, _lock: lock })
    }

    /// The whole path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a folder that only its owner can look into, unless it is there.
pub(super) fn make(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("failed to make the folder {}", path.display()))?;
    let meta = fs::metadata(path).with_context(|| format!("failed to read {}", path.display()))?;
    anyhow::ensure!(meta.is_dir(), "{} is no folder", path.display());
    Ok(())
}

/// Leaves our process id for whoever is refused.
fn note(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock.take(32).read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!(", process {pid}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_refused_and_told_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let first = Folder::lock(&data).unwrap();
        let refused = Folder::lock(&data).unwrap_err().to_string();
        let process = format!(
            "in use by another `bowline up`, process {}:",
            std::process::id()
        );
        assert!(refused.contains(&process), "{refused}");
        drop(first);
        Folder::lock(&data).unwrap();
    }

    #[test]
    fn a_shorter_process_id_leaves_nothing_of_a_longer_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOCK), "99999999999\n").unwrap();
        let _first = Folder::lock(folder.path()).unwrap();
        let refused = Folder::lock(folder.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("{}:", std::process::id())),
            "{refused}"
        );
    }

    #[test]
    fn what_is_no_folder_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = format!("{:#}", Folder::lock(file.path()).unwrap_err());
        assert!(
            error.contains(&file.path().display().to_string()),
            "{error}"
        );
    }
}
