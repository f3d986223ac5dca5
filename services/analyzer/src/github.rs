//! [`Releases`] from GitHub's REST API.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, LINK, RETRY_AFTER, USER_AGENT};
use reqwest::{Response, StatusCode};
use runtime::Secret;
use serde::Deserialize;
use tokio::time::Instant;

use crate::ports::{PortError, Release, Releases};

/// More than any project's releases that matter; a list without end would never stop.
const MAX_PAGES: usize = 30;
/// One page of 100 releases with long notes stays far below this.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// A secondary limit without a named time: GitHub asks for at least a minute.
const SECONDARY_WAIT: Duration = Duration::from_secs(60);

/// GitHub, with or without a token.
pub struct GitHub {
    client: reqwest::Client,
    base: String,
    token: Option<Secret>,
    /// Until when GitHub has asked to be left alone. Asking on counts, and prolongs it.
    limited: Mutex<Option<Instant>>,
}

#[derive(Deserialize)]
struct ReleaseBody {
    tag_name: String,
    name: Option<String>,
    body: Option<String>,
    html_url: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    prerelease: bool,
}

impl GitHub {
    /// A client for the API at `base`.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is unusable.
    pub fn new(base: &str, token: Option<Secret>, timeout: Duration) -> anyhow::Result<GitHub> {
        let client = reqwest::Client::builder().timeout(timeout).build()?;
        Ok(GitHub {
            client,
            base: base.trim_end_matches('/').to_owned(),
            token,
            limited: Mutex::default(),
        })
    }

    /// How long GitHub still wants to be left alone.
    fn limited(&self) -> Option<Duration> {
        let limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        let left = limited.map(|until| until.saturating_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero())
    }

    fn limit_for(&self, wait: Duration) {
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        *limited = (*limited).max(Some(Instant::now() + wait));
    }

    async fn get(&self, url: &str) -> Result<Response, PortError> {
        if !url.starts_with(&self.base) {
            // The token goes nowhere else, whatever a link says.
            return Err(PortError::new(format!(
                "GitHub's list goes on at {url}, which is not below {}",
                self.base
            )));
        }
        let mut request = self
            .client
            .get(url)
            .header(USER_AGENT, "bowline")
            .header(ACCEPT, "application/vnd.github+json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        request
            .send()
            .await
            .map_err(|error| told("failed to ask GitHub", error))
    }

    async fn page(
        &self,
        url: &str,
    ) -> Result<Option<(Vec<ReleaseBody>, Option<String>)>, PortError> {
        if let Some(left) = self.limited() {
            return Err(PortError {
                what: "GitHub has limited us, and is not asked until that is over".to_owned(),
                retry_after: Some(left),
            });
        }
        let mut answer = self.get(url).await?;
        let status = answer.status();
        let next = next_link(answer.headers());
        let wait = limit(status, answer.headers());
        let mut body: Vec<u8> = Vec::new();
        while let Some(part) = answer
            .chunk()
            .await
            .map_err(|error| told("failed to read GitHub's answer", error))?
        {
            if body.len() + part.len() > MAX_BODY {
                return Err(PortError::new(format!(
                    "GitHub's answer is larger than {MAX_BODY} bytes"
                )));
            }
            body.extend_from_slice(&part);
        }
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            // GitHub lists the newest 10,000 only; what was read so far stands.
            return Ok(Some((Vec::new(), None)));
        }
        if !status.is_success() {
            let refusal = refusal(status, wait, &message(&body));
            if let Some(wait) = refusal.retry_after {
                self.limit_for(wait);
            }
            return Err(refusal);
        }
        let releases = serde_json::from_slice(&body)
            .map_err(|error| PortError::new(format!("GitHub sent no list of releases: {error}")))?;
        Ok(Some((releases, next)))
    }
}

#[async_trait]
impl Releases for GitHub {
    async fn all(&self, repository: &str) -> Result<Option<Vec<Release>>, PortError> {
        let mut url = Some(format!(
            "{}/repos/{repository}/releases?per_page=100",
            self.base
        ));
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(page) = url.take() else { break };
            let asked = runtime::outside("github_releases", Some(&self.base), self.page(&page));
            let Some((releases, next)) = asked.await? else {
                return Ok(None);
            };
            found.extend(
                releases
                    .into_iter()
                    .filter(|release| !release.draft)
                    .map(|release| Release {
                        tag: release.tag_name,
                        title: release.name,
                        body: release.body.unwrap_or_default(),
                        url: release.html_url,
                        prerelease: release.prerelease,
                    }),
            );
            url = next;
        }
        Ok(Some(found))
    }
}

/// What an answer other than a list means, in words for people.
fn refusal(status: StatusCode, wait: Option<Duration>, message: &str) -> PortError {
    if status == StatusCode::UNAUTHORIZED {
        return PortError::new(format!(
            "GitHub does not accept the token ({status}: {message}); put a valid one into \
             github.token_file or BOWLINE_SECRET_GITHUB_TOKEN, or leave it away"
        ));
    }
    let secondary = status == StatusCode::TOO_MANY_REQUESTS
        || message
            .to_ascii_lowercase()
            .contains("secondary rate limit");
    PortError {
        what: format!("GitHub answered {status}: {message}"),
        retry_after: wait.or_else(|| secondary.then_some(SECONDARY_WAIT)),
    }
}

/// An error of the HTTP client with its causes; they alone say what happened.
fn told(what: &str, error: reqwest::Error) -> PortError {
    PortError::new(format!("{what}: {:#}", anyhow::Error::new(error)))
}

/// The time that a limit names: seconds, or the moment of the reset.
fn limit(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if status != StatusCode::FORBIDDEN && status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let number = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok()?.parse::<i64>().ok())
    };
    let seconds = match number(RETRY_AFTER.as_str()) {
        Some(seconds) => seconds,
        None if number("x-ratelimit-remaining") == Some(0) => {
            number("x-ratelimit-reset")?.saturating_sub(jiff::Timestamp::now().as_second() - 1)
        }
        None => return None,
    };
    Some(Duration::from_secs(
        u64::try_from(seconds.clamp(1, 3_700)).unwrap_or(60),
    ))
}

/// The address of the next page, followed as it is given.
fn next_link(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?;
    links.split(',').find_map(|link| {
        let (address, rest) = link.split_once(';')?;
        rest.contains("rel=\"next\"").then(|| {
            address
                .trim()
                .trim_start_matches('<')
                .trim_end_matches('>')
                .to_owned()
        })
    })
}

/// What an error body says, bounded; GitHub's outages answer with pages instead of JSON.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    let text = serde_json::from_slice::<Message>(body)
        .map_or_else(|_| "no readable reason".to_owned(), |error| error.message);
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
