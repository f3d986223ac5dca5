use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::{Bucket, Log, PutError, Unavailable};

/// A lock that expires when its holder dies. A courtesy: nothing may be wrong without it.
pub struct Lease {
    log: Arc<dyn Log>,
    key: String,
    value: String,
    ttl: Duration,
    revision: u64,
}

impl Lease {
    /// Takes the lock, or returns none if somebody has it.
    ///
    /// # Errors
    /// [`Unavailable`] if the bucket cannot be asked.
    pub async fn acquire(
        log: Arc<dyn Log>,
        key: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Unavailable> {
        // Unlike anybody else's, so that a write whose answer was lost is known again.
        let value = format!("{holder} {}", Uuid::new_v4().simple());
        match log
            .put_expiring(Bucket::Locks, key, 0, value.as_bytes(), ttl)
            .await
        {
            Ok(revision) => Ok(Some(Lease {
                log,
                key: key.to_owned(),
                value,
                ttl,
                revision,
            })),
            Err(PutError::Conflict) => Ok(None),
            Err(PutError::Unavailable(error)) => Err(error),
        }
    }

    /// Takes another `ttl`; false if the lock was lost.
    ///
    /// # Errors
    /// [`Unavailable`] if the bucket cannot be asked; the lock may be lost.
    pub async fn renew(&mut self) -> Result<bool, Unavailable> {
        let value = self.value.as_bytes();
        match self
            .log
            .put_expiring(Bucket::Locks, &self.key, self.revision, value, self.ttl)
            .await
        {
            Ok(revision) => {
                self.revision = revision;
                Ok(true)
            }
            Err(PutError::Conflict) => Ok(false),
            Err(PutError::Unavailable(error)) => Err(error),
        }
    }

    /// Gives the lock back; a lock that was lost stays with its new holder.
    ///
    /// # Errors
    /// [`Unavailable`] if the bucket cannot be asked; then the lock expires by itself.
    pub async fn release(self) -> Result<(), Unavailable> {
        match self
            .log
            .delete(Bucket::Locks, &self.key, self.revision)
            .await
        {
            Ok(()) | Err(PutError::Conflict) => Ok(()),
            Err(PutError::Unavailable(error)) => Err(error),
        }
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
