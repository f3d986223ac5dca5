//! Fault points: a process that dies, or does a thing twice, at a chosen command. For tests.
//!
//! The variable `BOWLINE_FAULTS` names a folder. A file `<Command>.<point>` in it arms a fault, and
//! the file is renamed to `<Command>.<point>.fired` when it happens, so that it happens once, in one
//! process.
//!
//! - `before`, `carried`, `answer`, `appended`: the process dies before the command, after it, when
//!   there is an answer that is not in the log, when it is in the log and not acknowledged.
//! - `paused`, `late`: the process stops before the command, or with its answer, and goes on when it
//!   is told to (SIGCONT), as one does whose machine was suspended.
//! - `twice`: the command is done twice, each time until the file is gone.
//!
//! They are in the loop, because every command of every service passes here and none can be
//! forgotten; they are files, because a test then leads one upgrade through many of them. Dying is
//! `abort`: nothing is cleaned up, handed back or flushed, which is all that `kill -9` means to
//! others. A release build has none of this.

use job::Command;

use crate::{History, Outcome, Work, WorkError};

/// Carries a command out, with the faults that are armed.
#[cfg(debug_assertions)]
pub(crate) async fn carry_out(
    work: &dyn Work,
    history: &History,
    command: Command,
) -> Result<Outcome, WorkError> {
    use armed::{die_at, is_doubled, pause_at};
    die_at(command, "before");
    pause_at(command, "paused");
    let mut outcome = work.carry_out(history, command).await?;
    if is_doubled(command) {
        outcome = work.carry_out(history, command).await?;
    }
    die_at(command, "carried");
    if !matches!(outcome, Outcome::Wait(_) | Outcome::Delayed { .. }) {
        die_at(command, "answer");
        pause_at(command, "late");
    }
    Ok(outcome)
}

/// Carries a command out.
#[cfg(not(debug_assertions))]
pub(crate) async fn carry_out(
    work: &dyn Work,
    history: &History,
    command: Command,
) -> Result<Outcome, WorkError> {
    work.carry_out(history, command).await
}

/// The answer to a command is in the log, and its delivery is not acknowledged yet.
pub(crate) fn appended(command: Command) {
    #[cfg(debug_assertions)]
    armed::die_at(command, "appended");
    #[cfg(not(debug_assertions))]
    let _ = command;
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::LazyLock;

    use job::Command;

    static FOLDER: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("BOWLINE_FAULTS").map(PathBuf::from));

    /// Ends the process if a fault is armed here.
    pub(super) fn die_at(command: Command, point: &str) {
        if let Some(folder) = &*FOLDER
            && fires(folder, command, point)
        {
            tracing::warn!(?command, point, "a fault ends this process");
            std::process::abort();
        }
    }

    /// Stops the process if a fault is armed here.
    pub(super) fn pause_at(command: Command, point: &str) {
        if let Some(folder) = &*FOLDER
            && fires(folder, command, point)
        {
            tracing::warn!(?command, point, "a fault stops this process for a while");
            let id = std::process::id().to_string();
            let stopped = std::process::Command::new("kill")
                .args(["-STOP", &id])
                .status();
            tracing::warn!(?stopped, "it goes on");
        }
    }

    /// Whether a command is carried out twice.
    pub(super) fn is_doubled(command: Command) -> bool {
        let Some(folder) = &*FOLDER else {
            return false;
        };
        let armed = folder.join(format!("{command:?}.twice"));
        armed.exists() && fs::write(armed.with_extension("twice.fired"), "").is_ok()
    }

    /// Takes the fault out; of several processes one does.
    fn fires(folder: &Path, command: Command, point: &str) -> bool {
        let armed = folder.join(format!("{command:?}.{point}"));
        fs::rename(&armed, armed.with_extension(format!("{point}.fired"))).is_ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_fault_fires_once_and_only_where_it_is_armed() {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("Plan.before"), "").unwrap();
            assert!(!fires(dir.path(), Command::Plan, "answer"));
            assert!(!fires(dir.path(), Command::Admit, "before"));
            assert!(fires(dir.path(), Command::Plan, "before"));
            assert!(!fires(dir.path(), Command::Plan, "before"));
            assert!(dir.path().join("Plan.before.fired").exists());
        }
    }
}
