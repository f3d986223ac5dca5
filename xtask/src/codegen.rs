//! `cargo xtask codegen`: the Rust code of `proto/`, without a system protoc.
//!
//! The code is committed, so that a build needs no generator; `--check` keeps it honest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const PROTO: &str = "proto";
const PACKAGE: &str = "bowline/v1";
const GENERATED: &str = "crates/wire/src/generated";

/// Generates into the source tree.
pub(crate) fn write(root: &Path) -> Result<()> {
    let generated = root.join(GENERATED);
    for (name, text) in generate(root)? {
        let file = generated.join(name);
        if fs::read_to_string(&file).ok().as_deref() != Some(text.as_str()) {
            fs::create_dir_all(&generated)
                .with_context(|| format!("failed to create {}", generated.display()))?;
            fs::write(&file, text)
                .with_context(|| format!("failed to write {}", file.display()))?;
            println!("wrote {}", file.display());
        }
    }
    Ok(())
}

/// Fails when the committed code is not what the proto files yield.
pub(crate) fn check(root: &Path) -> Result<()> {
    let expected = generate(root)?;
    let committed = read_all(&root.join(GENERATED))?;
    let mut differing = Vec::new();
    for name in expected.keys().chain(committed.keys()) {
        if expected.get(name) != committed.get(name) && !differing.contains(name) {
            differing.push(name.clone());
        }
    }
    if !differing.is_empty() {
        bail!(
            "{} in {GENERATED} is not what {PROTO}/{PACKAGE} yields; run `cargo xtask codegen` and \
             commit the result",
            differing.join(", ")
        );
    }
    Ok(())
}

fn generate(root: &Path) -> Result<BTreeMap<String, String>> {
    let include = root.join(PROTO);
    let protos = proto_files(&include.join(PACKAGE))?;
    let descriptors =
        protox::compile(&protos, [&include]).context("failed to compile the proto files")?;
    let out = root
        .join("target")
        .join(format!("codegen-{}", std::process::id()));
    fs::create_dir_all(&out).with_context(|| format!("failed to create {}", out.display()))?;
    let generated = tonic_prost_build::configure()
        .out_dir(&out)
        .compile_fds(descriptors)
        .context("failed to generate code")
        .and_then(|()| read_all(&out));
    fs::remove_dir_all(&out).with_context(|| format!("failed to remove {}", out.display()))?;
    generated
}

fn proto_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder)
        .with_context(|| format!("failed to read the proto files in {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("no proto files in {}", folder.display());
    }
    files.sort();
    Ok(files)
}

fn read_all(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        files.insert(name, text);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = r#"syntax = "proto3";
package bowline.v1;
message Fact { string id = 1; }
"#;
    const STATUS: &str = r#"syntax = "proto3";
package bowline.v1;
import "bowline/v1/facts.proto";
service Status { rpc Last(Fact) returns (Fact); }
"#;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(PROTO).join(PACKAGE);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("facts.proto"), FACTS).unwrap();
        fs::write(folder.join("status.proto"), STATUS).unwrap();
        root
    }

    #[test]
    fn messages_and_services_of_all_files_land_in_one_module() {
        let root = tree();
        write(root.path()).unwrap();
        let file = root.path().join(GENERATED).join("bowline.v1.rs");
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains("pub struct Fact"));
        assert!(text.contains("pub mod status_client"));
        assert!(text.contains("pub mod status_server"));
    }

    #[test]
    fn fresh_code_passes_the_check() {
        let root = tree();
        write(root.path()).unwrap();
        check(root.path()).unwrap();
    }

    #[test]
    fn code_that_lags_behind_its_proto_fails_the_check_with_the_way_out() {
        let root = tree();
        write(root.path()).unwrap();
        let proto = root.path().join(PROTO).join(PACKAGE).join("facts.proto");
        fs::write(proto, FACTS.replace("id = 1;", "id = 1; int64 n = 2;")).unwrap();
        let error = check(root.path()).unwrap_err().to_string();
        assert!(error.contains("bowline.v1.rs"), "{error}");
        assert!(error.contains("run `cargo xtask codegen`"), "{error}");
    }

    #[test]
    fn a_leftover_file_fails_the_check() {
        let root = tree();
        write(root.path()).unwrap();
        fs::write(root.path().join(GENERATED).join("bowline.v0.rs"), "").unwrap();
        assert!(
            check(root.path())
                .unwrap_err()
                .to_string()
                .contains("bowline.v0.rs")
        );
    }
}
