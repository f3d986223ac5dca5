//! Other processes: signals to them, and what the system knows of them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Signals a process.
pub(super) fn signal(id: u32, signal: Signal) -> io::Result<()> {
    Ok(kill_process(pid(id)?, signal)?)
}

/// Signals a process that leads a group, and everything in the group.
pub(super) fn signal_group(id: u32, signal: Signal) -> io::Result<()> {
    Ok(kill_process_group(pid(id)?, signal)?)
}

fn pid(id: u32) -> io::Result<Pid> {
    i32::try_from(id)
        .ok()
        // 1 is the system's own, whatever a file says.
        .filter(|&id| id > 1)
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other(format!("{id} is no process id")))
}

/// Whether this file is a process's standard input, as far as the system tells.
pub(super) fn has_as_input(id: u32, file: &File) -> bool {
    let (Ok(theirs), Ok(ours)) = (fs::metadata(format!("/proc/{id}/fd/0")), file.metadata()) else {
        return false;
    };
    (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino())
}

/// The child that must not outlive this process. Clones speak of the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Current(Arc<AtomicU32>);

impl Current {
    /// The child is this one now; none when 0.
    pub(super) fn is(&self, id: u32) {
        self.0.store(id, Ordering::SeqCst);
    }

    /// Kills it, if there is one. Its writes were synced, so nothing is lost.
    pub(super) fn kill(&self) {
        let id = self.0.load(Ordering::SeqCst);
        if id != 0 {
            // There is nothing left to do about a failure.
            let _gone = signal_group(id, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_known_by_its_input() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
        let (ours, other) = (File::create(ours).unwrap(), File::create(other).unwrap());
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::from(ours.try_clone().unwrap()))
            .spawn()
            .unwrap();
        assert!(has_as_input(child.id(), &ours));
        assert!(!has_as_input(child.id(), &other));
        signal(child.id(), Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(!has_as_input(child.id(), &ours));
    }

    #[test]
    fn no_signal_goes_to_everybody() {
        for id in [0, 1, u32::MAX] {
            assert!(signal(id, Signal::TERM).is_err(), "{id}");
            assert!(signal_group(id, Signal::TERM).is_err(), "{id}");
        }
    }
}
