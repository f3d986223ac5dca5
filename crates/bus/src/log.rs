use std::time::Duration;

use async_trait::async_trait;
use job::{Body, Owner, UpgradeId};

use crate::{AppendError, Entry, History, PutError, Settings, Unavailable};

/// What is shared beside the log. Every entry names an upgrade, and holds only as long as that
/// upgrade's log agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// Slots, backup targets and CI turns.
    Claims,
    /// The rate window of each repository.
    Windows,
    /// Versions that were rolled back.
    Fences,
    /// Pauses and limits set by people.
    Controls,
    /// Leases, which expire by themselves.
    Locks,
    /// What can be fetched again; values age out.
    Cache,
}

impl Bucket {
    /// Every bucket.
    pub const ALL: [Bucket; 6] = [
        Bucket::Claims,
        Bucket::Windows,
        Bucket::Fences,
        Bucket::Controls,
        Bucket::Locks,
        Bucket::Cache,
    ];

    /// The bucket's name without the instance.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Bucket::Claims => "CLAIMS",
            Bucket::Windows => "WINDOWS",
            Bucket::Fences => "FENCES",
            Bucket::Controls => "CONTROLS",
            Bucket::Locks => "LOCKS",
            Bucket::Cache => "CACHE",
        }
    }
}

/// The log of all upgrades and the records beside it.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Reads and folds the whole log of an upgrade; none if there is none, or not here yet.
    async fn read(&self, id: &UpgradeId) -> Result<Option<History>, Unavailable>;

    /// Judges the fact against `seen` and appends it, if nothing was appended since.
    ///
    /// Succeeds exactly if this very fact is in the log, also when an answer of the server was
    /// lost on the way. The result is `seen` with the fact.
    async fn append(
        &self,
        id: &UpgradeId,
        seen: Option<&History>,
        body: Body,
    ) -> Result<History, AppendError>;

    /// Opens the owner's inbox; all replicas of an owner share one.
    async fn inbox(&self, owner: Owner) -> Result<Box<dyn Inbox>, Unavailable>;

    /// How much an owner has before it, in all its replicas; none where nobody counts.
    async fn backlog(&self, _owner: Owner) -> Result<Option<Backlog>, Unavailable> {
        Ok(None)
    }

    /// Follows every fact of every upgrade: by name, from where the name has got to (a new name
    /// starts at what comes next), or without, from the beginning.
    async fn follow(&self, durable: Option<&str>) -> Result<Box<dyn Follow>, Unavailable>;

    /// A value and its revision.
    async fn get(&self, bucket: Bucket, key: &str) -> Result<Option<(u64, Vec<u8>)>, Unavailable>;

    /// Every key and value of a bucket, at most 1,024.
    async fn list(&self, bucket: Bucket) -> Result<Vec<(String, Vec<u8>)>, Unavailable>;

    /// Writes a value if its revision is still `expected_revision`; 0 means that it is absent.
    async fn put(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
        value: &[u8],
    ) -> Result<u64, PutError>;

    /// As [`Log::put`], and the value goes away after `ttl` (whole seconds, at least one).
    async fn put_expiring(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
        value: &[u8],
        ttl: Duration,
    ) -> Result<u64, PutError>;

    /// Removes a value if its revision is still `expected_revision`.
    async fn delete(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
    ) -> Result<(), PutError>;

    /// Keeps a received webhook with what was decided about it.
    async fn intake(&self, record: &[u8]) -> Result<(), Unavailable>;

    /// The newest kept webhooks, newest first, at most `limit` and at most 1,000.
    async fn intakes(&self, limit: usize) -> Result<Vec<Vec<u8>>, Unavailable>;

    /// Keeps the summary of an upgrade that is over for good, then removes its facts.
    async fn archive(&self, id: &UpgradeId, summary: &[u8]) -> Result<(), Unavailable>;

    /// The summary of an archived upgrade.
    async fn archived(&self, id: &UpgradeId) -> Result<Option<Vec<u8>>, Unavailable>;

    /// The intervals and names.
    fn settings(&self) -> &Settings;

    /// Wall time, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64 {
        self.settings().clock.now_ms()
    }
}

/// What an owner has before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Facts that wait for a free worker.
    pub undelivered: u64,
    /// Facts that are in hand, or wait to be looked at again.
    pub unanswered: u64,
}

/// Where an owner's work arrives.
#[async_trait]
pub trait Inbox: Send {
    /// Waits for one delivery. `free` says how many more the caller can take in hand, this one
    /// included; nothing beyond that is fetched. Cancel-safe.
    ///
    /// # Errors
    /// After an error the inbox is dead: open a new one.
    async fn next(&mut self, free: usize) -> Result<Delivery, Unavailable>;

    /// Hands back what was fetched and not taken.
    async fn close(self: Box<Self>);
}

/// Every fact of every upgrade, in order.
#[async_trait]
pub trait Follow: Send {
    /// Waits for the next fact. Cancel-safe.
    ///
    /// # Errors
    /// The follower stays usable: call again after a pause.
    async fn next(&mut self) -> Result<Followed, Unavailable>;

    /// How many facts were there to be followed when it was opened.
    fn backlog(&self) -> u64;

    /// Hands back what was fetched and not taken, so that the next one with this name need not wait
    /// for it.
    async fn close(self: Box<Self>);
}

/// A delivered fact that is not answered yet.
#[derive(Debug)]
pub struct Delivery {
    /// The upgrade.
    pub id: UpgradeId,
    /// The fact's number in the upgrade.
    pub n: u64,
    /// Its place in the stream.
    pub sequence: u64,
    /// How often it was delivered before.
    pub redelivered: u64,
    /// The span that made the fact, as a W3C `traceparent`.
    pub traceparent: Option<String>,
    /// Answers it.
    pub handle: Box<dyn Handle>,
}

impl Delivery {
    /// Never again. Confirmed by the server.
    ///
    /// # Errors
    /// [`Unavailable`] if the confirmation did not come; it may be delivered again.
    pub async fn ack(&self) -> Result<(), Unavailable> {
        self.handle.ack().await
    }

    /// Again after `delay`. Confirmed by the server.
    ///
    /// # Errors
    /// [`Unavailable`] if the confirmation did not come; it may be delivered at another time.
    pub async fn nak(&self, delay: Duration) -> Result<(), Unavailable> {
        self.handle.nak(delay).await
    }

    /// A sign of life: not to be delivered to others for another `ack_wait`.
    pub async fn progress(&self) {
        self.handle.progress().await;
    }
}

/// A fact met by a follower.
#[derive(Debug)]
pub struct Followed {
    /// The upgrade.
    pub id: UpgradeId,
    /// The fact.
    pub entry: Entry,
    /// How often it was delivered before.
    pub redelivered: u64,
    /// How many facts wait behind it.
    pub pending: u64,
    /// Answers it; does nothing without a durable name.
    pub handle: Box<dyn Handle>,
}

/// The way back from one delivery.
#[async_trait]
pub trait Handle: std::fmt::Debug + Send + Sync {
    /// As [`Delivery::ack`].
    async fn ack(&self) -> Result<(), Unavailable>;
    /// As [`Delivery::nak`].
    async fn nak(&self, delay: Duration) -> Result<(), Unavailable>;
    /// As [`Delivery::progress`].
    async fn progress(&self);
}
