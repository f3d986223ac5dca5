//! What appends and records need of a server. How they are carried out safely over a server that
//! loses answers is written once, in `append` and `records`, for every implementation of the log.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use job::{Fact, Owner, UpgradeId};

use crate::{Bucket, Log, Unavailable};

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Stored at this sequence.
    Stored(u64),
    /// Its id was stored before.
    Duplicate,
    /// The condition did not hold.
    Conflict,
    /// Refused for another reason.
    Refused(String),
}

impl Fate {
    /// For messages without a condition.
    pub(crate) fn stored(self, what: &str) -> Result<(), Unavailable> {
        match self {
            Fate::Stored(_) | Fate::Duplicate => Ok(()),
            Fate::Conflict => Err(Unavailable::new(format!("failed to {what}: conflict"))),
            Fate::Refused(why) => Err(Unavailable::new(format!("failed to {what}: {why}"))),
        }
    }
}

/// A fact on its way into the log.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    /// The upgrade.
    pub(crate) id: &'a UpgradeId,
    /// The last sequence that the author has read of it.
    pub(crate) expected: u64,
    /// The fact's number.
    pub(crate) n: u64,
    /// Who acts on it.
    pub(crate) next: Owner,
    /// The fact.
    pub(crate) fact: &'a Fact,
    /// The fact as it is stored.
    pub(crate) payload: Bytes,
    /// The span that makes it.
    pub(crate) traceparent: Option<String>,
}

/// A record as it is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    /// The value; empty for a marker.
    pub(crate) bytes: &'a [u8],
    /// It goes away by itself after this.
    pub(crate) ttl: Option<Duration>,
    /// It says that the record is deleted.
    pub(crate) marker: bool,
}

/// A record as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Its revision.
    pub(crate) revision: u64,
    /// The value.
    pub(crate) bytes: Bytes,
    /// It says that the record is deleted.
    pub(crate) marker: bool,
}

/// A server that stores messages, each only if its condition holds. An error leaves the fate of a
/// message open.
#[async_trait]
pub(crate) trait Store: Log {
    /// Stores a fact, if `expected` is the last sequence of its upgrade.
    async fn publish(&self, fact: &Outgoing<'_>) -> Result<Fate, Unavailable>;

    /// Writes a record, if `expected` is its last revision, markers included.
    async fn write(
        &self,
        bucket: Bucket,
        key: &str,
        expected: u64,
        value: Value<'_>,
    ) -> Result<Fate, Unavailable>;

    /// A record or its marker.
    async fn last(&self, bucket: Bucket, key: &str) -> Result<Option<Kept>, Unavailable>;
}
