//! The links of the pages people read: relative ones must lead somewhere.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::files_below;

/// Every relative link of the root's pages and of `docs/` that leads nowhere, as a sentence.
pub(super) fn faults(root: &Path) -> Result<Vec<String>> {
    let mut pages = files_below(&root.join("docs"), "md")?;
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    let mut faults = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page)
            .with_context(|| format!("failed to read {}", page.display()))?;
        let folder = page.parent().unwrap_or(root);
        for link in relative_links(&text) {
            if !folder.join(&link).exists() {
                let page = page.strip_prefix(root).unwrap_or(&page);
                faults.push(format!(
                    "{} links to {link}, which does not exist",
                    page.display()
                ));
            }
        }
    }
    Ok(faults)
}

/// The paths behind `](…)` outside code, without anchors.
fn relative_links(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for after in prose.split("](").skip(1) {
            let target = after.split([')', ' ']).next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            let is_elsewhere = path.contains(':') || path.starts_with('/');
            if !path.is_empty() && !is_elsewhere {
                links.push(path.to_owned());
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_paths_outside_code_are_links() {
        let page = "[a](docs/a.md#part), [b](https://example.org) and [c](#here), `[d](no.md)`\n\
                    ```\n[e](no.md)\n```\n![picture](docs/p.svg \"title\")";
        assert_eq!(relative_links(page), ["docs/a.md", "docs/p.svg"]);
    }

    #[test]
    fn a_link_to_nothing_is_a_fault_that_names_the_page() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("docs")).unwrap();
        fs::write(root.path().join("README.md"), "[there](docs/there.md)").unwrap();
        fs::write(
            root.path().join("docs/there.md"),
            "[gone](gone.md) [up](../README.md)",
        )
        .unwrap();
        let faults = faults(root.path()).unwrap();
        assert_eq!(
            faults,
            ["docs/there.md links to gone.md, which does not exist"]
        );
    }
}
