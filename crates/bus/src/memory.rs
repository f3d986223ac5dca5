//! The log in memory, on tokio's clock: **for tests** that hold a whole system in one process.
//!
//! It behaves as the one on NATS does, down to redelivery, message ids, markers and expiry, and
//! runs the same protocols for appends and records over it. With `tokio::time::pause` hours pass in
//! moments; give it a [`VirtualClock`], so that wall time passes with them. What can go wrong on
//! the way to a server goes wrong on demand: see [`Faults`].

mod clock;
mod consumer;
mod faults;
mod follow;
mod inbox;
mod server;
mod tail;

pub use clock::VirtualClock;
pub use faults::{Faults, Rates};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use job::{Body, Owner, UpgradeId};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use self::server::Server;
use crate::store::{Fate, Kept, Outgoing, Store, Value};
use crate::{
    AppendError, Bucket, Follow, History, Inbox, Log, PutError, Settings, Unavailable, append,
    records,
};

/// The log in memory; clones share it, as replicas share a server.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    faults: Faults,
    server: Mutex<Server>,
    /// Something was stored, or is to be delivered at another time.
    changed: Notify,
}

impl Memory {
    /// An empty log. The seed drives the [`Faults`], of which there are none at first.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Memory {
        Memory {
            shared: Arc::new(Shared {
                server: Mutex::new(Server::new(&settings)),
                settings,
                faults: Faults::new(seed),
                changed: Notify::new(),
            }),
        }
    }

    /// What goes wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// How many deliveries of an owner are not acknowledged, or not even delivered.
    #[must_use]
    pub fn unanswered(&self, owner: Owner) -> usize {
        self.server().unanswered(owner.as_str())
    }

    /// Forgets an owner's consumer, and with it every acknowledgement.
    pub fn forget_acks(&self, owner: Owner) {
        self.server().forget(owner.as_str());
        self.shared.changed.notify_waiters();
    }

    /// Every upgrade that has facts.
    #[must_use]
    pub fn upgrades(&self) -> Vec<UpgradeId> {
        self.server().upgrades()
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.shared
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A request on its way to the server.
    async fn ask(&self) -> Result<(), Unavailable> {
        let faults = &self.shared.faults;
        faults.travel().await;
        if faults.is_away() || faults.loses_request() {
            return Err(self.unanswered_request().await);
        }
        Ok(())
    }

    /// The answer on its way back.
    async fn answer<T>(&self, answer: T) -> Result<T, Unavailable> {
        if self.shared.faults.loses_answer() {
            return Err(self.unanswered_request().await);
        }
        self.shared.faults.travel().await;
        Ok(answer)
    }

    async fn unanswered_request(&self) -> Unavailable {
        let limit = self.shared.settings.publish_timeout;
        sleep(limit).await;
        Unavailable::new(format!("no answer within {limit:?}"))
    }

    /// One exchange with the server: lost on the way there it has no effect, on the way back it has.
    async fn exchange<T>(&self, effect: impl FnOnce(&mut Server) -> T) -> Result<T, Unavailable> {
        self.ask().await?;
        let answer = effect(&mut self.server());
        self.answer(answer).await
    }

    /// As [`Self::exchange`], with an effect after which there may be more to deliver.
    async fn change<T>(&self, effect: impl FnOnce(&mut Server) -> T) -> Result<T, Unavailable> {
        let effect = |server: &mut Server| {
            let answer = effect(server);
            self.shared.changed.notify_waiters();
            answer
        };
        self.exchange(effect).await
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Memory {
    async fn publish(&self, fact: &Outgoing<'_>) -> Result<Fate, Unavailable> {
        let window = self.shared.settings.duplicate_window;
        self.change(|server| server.publish(fact, Instant::now(), window))
            .await
    }

    async fn write(
        &self,
        bucket: Bucket,
        key: &str,
        expected: u64,
        value: Value<'_>,
    ) -> Result<Fate, Unavailable> {
        self.exchange(|server| server.write(bucket, key, expected, value, Instant::now()))
            .await
    }

    async fn last(&self, bucket: Bucket, key: &str) -> Result<Option<Kept>, Unavailable> {
        let behind = self.shared.faults.behind();
        self.exchange(|server| server.record(bucket, key, behind, Instant::now()))
            .await
    }
}

#[async_trait]
impl Log for Memory {
    async fn read(&self, id: &UpgradeId) -> Result<Option<History>, Unavailable> {
        let behind = self.shared.faults.behind();
        let entries = self
            .exchange(|server| server.entries(id, behind, Instant::now()))
            .await?;
        History::fold(id, entries)
    }

    async fn append(
        &self,
        id: &UpgradeId,
        seen: Option<&History>,
        body: Body,
    ) -> Result<History, AppendError> {
        append::append(self, id, seen, body).await
    }

    async fn inbox(&self, owner: Owner) -> Result<Box<dyn Inbox>, Unavailable> {
        inbox::open(self, owner).await
    }

    async fn follow(&self, durable: Option<&str>) -> Result<Box<dyn Follow>, Unavailable> {
        follow::open(self, durable).await
    }

    async fn get(&self, bucket: Bucket, key: &str) -> Result<Option<(u64, Vec<u8>)>, Unavailable> {
        records::get(self, bucket, key).await
    }

    async fn list(&self, bucket: Bucket) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        self.exchange(|server| server.list(bucket, Instant::now()))
            .await?
    }

    async fn put(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
        value: &[u8],
    ) -> Result<u64, PutError> {
        records::put(self, bucket, key, expected_revision, value, None).await
    }

    async fn put_expiring(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
        value: &[u8],
        ttl: Duration,
    ) -> Result<u64, PutError> {
        records::put(self, bucket, key, expected_revision, value, Some(ttl)).await
    }

    async fn delete(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
    ) -> Result<(), PutError> {
        records::delete(self, bucket, key, expected_revision).await
    }

    async fn intake(&self, record: &[u8]) -> Result<(), Unavailable> {
        self.exchange(|server| server.intake(record, Instant::now()))
            .await
    }

    async fn intakes(&self, limit: usize) -> Result<Vec<Vec<u8>>, Unavailable> {
        self.exchange(|server| server.intakes(limit, Instant::now()))
            .await
    }

    async fn archive(&self, id: &UpgradeId, summary: &[u8]) -> Result<(), Unavailable> {
        self.exchange(|server| server.archive(id, summary)).await?;
        self.exchange(|server| server.purge(id)).await
    }

    async fn archived(&self, id: &UpgradeId) -> Result<Option<Vec<u8>>, Unavailable> {
        self.exchange(|server| server.archived(id)).await
    }

    fn settings(&self) -> &Settings {
        &self.shared.settings
    }
}
