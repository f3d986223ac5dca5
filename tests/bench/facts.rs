//! The log as it is followed: when each fact was there, and whose it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bus::{JetStream, Log as _, Settings};
use job::{Owner, UpgradeId};
use testkit::lab::Lab;
use tokio::task::JoinSet;

const POLL: Duration = Duration::from_millis(2);

/// A fact that was met.
struct Met {
    /// When.
    at: Instant,
    /// Who acts on it.
    next: Owner,
}

/// The last fact of each upgrade, and the last one of each owner.
#[derive(Default)]
struct Seen {
    upgrades: HashMap<UpgradeId, Met>,
    owners: HashMap<Owner, Instant>,
}

/// Follows a lab's log.
pub(crate) struct Facts {
    seen: Arc<Mutex<Seen>>,
    _task: JoinSet<()>,
}

impl Facts {
    pub(crate) async fn of(lab: &Lab) -> anyhow::Result<Facts> {
        let log = JetStream::connect(&lab.nats.url(), Settings::new("lab")).await?;
        let mut follow = log.follow(None).await?;
        let seen = Arc::<Mutex<Seen>>::default();
        let noted = Arc::clone(&seen);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok(followed) = follow.next().await {
                let at = Instant::now();
                let mut seen = lock(&noted);
                let before = seen.upgrades.get(&followed.id);
                // Whoever was to act has stated it.
                let by = before.map_or(Owner::Ingest, |met| met.next);
                let met = Met {
                    at,
                    next: followed.entry.next,
                };
                seen.upgrades.insert(followed.id, met);
                seen.owners.insert(by, at);
            }
        });
        Ok(Facts { seen, _task: task })
    }

    /// The upgrades that this owner has to act on.
    pub(crate) fn addressed_to(&self, owner: Owner) -> Vec<UpgradeId> {
        let seen = lock(&self.seen);
        let addressed = seen.upgrades.iter().filter(|(_, met)| met.next == owner);
        addressed.map(|(id, _)| id.clone()).collect()
    }

    /// Waits until the owner has stated a fact after this moment: when.
    pub(crate) async fn by(&self, owner: Owner, after: Instant) -> anyhow::Result<Instant> {
        self.wait("a fact of the owner", |seen| {
            let at = seen.owners.get(&owner);
            at.copied().filter(|at| *at > after)
        })
        .await
    }

    /// Waits until each of these has gone on since this moment: when the last one did.
    pub(crate) async fn all_beyond(
        &self,
        ids: &[UpgradeId],
        after: Instant,
    ) -> anyhow::Result<Option<Instant>> {
        let mut last = None;
        for id in ids {
            let at = self.wait("a fact of an upgrade", |seen| {
                let at = seen.upgrades.get(id).map(|met| met.at);
                at.filter(|at| *at > after)
            });
            last = last.max(Some(at.await?));
        }
        Ok(last)
    }

    async fn wait(
        &self,
        what: &str,
        found: impl Fn(&Seen) -> Option<Instant>,
    ) -> anyhow::Result<Instant> {
        let began = Instant::now();
        loop {
            let met = found(&lock(&self.seen));
            if let Some(at) = met {
                return Ok(at);
            }
            ensure!(began.elapsed() < crate::memory::LIMIT, "never came: {what}");
            tokio::time::sleep(POLL).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
