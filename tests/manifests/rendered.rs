//! The objects of an overlay, as `kubectl apply -k` would send them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// Everything that an overlay consists of.
pub(crate) struct Rendered(Vec<Value>);

impl Rendered {
    pub(crate) fn overlay(name: &str) -> anyhow::Result<Rendered> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/k8s/overlays");
        let output = Command::new(kubectl()?)
            .arg("kustomize")
            .arg(folder.join(name))
            .output()
            .context("failed to start kubectl")?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl kustomize: {told}");
        let text = String::from_utf8(output.stdout)?;
        let objects = serde_saphyr::from_multiple(&text).context("kubectl printed no YAML")?;
        Ok(Rendered(objects))
    }

    /// All objects.
    pub(crate) fn objects(&self) -> &[Value] {
        &self.0
    }

    /// The objects of a kind.
    pub(crate) fn all<'a, 'k>(
        &'a self,
        kind: &'k str,
    ) -> impl Iterator<Item = &'a Value> + use<'a, 'k> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    pub(crate) fn one(&self, kind: &str, name: &str) -> anyhow::Result<&Value> {
        let found = self
            .all(kind)
            .find(|object| object["metadata"]["name"] == name);
        found.with_context(|| format!("there is no {kind} {name}"))
    }

    /// The files of a `ConfigMap`.
    pub(crate) fn files(&self, name: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let data = self.one("ConfigMap", name)?["data"].clone();
        serde_json::from_value(data).context("a ConfigMap holds texts")
    }

    /// A file of any `ConfigMap`.
    pub(crate) fn text(&self, file: &str) -> Option<&str> {
        self.all("ConfigMap")
            .find_map(|map| map["data"][file].as_str())
    }

    /// Changes what Bowline's own `ConfigMap` holds, as an overlay of one's own would.
    pub(crate) fn change_files(&mut self, change: impl Fn(&str) -> String) {
        for object in &mut self.0 {
            if let Some(text) = object.pointer_mut("/data/bowline.toml") {
                *text = Value::String(change(text.as_str().unwrap_or_default()));
            }
        }
    }
}

/// From the path, else where `cargo xtask full` puts it.
fn kubectl() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    let folders = std::env::split_paths(&path).chain([tools]);
    for folder in folders {
        let program = folder.join("kubectl");
        if program.is_file() {
            return Ok(program);
        }
    }
    bail!("there is no kubectl: `cargo xtask full` fetches it")
}
