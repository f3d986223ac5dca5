//! What must hold for a tree with any file in it.

use std::collections::BTreeMap;

use terraform::{Index, MemTree, Options, Refound, SiteKey, Verdict, Wanted};

/// Reads the tree, and moves what can be moved there and back.
///
/// # Panics
/// When a promise is broken.
pub fn check(files: &[(&str, &[u8])]) {
    let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()));
    let tree = MemTree(files.collect::<BTreeMap<_, _>>());
    let options = Options::default();
    let index = Index::of(&tree);
    for seen in index.scan(&options).into_iter().take(20) {
        let (Some(name), Verdict::Effective) = (seen.repository, seen.verdict) else {
            continue;
        };
        let target = "999.999.999".to_owned();
        let wanted = match seen.chart {
            true => Wanted::Chart {
                name,
                version: target,
            },
            false => Wanted::Image {
                repository: name,
                tag: target,
                digest: None,
            },
        };
        let answer = index.find(&options, &wanted);
        let Ok(edits) = index.edit(&tree, &answer.sites) else {
            continue;
        };
        let mut after = tree.clone();
        for edit in edits {
            after.0.insert(edit.path, edit.after);
        }
        let keys: Vec<SiteKey> = answer.sites.iter().map(SiteKey::from).collect();
        let back: Vec<SiteKey> = keys.into_iter().map(SiteKey::reversed).collect();
        let moved = Index::of(&after);
        if let Refound::Ready(sites) = moved.refind(&options, &back)
            && let Ok(edits) = moved.edit(&after, &sites)
        {
            for edit in edits {
                after.0.insert(edit.path, edit.after);
            }
            assert_eq!(after, tree, "the way back leads elsewhere");
        }
    }
}
