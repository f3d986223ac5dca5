use std::collections::{BTreeSet, HashMap};

use job::Owner;
use tokio::time::Instant;

/// What a consumer was given and did not acknowledge, and how far it has got.
#[derive(Debug)]
pub(super) struct Consumer {
    /// Told apart from one of the same name that was forgotten.
    pub(super) generation: u64,
    /// Whose work it delivers; none: every fact.
    pub(super) filter: Option<Owner>,
    /// The first place that it has not looked at.
    pub(super) next: u64,
    pending: HashMap<u64, Pending>,
    due: BTreeSet<(Instant, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    due: Instant,
    delivered: u64,
}

impl Consumer {
    pub(super) fn new(generation: u64, filter: Option<Owner>, next: u64) -> Consumer {
        Consumer {
            generation,
            filter,
            next,
            pending: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    pub(super) fn takes(&self, next: Owner) -> bool {
        self.filter.is_none_or(|owner| owner == next)
    }

    /// The longest overdue message, and since when it waits to be delivered.
    pub(super) fn first_due(&self) -> Option<(Instant, u64)> {
        self.due.first().copied()
    }

    /// Plans a delivery that is not made yet.
    pub(super) fn postpone(&mut self, sequence: u64, due: Instant) {
        self.set(sequence, Pending { due, delivered: 0 });
    }

    /// Notes a delivery; says how often there was one before.
    pub(super) fn deliver(&mut self, sequence: u64, due: Instant) -> u64 {
        let before = self
            .pending
            .get(&sequence)
            .map_or(0, |pending| pending.delivered);
        let delivered = before + 1;
        self.set(sequence, Pending { due, delivered });
        before
    }

    /// Moves the next delivery; nothing, if it is acknowledged.
    pub(super) fn move_to(&mut self, sequence: u64, due: Instant) {
        if let Some(pending) = self.pending.get(&sequence).copied() {
            self.set(sequence, Pending { due, ..pending });
        }
    }

    pub(super) fn forget(&mut self, sequence: u64) {
        if let Some(pending) = self.pending.remove(&sequence) {
            self.due.remove(&(pending.due, sequence));
        }
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    fn set(&mut self, sequence: u64, pending: Pending) {
        if let Some(before) = self.pending.insert(sequence, pending) {
            self.due.remove(&(before.due, sequence));
        }
        self.due.insert((pending.due, sequence));
    }
}
