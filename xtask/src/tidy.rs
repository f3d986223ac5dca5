//! `cargo xtask tidy`: rules of the project that no compiler checks.

mod graph;
mod pages;
mod walls;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;
use graph::Graph;

/// A longer file probably holds more than one idea.
const LONG_FILE_LINES: usize = 600;

/// Folders that hold our Rust code.
const CODE: [&str; 5] = ["services", "cli", "crates", "tests", "xtask"];

/// Fails when a rule is broken; long files are only mentioned.
pub(crate) fn run(root: &Path) -> Result<()> {
    let arguments = ["metadata", "--format-version", "1"];
    let metadata = shell::output(shell::cargo(root).args(arguments))?;
    let graph = Graph::parse(&metadata)?;
    let mut faults = walls::faults(&graph);
    faults.extend(pages::faults(root)?);
    for (file, lines) in long_files(root)? {
        println!(
            "note: {} has {lines} lines: which idea wants out?",
            file.display()
        );
    }
    if !faults.is_empty() {
        bail!("not tidy:\n  {}", faults.join("\n  "));
    }
    Ok(())
}

fn long_files(root: &Path) -> Result<Vec<(PathBuf, usize)>> {
    let mut long = Vec::new();
    for folder in CODE {
        for file in files_below(&root.join(folder), "rs")? {
            if file
                .components()
                .any(|part| part.as_os_str() == "generated")
            {
                continue;
            }
            let text = fs::read_to_string(&file)
                .with_context(|| format!("failed to read {}", file.display()))?;
            let lines = text.lines().count();
            if lines > LONG_FILE_LINES {
                long.push((
                    file.strip_prefix(root).unwrap_or(&file).to_path_buf(),
                    lines,
                ));
            }
        }
    }
    Ok(long)
}

/// All files with this extension below a folder, in order; none when there is no such folder.
fn files_below(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path, extension)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_files_that_people_wrote_are_mentioned() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("crates/x/src");
        fs::create_dir_all(source.join("generated")).unwrap();
        fs::write(source.join("long.rs"), "\n".repeat(LONG_FILE_LINES + 1)).unwrap();
        fs::write(source.join("fine.rs"), "\n".repeat(LONG_FILE_LINES)).unwrap();
        fs::write(source.join("generated/x.rs"), "\n".repeat(5000)).unwrap();
        let long = long_files(root.path()).unwrap();
        assert_eq!(
            long,
            [(PathBuf::from("crates/x/src/long.rs"), LONG_FILE_LINES + 1)]
        );
    }
}
