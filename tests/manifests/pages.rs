//! What `docs/errors` explains is what the programs say.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

fn sources(folder: &Path, into: &mut String) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)?;
            // A long text is written over several lines.
            let mut pieces = text.split("\\\n");
            into.push_str(pieces.next().unwrap_or_default());
            for piece in pieces {
                into.push_str(piece.trim_start());
            }
        }
    }
    Ok(())
}

#[test]
fn every_message_on_the_page_of_errors_is_in_the_code() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for folder in ["crates", "services", "cli"] {
        sources(&root.join(folder), &mut code)?;
    }
    let page = std::fs::read_to_string(root.join("docs/errors/README.md"))?;
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let message = row.trim_start_matches("| `").split("` |").next();
        for part in message.context("a message")?.split('…') {
            ensure!(
                code.contains(part.trim_end()),
                "nobody says `{part}`: {row}"
            );
        }
        rows += 1;
    }
    ensure!(rows > 50, "only {rows} messages");
    Ok(())
}
