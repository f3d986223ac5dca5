//! What this process remembers of the upgrades it watches.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use job::UpgradeId;

use crate::ports::Reading;

/// What was not touched for so long is forgotten, in milliseconds.
const FORGET_MS: i64 = 24 * 3600 * 1000;

/// What a process saw of a window; it can only make the judgement stricter, or the window longer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) touched_ms: i64,
    pub(crate) unknown_since_ms: Option<i64>,
    /// The restarts by pod UID when the window that began then was met first.
    pub(crate) restarts: Option<(i64, BTreeMap<String, u32>)>,
    /// What the monitors said first in the window that began then.
    pub(crate) monitors: Option<(i64, Arc<Reading>)>,
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
