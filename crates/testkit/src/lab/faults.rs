//! Faults in our own processes: armed, seen to have fired, and what they killed started again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Lab, POLL};
use crate::server::lock;

pub(super) const FOLDER: &str = "faults";

/// What `abort` ends a process with.
const SIGABRT: i32 = 6;

impl Lab {
    /// Where the processes look for faults.
    pub(super) fn faults(&self) -> PathBuf {
        self.folder().join(FOLDER)
    }

    /// Arms a fault: a command's name and a point of `bus`'s fault points, with a dot between them.
    ///
    /// # Errors
    /// The folder is gone.
    pub fn arm(&self, fault: &str) -> anyhow::Result<()> {
        let fired = self.faults().join(format!("{fault}.fired"));
        if fired.exists() {
            std::fs::remove_file(fired)?;
        }
        std::fs::write(self.faults().join(fault), "").context("failed to arm a fault")
    }

    /// Takes a fault back that stays armed.
    ///
    /// # Errors
    /// It was not armed.
    pub fn disarm(&self, fault: &str) -> anyhow::Result<()> {
        std::fs::remove_file(self.faults().join(fault)).context("failed to take a fault back")
    }

    /// Whether an armed fault has happened.
    #[must_use]
    pub fn fired(&self, fault: &str) -> bool {
        self.faults().join(format!("{fault}.fired")).exists()
    }

    /// Waits until a fault has killed its process.
    ///
    /// # Errors
    /// It does not within the limit.
    pub async fn killed_by(&self, fault: &str, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !(self.fired(fault) && self.some_ended()) {
            ensure!(Instant::now() < deadline, "{fault} never happened");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// The processes that a fault has stopped for a while.
    #[must_use]
    pub fn paused(&self) -> Vec<(String, u32)> {
        let mut processes = self.process_ids();
        processes.retain(|(_, id)| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // The name before it is in brackets and may hold anything.
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
        });
        processes
    }

    /// Lets every paused process go on.
    ///
    /// # Errors
    /// One is gone.
    pub fn wake(&self) -> anyhow::Result<()> {
        let paused = self.paused();
        paused
            .iter()
            .try_for_each(|(_, id)| super::process::signal(*id, "CONT"))
    }

    fn some_ended(&self) -> bool {
        lock(&self.processes)
            .iter_mut()
            .any(|process| process.ended().is_some())
    }

    /// Starts again what faults have killed, and returns how many that were.
    ///
    /// # Errors
    /// A process ended by itself, or cannot be started.
    pub fn revive(&self) -> anyhow::Result<usize> {
        use std::os::unix::process::ExitStatusExt as _;
        let mut dead = Vec::new();
        let mut processes = lock(&self.processes);
        for at in (0..processes.len()).rev() {
            let Some(status) = processes.get_mut(at).and_then(super::Process::ended) else {
                continue;
            };
            let name = processes.remove(at).name.clone();
            ensure!(
                status.signal() == Some(SIGABRT),
                "{name} ended by itself, with {status}"
            );
            dead.push(name);
        }
        drop(processes);
        for name in &dead {
            self.spawn(name)?;
        }
        Ok(dead.len())
    }
}
