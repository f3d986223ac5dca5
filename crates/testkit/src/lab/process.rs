//! Bowline's own processes: started, killed, and their logs kept.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use super::UP;

/// The four services.
pub const SERVICES: [&str; 4] = ["ingest", "analyzer", "executor", "verifier"];
/// So many lines of a log are shown when a test fails.
const TAIL: usize = 80;

/// A process of ours; it dies with this value.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    child: Child,
}

impl Process {
    pub(super) fn start(
        name: &str,
        config: &Path,
        log: &Path,
        environment: &[(&str, String)],
        settings: &[(&str, String)],
    ) -> anyhow::Result<Process> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(binary(name)?);
        if name == UP {
            // A group of its own, as a shell gives it to what runs at the terminal.
            command.arg("up").process_group(0);
        }
        command.arg("--config").arg(config);
        for (key, value) in settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        let child = command
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .env_remove("NATS_URL")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        Ok(Process {
            name: name.to_owned(),
            child,
        })
    }

    /// A program that is started as somebody else has put together.
    pub(super) fn run(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Process> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        Ok(Process {
            name: name.to_owned(),
            child,
        })
    }

    /// The process's id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    /// `kill -9`, and waits until it is gone.
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Sends a signal, by its name.
pub(super) fn signal(process: u32, name: &str) -> anyhow::Result<()> {
    let arguments = [format!("-{name}"), process.to_string()];
    let status = Command::new("kill").args(arguments).status()?;
    ensure!(status.success(), "{process} cannot be sent {name}");
    Ok(())
}

/// A program of the workspace, beside the program that runs now.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("this program's own path is unknown")?;
    // Tests run in `<target>/debug/deps`, the demo in `<target>/debug`.
    let candidates = here
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name));
    let configured = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = configured
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
        .join("debug")
        .join(name);
    for candidate in candidates.chain([target]) {
        if candidate.is_file() {
            return Ok(candidate);
        }
    }
    bail!("there is no built `{name}`: run `cargo build --workspace --bins` first")
}

/// The end of a log.
pub(super) fn tail(log: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = File::open(log) {
        let mut bytes = Vec::new();
        if file.read_to_end(&mut bytes).is_ok() {
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(TAIL);
    lines.get(skipped..).unwrap_or_default().join("\n")
}
