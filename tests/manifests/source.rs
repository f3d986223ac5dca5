//! The YAML files as they are written, for what can be judged without kubectl.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

/// A path below `deploy`.
pub(crate) fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(path)
}

/// The objects of a file below `deploy`.
pub(crate) fn objects(path: &str) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(deploy(path)).with_context(|| path.to_owned())?;
    serde_saphyr::from_multiple(&text).with_context(|| format!("{path} is no YAML"))
}

/// The objects of every file of a folder below `deploy`; what kustomize reads itself is left out.
pub(crate) fn folder(path: &str) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(deploy(path))? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".yaml") && name != "kustomization.yaml" {
            found.extend(objects(&format!("{path}/{name}"))?);
        }
    }
    Ok(found)
}

/// The items of a list; none if it is no list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text.
pub(crate) fn text(value: &Value) -> anyhow::Result<String> {
    value
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("{value} is no text"))
}
