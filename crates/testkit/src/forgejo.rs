//! The REST interface of Forgejo and Gitea, as far as release notes need it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::forge::{BRANCH, Content, Fault, Page, Tag, Traffic, object, unless_known, with_query};
use crate::server::{Server, decode_path, lock, query, reply, with_header};

const TOKEN: &str = "57b000000000000000000000000000000000057b";
const NOT_FOUND: &str = "The target couldn't be found.";

/// A stub of a Forgejo or Gitea instance; clones share it, and it stops when the last one is
/// dropped.
#[derive(Clone, Debug)]
pub struct Forgejo {
    state: Arc<Mutex<Site>>,
    server: Arc<Server>,
}

/// One release, as `Forgejo::publish` takes it; the tag alone is enough.
#[derive(Clone, Debug, Default)]
pub struct Release {
    /// The tag's name, with or without `v`.
    pub tag: String,
    /// The title; an empty text when there is none.
    pub name: String,
    /// The notes; an empty text when there are none.
    pub body: String,
    /// Drafts are only visible with write access, which the stub's token has not.
    pub draft: bool,
    /// A release candidate, beta or the like.
    pub prerelease: bool,
    /// By default one day after whatever happened last in the repository.
    pub created_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Repository {
    full_name: String,
    releases: Vec<(Release, Timestamp)>,
    content: Content,
}

#[derive(Debug, Default)]
struct Site {
    base: String,
    /// By their names in lower case.
    repositories: BTreeMap<String, Repository>,
    traffic: Traffic,
}

impl Forgejo {
    /// Starts the stub on a free port, without repositories.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Site::default()));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        let server = Arc::new(Server::start("forgejo", router)?);
        server.url().clone_into(&mut lock(&state).base);
        Ok(Self { state, server })
    }

    /// What stands in for `https://codeberg.org`; the interface is below `/api/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// Names itself like this in all addresses that it tells, as one behind a proxy does.
    pub fn call(&self, url: &str) {
        url.clone_into(&mut lock(&self.state).base);
    }

    /// The only token that is accepted.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// Adds a repository without anything in it, if it is not there yet.
    pub fn add_repository(&self, repository: &str) {
        self.change(repository, |_| ());
    }

    /// Publishes a plain release with these notes, and the repository with it.
    pub fn add_release(&self, repository: &str, tag: &str, body: &str) {
        let release = Release {
            tag: tag.to_owned(),
            name: tag.to_owned(),
            body: body.to_owned(),
            ..Release::default()
        };
        self.publish(repository, release);
    }

    /// Publishes a release in all its details; without being a draft it makes its tag, if need be.
    pub fn publish(&self, repository: &str, release: Release) {
        self.change(repository, |repository| {
            if !release.draft {
                repository.content.ensure_tag(&release.tag);
            }
            let today = repository.content.next_day();
            let at = release.created_at.unwrap_or(today);
            repository.releases.push((release, at));
        });
    }

    /// Puts a file on the default branch, and makes the repository with it.
    pub fn put_file(&self, repository: &str, path: &str, text: &str) {
        self.change(repository, |repository| repository.content.put(path, text));
    }

    /// Puts a file into one tag's tree only, and makes the tag if need be.
    pub fn put_file_at(&self, repository: &str, tag: &str, path: &str, text: &str) {
        self.change(repository, |repository| {
            repository.content.put_at(tag, path, text);
        });
    }

    /// Tags the default branch as it is now; with a message it is an annotated tag.
    ///
    /// A tag that is there already only gets the message. A plain tag shows the message of its
    /// commit in the list, as the real ones do.
    pub fn tag(&self, repository: &str, name: &str, message: Option<&str>) {
        self.change(repository, |repository| {
            repository.content.set_tag(name, message);
        });
    }

    fn change(&self, full_name: &str, change: impl FnOnce(&mut Repository)) {
        let mut site = lock(&self.state);
        let repository = site.repositories.entry(full_name.to_lowercase());
        change(repository.or_insert_with(|| Repository {
            full_name: full_name.to_owned(),
            releases: Vec::new(),
            content: Content::default(),
        }));
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).traffic.requests.len()
    }

    /// Path and query of every request, oldest first.
    #[must_use]
    pub fn request_log(&self) -> Vec<String> {
        lock(&self.state).traffic.requests.clone()
    }

    /// The next answer is 429 of the proxy in front, with a time to come back.
    pub fn limit_next(&self, seconds: u64) {
        let fault = Fault::Limit(seconds);
        lock(&self.state).traffic.faults.push_back(fault);
    }

    /// Answers the next `n` requests with this status and HTML page.
    pub fn fail_next(&self, status: u16, html: &str, n: usize) {
        lock(&self.state).traffic.fail_next(status, html, n);
    }

    /// Makes every answer wait.
    pub fn latency(&self, latency: Duration) {
        lock(&self.state).traffic.latency = latency;
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Site>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let latency = lock(&state).traffic.latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut site = lock(&state);
    site.handle(&method, &uri, &headers)
}

impl Site {
    fn handle(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
        match self.traffic.admit(uri) {
            Some(Fault::Page(status, html)) => {
                return reply(status, "text/html; charset=utf-8", html);
            }
            Some(Fault::Limit(seconds)) => {
                let refusal = reply(429, "text/html", "<h1>429 Too Many Requests</h1>");
                return with_header(refusal, "retry-after", &seconds.to_string());
            }
            None => {}
        }
        if let Some(authorization) = headers.get(header::AUTHORIZATION)
            && authorization.as_bytes() != format!("token {TOKEN}").as_bytes()
            && authorization.as_bytes() != format!("Bearer {TOKEN}").as_bytes()
        {
            return self.refusal(401, "user does not exist [uid: 0, name: ]");
        }
        if method != Method::GET {
            return self.refusal(405, "Method Not Allowed");
        }
        unless_known(self.route(uri), headers)
    }

    fn route(&self, uri: &Uri) -> Response {
        let segments: Vec<&str> = uri.path().split('/').skip(1).collect();
        let ["api", "v1", "repos", owner, name, rest @ ..] = segments.as_slice() else {
            return self.missing(NOT_FOUND, &[]);
        };
        let full_name = decode_path(&[*owner, *name]).to_lowercase();
        let Some(found) = self.repositories.get(&full_name) else {
            return self.missing(NOT_FOUND, &[]);
        };
        match rest {
            [] => say(200, &self.describe(found)),
            ["releases"] => self.releases(found, uri),
            ["tags"] => self.tags(found, uri),
            ["contents", path @ ..] => self.contents(found, &decode_path(path), uri),
            ["raw", path @ ..] => self.raw(found, &decode_path(path), uri),
            _ => self.missing(NOT_FOUND, &[]),
        }
    }

    fn describe(&self, repository: &Repository) -> Value {
        let full_name = &repository.full_name;
        json!({
            "name": full_name.rsplit('/').next(), "full_name": full_name, "private": false,
            "default_branch": BRANCH, "empty": repository.content.is_empty(),
            "html_url": format!("{}/{full_name}", self.base),
        })
    }

    fn releases(&self, repository: &Repository, uri: &Uri) -> Response {
        let flag = |key| match query(uri, key).as_deref() {
            Some("true" | "1") => Some(true),
            Some("false" | "0") => Some(false),
            Some(_) | None => None,
        };
        let (drafts, prereleases) = (flag("draft"), flag("pre-release"));
        let shown = |release: &Release| {
            !release.draft
                && drafts != Some(true)
                && prereleases.is_none_or(|wanted| wanted == release.prerelease)
        };
        let releases = repository.releases.iter().enumerate();
        let mut releases: Vec<_> = releases
            .filter(|(_, (release, _))| shown(release))
            .collect();
        releases.sort_by_key(|(number, (_, at))| Reverse((*at, *number)));
        self.listed(uri, releases, |(number, (release, at))| {
            self.render(&repository.full_name, number, release, *at)
        })
    }

    fn render(&self, full_name: &str, number: usize, release: &Release, at: Timestamp) -> Value {
        let (tag, at) = (&release.tag, clock(at));
        let (page, id) = (format!("{}/{full_name}", self.base), 1_000 + number);
        let own = format!("{}/api/v1/repos/{full_name}/releases/{id}", self.base);
        json!({
            "id": id, "tag_name": tag, "target_commitish": BRANCH, "name": release.name,
            "body": release.body, "draft": release.draft, "prerelease": release.prerelease,
            "created_at": at, "published_at": at, "url": own, "assets": [],
            "html_url": format!("{page}/releases/tag/{tag}"),
            "tarball_url": format!("{page}/archive/{tag}.tar.gz"),
            "zipball_url": format!("{page}/archive/{tag}.zip"),
            "author": {"id": 1, "login": "maintainer"},
        })
    }

    fn tags(&self, repository: &Repository, uri: &Uri) -> Response {
        let full_name = &repository.full_name;
        let page = format!("{}/{full_name}", self.base);
        let own = format!("{}/api/v1/repos/{full_name}", self.base);
        self.listed(uri, repository.content.newest_tags(), |tag: &Tag| {
            let (name, id) = (&tag.name, tag.object());
            let message = tag.message.clone().unwrap_or_else(|| tag.subject());
            json!({
                "name": name, "message": message.trim(), "id": id,
                "commit": {"sha": tag.commit, "url": format!("{own}/git/commits/{id}"),
                           "created": clock(tag.at)},
                "tarball_url": format!("{page}/archive/{name}.tar.gz"),
                "zipball_url": format!("{page}/archive/{name}.zip"),
            })
        })
    }

    fn contents(&self, repository: &Repository, path: &str, uri: &Uri) -> Response {
        let content = &repository.content;
        if content.is_empty() {
            return say(200, &json!([]));
        }
        let path = path.trim_matches('/');
        let reference = query(uri, "ref").filter(|reference| !reference.is_empty());
        let reference = reference.unwrap_or_else(|| BRANCH.to_owned());
        let missing = |what: String| self.missing("GetContentsOrList", &[what]);
        let Some(tree) = content.tree(&reference) else {
            return missing(format!(
                "object does not exist [id: {reference}, rel_path: ]"
            ));
        };
        let shown = |path: &str, text| self.entry(&repository.full_name, &reference, path, text);
        if let Some(text) = tree.file(path) {
            let mut file = shown(path, Some(text));
            file["encoding"] = json!("base64");
            file["content"] = json!(STANDARD.encode(text));
            return say(200, &file);
        }
        let Some(entries) = tree.list(path) else {
            return missing(format!("object does not exist [id: , rel_path: {path}]"));
        };
        let entries = entries.iter().map(|entry| shown(&entry.path, entry.text));
        let entries: Value = entries.collect();
        say(200, &entries)
    }

    /// What a folder's list and a file's answer have in common; a folder has no text.
    fn entry(&self, full_name: &str, reference: &str, path: &str, text: Option<&str>) -> Value {
        let kind = if text.is_some() { "file" } else { "dir" };
        let (base, object) = (&self.base, object(path, text));
        let own = format!("{base}/api/v1/repos/{full_name}/contents/{path}?ref={reference}");
        let html = format!("{base}/{full_name}/src/{reference}/{path}");
        let download = text.map(|_| format!("{base}/{full_name}/raw/{reference}/{path}"));
        json!({
            "name": path.rsplit('/').next(), "path": path, "type": kind, "sha": object,
            "size": text.map_or(0, str::len), "encoding": null, "content": null, "target": null,
            "url": own, "html_url": html, "download_url": download, "submodule_git_url": null,
        })
    }

    fn raw(&self, repository: &Repository, path: &str, uri: &Uri) -> Response {
        let reference = query(uri, "ref").unwrap_or_default();
        let tree = repository.content.tree(&reference);
        let Some(text) = tree.and_then(|tree| tree.file(path)) else {
            return self.missing(NOT_FOUND, &[]);
        };
        let file = reply(200, "text/plain; charset=utf-8", text);
        let file = with_header(file, "x-forgejo-object-type", "file");
        let etag = format!("\"{}\"", object(path, Some(text)));
        with_header(file, "etag", &etag)
    }

    /// One page, with addresses that keep whatever size was asked for.
    fn listed<T>(&self, uri: &Uri, all: Vec<T>, render: impl Fn(T) -> Value) -> Response {
        let page = Page::asked(uri, "limit", (30, 50), all.len());
        let link = |number: usize, rel: &str| {
            let address = with_query(&self.base, uri, &[("page", number.to_string())]);
            format!("<{address}>; rel=\"{rel}\"")
        };
        let mut links = Vec::new();
        if let Some(next) = page.next() {
            links.extend([link(next, "next"), link(page.last, "last")]);
        }
        if let Some(previous) = page.previous() {
            links.extend([link(1, "first"), link(previous, "prev")]);
        }
        let shown: Value = page.cut(all).map(render).collect();
        let list = with_header(say(200, &shown), "x-total-count", &page.total.to_string());
        if links.is_empty() {
            return list;
        }
        with_header(list, "link", &links.join(","))
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        let url = format!("{}/api/swagger", self.base);
        say(status, &json!({"message": message, "url": url}))
    }

    fn missing(&self, message: &str, errors: &[String]) -> Response {
        let url = format!("{}/api/swagger", self.base);
        say(
            404,
            &json!({"message": message, "url": url, "errors": errors}),
        )
    }
}

fn say(status: u16, body: &Value) -> Response {
    reply(status, "application/json;charset=utf-8", body.to_string())
}

fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::probe::{Answer, send};

    fn get(url: &str) -> Answer {
        let authorization = format!("token {TOKEN}");
        send("GET", url, &[("Authorization", &authorization)], "")
    }

    fn stub(releases: usize) -> (Forgejo, String) {
        let forgejo = Forgejo::start().unwrap();
        forgejo.add_repository("Owner/app");
        for n in 0..releases {
            forgejo.add_release("Owner/app", &format!("v1.{n}.0"), "notes");
        }
        let url = format!("{}/api/v1/repos/owner/app", forgejo.url());
        (forgejo, url)
    }

    #[test]
    fn a_limit_above_fifty_is_clamped_without_a_word() {
        let (_forgejo, url) = stub(70);
        let usual = get(&format!("{url}/releases"));
        assert_eq!(usual.json().as_array().unwrap().len(), 30);
        assert_eq!(usual.headers["x-total-count"], "70");
        let first = get(&format!("{url}/releases?draft=false&limit=100"));
        assert_eq!(first.json().as_array().unwrap().len(), 50);
        assert_eq!(first.json()[0]["tag_name"], "v1.69.0");
        let next = first.headers["link"].split(['<', '>']).nth(1).unwrap();
        assert_eq!(next, format!("{url}/releases?draft=false&limit=100&page=2"));
        let second = get(next);
        assert_eq!(second.json().as_array().unwrap().len(), 20);
        assert!(!second.headers["link"].contains("rel=\"next\""));
    }

    #[test]
    fn drafts_are_hidden_and_prereleases_can_be_left_out() {
        let (forgejo, url) = stub(1);
        let release = |tag: &str, draft: bool| Release {
            tag: tag.into(),
            draft,
            prerelease: !draft,
            ..Release::default()
        };
        forgejo.publish("owner/app", release("v2.0.0-rc1", false));
        forgejo.publish("owner/app", release("v3", true));
        let tags = |query: &str| {
            let list = get(&format!("{url}/releases?{query}")).json();
            let tags = list.as_array().unwrap().iter();
            tags.map(|release| release["tag_name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(tags("draft=false"), ["v2.0.0-rc1", "v1.0.0"]);
        assert_eq!(tags("pre-release=false"), ["v1.0.0"]);
        assert!(tags("draft=true").is_empty());
        let list = get(&format!("{url}/tags")).json();
        assert_eq!(list.as_array().unwrap().len(), 2);
    }

    #[test]
    fn files_are_listed_and_read_at_a_reference() {
        let (forgejo, url) = stub(0);
        assert_eq!(get(&format!("{url}/contents")).body, "[]");
        forgejo.put_file("owner/app", "CHANGELOG.md", "# 1\n");
        forgejo.put_file_at("owner/app", "v1", "docs/v1 notes.md", "*");
        let root = get(&format!("{url}/contents")).json();
        assert_eq!(
            (&root[0]["name"], &root[0]["type"]),
            (&json!("CHANGELOG.md"), &json!("file"))
        );
        assert!(root[0]["content"].is_null());
        let file = get(&format!("{url}/contents/CHANGELOG.md")).json();
        assert_eq!(file["content"], "IyAxCg==");
        let docs = get(&format!("{url}/contents/docs?ref=v1")).json();
        assert_eq!(docs[0]["path"], "docs/v1 notes.md");
        let raw = get(&format!("{url}/raw/docs/v1%20notes.md?ref=v1"));
        assert_eq!(
            (
                raw.body.as_str(),
                raw.headers["x-forgejo-object-type"].as_str()
            ),
            ("*", "file")
        );
        let missing = get(&format!("{url}/contents/docs"));
        assert_eq!(
            (missing.status, &missing.json()["message"]),
            (404, &json!("GetContentsOrList"))
        );
        for absent in ["raw/docs", "raw/CHANGELOG.md?ref=v2", "raw/"] {
            let missing = get(&format!("{url}/{absent}"));
            assert_eq!(
                (missing.status, &missing.json()["message"]),
                (404, &json!(NOT_FOUND))
            );
        }
    }

    #[test]
    fn a_plain_tag_shows_the_message_of_its_commit() {
        let (forgejo, url) = stub(1);
        forgejo.tag("owner/app", "v2", Some("News.\n"));
        let list = get(&format!("{url}/tags?limit=50"));
        let tags = list.json();
        assert_eq!(list.headers["x-total-count"], "2");
        assert_eq!(
            (&tags[0]["name"], &tags[0]["message"]),
            (&json!("v2"), &json!("News."))
        );
        assert_ne!(tags[0]["id"], tags[0]["commit"]["sha"]);
        assert_eq!(tags[1]["message"], "Prepare v1.0.0");
        assert_eq!(tags[1]["id"], tags[1]["commit"]["sha"]);
    }

    #[test]
    fn limits_outages_and_wrong_tokens_are_answered_as_forgejo_does() {
        let (forgejo, url) = stub(1);
        let releases = format!("{url}/releases");
        forgejo.limit_next(7);
        forgejo.fail_next(503, "<h1>503</h1>", 1);
        let limited = get(&releases);
        assert_eq!(
            (limited.status, limited.headers["retry-after"].as_str()),
            (429, "7")
        );
        assert_eq!(get(&releases).body, "<h1>503</h1>");
        let unknown = get(&format!("{url}x/releases")).json();
        assert_eq!(unknown["message"], NOT_FOUND);
        assert_eq!(unknown["url"], format!("{}/api/swagger", forgejo.url()));
        let bad = send("GET", &releases, &[("Authorization", "token no")], "");
        assert_eq!(bad.status, 401);
        assert_eq!(
            bad.json()["message"],
            "user does not exist [uid: 0, name: ]"
        );
        assert_eq!(send("GET", &releases, &[], "").status, 200);
        assert_eq!(forgejo.requests(), 5);
        assert!(forgejo.request_log()[2].ends_with("/owner/appx/releases"));
    }
}
