//! The images that the values of a Helm release name.

use std::collections::BTreeMap;
use std::rc::Rc;

use hcl_edit::structure::Body;

use crate::documents::documents;
use crate::eval::{DEPTH, Scope};
use crate::lifecycle::{Step, ignored_by};
use crate::node::Node;
use crate::objects::{Around, Objects, names_an_image, segments};
use crate::parts::whole;
use crate::reference::{Reference, Said, What, in_registry, is_repository, reads_like_an_image};
use crate::walk::iterations;

/// Finds them in `values` and in `set`.
pub(crate) fn images<'a>(
    scope: &Scope<'a>,
    body: &'a Body,
    address: &str,
    around: &Around<'a>,
    found: &mut Vec<Reference>,
) {
    let sets = sets(scope, body, address);
    let docs = values(scope, body, address);
    let root = Rc::clone(&scope.env).root.clone();
    // What is given later replaces what was given before.
    let mut objects = Objects {
        root: root.clone(),
        overridden: sets.keys().cloned().collect(),
        found,
    };
    let others = Rc::new(docs.iter().flatten().cloned().collect::<Vec<_>>());
    for alternatives in docs.iter().rev() {
        let mut around = around.clone();
        around.steps.push(step("values"));
        around.others = Rc::clone(&others);
        let mut given = Vec::new();
        for doc in alternatives {
            objects.value(doc, &around, true);
            given.extend(leaves(doc));
        }
        objects.overridden.extend(given);
    }
    for (name, value) in &sets {
        let parts = value.parts(DEPTH);
        let (before, last) = name.rsplit_once('.').unwrap_or(("", name));
        let said = if names_an_image(last) && reads_like_an_image(&parts) {
            Said::of_image(&parts)
        } else if last == "tag" || last.ends_with("Tag") {
            let beside = |key: &str| {
                let path = if before.is_empty() {
                    key.to_owned()
                } else {
                    format!("{before}.{key}")
                };
                let set = sets.get(&path).cloned();
                let given = set.or_else(|| {
                    let mut docs = docs.iter().rev().flatten();
                    docs.find_map(|doc| doc.select(&segments(&path), DEPTH).ok())
                });
                given.and_then(|node| whole(&node.parts(DEPTH)))
            };
            let repository = beside("repository").or_else(|| beside("name"));
            let repository = repository.filter(|repository| is_repository(repository));
            repository.map(|repository| {
                let repository = in_registry(beside("registry"), repository);
                Said::apart(repository, parts, Vec::new())
            })
        } else {
            continue;
        };
        let Some((path, line)) = value.position() else {
            continue;
        };
        let repository = said.as_ref().map_or("", |said| said.repository.as_str());
        found.push(Reference {
            what: What::Image,
            path: path.to_owned(),
            line,
            address: value.address().to_owned(),
            numbered: value.address().to_owned(),
            expression: value.shown(),
            owner: around.owner(repository),
            ignored_by: ignored_by(scope, body, &[step("set")]),
            root: root.clone(),
            said,
        });
    }
}

fn step(name: &str) -> Step {
    Step {
        name: name.to_owned(),
        position: None,
    }
}

/// The documents of `values`, the strongest last; of each all that it may be.
fn values<'a>(scope: &Scope<'a>, body: &'a Body, address: &str) -> Vec<Vec<Node<'a>>> {
    let Some(values) = body.get_attribute("values") else {
        return Vec::new();
    };
    let list = scope.node(&values.value, format!("{address}.values"));
    let entries = list.entries(DEPTH).unwrap_or_default();
    entries
        .iter()
        .map(|entry| documents(&entry.value, DEPTH))
        .collect()
}

/// `set` as blocks, or as the list that newer providers want: the value by its name.
fn sets<'a>(scope: &Scope<'a>, body: &'a Body, address: &str) -> BTreeMap<String, Node<'a>> {
    let mut found = BTreeMap::new();
    for block in body.get_blocks("set") {
        let name = scope.text_at(&block.body, &["name"]);
        if let (Some(name), Some(value)) = (name, block.body.get_attribute("value")) {
            let address = format!("{address}.set[{name}].value");
            found.insert(name, scope.node(&value.value, address));
        }
    }
    let dynamic = body.get_blocks("dynamic").filter(|block| {
        let label = block.labels.first().map(|label| label.as_str());
        label == Some("set")
    });
    for block in dynamic {
        let Some(content) = block.body.get_blocks("content").next() else {
            continue;
        };
        for scope in iterations(scope, block) {
            let name = scope.text_at(&content.body, &["name"]);
            if let (Some(name), Some(value)) = (name, content.body.get_attribute("value")) {
                let address = format!("{address}.dynamic.set[{name}].value");
                found.insert(name, scope.node(&value.value, address));
            }
        }
    }
    let list = body.get_attribute("set");
    let list = list.and_then(|list| {
        scope
            .node(&list.value, format!("{address}.set"))
            .entries(DEPTH)
    });
    for entry in list.unwrap_or_default() {
        let of = |key: &str| entry.value.select(&segments(key), DEPTH).ok();
        let raw = |key: &str| {
            let entries = entry.value.entries(DEPTH).unwrap_or_default();
            let mut same = entries
                .into_iter()
                .filter(|entry| entry.key.as_deref() == Some(key));
            same.next().map(|entry| entry.value)
        };
        if let (Some(name), Some(value)) = (
            of("name").and_then(|name| whole(&name.parts(DEPTH))),
            raw("value"),
        ) {
            found.insert(name, value);
        }
    }
    found
}

/// The paths of all values of a document that are no collections.
fn leaves(doc: &Node<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), doc.clone(), 0_usize)];
    while let Some((path, node, deep)) = open.pop() {
        match node.entries(DEPTH) {
            Some(entries) if deep < 20 => {
                for entry in entries {
                    let key = entry.key.unwrap_or_default();
                    let path = if path.is_empty() {
                        key
                    } else {
                        format!("{path}.{key}")
                    };
                    open.push((path, entry.value, deep + 1));
                }
            }
            _ => found.push(path),
        }
    }
    found
}
