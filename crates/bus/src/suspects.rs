//! What a process had in hand when it died: one small file for each upgrade, so that a message
//! that kills its process is known by it after the next start.
//!
//! The files are not synced: what a process wrote outlives its death in the kernel's hands, and
//! when the whole machine dies, no message is to blame.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use job::{Body, Command, Owner, State, UpgradeId};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Delivery;

/// A command whose process died so often in one state is not tried again.
const DEATHS: u32 = 5;

/// What was in hand at the last death, and what is in hand now.
#[derive(Debug)]
pub(crate) struct Suspects {
    /// None if nothing can be kept.
    folder: Option<PathBuf>,
    /// The driver's place by upgrade.
    found: Mutex<HashMap<UpgradeId, u64>>,
    /// What was tried before is tried alone, so that only the guilty one is in hand again.
    trial: Semaphore,
}

impl Suspects {
    /// Reads what an owner left behind in the folder.
    pub(crate) fn open(folder: Option<&Path>, owner: Owner) -> Suspects {
        let folder = folder.map(|folder| folder.join(owner.as_str()));
        let (folder, found) = match folder.map(|folder| (left_behind(&folder), folder)) {
            None => (None, HashMap::new()),
            Some((Ok(found), folder)) => (Some(folder), found),
            Some((Err(error), folder)) => {
                tracing::warn!(
                    folder = %folder.display(),
                    "a message that kills this process will not be recognised, because what is in \
                     hand cannot be noted: {error}"
                );
                (None, HashMap::new())
            }
        };
        for id in found.keys() {
            tracing::warn!(upgrade.id = %id, owner = owner.as_str(), "was in hand when a process died");
        }
        Suspects {
            folder,
            found: Mutex::new(found),
            trial: Semaphore::new(1),
        }
    }

    /// What to append before a suspect is acted on: the attempt, or that there were too many.
    pub(crate) fn answer(
        &self,
        delivery: &Delivery,
        state: &State,
        command: Command,
    ) -> Option<Body> {
        if self.found().get(&delivery.id) != Some(&delivery.sequence) {
            return None;
        }
        let deaths = state.tried.saturating_add(1);
        Some(if deaths < DEATHS {
            Body::Tried
        } else {
            Body::Parked(format!(
                "{command:?} was in hand each of the {deaths} times that the {} crashed; find out \
                 why in its log, then retry or resolve it",
                state.next().as_str()
            ))
        })
    }

    /// After [`Self::answer`] was appended, or the upgrade has gone on.
    pub(crate) fn clear(&self, id: &UpgradeId) {
        self.found().remove(id);
    }

    /// What was tried before may only be in hand alone; none if another one is.
    pub(crate) fn alone(&self) -> Option<SemaphorePermit<'_>> {
        self.trial.try_acquire().ok()
    }

    /// Notes that a delivery is in hand, until the value is dropped.
    pub(crate) fn hold(&self, delivery: &Delivery) -> Held<'_> {
        if let Some(path) = self.path(&delivery.id)
            && let Err(error) = fs::write(&path, delivery.sequence.to_string())
        {
            tracing::debug!("failed to note what is in hand: {error}");
        }
        Held {
            suspects: self,
            id: delivery.id.clone(),
            sequence: delivery.sequence,
        }
    }

    fn path(&self, id: &UpgradeId) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(id.as_str()))
    }

    fn found(&self) -> MutexGuard<'_, HashMap<UpgradeId, u64>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A delivery in hand.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    suspects: &'a Suspects,
    id: UpgradeId,
    sequence: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // It killed its task, as good as a process.
            self.suspects.found().insert(self.id.clone(), self.sequence);
        }
        if let Some(path) = self.suspects.path(&self.id)
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::debug!("failed to note what is no longer in hand: {error}");
        }
    }
}

/// Reads and removes the files. Only what was in hand at the last death is suspected, so that
/// nothing is left over of upgrades that have gone on elsewhere.
fn left_behind(folder: &Path) -> std::io::Result<HashMap<UpgradeId, u64>> {
    fs::create_dir_all(folder)?;
    let mut found = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match one_left_behind(&path) {
            Ok(Some((id, sequence))) => {
                found.insert(id, sequence);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(
                path = %path.display(),
                "not among the messages that are known to have been in hand, because it cannot be \
                 read and removed; remove it by hand: {error}"
            ),
        }
    }
    Ok(found)
}

/// Reads and removes one file; none if it is not one of ours.
fn one_left_behind(path: &Path) -> std::io::Result<Option<(UpgradeId, u64)>> {
    let id = path.file_name().and_then(|name| name.to_str());
    let content = fs::read(path)?;
    fs::remove_file(path)?;
    let sequence = String::from_utf8_lossy(&content).parse();
    Ok(match (id.map(UpgradeId::parse), sequence) {
        (Some(Ok(id)), Ok(sequence)) => Some((id, sequence)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_hides_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(Owner::Executor.as_str());
        let id = UpgradeId::derive("i", "r", "redis", "7", 1);
        fs::create_dir_all(folder.join("lost+found")).unwrap();
        fs::write(folder.join("garbled"), [0xff, 0xfe]).unwrap();
        fs::write(folder.join(id.as_str()), "12").unwrap();
        let suspects = Suspects::open(Some(dir.path()), Owner::Executor);
        assert_eq!(*suspects.found(), HashMap::from([(id.clone(), 12)]));
        assert!(suspects.folder.is_some(), "nothing is noted any more");
        let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
