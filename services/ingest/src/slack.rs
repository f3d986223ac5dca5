//! Slack's incoming webhook.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use runtime::Secret;
use serde_json::json;

/// Why a message did not get through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SlackError {
    /// Try again, not before this time.
    #[error("Slack cannot take it now: {why}")]
    Later {
        /// What came back.
        why: String,
        /// When to come back, if it said so.
        after: Option<Duration>,
    },
    /// Slack will never take it.
    #[error("Slack refused it: {0}")]
    Never(String),
}

/// The channel that announcements go to.
pub(crate) struct Slack {
    client: reqwest::Client,
    url: Secret,
}

impl Slack {
    /// A sender; the address is a secret of its own.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is unusable.
    pub(crate) fn new(url: Secret, timeout: Duration) -> anyhow::Result<Slack> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Slack { client, url })
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`SlackError`]; its text never holds the address.
    pub(crate) async fn send(&self, text: &str) -> Result<(), SlackError> {
        // The path is a secret of its own; of the address only the host is shown.
        runtime::effect("slack_post", Some(self.url.expose()), self.post(text)).await
    }

    async fn post(&self, text: &str) -> Result<(), SlackError> {
        let later = |why: String| SlackError::Later { why, after: None };
        let answer = self
            .client
            .post(self.url.expose())
            .json(&json!({ "text": text }))
            .send()
            .await
            .map_err(|error| later(error.without_url().to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        if status.as_u16() == 429 {
            let seconds = answer
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .unwrap_or(30_u64);
            return Err(SlackError::Later {
                why: "too many messages".to_owned(),
                after: Some(Duration::from_secs(seconds.clamp(1, 600))),
            });
        }
        if status.is_server_error() {
            return Err(later(format!("status {status}")));
        }
        Err(SlackError::Never(format!("status {status}")))
    }
}
