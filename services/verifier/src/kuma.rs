//! Uptime Kuma's monitors: from a status page, which tells when they beat, else from `/metrics`.
//!
//! With a page and a key `/metrics` is the fallback for what the page does not tell.

mod metrics;
mod page;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use job::MonitorState;
use reqwest::{Response, StatusCode, Url, header};
use runtime::Secret;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::ports::{Monitoring, Reading, Unknown};
use crate::woodpecker::chain;

/// Larger answers are refused.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// Where Uptime Kuma is, and how it is read.
#[derive(Debug, Clone)]
pub struct KumaAddress {
    /// The server's address.
    pub url: String,
    /// The status page's slug; without one `/metrics` is read.
    pub status_page: Option<String>,
    /// The key for `/metrics`; none if the server wants none. With a page as well, `/metrics` is
    /// read for what the page does not tell.
    pub api_key: Option<Secret>,
    /// It is read at most so often.
    pub poll: Duration,
    /// How long one answer may take.
    pub timeout: Duration,
}

/// One reading and when it was taken, in the process's own time.
type Kept = Option<(Instant, Result<Arc<Reading>, Unknown>)>;

/// The client; all upgrades share one reading.
pub struct Kuma {
    client: reqwest::Client,
    address: KumaAddress,
    now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    page: Mutex<Kept>,
    metrics: Mutex<Kept>,
}

impl std::fmt::Debug for Kuma {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kuma")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Kuma {
    /// A client; `now_ms` is wall time, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// TLS could not be set up.
    pub fn new(
        address: KumaAddress,
        now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    ) -> Result<Kuma, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(address.timeout)
            .user_agent("bowline")
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Kuma {
            client,
            address,
            now_ms,
            page: Mutex::new(None),
            metrics: Mutex::new(None),
        })
    }

    async fn ask_page(&self, slug: &str) -> Result<Reading, Unknown> {
        // A beat that comes while we ask is counted as if it had come before.
        let at_ms = (self.now_ms)();
        let shown = self.json(&["api", "status-page", slug]).await?;
        let beats = self
            .json(&["api", "status-page", "heartbeat", slug])
            .await?;
        let monitors = page::monitors(&shown, &beats)
            .ok_or_else(|| Unknown(format!("its status page `{slug}` has an unknown shape")))?;
        Ok(Reading {
            at_ms,
            monitors,
            all: false,
            note: None,
        })
    }

    async fn ask_metrics(&self) -> Result<Reading, Unknown> {
        let at_ms = (self.now_ms)();
        let key = self.address.api_key.as_ref();
        let answer = self.get(&["metrics"], key).await?;
        let body = read(answer, "text/plain").await?;
        Ok(Reading {
            at_ms,
            monitors: metrics::monitors(&String::from_utf8_lossy(&body)),
            all: true,
            note: None,
        })
    }

    async fn json(&self, path: &[&str]) -> Result<Value, Unknown> {
        let answer = self.get(path, None).await?;
        let body = read(answer, "application/json").await?;
        serde_json::from_slice(&body)
            .map_err(|error| Unknown(format!("its answer is no JSON: {error}")))
    }

    async fn get(&self, path: &[&str], key: Option<&Secret>) -> Result<Response, Unknown> {
        let mut url = Url::parse(&self.address.url)
            .map_err(|error| Unknown(format!("its address is no URL: {error}")))?;
        url.path_segments_mut()
            .map_err(|()| Unknown("its address cannot have a path".to_owned()))?
            .pop_if_empty()
            .extend(path);
        let mut request = self.client.get(url).header("x-apicache-bypass", "true");
        if let Some(key) = key {
            // Any user will do.
            request = request.basic_auth("", Some(key.expose()));
        }
        let answer = request.send().await.map_err(unanswered)?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            StatusCode::UNAUTHORIZED => Err(Unknown(
                "it refused the API key (401): the key is wrong or expired, or more than 60 \
                 requests came in a minute; check `verify.kuma.api_key_file`"
                    .to_owned(),
            )),
            StatusCode::NOT_FOUND => Err(Unknown(
                "it has no such page (404): check `verify.kuma.url` and `verify.kuma.status_page`"
                    .to_owned(),
            )),
            other => Err(Unknown(format!("it answered {other}"))),
        }
    }
}

fn unanswered(error: reqwest::Error) -> Unknown {
    Unknown(format!(
        "it did not answer: {}",
        chain(&error.without_url())
    ))
}

/// The bounded body of an answer of this kind; unknown paths are answered with a page.
async fn read(mut answer: Response, kind: &str) -> Result<Vec<u8>, Unknown> {
    let found = answer.headers().get(header::CONTENT_TYPE);
    let found = found
        .and_then(|found| found.to_str().ok())
        .unwrap_or("nothing");
    if !found.starts_with(kind) {
        return Err(Unknown(format!(
            "it answered with {found}, not {kind}: check `verify.kuma.url`"
        )));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unanswered)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return Err(Unknown(format!(
                "its answer is longer than {MAX_BODY} bytes"
            )));
        }
    }
    Ok(body)
}

impl Kuma {
    /// What one source told last, or tells now.
    async fn shared(
        &self,
        kept: &Mutex<Kept>,
        ask: impl Future<Output = Result<Reading, Unknown>>,
    ) -> Result<Arc<Reading>, Unknown> {
        // Who comes meanwhile waits for the same answer.
        let mut kept = kept.lock().await;
        if let Some((at, reading)) = kept.as_ref()
            && at.elapsed() < self.address.poll
        {
            return reading.clone();
        }
        let asked = Instant::now();
        let reading = ask.await.map(Arc::new);
        if let Err(unknown) = &reading {
            tracing::warn!(%unknown, "Uptime Kuma could not be asked");
        }
        *kept = Some((asked, reading.clone()));
        reading
    }
}

#[async_trait]
impl Monitoring for Kuma {
    async fn read(&self) -> Result<Arc<Reading>, Unknown> {
        match &self.address.status_page {
            Some(slug) => self.shared(&self.page, self.ask_page(slug)).await,
            None => self.shared(&self.metrics, self.ask_metrics()).await,
        }
    }

    async fn fallback(&self) -> Option<Result<Arc<Reading>, Unknown>> {
        self.address.status_page.as_ref()?;
        self.address.api_key.as_ref()?;
        Some(self.shared(&self.metrics, self.ask_metrics()).await)
    }
}

/// What the server's number means; a new one means nothing to us.
fn state(number: i64) -> Option<MonitorState> {
    Some(match number {
        0 => MonitorState::Down,
        1 => MonitorState::Up,
        2 => MonitorState::Pending,
        3 => MonitorState::Maintenance,
        _ => return None,
    })
}

/// The host of an address; `https://` and `null` stand for none.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    (!host.is_empty()).then_some(host)
}
