//! A Helm chart repository over HTTP: one `index.yaml`, as `helm repo index` writes it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;

use crate::server::{Server, lock, reply, with_header};

/// A stub repository; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Charts {
    state: Arc<Mutex<Inner>>,
    server: Arc<Server>,
}

#[derive(Debug, Default)]
struct Inner {
    charts: BTreeMap<String, Vec<Listed>>,
    filler_bytes: usize,
    faults: VecDeque<Fault>,
    latency: Duration,
    requests: usize,
    unchanged: usize,
}

#[derive(Debug)]
struct Listed {
    version: String,
    app: Option<String>,
    deprecated: bool,
}

#[derive(Debug)]
enum Fault {
    /// A status and a page.
    Status(u16, &'static str),
    /// 429 with `Retry-After` in seconds.
    Limit(u64),
    /// 200 with something else in it.
    Body(&'static str),
}

impl Charts {
    /// Starts a repository without charts.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        Ok(Self {
            state,
            server: Arc::new(Server::start("charts", router)?),
        })
    }

    /// The repository's address, as a Helm release names it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/charts/", self.server.url())
    }

    /// Lists a version of a chart; the newest goes first, as Helm sorts them.
    pub fn add(&self, chart: &str, version: &str, app: &str) {
        self.list(chart, version, Some(app), false);
    }

    /// Lists a version that its makers call deprecated.
    pub fn add_deprecated(&self, chart: &str, version: &str, app: &str) {
        self.list(chart, version, Some(app), true);
    }

    /// Lists a version that names no app version.
    pub fn add_without_app(&self, chart: &str, version: &str) {
        self.list(chart, version, None, false);
    }

    fn list(&self, chart: &str, version: &str, app: Option<&str>, deprecated: bool) {
        let listed = Listed {
            version: version.to_owned(),
            app: app.map(str::to_owned),
            deprecated,
        };
        let mut state = lock(&self.state);
        state
            .charts
            .entry(chart.to_owned())
            .or_default()
            .insert(0, listed);
    }

    /// Lets other charts fill the index up to so many bytes.
    pub fn fill(&self, bytes: usize) {
        lock(&self.state).filler_bytes = bytes;
    }

    /// The next answers have this status and page.
    pub fn fail_next(&self, status: u16, page: &'static str, times: usize) {
        let faults = (0..times).map(|_| Fault::Status(status, page));
        lock(&self.state).faults.extend(faults);
    }

    /// The next answer is 429, with a time to come back.
    pub fn limit_next(&self, seconds: u64) {
        lock(&self.state).faults.push_back(Fault::Limit(seconds));
    }

    /// The next answer is 200 with another body: a page for people, half an index.
    pub fn say_next(&self, body: &'static str) {
        lock(&self.state).faults.push_back(Fault::Body(body));
    }

    /// Makes every answer wait.
    pub fn latency(&self, latency: Duration) {
        lock(&self.state).latency = latency;
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).requests
    }

    /// How many of them were answered with 304.
    #[must_use]
    pub fn unchanged(&self) -> usize {
        lock(&self.state).unchanged
    }

    /// The app version of a chart's version, if both are listed.
    #[must_use]
    pub fn app_of(&self, chart: &str, version: &str) -> Option<String> {
        let state = lock(&self.state);
        let mut versions = state.charts.get(chart)?.iter();
        versions
            .find(|listed| listed.version == version)?
            .app
            .clone()
    }
}

async fn answer(State(state): State<Arc<Mutex<Inner>>>, uri: Uri, headers: HeaderMap) -> Response {
    let latency = lock(&state).latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut state = lock(&state);
    state.requests += 1;
    match state.faults.pop_front() {
        Some(Fault::Status(status, page)) => return reply(status, "text/html", page),
        Some(Fault::Limit(seconds)) => {
            let refusal = reply(429, "text/html", "Too many requests");
            return with_header(refusal, "retry-after", &seconds.to_string());
        }
        Some(Fault::Body(body)) => return reply(200, "text/html", body),
        None => {}
    }
    if uri.path() != "/charts/index.yaml" {
        return reply(404, "text/html", "<h1>404: not found</h1>");
    }
    let index = state.index();
    let mut hasher = DefaultHasher::new();
    index.hash(&mut hasher);
    let etag = format!("\"{:x}\"", hasher.finish());
    let known = headers.get(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        state.unchanged += 1;
        return with_header(reply(304, "text/yaml", ""), "etag", &etag);
    }
    with_header(reply(200, "text/yaml", index), "etag", &etag)
}

impl Inner {
    fn index(&self) -> String {
        let mut text = String::from("apiVersion: v1\nentries:\n");
        let mut number = 0;
        while text.len() < self.filler_bytes {
            number += 1;
            let versions = (1..40).map(|minor| (format!("1.{minor}.0"), None, false));
            entry(&mut text, &format!("a-filler-{number:05}"), versions);
        }
        for (chart, versions) in &self.charts {
            let versions = versions.iter().map(|listed| {
                (
                    listed.version.clone(),
                    listed.app.clone(),
                    listed.deprecated,
                )
            });
            entry(&mut text, chart, versions);
        }
        text.push_str("generated: \"2026-03-01T12:00:00.123456789Z\"\n");
        text
    }
}

/// One chart as Helm writes it, with the keys that look like those that are wanted.
fn entry(
    text: &mut String,
    chart: &str,
    versions: impl Iterator<Item = (String, Option<String>, bool)>,
) {
    let _ = writeln!(text, "  {chart}:");
    for (version, app, deprecated) in versions {
        let _ = write!(
            text,
            "  - annotations:\n      artifacthub.io/changes: |\n        - kind: changed\n          \
             description: version 9.9.9 of {chart}, at last\n    apiVersion: v2\n"
        );
        if let Some(app) = app {
            // A number would be no text, so Helm quotes it.
            let number = app.parse::<f64>().is_ok();
            let quote = if number { "\"" } else { "" };
            let _ = writeln!(text, "    appVersion: {quote}{app}{quote}");
        }
        let _ = write!(
            text,
            "    created: \"2026-02-11T10:00:00Z\"\n    dependencies:\n"
        );
        let _ = write!(
            text,
            "    - condition: postgresql.enabled\n      name: postgresql\n      \
             repository: oci://registry-1.docker.io/bitnamicharts\n      version: 16.7.27\n"
        );
        if deprecated {
            text.push_str("    deprecated: true\n");
        }
        let _ = write!(
            text,
            "    description: A chart of the stub\n    digest: {digest}\n    name: {chart}\n    \
             type: application\n    urls:\n    - {chart}-{version}.tgz\n    version: {version}\n",
            digest = "0123456789abcdef".repeat(4),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::probe::{Answer, send};

    fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
        send("GET", url, headers, "")
    }

    #[test]
    fn the_index_is_listed_newest_first_and_known_by_its_tag() {
        let charts = Charts::start().unwrap();
        charts.add("app", "1.0.0", "2.0");
        charts.add_deprecated("app", "1.1.0", "v2.1.0");
        charts.add_without_app("app", "1.2.0");
        let url = format!("{}index.yaml", charts.url());
        let answer = get(&url, &[]);
        assert_eq!(answer.status, 200);
        let versions: Vec<&str> = answer
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("    version: "))
            .collect();
        assert_eq!(versions, ["1.2.0", "1.1.0", "1.0.0"]);
        assert!(answer.body.contains("    appVersion: \"2.0\"\n"));
        let again = get(&url, &[("if-none-match", &answer.headers["etag"])]);
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        charts.add("app", "1.3.0", "2.2.0");
        let changed = get(&url, &[("if-none-match", &answer.headers["etag"])]);
        assert_eq!(changed.status, 200);
    }

    #[test]
    fn an_index_can_be_large_and_a_repository_away() {
        let charts = Charts::start().unwrap();
        charts.fill(200_000);
        charts.limit_next(7);
        let url = format!("{}index.yaml", charts.url());
        let limited = get(&url, &[]);
        assert_eq!(
            (limited.status, limited.headers["retry-after"].as_str()),
            (429, "7")
        );
        assert!(get(&url, &[]).body.len() > 200_000);
        assert_eq!(charts.requests(), 2);
    }
}
