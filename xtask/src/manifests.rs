//! `cargo xtask manifests`: what `deploy/k8s` renders to, and DIUN's sample, against the schemas of
//! the Kubernetes API.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{programs, shell};

const OVERLAYS: [&str; 3] = ["single", "ha", "external-secrets"];
const AS_THEY_ARE: [&str; 1] = ["deploy/samples/diun/diun.yaml"];
/// The oldest and the newest Kubernetes that the manifests are for.
const VERSIONS: [&str; 2] = ["1.33", "1.37"];
/// Kinds that are no part of Kubernetes, so that no schema of theirs is at hand.
const NOT_CHECKED: [&str; 1] = ["externalsecret"];

/// Renders every overlay and checks it, and what is applied as it is.
pub(crate) fn run(root: &Path) -> Result<()> {
    let kubectl = programs::kubectl(root)?;
    let rendered = root.join("target/manifests.yaml");
    for overlay in OVERLAYS {
        let mut render = Command::new(&kubectl);
        render.arg("kustomize");
        render.arg(root.join("deploy/k8s/overlays").join(overlay));
        std::fs::write(&rendered, shell::output(&mut render)?)?;
        check(root, overlay, &rendered)?;
    }
    for file in AS_THEY_ARE {
        check(root, file, &root.join(file))?;
    }
    Ok(())
}

/// Checks the objects of a file.
fn check(root: &Path, name: &str, file: &Path) -> Result<()> {
    for version in VERSIONS {
        let mut check = programs::kubernetes_validate(root)?;
        check.args(["--strict", "--kubernetes-version", version]);
        let output = check
            .arg(file)
            .output()
            .context("failed to start python3")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let verdict = judge(&text);
        if !output.status.success() || verdict.checked == 0 || !verdict.faults.is_empty() {
            let told = String::from_utf8_lossy(&output.stderr);
            let faults = verdict.faults.join("\n");
            bail!("{name} is not right for Kubernetes {version}:\n{faults}\n{told}");
        }
        println!(
            "{name}: {} objects are right for Kubernetes {version}{}",
            verdict.checked,
            match verdict.left_out {
                0 => String::new(),
                count => format!("; {count} are not checked: {}", NOT_CHECKED.join(", ")),
            }
        );
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    checked: usize,
    left_out: usize,
    faults: Vec<String>,
}

/// What the checker said, line by line.
fn judge(text: &str) -> Verdict {
    let mut verdict = Verdict::default();
    for line in text.lines() {
        let lower = line.to_lowercase();
        if line.starts_with("INFO ") {
            verdict.checked += 1;
        } else if line.starts_with("WARN ") && NOT_CHECKED.iter().any(|kind| lower.contains(kind)) {
            verdict.left_out += 1;
        } else {
            verdict.faults.push(line.to_owned());
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_without_a_schema_is_a_fault_unless_it_is_listed() {
        let said = "INFO x passed for resource job/set-up against version 1.33\n\
                    WARN x no schema for kind ExternalSecret\n\
                    WARN x no schema for kind Surprise\n\
                    ERROR x did not validate\n";
        let verdict = judge(said);
        assert_eq!((verdict.checked, verdict.left_out), (1, 1));
        assert_eq!(
            verdict.faults,
            [
                "WARN x no schema for kind Surprise",
                "ERROR x did not validate"
            ]
        );
    }
}
