//! The HTTP checks: one GET, no redirects followed, the body unread.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::Probe;
use crate::woodpecker::chain;

/// Asks addresses for their status.
#[derive(Debug)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// A probe that waits `timeout` for each answer.
    ///
    /// # Errors
    /// TLS could not be set up.
    pub fn new(timeout: Duration) -> Result<Http, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .user_agent("bowline")
            .redirect(reqwest::redirect::Policy::none())
            // A connection that is kept would still lead to the old pod.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Http { client })
    }
}

#[async_trait]
impl Probe for Http {
    async fn status(&self, address: &str) -> u32 {
        match self.client.get(address).send().await {
            Ok(answer) => u32::from(answer.status().as_u16()),
            Err(error) => {
                tracing::debug!(address, error = chain(&error), "no HTTP answer");
                0
            }
        }
    }
}
