//! How long a registry out of reach is waited for.
//!
//! An outage passes. A registry that is asked at the wrong address, or without TLS where the nodes
//! know better, stays out of reach; then it is one that lets nobody look, and an upgrade whose tag
//! DIUN has seen there goes on without.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bus::Log;

use crate::ports::{Images, PortError, Published};

/// So long in a row it has to be out of reach, in milliseconds.
const PATIENCE: i64 = 15 * 60 * 1_000;
/// Failures that are so far apart are not of one row.
const ROW: i64 = 10 * 60 * 1_000;

/// Images in registries that are given up for a while.
pub(crate) struct Patient {
    images: Arc<dyn Images>,
    log: Arc<dyn Log>,
    /// By registry: when it began to fail, and when it failed last.
    failing: Mutex<HashMap<String, (i64, i64)>>,
}

impl Patient {
    pub(crate) fn new(images: Arc<dyn Images>, log: Arc<dyn Log>) -> Patient {
        Patient {
            images,
            log,
            failing: Mutex::default(),
        }
    }

    fn judged<T>(&self, image: &str, asked: Result<T, PortError>) -> Result<T, PortError> {
        let host = image.split('/').next().unwrap_or(image);
        let failing = self.failing.lock();
        let mut failing = failing.unwrap_or_else(PoisonError::into_inner);
        let error = match asked {
            Err(error) if error.retry_after.is_none() && !error.lasting => error,
            answered => {
                failing.remove(host);
                return answered;
            }
        };
        let now = self.log.now_ms();
        let (began, last) = failing.entry(host.to_owned()).or_insert((now, now));
        if now - *last > ROW {
            *began = now;
        }
        *last = now;
        if now - *began <= PATIENCE {
            return Err(error);
        }
        Err(PortError::lasting(format!(
            "{}; if {host} is asked at the wrong address, the right one is given under [registries]",
            error.what
        )))
    }
}

#[async_trait]
impl Images for Patient {
    async fn look(&self, image: &str, tag: &str) -> Result<Published, PortError> {
        self.judged(image, self.images.look(image, tag).await)
    }

    async fn tags(&self, image: &str) -> Result<Vec<String>, PortError> {
        self.judged(image, self.images.tags(image).await)
    }

    async fn source(&self, image: &str, tag: &str) -> Result<Option<String>, PortError> {
        self.judged(image, self.images.source(image, tag).await)
    }
}
