//! Asking a git host over HTTP: limits, conditional requests, pages, bounds.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LINK, RETRY_AFTER, USER_AGENT,
};
use reqwest::{Response, StatusCode};
use runtime::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::ports::PortError;

/// One page of 100 releases with long notes, and any changelog, stay far below this.
pub(super) const MAX_BODY: usize = 16 * 1024 * 1024;
/// What is larger is fetched anew each time: a message of NATS holds a megabyte.
const MAX_KEPT: usize = 900 * 1024;
/// A secondary limit without a named time: GitHub asks for at least a minute.
pub(super) const SECONDARY_WAIT: Duration = Duration::from_secs(60);
/// No limit lasts longer than this; a clock may be wrong.
const LONGEST_WAIT: i64 = 3_700;

/// A client for one host.
pub(super) struct Asker {
    client: reqwest::Client,
    /// Where its API is.
    pub(super) base: String,
    /// What people call it.
    pub(super) name: String,
    /// The header with the token, if there is one.
    authorization: Option<(&'static str, Secret)>,
    /// Where its token is configured, for people.
    pub(super) token_at: String,
    /// Until when the host has asked to be left alone. Asking on counts, and prolongs it.
    limited: Mutex<Option<Instant>>,
    cache: Arc<dyn Cache>,
}

/// An answer with a body.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// Where the list goes on.
    pub(super) next: Option<String>,
}

/// The first line of what is kept; the body follows.
#[derive(Serialize, Deserialize)]
struct Kept {
    etag: String,
    next: Option<String>,
}

impl Asker {
    pub(super) fn new(
        client: reqwest::Client,
        (name, base): (&str, &str),
        authorization: Option<(&'static str, Secret)>,
        token_at: &str,
        cache: Arc<dyn Cache>,
    ) -> Asker {
        Asker {
            client,
            base: base.trim_end_matches('/').to_owned(),
            name: name.to_owned(),
            authorization,
            token_at: token_at.to_owned(),
            limited: Mutex::default(),
            cache,
        }
    }

    /// Gets an address below the base; none if there is nothing there.
    ///
    /// # Errors
    /// The host is out of reach, limits us, or refuses; that is no reason to call notes absent.
    pub(super) async fn get(&self, url: &str, accept: &str) -> Result<Option<Answer>, PortError> {
        let below = url.strip_prefix(&self.base);
        if !below.is_some_and(|rest| rest.starts_with('/')) {
            // The token goes nowhere else, whatever a link says.
            return Err(PortError::new(format!(
                "the list of {} goes on at {url}, which is not below {}",
                self.name, self.base
            )));
        }
        if let Some(left) = self.left_of_limit().await {
            return Err(PortError {
                what: format!(
                    "{} has limited us, and is not asked until that is over",
                    self.name
                ),
                retry_after: Some(left),
                lasting: false,
            });
        }
        let key = self.key(url, accept);
        let kept = self.kept(&key).await;
        let etag = kept.as_ref().map(|(kept, _)| kept.etag.as_str());
        let answer = self.send(url, accept, etag).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = self.body(answer).await?;
        if status == StatusCode::NOT_MODIFIED
            && let Some((kept, body)) = kept
        {
            let next = kept.next;
            return Ok(Some(Answer { body, next }));
        }
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if status == StatusCode::UNPROCESSABLE_ENTITY {
            // GitHub lists the newest 10,000 only; what was read so far stands.
            let body = b"[]".to_vec();
            return Ok(Some(Answer { body, next: None }));
        }
        if !status.is_success() {
            let refusal = self.refusal(status, limit(status, &headers), &message(&body));
            if let Some(wait) = refusal.retry_after {
                self.limit_for(wait).await;
            }
            return Err(refusal);
        }
        let next = next_link(&headers);
        if let Some(etag) = headers.get(ETAG).and_then(|etag| etag.to_str().ok()) {
            let (etag, next) = (etag.to_owned(), next.clone());
            self.keep(&key, &Kept { etag, next }, &body).await;
        }
        Ok(Some(Answer { body, next }))
    }

    async fn send(
        &self,
        url: &str,
        accept: &str,
        etag: Option<&str>,
    ) -> Result<Response, PortError> {
        let mut request = self
            .client
            .get(url)
            .header(USER_AGENT, "bowline")
            .header(ACCEPT, accept);
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some((header, secret)) = &self.authorization {
            request = request.header(*header, secret.expose());
        }
        let sent = request.send().await;
        sent.map_err(|error| self.failed("failed to ask", error))
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, PortError> {
        let mut body: Vec<u8> = Vec::new();
        let failed = |error| self.failed("failed to read the answer of", error);
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            if body.len() + part.len() > MAX_BODY {
                return Err(PortError::new(format!(
                    "the answer of {} is larger than {MAX_BODY} bytes",
                    self.name
                )));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    /// An error of the HTTP client with its causes; they alone say what happened.
    fn failed(&self, what: &str, error: reqwest::Error) -> PortError {
        PortError::new(format!(
            "{what} {}: {:#}",
            self.name,
            anyhow::Error::new(error)
        ))
    }

    /// What an answer other than a list means, in words for people.
    fn refusal(&self, status: StatusCode, wait: Option<Duration>, message: &str) -> PortError {
        let name = &self.name;
        if status == StatusCode::UNAUTHORIZED {
            return PortError::new(format!(
                "{name} does not accept the token ({status}: {message}); put a valid one into {}, \
                 or leave it away",
                self.token_at
            ));
        }
        let secondary = status == StatusCode::TOO_MANY_REQUESTS
            || message
                .to_ascii_lowercase()
                .contains("secondary rate limit");
        PortError {
            what: format!("{name} answered {status}: {message}"),
            retry_after: wait.or_else(|| secondary.then_some(SECONDARY_WAIT)),
            lasting: false,
        }
    }

    /// How long the host still wants to be left alone, as far as any analyzer knows.
    async fn left_of_limit(&self) -> Option<Duration> {
        let own = {
            let limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            limited.map(|until| until.saturating_duration_since(Instant::now()))
        };
        if let Some(left) = own.filter(|left| !left.is_zero()) {
            return Some(left);
        }
        let told = self.cache.get(&self.limit_key()).await?;
        let until: i64 = std::str::from_utf8(&told).ok()?.parse().ok()?;
        let left = until.saturating_sub(jiff::Timestamp::now().as_second());
        let left = u64::try_from(left.min(LONGEST_WAIT)).ok()?;
        (left > 0).then(|| Duration::from_secs(left))
    }

    async fn limit_for(&self, wait: Duration) {
        {
            let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            *limited = (*limited).max(Some(Instant::now() + wait));
        }
        let seconds = wait.as_secs().max(1);
        let until = jiff::Timestamp::now().as_second() + i64::try_from(seconds).unwrap_or(60);
        let ttl = Some(Duration::from_secs(seconds));
        self.cache
            .put(&self.limit_key(), until.to_string().as_bytes(), ttl)
            .await;
    }

    /// All who use one token share its limit; the token itself is in no key.
    fn limit_key(&self) -> String {
        self.key("", "limit")
    }

    fn key(&self, url: &str, accept: &str) -> String {
        let mut digest = Sha256::new();
        let token = self
            .authorization
            .as_ref()
            .map(|(_, secret)| secret.expose());
        for part in [self.base.as_str(), url, accept, token.unwrap_or_default()] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        format!("forge.{}", hex::encode(digest.finalize()))
    }

    async fn kept(&self, key: &str) -> Option<(Kept, Vec<u8>)> {
        let kept = self.cache.get(key).await?;
        let end = kept.iter().position(|byte| *byte == b'\n')?;
        let (head, body) = kept.split_at_checked(end)?;
        let head = serde_json::from_slice(head).ok()?;
        let mut text = Vec::new();
        let limit = u64::try_from(MAX_BODY).ok()?;
        let mut reader = flate2::read::ZlibDecoder::new(body.get(1..)?).take(limit);
        reader.read_to_end(&mut text).ok()?;
        Some((head, text))
    }

    async fn keep(&self, key: &str, head: &Kept, body: &[u8]) {
        let Ok(mut kept) = serde_json::to_vec(head) else {
            return;
        };
        kept.push(b'\n');
        let mut writer = flate2::write::ZlibEncoder::new(kept, flate2::Compression::fast());
        let written = writer.write_all(body);
        if let (Ok(()), Ok(kept)) = (written, writer.finish())
            && kept.len() <= MAX_KEPT
        {
            self.cache.put(key, &kept, None).await;
        }
    }
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
    let until = |moment: i64| moment.saturating_sub(jiff::Timestamp::now().as_second() - 1);
    let seconds = match number(RETRY_AFTER.as_str()) {
        Some(seconds) => seconds,
        None if number("x-ratelimit-remaining") == Some(0) => until(number("x-ratelimit-reset")?),
        // GitLab's names.
        None if number("ratelimit-remaining") == Some(0) => until(number("ratelimit-reset")?),
        None => return None,
    };
    Some(Duration::from_secs(
        u64::try_from(seconds.clamp(1, LONGEST_WAIT)).unwrap_or(60),
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

/// What an error body says, bounded; outages answer with pages instead of JSON.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Message {
        #[serde(alias = "error")]
        message: String,
    }
    let text = serde_json::from_slice::<Message>(body)
        .map_or_else(|_| "no readable reason".to_owned(), |error| error.message);
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    #[test]
    fn a_limit_is_read_from_the_headers_of_either_status() {
        let now = jiff::Timestamp::now().as_second();
        let soon = (now + 100).to_string();
        type Case<'a> = (
            u16,
            &'a [(&'static str, &'a str)],
            Option<RangeInclusive<u64>>,
        );
        let cases: [Case<'_>; 8] = [
            (429, &[("retry-after", "30")], Some(30..=30)),
            (403, &[("retry-after", "0")], Some(1..=1)),
            (403, &[("retry-after", "999999")], Some(3_700..=3_700)),
            (
                429,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &soon)],
                Some(98..=101),
            ),
            (
                403,
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "-9223372036854775808"),
                ],
                Some(1..=1),
            ),
            (
                403,
                &[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", &soon)],
                None,
            ),
            (403, &[], None),
            (500, &[("retry-after", "30")], None),
        ];
        for (status, headers, expected) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            let wait = limit(StatusCode::from_u16(status).unwrap(), &map);
            match (wait, &expected) {
                (Some(wait), Some(range)) => assert!(range.contains(&wait.as_secs()), "{wait:?}"),
                (wait, expected) => assert_eq!(
                    wait.is_none(),
                    expected.is_none(),
                    "{status} {headers:?}: {wait:?}"
                ),
            }
        }
    }
}
