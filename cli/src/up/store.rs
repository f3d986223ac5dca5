//! The folder of the child nats-server, and the one server that may use it.
//!
//! nats-server does not lock its store, and two on one store lose what they have acknowledged. So a
//! locked file is handed to the child as its standard input: the system keeps the lock for as long
//! as the child lives, also when this process was killed, and no longer.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use semver::Version;
use tokio::time::{Instant, sleep};

use super::folder::{self, Folder};
use super::{process, version};

const POLL: Duration = Duration::from_millis(20);

/// The folder `nats` below the data folder.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(super) fn of(data: &Folder) -> anyhow::Result<Store> {
        let folder = data.path().join("nats");
        folder::make(&folder)?;
        Ok(Store { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the server keeps its streams.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Where the server writes its process id.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.folder.join("nats-server.pid")
    }

    /// Where the server logs.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("nats-server.log")
    }

    /// What the server says before it logs.
    pub(super) fn errors(&self) -> PathBuf {
        self.folder.join("nats-server.err")
    }

    /// The server's configuration, with the token.
    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join("nats-server.conf")
    }

    /// Refuses a server that is older than the last one that wrote here.
    pub(super) fn check_version(&self, program: &Path, found: &Version) -> anyhow::Result<()> {
        let record = self.record();
        match fs::read_to_string(&record) {
            Ok(text) => Ok(version::check_store(program, found, &record, &text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).context(format!("failed to read {}", record.display())),
        }
    }

    /// Says, before it can write, which version writes here from now on.
    pub(super) fn note_version(&self, found: &Version) -> anyhow::Result<()> {
        let record = self.record();
        replace(&record, &format!("{found}\n"))
            .with_context(|| format!("failed to write {}", record.display()))
    }

    fn record(&self) -> PathBuf {
        self.folder.join("version")
    }

    /// Writes the configuration so that only its owner can read it.
    pub(super) fn write_configuration(&self, text: &str) -> anyhow::Result<()> {
        let path = self.configuration();
        replace(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    /// The lock, for the next server. A server that a killed process has left behind is ended first.
    ///
    /// # Errors
    /// There is such a server, and it cannot be told which process it is, or it does not end.
    pub(super) async fn take(&self, stop_within: Duration) -> anyhow::Result<File> {
        let path = self.folder.join("lock");
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("failed to open {}", path.display()))?;
        let mut ending = Ending::new(stop_within);
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(error)
                        .with_context(|| format!("failed to lock {}", path.display()));
                }
            }
            let holder = self.holder(&lock);
            match ending.next(holder, Instant::now()) {
                Step::Wait => {}
                Step::Signal(id, signal) => {
                    tracing::warn!(
                        process = id,
                        "ending a nats-server that was left behind on this store"
                    );
                    process::signal(id, signal)
                        .with_context(|| format!("failed to end the nats-server {id}"))?;
                }
                Step::GiveUp => bail!(
                    "a nats-server of an earlier start still uses {}, and it could not be ended: \
                     look which process has {} open and end it",
                    self.folder.display(),
                    path.display()
                ),
            }
            sleep(POLL).await;
        }
    }

    /// The process that the server's own file names, if it is the one that holds the lock.
    fn holder(&self, lock: &File) -> Option<u32> {
        let text = fs::read_to_string(self.pid_file()).ok()?;
        let id = text.trim().parse().ok()?;
        process::has_as_input(id, lock).then_some(id)
    }
}

/// How a server that was left behind is brought to its end.
#[derive(Debug)]
struct Ending {
    stop_within: Duration,
    began: Option<Instant>,
    asked: Option<Instant>,
    killed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Wait,
    Signal(u32, Signal),
    GiveUp,
}

impl Ending {
    fn new(stop_within: Duration) -> Ending {
        Ending {
            stop_within,
            began: None,
            asked: None,
            killed: false,
        }
    }

    /// What to do while the lock is held, by `holder` if that is known. One that has just been
    /// started says who it is a little later.
    fn next(&mut self, holder: Option<u32>, now: Instant) -> Step {
        let began = *self.began.get_or_insert(now);
        if now.duration_since(began) > self.stop_within.saturating_mul(2) {
            return Step::GiveUp;
        }
        match (holder, self.asked) {
            (Some(id), None) => {
                self.asked = Some(now);
                Step::Signal(id, Signal::TERM)
            }
            (Some(id), Some(asked))
                if !self.killed && now.duration_since(asked) > self.stop_within =>
            {
                self.killed = true;
                Step::Signal(id, Signal::KILL)
            }
            _ => Step::Wait,
        }
    }
}

/// Replaces a file as a whole, readable for its owner only.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of(&Folder::lock(folder.path()).unwrap()).unwrap();
        (folder, store)
    }

    #[test]
    fn one_that_is_left_behind_is_asked_then_killed_then_given_up() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ending = Ending::new(Duration::from_secs(10));
        for (holder, second, expected) in [
            (None, 0, Step::Wait),
            (Some(7), 1, Step::Signal(7, Signal::TERM)),
            (Some(7), 10, Step::Wait),
            (Some(7), 12, Step::Signal(7, Signal::KILL)),
            (Some(7), 13, Step::Wait),
            (None, 20, Step::Wait),
            (None, 21, Step::GiveUp),
        ] {
            assert_eq!(ending.next(holder, at(second)), expected, "{second}");
        }
    }

    #[tokio::test]
    async fn a_server_that_was_left_behind_is_ended_before_the_store_is_given_out() {
        let (_folder, store) = store();
        let lock = store.take(LIMIT).await.unwrap();
        let mut child = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::from(lock))
            .spawn()
            .unwrap();
        fs::write(store.pid_file(), child.id().to_string()).unwrap();
        let _lock = store.take(LIMIT).await.unwrap();
        assert!(!child.wait().unwrap().success());
    }

    #[tokio::test]
    async fn a_process_that_only_has_the_number_is_left_alone() {
        let (_folder, store) = store();
        let _lock = store.take(LIMIT).await.unwrap();
        let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
        fs::write(store.pid_file(), bystander.id().to_string()).unwrap();
        let refused = store.take(Duration::from_millis(50)).await.unwrap_err();
        assert!(refused.to_string().contains("still uses"), "{refused}");
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }

    #[test]
    fn a_store_of_a_newer_server_is_refused_until_one_is_there() {
        let (_folder, store) = store();
        let (old, new) = (Version::new(2, 14, 0), Version::new(2, 15, 0));
        let program = Path::new("/bin/nats-server");
        store.check_version(program, &old).unwrap();
        store.note_version(&new).unwrap();
        store.check_version(program, &old).unwrap_err();
        store.check_version(program, &new).unwrap();
    }

    #[test]
    fn the_configuration_is_for_its_owner_only() {
        let (_folder, store) = store();
        fs::write(store.configuration(), "old").unwrap();
        store.write_configuration("new").unwrap();
        let mode = fs::metadata(store.configuration())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_to_string(store.configuration()).unwrap(), "new");
    }
}
