//! What a tree runs: every image that a container of a known workload names.

use crate::answer::{Options, Owner};
use crate::find::service_of;
use crate::index::Index;
use crate::reference::What;
use crate::tree::Tree;

/// One image reference of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The path part after the stacks folder; none outside of it.
    pub service: Option<String>,
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The repository as it is written.
    pub repository: String,
    /// The tag, as far as it can be followed.
    pub tag: Option<String>,
    /// The resource that owns the reference.
    pub owner: Owner,
    /// The entry of `lifecycle.ignore_changes` that lets Terraform leave it as it is.
    pub ignored_by: Option<String>,
}

/// Every image that a resource of `tree` runs, in the order of path and line. What somebody else's
/// module makes of an argument is not known, and not among them.
#[must_use]
pub fn running(tree: &dyn Tree, options: &Options) -> Vec<Running> {
    let mut found = Vec::new();
    for reference in Index::of(tree).references {
        if reference.what != What::Image || reference.owner.kind == "module" {
            continue;
        }
        let Some(said) = reference.said else {
            continue;
        };
        found.push(Running {
            service: service_of(&reference.root, options),
            path: reference.path,
            line: reference.line,
            tag: said.tag_text(),
            owner: reference.owner,
            ignored_by: reference.ignored_by.map(|ignored| ignored.entry),
            repository: said.repository,
        });
    }
    found.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::DirTree;

    #[test]
    fn the_sample_tree_runs_what_its_files_say() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/data/homelab");
        let tree = DirTree::open(folder).expect("the sample tree");
        let all = running(&tree, &Options::default());
        let of = |service: &str| {
            let of_it = all
                .iter()
                .filter(|found| found.service.as_deref() == Some(service));
            of_it
                .map(|found| {
                    format!(
                        "{} {}/{} {}: {}:{}{}",
                        found.owner.kind,
                        found.owner.namespace.as_deref().unwrap_or("?"),
                        found.owner.name.as_deref().unwrap_or("?"),
                        found.owner.container.as_deref().unwrap_or("?"),
                        found.repository,
                        found.tag.as_deref().unwrap_or("?"),
                        if found.ignored_by.is_some() {
                            " ignored"
                        } else {
                            ""
                        },
                    )
                })
                .collect::<Vec<_>>()
        };
        let server = "Deployment immich/immich-server immich-server: \
                      ghcr.io/immich-app/immich-server:v2.7.4";
        assert!(
            of("immich").iter().any(|line| line == server),
            "{:?}",
            of("immich")
        );
        assert!(
            of("rybbit").iter().any(|line| line.ends_with(" ignored")),
            "{:?}",
            of("rybbit")
        );
        assert!(of("matrix").len() >= 2, "{:?}", of("matrix"));
        assert!(all.is_sorted_by_key(|found| (&found.path, found.line)));
    }
}
