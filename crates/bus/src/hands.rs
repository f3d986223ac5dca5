use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use job::UpgradeId;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The upgrades that a process has in hand: one delivery each.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    taken: Mutex<HashSet<UpgradeId>>,
    freed: Notify,
}

/// An upgrade in hand, until it is dropped.
#[derive(Debug)]
pub(crate) struct InHand<'a> {
    hands: &'a Hands,
    id: UpgradeId,
}

impl Hands {
    /// Takes an upgrade, waiting at most `limit` for the delivery before it to be finished.
    pub(crate) async fn take(&self, id: &UpgradeId, limit: Duration) -> Option<InHand<'_>> {
        timeout(limit, async {
            loop {
                let freed = self.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if self.lock().insert(id.clone()) {
                    return InHand {
                        hands: self,
                        id: id.clone(),
                    };
                }
                freed.await;
            }
        })
        .await
        .ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<UpgradeId>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.hands.lock().remove(&self.id);
        self.hands.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upgrade_is_in_one_hand_at_a_time() {
        let hands = Hands::default();
        let id = UpgradeId::derive("i", "r", "redis", "7", 1);
        let other = UpgradeId::derive("i", "r", "redis", "8", 1);
        let limit = Duration::from_millis(50);
        let first = hands.take(&id, limit).await.unwrap();
        assert!(hands.take(&id, limit).await.is_none());
        assert!(hands.take(&other, limit).await.is_some());
        drop(first);
        assert!(hands.take(&id, limit).await.is_some());
    }
}
