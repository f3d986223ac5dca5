//! What this process remembers of the upgrades it watches.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use job::UpgradeId;

use crate::monitors::Mark;

/// What was not touched for so long is forgotten, in milliseconds.
const FORGET_MS: i64 = 24 * 3600 * 1000;

/// What a process saw of a window; it can only make the judgement stricter, or the window longer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) touched_ms: i64,
    pub(crate) unknown_since_ms: Option<i64>,
    /// It is ill since then, and whose doing that is cannot be seen.
    pub(crate) doubted_since_ms: Option<i64>,
    /// The restarts by pod UID when the window that began then was met first.
    pub(crate) restarts: Option<(i64, BTreeMap<String, u32>)>,
    /// When each monitor without times has beaten, as far as its marks tell.
    pub(crate) marks: BTreeMap<String, Mark>,
    /// Since when each monitor was read as DOWN that is so still.
    pub(crate) down: BTreeMap<String, i64>,
    /// Something was wrong before the push, and is looked at a second time.
    pub(crate) ill_before: bool,
}

/// What this process remembers of the windows it watches.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<UpgradeId, Seen>>);

impl Memory {
    pub(crate) fn get(&self, id: &UpgradeId) -> Option<Seen> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    pub(crate) fn put(&self, id: &UpgradeId, seen: Seen) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = seen.touched_ms;
        all.retain(|_, other| now_ms.saturating_sub(other.touched_ms) < FORGET_MS);
        all.insert(id.clone(), seen);
    }

    pub(crate) fn forget(&self, id: &UpgradeId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
    }
}
