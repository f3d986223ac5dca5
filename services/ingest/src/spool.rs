//! Requests that came while the log was away, kept on this replica's disk until they are in it.
//!
//! A request is answered for once its line is on the disk. It leaves the spool after the log has
//! confirmed it; if a process dies in between, it is replayed, and finds its upgrade open. Requests
//! that come while others wait here go to the log directly if it is back: each is an upgrade of its
//! own, so that their order means nothing but their places in the rate window.

mod line;
mod store;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

pub use line::Record;
use store::Store;

/// Why the spool did not do something.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It holds as much as it may.
    #[error("the spool is full ({0} bytes, ingest.spool_max_bytes)")]
    Full(u64),
    /// Another process has it.
    #[error("the spool {} is used by another process; give each ingest a data_dir of its own", .0.display())]
    Taken(PathBuf),
    /// The disk.
    #[error("failed to {what} the spool {}: {error}", .folder.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The spool's folder.
        folder: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// It was cut off.
    #[error("the spool was not written: {0}")]
    CutOff(String),
}

impl SpoolError {
    fn io(what: &'static str, folder: &Path, error: io::Error) -> SpoolError {
        SpoolError::Io {
            what,
            folder: folder.to_owned(),
            error,
        }
    }
}

/// How the spool stands, for logs and metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// So many requests wait.
    pub records: usize,
    /// The size of their lines.
    pub bytes: u64,
    /// When the oldest one came in, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
}

/// The spool. Clones speak of the same one.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    max_bytes: u64,
    /// None before it could be opened, and after the disk has failed: it is opened again then.
    store: Mutex<Option<Store>>,
    standing: Mutex<Standing>,
    filled: Notify,
}

impl Spool {
    /// A spool in this folder, which is opened when it is first used.
    #[must_use]
    pub fn new(folder: PathBuf, max_bytes: u64) -> Spool {
        Spool {
            shared: Arc::new(Shared {
                folder,
                max_bytes,
                store: Mutex::new(None),
                standing: Mutex::default(),
                filled: Notify::new(),
            }),
        }
    }

    /// Writes a request down, on the disk when this returns; the same request twice is kept once.
    /// Dropped in between it is still finished.
    ///
    /// # Errors
    /// [`SpoolError`]; then the request is not kept.
    pub async fn put(&self, record: Record) -> Result<(), SpoolError> {
        self.with(move |store| store.put(record)).await?;
        let Standing { records, bytes, .. } = self.standing();
        tracing::info!(records, bytes, "the spool holds requests for the log");
        self.shared.filled.notify_one();
        Ok(())
    }

    /// The request that waits at this place, from the oldest on.
    ///
    /// # Errors
    /// [`SpoolError`] if the spool cannot be opened.
    pub async fn nth(&self, place: usize) -> Result<Option<Record>, SpoolError> {
        self.with(move |store| Ok(store.nth(place))).await
    }

    /// Forgets a request that is in the log.
    ///
    /// # Errors
    /// [`SpoolError`]; then the request is replayed once more.
    pub async fn done(&self, record: Record) -> Result<(), SpoolError> {
        self.with(move |store| store.done(&record)).await
    }

    /// Whether another request can be taken.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), SpoolError> {
        self.with(|store| store.check()).await
    }

    /// Waits until a request was put in. Safe in `select!`.
    pub async fn filled(&self) {
        self.shared.filled.notified().await;
    }

    /// How it stands. Costs nothing, waits for no disk.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let standing = self.shared.standing.lock();
        standing.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Works on the open store, on a thread that may wait for the disk.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || shared.with(work))
            .await
            .map_err(|error| SpoolError::CutOff(error.to_string()))?
    }
}

impl Shared {
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, SpoolError>,
    ) -> Result<T, SpoolError> {
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = match guard.take() {
            Some(store) => store,
            None => Store::open(&self.folder, self.max_bytes)?,
        };
        let outcome = work(&mut store);
        let standing = store.standing();
        // After a failure only what the disk holds counts: it is read again.
        if !matches!(outcome, Err(SpoolError::Io { .. })) {
            *guard = Some(store);
        }
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
        outcome
    }
}
