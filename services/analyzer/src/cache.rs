//! What was fetched and can be fetched again, shared by all analyzers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bus::{Bucket, Log};
use sha2::{Digest as _, Sha256};

/// A place for what can be fetched again. It may forget anything at any time, so nothing that goes
/// wrong with it is an error.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// What was put there last, if it is still there.
    async fn get(&self, key: &str) -> Option<Vec<u8>>;

    /// Keeps a value, for so long at most if a time is given.
    async fn put(&self, key: &str, value: &[u8], ttl: Option<Duration>);
}

/// The key of something that these parts name; a secret among them cannot be told from it.
pub(crate) fn key(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    // The analyzers may write below this word alone.
    format!("forge.{}", hex::encode(digest.finalize()))
}

/// The bucket `CACHE`: all analyzers use what one of them has fetched.
pub struct Shared(pub Arc<dyn Log>);

#[async_trait]
impl Cache for Shared {
    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        match self.0.get(Bucket::Cache, key).await {
            Ok(found) => found.map(|(_, value)| value),
            Err(error) => {
                tracing::debug!("the cache does not answer: {error}");
                None
            }
        }
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Option<Duration>) {
        let found = self.0.get(Bucket::Cache, key).await;
        let revision = found.ok().flatten().map_or(0, |(revision, _)| revision);
        let put = match ttl {
            Some(ttl) => {
                let log = &self.0;
                log.put_expiring(Bucket::Cache, key, revision, value, ttl)
                    .await
            }
            None => self.0.put(Bucket::Cache, key, revision, value).await,
        };
        if let Err(error) = put {
            // Another analyzer may have been faster.
            tracing::debug!("not kept in the cache: {error}");
        }
    }
}

/// In this process alone, for as long as it lives.
#[derive(Default)]
pub struct Own(Mutex<HashMap<String, Vec<u8>>>);

#[async_trait]
impl Cache for Own {
    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).cloned()
    }

    async fn put(&self, key: &str, value: &[u8], _ttl: Option<Duration>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key.to_owned(), value.to_vec());
    }
}
