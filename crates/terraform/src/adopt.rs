//! Taking an image over from another updater: without the entry of `ignore_changes` that lets
//! Terraform leave it alone.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::answer::{Options, Wanted};
use crate::edit::Edit;
use crate::find::service_of;
use crate::index::{Index, chart_name};
use crate::tree::Tree;

/// The edit that lets Terraform decide about an image again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adoption {
    /// The files; empty if nothing ignores the image.
    pub edits: Vec<Edit>,
    /// The entries that are taken away.
    pub entries: Vec<Entry>,
}

/// An entry of `ignore_changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The service.
    pub service: Option<String>,
    /// The file.
    pub path: String,
    /// As written.
    pub entry: String,
    /// Whether it covers more than the image: then Terraform will put back whatever else differs.
    pub broad: bool,
}

impl Index {
    /// Finds the entries that cover an image or chart, and takes them away.
    #[must_use]
    pub fn adopt(&self, tree: &dyn Tree, options: &Options, wanted: &Wanted) -> Adoption {
        let name = match wanted {
            Wanted::Image { repository, .. } => version::normalise(repository),
            Wanted::Chart { name, .. } => chart_name(name),
        };
        let mut adoption = Adoption::default();
        let mut cuts: BTreeMap<&str, Vec<Range<usize>>> = BTreeMap::new();
        for reference in self.named(&name) {
            let Some(ignored) = &reference.ignored_by else {
                continue;
            };
            if ignored.bytes.is_empty() {
                continue;
            }
            let cuts = cuts.entry(&ignored.path).or_default();
            let touches =
                |cut: &Range<usize>| cut.start < ignored.bytes.end && ignored.bytes.start < cut.end;
            if cuts.iter().any(touches) {
                continue;
            }
            cuts.push(ignored.bytes.clone());
            adoption.entries.push(Entry {
                service: service_of(&reference.root, options),
                path: ignored.path.clone(),
                entry: ignored.entry.clone(),
                broad: !ignored.exact,
            });
        }
        for (path, mut cuts) in cuts {
            let Some(before) = tree.read(path) else {
                continue;
            };
            cuts.sort_by_key(|cut| cut.start);
            let mut after = Vec::with_capacity(before.len());
            let mut at = 0;
            for cut in cuts {
                after.extend_from_slice(before.get(at..cut.start).unwrap_or_default());
                at = cut.end;
            }
            after.extend_from_slice(before.get(at..).unwrap_or_default());
            adoption.edits.push(Edit {
                path: path.to_owned(),
                before,
                after,
            });
        }
        adoption
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemTree, find};

    fn adopted(entries: &str) -> (String, bool) {
        let text = format!(
            "resource \"kubernetes_deployment\" \"x\" {{\n  spec {{\n    template {{\n      spec {{\n        \
             container {{\n          image = \"acme/app:1.2.0\"\n        }}\n      }}\n    }}\n  }}\n{entries}}}\n"
        );
        let tree = MemTree([("stacks/x/main.tf".to_owned(), text.into_bytes())].into());
        let wanted = Wanted::Image {
            repository: "acme/app".to_owned(),
            tag: "1.3.0".to_owned(),
            digest: None,
        };
        let options = Options::default();
        let adoption = Index::of(&tree).adopt(&tree, &options, &wanted);
        let [edit] = adoption.edits.as_slice() else {
            panic!("{adoption:?}")
        };
        let after = MemTree([(edit.path.clone(), edit.after.clone())].into());
        assert_eq!(find(&after, &options, &wanted).sites.len(), 1);
        let text = String::from_utf8(edit.after.clone()).unwrap();
        let (_, rest) = text.split_once("      }\n    }\n  }\n").unwrap();
        (
            rest.strip_suffix("}\n").unwrap().to_owned(),
            adoption.entries[0].broad,
        )
    }

    #[test]
    fn the_entry_goes_and_nothing_else() {
        let image = "spec[0].template[0].spec[0].container[0].image";
        let block = |inner: &str| format!("  lifecycle {{\n    {inner}\n  }}\n");
        let table = [
            (
                block(&format!("ignore_changes = [{image}] # KEEL")),
                String::new(),
                false,
            ),
            (block("ignore_changes = all"), String::new(), true),
            (
                block(&format!("ignore_changes = [{image}, metadata]")),
                block("ignore_changes = [metadata]"),
                false,
            ),
            (
                block(&format!(
                    "prevent_destroy = true\n    ignore_changes = [\n      metadata,\n      {image},\n    ]"
                )),
                block("prevent_destroy = true\n    ignore_changes = [\n      metadata,\n    ]"),
                false,
            ),
            (
                block("prevent_destroy = true\n    ignore_changes = [spec]"),
                block("prevent_destroy = true"),
                true,
            ),
        ];
        for (before, after, broad) in table {
            assert_eq!(adopted(&before), (after, broad), "{before}");
        }
    }
}
