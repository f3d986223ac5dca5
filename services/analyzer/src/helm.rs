//! [`Charts`] from chart repositories: over HTTP with an index, and from OCI registries.

mod index;
mod registry;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderMap, RETRY_AFTER, USER_AGENT};
use reqwest::{RequestBuilder, Response, StatusCode};

use crate::chart::ChartVersion;
use crate::ports::{Charts, PortError};

/// So much is remembered of each kind; with more it is forgotten, and asked for again.
const REMEMBERED: usize = 2_000;

/// What an index said, with the tag of its contents.
type Tagged = (String, Arc<Vec<ChartVersion>>);

/// Chart repositories; whoever may read them without a login.
pub struct Helm {
    client: reqwest::Client,
    /// By address and chart: the index's tag, and what it said.
    indexes: Remembered<(String, String), Tagged>,
    /// By registry and repository.
    tokens: Remembered<(String, String), String>,
    /// By address of the manifest: a pushed version does not change. None is no chart.
    pushed: Remembered<String, Option<ChartVersion>>,
}

impl Helm {
    /// A client whose every answer has to come within `timeout`.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is unusable.
    pub fn new(timeout: Duration) -> anyhow::Result<Helm> {
        Ok(Helm {
            client: reqwest::Client::builder().timeout(timeout).build()?,
            indexes: Remembered::default(),
            tokens: Remembered::default(),
            pushed: Remembered::default(),
        })
    }
}

#[async_trait]
impl Charts for Helm {
    async fn versions(
        &self,
        repository: &str,
        chart: &str,
        written: &str,
    ) -> Result<Option<Arc<Vec<ChartVersion>>>, PortError> {
        let repository = repository.trim_end_matches('/');
        match repository.strip_prefix("oci://") {
            Some(place) => {
                let asked = self.pushed(place, chart, written);
                runtime::outside("helm_registry", Some(repository), asked).await
            }
            None => {
                let asked = self.indexed(repository, chart);
                runtime::outside("helm_index", Some(repository), asked).await
            }
        }
    }
}

/// An answer's status and headers, with its body.
struct Read {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Asks, and reads no more than `max` bytes of the answer.
async fn read(what: &str, request: RequestBuilder, max: usize) -> Result<Read, PortError> {
    let told = |error: reqwest::Error| {
        // The address of a blob may hold a signature.
        let error = anyhow::Error::new(error.without_url());
        PortError::new(format!("failed to ask {what}: {error:#}"))
    };
    let asked = request.header(USER_AGENT, "bowline").send().await;
    let mut answer: Response = asked.map_err(told)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(told)? {
        if body.len() + part.len() > max {
            return Err(PortError::new(format!(
                "the answer of {what} is larger than {max} bytes"
            )));
        }
        body.extend_from_slice(&part);
    }
    Ok(Read {
        status,
        headers,
        body,
    })
}

/// What an answer that is no success means: nothing is known, and it is asked again.
fn refusal(what: &str, answer: &Read) -> PortError {
    let hint = match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; chart repositories are read without a login"
        }
        StatusCode::NOT_FOUND => "; is the address right?",
        _ => "",
    };
    let seconds = answer
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    PortError {
        what: format!("{what} answered {}{hint}", answer.status),
        retry_after: seconds.map(|seconds| Duration::from_secs(seconds.clamp(1, 3_700))),
    }
}

/// What was learned, for as long as the process lives.
struct Remembered<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Remembered(Mutex::default())
    }
}

impl<K: Eq + std::hash::Hash, V: Clone> Remembered<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &K) -> Option<V> {
        self.lock().get(key).cloned()
    }

    fn put(&self, key: K, value: V) {
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, value);
    }
}

#[cfg(test)]
mod tests;
