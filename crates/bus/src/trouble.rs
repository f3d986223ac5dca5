//! Troubles: why an upgrade's owner has not got on, for people who ask.
//!
//! A record beside the log that nothing decides by. It may be missing, and goes away by itself.

use std::time::Duration;

use job::UpgradeId;
use serde::{Deserialize, Serialize};

use crate::{Bucket, Log, PutError, Unavailable};

/// So long after the time of the next try a trouble is still told; by then that one has failed as
/// well, or it is over.
const AFTER: Duration = Duration::from_secs(60);
/// A longer reason is cut.
const WHY: usize = 1_000;

/// What went wrong when an upgrade's owner last tried to carry it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The number of the fact that it was carried on from.
    pub n: u64,
    /// What was tried and why it failed.
    pub why: String,
    /// When it is tried again, in milliseconds since the Unix epoch.
    pub again_ms: i64,
}

impl Trouble {
    /// As it is written down: cut, and tried again after `pause`.
    pub(crate) fn new(n: u64, why: &str, now_ms: i64, pause: Duration) -> Trouble {
        let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        Trouble {
            n,
            why: why.chars().take(WHY).collect(),
            again_ms: now_ms.saturating_add(pause_ms),
        }
    }

    /// Writes it down in place of the one before.
    pub(crate) async fn note(
        &self,
        log: &dyn Log,
        id: &UpgradeId,
        pause: Duration,
    ) -> Result<(), PutError> {
        let value = serde_json::to_vec(self).unwrap_or_default();
        let before = log.get(Bucket::Cache, &key(id)).await?;
        let revision = before.map_or(0, |(revision, _)| revision);
        let ttl = pause.saturating_add(AFTER);
        log.put_expiring(Bucket::Cache, &key(id), revision, &value, ttl)
            .await
            .map(|_revision| ())
    }
}

/// What keeps an upgrade from going on whose last fact is the `n`th, as far as its owner said; none
/// once it has gone on.
///
/// # Errors
/// NATS does not answer.
pub async fn trouble(
    log: &dyn Log,
    id: &UpgradeId,
    n: u64,
) -> Result<Option<Trouble>, Unavailable> {
    let noted = log.get(Bucket::Cache, &key(id)).await?;
    let noted = noted.and_then(|(_, value)| serde_json::from_slice::<Trouble>(&value).ok());
    Ok(noted.filter(|noted| noted.n == n))
}

fn key(id: &UpgradeId) -> String {
    format!("trouble.{id}")
}
