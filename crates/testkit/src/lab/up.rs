//! A lab whose services and NATS server are one `bowline up`.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::time::{Instant, sleep};

use super::{Lab, POLL, process};
use crate::server::lock;

/// The name of the one process.
pub const UP: &str = "bowline";

impl Lab {
    /// The processes of NATS servers on this lab's store, as the system knows them: those whose
    /// input is the store's lock.
    #[must_use]
    pub fn nats_processes(&self) -> Vec<u32> {
        let identity = |path: PathBuf| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.dev(), meta.ino()))
        };
        let Some(store) = identity(self.data(UP).join("nats/lock")) else {
            return Vec::new();
        };
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| identity(format!("/proc/{id}/fd/0").into()) == Some(store))
            .collect()
    }

    /// The one NATS server on this lab's store.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn nats_process(&self) -> anyhow::Result<u32> {
        match self.nats_processes()[..] {
            [id] => Ok(id),
            ref ids => bail!("one NATS server was expected, not {ids:?}"),
        }
    }

    /// The address of the log's server, and the token that it asks for, if it does.
    ///
    /// # Errors
    /// The server of `bowline up` has no readable configuration.
    pub fn nats_address(&self) -> anyhow::Result<(String, Option<String>)> {
        if !self.up {
            return Ok((self.nats.url(), None));
        }
        let path = self.data(UP).join("nats/nats-server.conf");
        let text = std::fs::read_to_string(path)?;
        let after = |key: &str| {
            let (_, rest) = text.split_once(key)?;
            rest.split('"').nth(1).map(str::to_owned)
        };
        let listen = after("listen:").context("no address in nats-server.conf")?;
        Ok((format!("nats://{listen}"), after("token:")))
    }

    /// Signals a process, or with `-` before its id a group of processes.
    ///
    /// # Errors
    /// There is none.
    pub fn signal(&self, name: &str, target: &str) -> anyhow::Result<()> {
        let status = Command::new("kill")
            .args([&format!("-{name}"), "--", target])
            .status()?;
        ensure!(status.success(), "failed to signal {target}");
        Ok(())
    }

    /// Interrupts `bowline up` as Ctrl-C at its terminal does, and waits until it is gone.
    ///
    /// # Errors
    /// It does not run, or does not end within the limit.
    pub async fn interrupt(&self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let mut running = {
            let mut processes = lock(&self.processes);
            let at = processes.iter().position(|process| process.name == UP);
            processes.remove(at.context("no bowline runs")?)
        };
        self.signal("INT", &format!("-{}", running.id()))?;
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = running.ended() {
                return Ok(status);
            }
            ensure!(
                Instant::now() < deadline,
                "bowline did not stop within {limit:?}"
            );
            sleep(POLL).await;
        }
    }

    /// Starts another `bowline up` on the same folder, with these settings over the lab's, and
    /// waits for its end.
    ///
    /// # Errors
    /// It cannot be started, or does not end.
    pub async fn another_up(&self, settings: &[(&str, &str)]) -> anyhow::Result<Output> {
        let config = self.dir.path().join("bowline.toml");
        let data = self.data(UP).display().to_string();
        let mut command = Command::new(process::binary(UP)?);
        command.arg("up").arg("--config").arg(config);
        for (key, value) in [("data_dir", data.as_str())].iter().chain(settings) {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command
            .envs(self.environment()?)
            .env_remove("NATS_URL")
            .stdin(std::process::Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output());
        let ended = tokio::time::timeout(super::START_LIMIT, ended).await;
        Ok(ended.context("another `bowline up` does not end")???)
    }

    /// Kills what a killed `bowline up` has left behind.
    pub(super) fn end_left_behind(&self) {
        for id in self.nats_processes() {
            // It may be gone by now.
            let _gone = self.signal("KILL", &id.to_string());
        }
    }
}
