//! Who depends on whom, from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

/// The packages and their dependencies.
#[derive(Default)]
pub(super) struct Graph {
    /// Our own crates.
    pub(super) members: BTreeMap<String, Member>,
    /// Every package's dependencies that end up in what it builds, ours and foreign, by name.
    linked: BTreeMap<String, BTreeSet<String>>,
}

/// One of our crates.
#[derive(Default)]
pub(super) struct Member {
    /// Where it lies, such as `services`, `crates`, `tests`.
    pub(super) folder: String,
    /// What it names as a dependency or build dependency.
    pub(super) direct: BTreeSet<String>,
}

impl Graph {
    /// Reads what `cargo metadata --format-version 1` prints.
    pub(super) fn parse(metadata: &str) -> Result<Self> {
        let metadata: Value =
            serde_json::from_str(metadata).context("cargo metadata printed no JSON")?;
        let root = text(&metadata, "workspace_root")?;
        let member_ids: BTreeSet<_> = list(&metadata, "workspace_members")?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut graph = Self::default();
        let mut names = BTreeMap::new();
        for package in list(&metadata, "packages")? {
            let (id, name) = (text(package, "id")?, text(package, "name")?);
            names.insert(id, name);
            if member_ids.contains(id) {
                graph
                    .members
                    .insert(name.to_owned(), member(package, root)?);
            }
        }
        let resolve = metadata
            .get("resolve")
            .context("cargo metadata resolved nothing")?;
        for node in list(resolve, "nodes")? {
            let name = name_of(&names, text(node, "id")?)?;
            for dependency in list(node, "deps")?
                .iter()
                .filter(|dependency| is_linked(dependency))
            {
                let target = name_of(&names, text(dependency, "pkg")?)?;
                graph.linked.entry(name.clone()).or_default().insert(target);
            }
        }
        Ok(graph)
    }

    /// Everything a package pulls in, also through others.
    pub(super) fn pulled_in_by(&self, package: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![package];
        while let Some(name) = open.pop() {
            for dependency in self.linked.get(name).into_iter().flatten() {
                if seen.insert(dependency.as_str()) {
                    open.push(dependency);
                }
            }
        }
        seen
    }

    #[cfg(test)]
    pub(super) fn of(edges: &[(&str, &str, &[&str])]) -> Self {
        let mut graph = Self::default();
        for (folder, name, dependencies) in edges {
            let direct: BTreeSet<_> = dependencies.iter().map(|&name| name.to_owned()).collect();
            graph.linked.insert((*name).to_owned(), direct.clone());
            if !folder.is_empty() {
                let member = Member {
                    folder: (*folder).to_owned(),
                    direct,
                };
                graph.members.insert((*name).to_owned(), member);
            }
        }
        graph
    }
}

fn member(package: &Value, root: &str) -> Result<Member> {
    let manifest = text(package, "manifest_path")?;
    let inside = manifest
        .strip_prefix(root)
        .unwrap_or(manifest)
        .trim_start_matches(['/', '\\']);
    let folder = inside
        .split(['/', '\\'])
        .next()
        .unwrap_or_default()
        .to_owned();
    let direct = list(package, "dependencies")?
        .iter()
        .filter(|dependency| dependency.get("kind").and_then(Value::as_str) != Some("dev"))
        .filter_map(|dependency| dependency.get("name").and_then(Value::as_str))
        .map(str::to_owned)
        .collect();
    Ok(Member { folder, direct })
}

/// Whether a resolved dependency is more than a development dependency.
fn is_linked(dependency: &Value) -> bool {
    let kinds = dependency.get("dep_kinds").and_then(Value::as_array);
    kinds
        .into_iter()
        .flatten()
        .any(|kind| kind.get("kind").is_none_or(Value::is_null))
}

fn name_of(names: &BTreeMap<&str, &str>, id: &str) -> Result<String> {
    let name = names
        .get(id)
        .with_context(|| format!("cargo metadata has no package {id}"))?;
    Ok((*name).to_owned())
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value
        .get(key)
        .and_then(Value::as_str)
        .with_context(|| format!("cargo metadata has no `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value
        .get(key)
        .and_then(Value::as_array)
        .with_context(|| format!("cargo metadata has no list `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "workspace_root": "/w",
        "workspace_members": ["job#1", "bus#1"],
        "packages": [
            {"id": "job#1", "name": "job", "manifest_path": "/w/crates/job/Cargo.toml",
             "dependencies": [{"name": "serde", "kind": null}, {"name": "proptest", "kind": "dev"}]},
            {"id": "bus#1", "name": "bus", "manifest_path": "/w/crates/bus/Cargo.toml",
             "dependencies": [{"name": "job", "kind": null}]},
            {"id": "serde#1", "name": "serde", "manifest_path": "/r/serde/Cargo.toml",
             "dependencies": []},
            {"id": "proptest#1", "name": "proptest", "manifest_path": "/r/p/Cargo.toml",
             "dependencies": []}
        ],
        "resolve": {"nodes": [
            {"id": "job#1", "deps": [{"pkg": "serde#1", "dep_kinds": [{"kind": null}]},
                                     {"pkg": "proptest#1", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "bus#1", "deps": [{"pkg": "job#1", "dep_kinds": [{"kind": null}]}]},
            {"id": "serde#1", "deps": []}
        ]}
    }"#;

    #[test]
    fn development_dependencies_are_no_dependencies() {
        let graph = Graph::parse(METADATA).unwrap();
        assert_eq!(
            graph.members["job"].direct,
            BTreeSet::from(["serde".to_owned()])
        );
        assert_eq!(graph.pulled_in_by("bus"), BTreeSet::from(["job", "serde"]));
    }

    #[test]
    fn a_member_knows_its_top_folder() {
        assert_eq!(
            Graph::parse(METADATA).unwrap().members["bus"].folder,
            "crates"
        );
    }
}
