//! GitHub's REST interface, as far as release notes need it.

mod body;
mod contents;
mod lists;
mod tags;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::json;

use self::body::{describe, error, not_found, tagged};
use crate::forge::Content;
use crate::server::{Server, json as json_reply, lock, reply, with_header};

const TOKEN: &str = "ghp_stub0000000000000000000000000000";
const DAY: Duration = Duration::from_secs(86_400);
const FORBIDDEN: &str = "Request forbidden by administrative rules. Please make sure your request \
                         has a User-Agent header (https://docs.github.com/en/rest/overview/\
                         resources-in-the-rest-api#user-agent-required).";

/// A stub of `api.github.com`; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct GitHub {
    state: Arc<Mutex<Site>>,
    server: Arc<Server>,
}

/// One release, as `GitHub::publish` takes it; the tag alone is enough.
#[derive(Clone, Debug, Default)]
pub struct Release {
    /// The tag's name, with or without `v`.
    pub tag: String,
    /// The title; `null` in the answer when absent.
    pub name: Option<String>,
    /// The notes; `null` in the answer when absent.
    pub body: Option<String>,
    /// Drafts are only visible with push access, which the stub's token has not.
    pub draft: bool,
    /// A release candidate, beta or the like.
    pub prerelease: bool,
    /// The commit's date; by default one day after the previous release of the repository.
    pub created_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Repository {
    full_name: String,
    releases: Vec<(u64, Release, Timestamp)>,
    content: Content,
}

#[derive(Debug, Default)]
struct Site {
    base: String,
    next_id: u64,
    repositories: BTreeMap<u64, Repository>,
    /// Lower-case names, old ones too, to the repository's id.
    names: BTreeMap<String, u64>,
    requests: Vec<String>,
    used: BTreeMap<bool, u64>,
    faults: VecDeque<(u16, String)>,
    primary_until: Option<Timestamp>,
    secondary: Option<(Timestamp, Option<Duration>)>,
    latency: Duration,
    open: usize,
    peak: usize,
    refused: usize,
    /// Limits are told by 429 rather than by 403.
    by_429: bool,
    /// No more than so many results of a list are told; GitHub's 10,000 if nothing is said.
    cap: Option<usize>,
    /// Lower-case owners whose policy refuses the token.
    policies: Vec<String>,
    /// Lower-case names of what was taken down.
    taken_down: Vec<String>,
}

impl GitHub {
    /// Starts the stub on a free port, without repositories.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Site {
            next_id: 7_000_000,
            ..Site::default()
        }));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        let server = Arc::new(Server::start("github", router)?);
        server.url().clone_into(&mut lock(&state).base);
        Ok(Self { state, server })
    }

    /// What stands in for `https://api.github.com`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// The only token that is accepted.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// Adds a repository without releases, if it is not there yet.
    pub fn add_repository(&self, repository: &str) {
        lock(&self.state).repository(repository);
    }

    /// Publishes a plain release with these notes, and the repository with it.
    pub fn add_release(&self, repository: &str, tag: &str, body: &str) {
        let name = Some(tag.to_owned());
        let body = Some(body.to_owned());
        let release = Release {
            tag: tag.to_owned(),
            name,
            body,
            ..Release::default()
        };
        self.publish(repository, release);
    }

    /// Publishes a release in all its details; without being a draft it makes its tag, if need be.
    pub fn publish(&self, repository: &str, release: Release) {
        let mut site = lock(&self.state);
        let id = site.repository(repository);
        site.next_id += 1;
        let release_id = site.next_id;
        let Some(repository) = site.repositories.get_mut(&id) else {
            return;
        };
        if !release.draft {
            repository.content.ensure_tag(&release.tag);
        }
        let previous = repository.releases.last().map(|(_, _, at)| *at);
        let first = Timestamp::UNIX_EPOCH + 19_800 * DAY;
        let at = release
            .created_at
            .unwrap_or_else(|| previous.map_or(first, |at| at + DAY));
        repository.releases.push((release_id, release, at));
    }

    /// Puts a file on the default branch, and makes the repository with it.
    pub fn put_file(&self, repository: &str, path: &str, text: &str) {
        self.change(repository, |content| content.put(path, text));
    }

    /// Puts a file into one tag's tree only, and makes the tag if need be.
    pub fn put_file_at(&self, repository: &str, tag: &str, path: &str, text: &str) {
        self.change(repository, |content| content.put_at(tag, path, text));
    }

    /// Tags the default branch as it is now; with a message it is an annotated tag.
    ///
    /// A tag that is there already only gets the message.
    pub fn tag(&self, repository: &str, name: &str, message: Option<&str>) {
        self.change(repository, |content| content.set_tag(name, message));
    }

    fn change(&self, repository: &str, change: impl FnOnce(&mut Content)) {
        let mut site = lock(&self.state);
        let id = site.repository(repository);
        if let Some(repository) = site.repositories.get_mut(&id) {
            change(&mut repository.content);
        }
    }

    /// Renames a repository: the old name answers 301 to `/repositories/<id>`.
    pub fn rename(&self, from: &str, to: &str) {
        let mut site = lock(&self.state);
        let id = site.repository(from);
        site.names.insert(to.to_lowercase(), id);
        if let Some(repository) = site.repositories.get_mut(&id) {
            to.clone_into(&mut repository.full_name);
        }
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).requests.len()
    }

    /// Path and query of every request, oldest first.
    #[must_use]
    pub fn request_log(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }

    /// How many requests with the token counted against its limit since the last reset.
    #[must_use]
    pub fn spent(&self) -> u64 {
        lock(&self.state).used.get(&true).copied().unwrap_or(0)
    }

    /// How many requests were refused by a limit.
    #[must_use]
    pub fn limited(&self) -> usize {
        lock(&self.state).refused
    }

    /// The most requests that were open at the same time since this was asked before.
    pub fn take_peak(&self) -> usize {
        let mut site = lock(&self.state);
        let open = site.open;
        std::mem::replace(&mut site.peak, open)
    }

    /// Exhausts the primary limit: 403 with `x-ratelimit-remaining: 0` until the reset.
    pub fn primary_limit(&self, until_reset: Duration) {
        lock(&self.state).primary_until = Some(Timestamp::now() + until_reset);
    }

    /// Trips the secondary limit for a while: 403 with requests remaining, and `retry-after` or not.
    pub fn secondary_limit(&self, lasts: Duration, retry_after: Option<Duration>) {
        lock(&self.state).secondary = Some((Timestamp::now() + lasts, retry_after));
    }

    /// Limits are told by 429 from now on, as GitHub may do as well.
    pub fn limit_by_429(&self) {
        lock(&self.state).by_429 = true;
    }

    /// Tells no more than so many results of a list.
    pub fn cap(&self, results: usize) {
        lock(&self.state).cap = Some(results);
    }

    /// The owner's policy refuses the token; without one its public repositories can be read.
    pub fn refuse_token(&self, owner: &str) {
        lock(&self.state).policies.push(owner.to_lowercase());
    }

    /// The repository was taken down: 451, as for a notice under the DMCA.
    pub fn take_down(&self, repository: &str) {
        lock(&self.state).taken_down.push(repository.to_lowercase());
    }

    /// Answers the next `n` requests with this status and HTML page.
    pub fn fail_next(&self, status: u16, html: &str, n: usize) {
        lock(&self.state)
            .faults
            .extend((0..n).map(|_| (status, html.to_owned())));
    }

    /// Makes every answer wait.
    pub fn latency(&self, latency: Duration) {
        lock(&self.state).latency = latency;
    }
}

impl Site {
    fn repository(&mut self, full_name: &str) -> u64 {
        if let Some(id) = self.names.get(&full_name.to_lowercase()) {
            return *id;
        }
        self.next_id += 1;
        let id = self.next_id;
        self.names.insert(full_name.to_lowercase(), id);
        let repository = Repository {
            full_name: full_name.to_owned(),
            releases: Vec::new(),
            content: Content::default(),
        };
        self.repositories.insert(id, repository);
        id
    }

    fn handle(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
        self.requests.push(uri.to_string());
        let text = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
        };
        if text(header::USER_AGENT).is_empty() {
            return reply(403, "text/html; charset=utf-8", FORBIDDEN);
        }
        if let Some((status, html)) = self.faults.pop_front() {
            return reply(status, "text/html; charset=utf-8", html);
        }
        let authorization = text(header::AUTHORIZATION);
        let given = authorization.split_once(' ').map(|(_, token)| token);
        let authorised = given == Some(TOKEN);
        if !authorization.is_empty() && !authorised {
            let response = error(401, "Bad credentials", "https://docs.github.com/rest");
            return self.counted(response, authorised, Timestamp::now());
        }
        let version = headers
            .get("x-github-api-version")
            .map(|value| value.as_bytes().to_vec());
        if version.is_some_and(|version| version != b"2022-11-28" && version != b"2026-03-10") {
            return error(
                400,
                "Unsupported API version",
                "https://docs.github.com/rest",
            );
        }
        let now = Timestamp::now();
        if let Some(limited) = self.limited(authorised, now) {
            self.refused += 1;
            return limited;
        }
        let response = if let Some(refused) = self.forbidden(uri, authorised) {
            refused
        } else if method == Method::GET {
            self.route(uri, text(header::ACCEPT))
        } else {
            not_found()
        };
        if response.status() == 200
            && let Some(etag) = response.headers().get(header::ETAG).cloned()
            && let Ok(etag) = etag.to_str()
            && text(header::IF_NONE_MATCH)
                .split(',')
                .any(|known| known.trim().trim_start_matches("W/") == etag.trim_start_matches("W/"))
        {
            let fresh = with_header(reply(304, "application/json", ""), "etag", etag);
            if authorised {
                return self.limit_headers(fresh, authorised, now);
            }
            return self.counted(fresh, authorised, now);
        }
        self.counted(response, authorised, now)
    }

    /// What an owner or a court does not let through.
    fn forbidden(&self, uri: &Uri, authorised: bool) -> Option<Response> {
        let path = uri.path().to_lowercase();
        let mut names = path.strip_prefix("/repos/")?.split('/');
        let (owner, name) = (names.next()?, names.next()?);
        let documentation = "https://docs.github.com/rest";
        if self.taken_down.contains(&format!("{owner}/{name}")) {
            let message = "Repository access blocked";
            return Some(error(451, message, documentation));
        }
        let message = format!(
            "The '{owner}' organization forbids access via a fine-grained personal access tokens if \
             the token's lifetime is greater than 366 days."
        );
        let refused = authorised && self.policies.iter().any(|policy| policy == owner);
        refused.then(|| error(403, &message, documentation))
    }

    fn limited(&mut self, authorised: bool, now: Timestamp) -> Option<Response> {
        let status = if self.by_429 { 429 } else { 403 };
        if let Some((until, retry_after)) = self.secondary.filter(|(until, _)| *until > now) {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes \
                           before you try again.";
            let documentation = "https://docs.github.com/free-pro-team@latest/rest/overview/\
                                 rate-limits-for-the-rest-api#about-secondary-rate-limits";
            let response =
                self.limit_headers(error(status, message, documentation), authorised, now);
            // Asking on while limited makes it last longer.
            self.secondary = Some((until + Duration::from_millis(100), retry_after));
            return Some(match retry_after {
                Some(wait) => with_header(response, "retry-after", &wait.as_secs().to_string()),
                None => response,
            });
        }
        if self.primary_until.is_some_and(|until| until <= now) {
            self.primary_until = None;
            self.used.clear();
        }
        let spent = self.used.get(&authorised).copied().unwrap_or(0) >= limit(authorised);
        if spent && self.primary_until.is_none() {
            self.primary_until = Some(now + Duration::from_secs(3_600));
        }
        self.primary_until?;
        let who = if authorised { "user ID 1" } else { "127.0.0.1" };
        let documentation =
            "https://docs.github.com/rest/overview/resources-in-the-rest-api#rate-limiting";
        let response = error(
            status,
            &format!("API rate limit exceeded for {who}."),
            documentation,
        );
        Some(self.limit_headers(response, authorised, now))
    }

    fn counted(&mut self, response: Response, authorised: bool, now: Timestamp) -> Response {
        *self.used.entry(authorised).or_default() += 1;
        self.limit_headers(response, authorised, now)
    }

    fn limit_headers(&self, response: Response, authorised: bool, now: Timestamp) -> Response {
        let limit = limit(authorised);
        let used = match self.primary_until {
            Some(_) => limit,
            None => self.used.get(&authorised).copied().unwrap_or(0).min(limit),
        };
        let reset = self
            .primary_until
            .unwrap_or(now + Duration::from_secs(3_600))
            .as_second();
        [
            ("x-ratelimit-limit", limit.to_string()),
            ("x-ratelimit-remaining", (limit - used).to_string()),
            ("x-ratelimit-used", used.to_string()),
            // Rounded up: at this second the limit is really over.
            ("x-ratelimit-reset", (reset + 1).to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]
        .into_iter()
        .fold(response, |response, (name, value)| {
            with_header(response, name, &value)
        })
    }

    fn route(&self, uri: &Uri, accept: &str) -> Response {
        let segments: Vec<&str> = uri.path().split('/').skip(1).collect();
        let (id, rest) = match segments.as_slice() {
            ["repos", owner, name, rest @ ..] => {
                let asked = format!("{owner}/{name}").to_lowercase();
                let Some(id) = self.names.get(&asked).copied() else {
                    return not_found();
                };
                let current = self
                    .repositories
                    .get(&id)
                    .map(|found| found.full_name.to_lowercase());
                if current != Some(asked) {
                    return self.moved(id, rest, uri);
                }
                (id, rest)
            }
            ["repositories", id, rest @ ..] => match id.parse() {
                Ok(id) => (id, rest),
                Err(_) => return not_found(),
            },
            _ => return not_found(),
        };
        let Some(found) = self.repositories.get(&id) else {
            return not_found();
        };
        match rest {
            [] => tagged(&describe(id, found)),
            ["releases"] => self.releases(id, found, uri),
            ["tags"] => self.tags(id, found, uri),
            ["contents", path @ ..] => self.contents(found, path, uri, accept),
            ["git", "ref", "tags", name @ ..] => self.reference(found, name),
            ["git", "tags", sha] => self.annotated_tag(found, sha),
            _ => not_found(),
        }
    }

    fn moved(&self, id: u64, rest: &[&str], uri: &Uri) -> Response {
        let rest: String = rest.iter().map(|segment| format!("/{segment}")).collect();
        let query = uri
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let url = format!("{}/repositories/{id}{rest}{query}", self.base);
        let documentation = "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects";
        let body =
            json!({"message": "Moved Permanently", "url": url, "documentation_url": documentation});
        with_header(json_reply(301, &body), "location", &url)
    }
}

fn limit(authorised: bool) -> u64 {
    if authorised { 5_000 } else { 60 }
}

async fn answer(
    State(state): State<Arc<Mutex<Site>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let latency = {
        let mut site = lock(&state);
        site.open += 1;
        site.peak = site.peak.max(site.open);
        site.latency
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut site = lock(&state);
    site.open -= 1;
    site.handle(&method, &uri, &headers)
}

#[cfg(test)]
mod tests;
