//! Asking a git host over HTTP: limits, conditional requests, pages, bounds.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use runtime::Secret;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::cache::{self, Cache};
use crate::http::{self, Unread};
use crate::limits::{self, Limits};
use crate::ports::PortError;

/// One page of 100 releases with long notes, and any changelog, stay far below this.
pub(super) const MAX_BODY: usize = 16 * 1024 * 1024;
/// What is larger is fetched anew each time: a message of NATS holds a megabyte.
const MAX_KEPT: usize = 900 * 1024;
/// A token that was not accepted is left away for so long: to insist on it locks an account.
const TOKEN_PAUSE: Duration = Duration::from_secs(600);

/// A client for one host.
pub(super) struct Asker {
    client: reqwest::Client,
    /// Where its API is.
    pub(super) base: String,
    /// Where the API begins in an address of this host.
    mark: &'static str,
    /// What people call it.
    pub(super) name: String,
    /// The value of the header with the token, if there is one.
    authorization: Option<Secret>,
    /// Where its token is configured, for people.
    pub(super) token_at: String,
    /// Until when the token is left away, and what the host said of it.
    token_refused: Mutex<Option<(Instant, String)>>,
    limits: Limits,
    cache: Arc<dyn Cache>,
}

/// An answer with a body.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// Where the list goes on.
    pub(super) next: Option<String>,
    /// It is a page for people, and not what was asked for.
    pub(super) page: bool,
}

/// What is asked, which decides what it means that nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Whether there is a repository: one that cannot be seen without the token may be there.
    Whether,
    /// For something in a repository that is there.
    Below,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It may be there for somebody else, or for nobody in particular.
    #[error(transparent)]
    Denied(PortError),
    /// A smaller page may be answered.
    #[error(transparent)]
    TooMuch(PortError),
    /// The list ends here.
    #[error(transparent)]
    Beyond(PortError),
    /// Everything else.
    #[error(transparent)]
    Other(PortError),
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> PortError {
        match failure {
            Failure::Denied(error)
            | Failure::TooMuch(error)
            | Failure::Beyond(error)
            | Failure::Other(error) => error,
        }
    }
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
        (name, base, mark): (&str, &str, &'static str),
        authorization: Option<Secret>,
        token_at: &str,
        cache: Arc<dyn Cache>,
    ) -> Asker {
        Asker {
            client,
            base: base.trim_end_matches('/').to_owned(),
            mark,
            name: name.to_owned(),
            authorization,
            token_at: token_at.to_owned(),
            token_refused: Mutex::default(),
            limits: Limits::new(Arc::clone(&cache)),
            cache,
        }
    }

    /// Gets an address below the base; none if there is nothing there.
    ///
    /// A token that is too old or of the wrong kind breaks even what everybody may read, so what is
    /// denied with it is asked for without it.
    pub(super) async fn get(
        &self,
        url: &str,
        accept: &str,
        asks: Asks,
    ) -> Result<Option<Answer>, Failure> {
        let refused = self.refused();
        let token = self.authorization.as_ref().filter(|_| refused.is_none());
        let answer = self.attempt(url, accept, token).await;
        match (answer, refused) {
            (Err(Failure::Denied(denied)), None) if token.is_some() => {
                let answer = self.attempt(url, accept, None).await;
                let answer = without_token(answer, asks, &denied.what)?;
                tracing::warn!("{}; it is asked without", denied.what);
                Ok(answer)
            }
            (answer, Some(what)) => without_token(answer, asks, &what),
            (answer, None) => answer,
        }
    }

    /// What the host said of the token, if that is left away for now.
    fn refused(&self) -> Option<String> {
        let refused = self.token_refused.lock();
        let refused = refused.unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let known = refused.as_ref().filter(|(until, _)| now < *until);
        known.map(|(_, what)| what.clone())
    }

    /// The same for what never changes: what is kept of it is good.
    pub(super) async fn get_fixed(
        &self,
        url: &str,
        accept: &str,
    ) -> Result<Option<Answer>, Failure> {
        // It may have been read without the token.
        for token in [self.authorization.as_ref(), None] {
            if let Some((kept, body)) = self.kept(&self.key(url, accept, token)).await {
                return Ok(Some(Answer {
                    body,
                    next: kept.next,
                    page: false,
                }));
            }
        }
        self.get(url, accept, Asks::Below).await
    }

    async fn attempt(
        &self,
        url: &str,
        accept: &str,
        token: Option<&Secret>,
    ) -> Result<Option<Answer>, Failure> {
        // All who use one token share its limit; the token itself is in no key.
        let limit_key = self.key("", "limit", token);
        let guarded = self.limits.guard(&limit_key, &self.name).await;
        guarded.map_err(Failure::Other)?;
        let key = self.key(url, accept, token);
        let kept = self.kept(&key).await;
        let mut request = self.client.get(url).header(ACCEPT, accept);
        let etag = kept.as_ref().map(|(kept, _)| kept.etag.as_str());
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.expose());
        }
        let sent = limits::now();
        let answer = http::read(request, MAX_BODY).await;
        let answer = answer.map_err(|unread| match unread {
            Unread::TooLarge(_) => Failure::TooMuch(unread.told(&self.name)),
            Unread::Failed(_) => Failure::Other(unread.told(&self.name)),
        })?;
        let status = answer.status;
        let next = self.next(&answer.headers)?;
        if status == StatusCode::NOT_MODIFIED
            && let Some((kept, body)) = kept
        {
            return Ok(Some(Answer {
                body,
                // A page that was the last one may have got a successor.
                next: next.or(kept.next),
                page: false,
            }));
        }
        match status {
            StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => return Ok(None),
            status if !status.is_success() => {
                return Err(self.refusal(&answer, (&limit_key, sent), token).await);
            }
            _ => {}
        }
        let page = http::is_page(&answer.headers);
        let etag = answer.headers.get(ETAG);
        if let Some(etag) = etag.and_then(|etag| etag.to_str().ok())
            && !page
        {
            let (etag, next) = (etag.to_owned(), next.clone());
            self.keep(&key, &Kept { etag, next }, &answer.body).await;
        }
        Ok(Some(Answer {
            body: answer.body,
            next,
            page,
        }))
    }

    /// Where a list goes on, below the base.
    fn next(&self, headers: &HeaderMap) -> Result<Option<String>, Failure> {
        let root = self.base.strip_suffix(self.mark.trim_end_matches('/'));
        let root = root.unwrap_or(&self.base);
        http::next_page(headers, root, self.mark).map_err(|link| {
            Failure::Other(PortError::lasting(format!(
                "the list of {} goes on at {link}, which is not below {}",
                self.name, self.base
            )))
        })
    }

    /// What an answer other than a list means, in words for people.
    async fn refusal(
        &self,
        answer: &http::Read,
        (limit_key, sent): (&str, i64),
        token: Option<&Secret>,
    ) -> Failure {
        let (name, status) = (&self.name, answer.status);
        let message = message(&answer.body);
        let what = format!("{name} answered {status}: {message}");
        let said = message.to_ascii_lowercase();
        let limited = status == StatusCode::TOO_MANY_REQUESTS
            || said.contains("secondary rate limit")
            || said.contains("abuse detection");
        let named = http::named_wait(status, &answer.headers);
        if limited || named.is_some() {
            let wait = self.limits.begin(limit_key, sent, named).await;
            return Failure::Other(PortError {
                what,
                retry_after: Some(wait),
                lasting: false,
            });
        }
        match status {
            StatusCode::UNAUTHORIZED if token.is_some() => {
                let what = format!(
                    "{name} does not accept the token ({status}: {message}); put a valid one into \
                     {}, or leave it away",
                    self.token_at
                );
                let refused = self.token_refused.lock();
                let mut refused = refused.unwrap_or_else(PoisonError::into_inner);
                *refused = Some((Instant::now() + TOKEN_PAUSE, what.clone()));
                Failure::Denied(PortError::lasting(what))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::Denied(PortError::lasting(format!(
                    "{what}; a token that may read it is given as {}",
                    self.token_at
                )))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Failure::Beyond(PortError::lasting(what)),
            status if status.is_server_error() => Failure::TooMuch(PortError::new(what)),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
                Failure::Other(PortError::new(what))
            }
            _ => Failure::Other(PortError::lasting(what)),
        }
    }

    fn key(&self, url: &str, accept: &str, token: Option<&Secret>) -> String {
        let token = token.map(Secret::expose).unwrap_or_default();
        cache::key(&[&self.base, url, accept, token])
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

/// What an answer without the token means for who has one that was `denied`: what everybody may read
/// is all there is in it.
fn without_token(
    answer: Result<Option<Answer>, Failure>,
    asks: Asks,
    denied: &str,
) -> Result<Option<Answer>, Failure> {
    match answer {
        Ok(None) if asks == Asks::Below => Ok(None),
        Ok(None) | Err(Failure::Denied(_)) => Err(Failure::Denied(PortError::lasting(denied))),
        answer => answer,
    }
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
