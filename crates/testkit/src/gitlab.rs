//! GitLab's REST interface, as far as release notes need it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::forge::{BRANCH, Content, Entry, Fault, Page, Tag, Traffic, unless_known, with_query};
use crate::server::{Server, decode_path, lock, query, reply, with_header};

const TOKEN: &str = "glpat-stub0000000000000";
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A stub of `gitlab.com`; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct GitLab {
    state: Arc<Mutex<Site>>,
    server: Arc<Server>,
}

/// One release, as `GitLab::publish` takes it; the tag alone is enough.
///
/// GitLab marks neither drafts nor prereleases.
#[derive(Clone, Debug, Default)]
pub struct Release {
    /// The tag's name, with or without `v`.
    pub tag: String,
    /// The title; the tag when absent.
    pub name: Option<String>,
    /// The notes; `null` in the answer when absent.
    pub description: Option<String>,
    /// Planned: released in a year, unless `released_at` says when.
    pub upcoming: bool,
    /// By default one day after whatever happened last in the project.
    pub released_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Project {
    path: String,
    releases: Vec<(Release, Timestamp)>,
    content: Content,
}

#[derive(Debug, Default)]
struct Site {
    base: String,
    /// By their paths in lower case.
    projects: BTreeMap<String, Project>,
    traffic: Traffic,
}

impl GitLab {
    /// Starts the stub on a free port, without projects.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Site::default()));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        let server = Arc::new(Server::start("gitlab", router)?);
        server.url().clone_into(&mut lock(&state).base);
        Ok(Self { state, server })
    }

    /// What stands in for `https://gitlab.com`; the interface is below `/api/v4`.
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

    /// Adds a project without anything in it, if it is not there yet.
    pub fn add_repository(&self, repository: &str) {
        self.change(repository, |_| ());
    }

    /// Publishes a plain release with these notes, and the project with it.
    pub fn add_release(&self, repository: &str, tag: &str, body: &str) {
        let release = Release {
            tag: tag.to_owned(),
            description: Some(body.to_owned()),
            ..Release::default()
        };
        self.publish(repository, release);
    }

    /// Publishes a release in all its details; it makes its tag, if need be.
    pub fn publish(&self, repository: &str, release: Release) {
        self.change(repository, |project| {
            project.content.ensure_tag(&release.tag);
            let today = project.content.next_day();
            let usual = if release.upcoming {
                Timestamp::now() + YEAR
            } else {
                today
            };
            let at = release.released_at.unwrap_or(usual);
            project.releases.push((release, at));
        });
    }

    /// Puts a file on the default branch, and makes the project with it.
    pub fn put_file(&self, repository: &str, path: &str, text: &str) {
        self.change(repository, |project| project.content.put(path, text));
    }

    /// Puts a file into one tag's tree only, and makes the tag if need be.
    pub fn put_file_at(&self, repository: &str, tag: &str, path: &str, text: &str) {
        self.change(repository, |project| {
            project.content.put_at(tag, path, text);
        });
    }

    /// Tags the default branch as it is now; with a message it is an annotated tag.
    ///
    /// A tag that is there already only gets the message.
    pub fn tag(&self, repository: &str, name: &str, message: Option<&str>) {
        self.change(repository, |project| project.content.set_tag(name, message));
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut Project)) {
        let mut site = lock(&self.state);
        let project = site.projects.entry(path.to_lowercase());
        change(project.or_insert_with(|| Project {
            path: path.to_owned(),
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

    /// The next answer is 429, with a time to come back.
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
            Some(Fault::Limit(seconds)) => return limited(seconds),
            None => {}
        }
        if given(headers).is_some_and(|token| token != TOKEN.as_bytes()) {
            return say(401, &json!({"message": "401 Unauthorized"}));
        }
        if method != Method::GET {
            return say(405, &json!({"error": "405 Not Allowed"}));
        }
        unless_known(self.route(uri), headers)
    }

    fn route(&self, uri: &Uri) -> Response {
        let segments: Vec<&str> = uri.path().split('/').skip(1).collect();
        let ["api", "v4", "projects", path, rest @ ..] = segments.as_slice() else {
            return no_route();
        };
        // The path of a project is one segment: with plain slashes the rest is no route.
        let route: fn(&Site, &Project, &Uri) -> Response = match rest {
            [] => Site::describe,
            ["releases"] => Site::releases,
            ["repository", "tree"] => Site::tree,
            ["repository", "tags"] => Site::tags,
            ["repository", "files", _, "raw"] => Site::raw,
            _ => return no_route(),
        };
        let path = decode_path(&[*path]).to_lowercase();
        match self.projects.get(&path) {
            Some(project) => route(self, project, uri),
            None => missing("Project"),
        }
    }

    fn describe(&self, project: &Project, _: &Uri) -> Response {
        let path = &project.path;
        known(&json!({
            "name": path.rsplit('/').next(), "path_with_namespace": path,
            "default_branch": BRANCH, "web_url": format!("{}/{path}", self.base),
        }))
    }

    fn releases(&self, project: &Project, uri: &Uri) -> Response {
        let mut releases: Vec<_> = project.releases.iter().enumerate().collect();
        releases.sort_by_key(|(number, (_, at))| Reverse((*at, *number)));
        self.listed(uri, releases, |(_, (release, at))| {
            self.render(project, release, *at)
        })
    }

    fn render(&self, project: &Project, release: &Release, at: Timestamp) -> Value {
        let tag = &release.tag;
        let page = format!("{}/{}/-", self.base, project.path);
        let own = format!("{page}/releases/{}", tag.replace('/', "%2F"));
        json!({
            "tag_name": tag, "name": release.name.as_ref().unwrap_or(tag),
            "description": release.description,
            "created_at": clock(at.min(Timestamp::now())), "released_at": clock(at),
            "upcoming_release": at > Timestamp::now(),
            "author": {"id": 1, "username": "maintainer", "state": "active"},
            "milestones": [], "evidences": [],
            "assets": {"count": 0, "sources": [], "links": []},
            "tag_path": format!("/{}/-/tags/{tag}", project.path),
            "_links": {"self": own},
        })
    }

    fn tags(&self, project: &Project, uri: &Uri) -> Response {
        let tags = project.content.newest_tags();
        self.listed(uri, tags, |tag: &Tag| {
            let mut releases = project.releases.iter();
            let release = releases.find(|(release, _)| release.tag == tag.name);
            let release = release.map(
                |(release, _)| json!({"tag_name": release.tag, "description": release.description}),
            );
            let created = tag.message.as_ref().map(|_| clock(tag.at));
            json!({
                "name": tag.name, "message": tag.message.as_deref().unwrap_or_default(),
                "target": tag.object(), "release": release, "protected": false,
                "created_at": created,
                "commit": {"id": tag.commit, "short_id": tag.commit.get(..8),
                           "title": tag.subject(), "message": format!("{}\n", tag.subject()),
                           "created_at": clock(tag.at)},
            })
        })
    }

    fn tree(&self, project: &Project, uri: &Uri) -> Response {
        let content = &project.content;
        let tree = content.tree(&query(uri, "ref").unwrap_or_default());
        let Some(tree) = tree.filter(|_| !content.is_empty()) else {
            return missing("Tree");
        };
        let folder = query(uri, "path").unwrap_or_default();
        let Some(mut entries) = tree.list(folder.trim_matches('/')) else {
            return missing("invalid revision or path");
        };
        // Folders first.
        entries.sort_by_key(|entry| entry.text.is_some());
        self.listed(uri, entries, |entry: Entry<'_>| {
            let (kind, mode) = match entry.text {
                Some(_) => ("blob", "100644"),
                None => ("tree", "040000"),
            };
            json!({"id": entry.object(), "name": entry.name, "type": kind, "path": entry.path,
                   "mode": mode})
        })
    }

    /// A file as it is. The newest versions take the default branch when no reference is given;
    /// the stub is as strict as the others.
    fn raw(&self, project: &Project, uri: &Uri) -> Response {
        let reference = match query(uri, "ref").as_deref() {
            None => return say(400, &json!({"error": "ref is missing"})),
            Some("") => return say(400, &json!({"error": "ref is empty"})),
            Some(reference) => reference.to_owned(),
        };
        let content = &project.content;
        let tree = content.tree(&reference);
        let Some(tree) = tree.filter(|_| !content.is_empty()) else {
            return missing("Commit");
        };
        let path = uri.path().split('/').nth_back(1).unwrap_or_default();
        let path = decode_path(&[path]);
        let Some(text) = tree.file(&path) else {
            return missing("File");
        };
        let size = text.len().to_string();
        let file = reply(200, "text/plain; charset=utf-8", text);
        let file = with_header(file, "x-gitlab-size", &size);
        with_header(file, "x-gitlab-file-path", &path)
    }

    /// One page, with addresses that also name the project and every key that was asked.
    fn listed<T>(&self, uri: &Uri, all: Vec<T>, render: impl Fn(T) -> Value) -> Response {
        let page = Page::asked(uri, "per_page", (20, 100), all.len());
        let project = uri.path().split('/').nth(4).unwrap_or_default();
        let link = |number: usize, rel: &str| {
            let keys = [
                ("id", project.to_owned()),
                ("page", number.to_string()),
                ("per_page", page.size.to_string()),
            ];
            format!("<{}>; rel=\"{rel}\"", with_query(&self.base, uri, &keys))
        };
        let others = [(page.previous(), "prev"), (page.next(), "next")];
        let others = others
            .into_iter()
            .filter_map(|(number, rel)| Some(link(number?, rel)));
        let ends = [link(1, "first"), link(page.last, "last")];
        let links: Vec<String> = others.chain(ends).collect();
        let or_nothing = |number: Option<usize>| number.map_or_else(String::new, |n| n.to_string());
        let headers = [
            ("link", links.join(", ")),
            ("x-page", page.number.to_string()),
            ("x-per-page", page.size.to_string()),
            ("x-next-page", or_nothing(page.next())),
            ("x-prev-page", or_nothing(page.previous())),
            ("x-total", page.total.to_string()),
            ("x-total-pages", page.last.to_string()),
        ];
        let shown: Value = page.cut(all).map(render).collect();
        headers
            .into_iter()
            .fold(known(&shown), |response, (name, value)| {
                with_header(response, name, &value)
            })
    }
}

/// The token that comes with a request, in either of its headers.
fn given(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(token) = headers.get("private-token") {
        return Some(token.as_bytes());
    }
    let authorization = headers.get(header::AUTHORIZATION)?.as_bytes();
    authorization.strip_prefix(b"Bearer ")
}

fn limited(seconds: u64) -> Response {
    let reset = Timestamp::now() + Duration::from_secs(seconds);
    [
        ("retry-after", seconds.to_string()),
        ("ratelimit-name", "throttle_unauthenticated_api".to_owned()),
        ("ratelimit-limit", "500".to_owned()),
        ("ratelimit-observed", "501".to_owned()),
        ("ratelimit-remaining", "0".to_owned()),
        // Rounded up: at this second the limit is really over.
        ("ratelimit-reset", (reset.as_second() + 1).to_string()),
    ]
    .into_iter()
    .fold(
        reply(429, "text/plain", "Retry later\n"),
        |response, (name, value)| with_header(response, name, &value),
    )
}

fn say(status: u16, body: &Value) -> Response {
    reply(status, "application/json", body.to_string())
}

/// An answer with its entity tag.
fn known(body: &Value) -> Response {
    let mut hasher = DefaultHasher::new();
    body.to_string().hash(&mut hasher);
    let etag = format!("W/\"{:016x}\"", hasher.finish());
    with_header(say(200, body), "etag", &etag)
}

fn missing(what: &str) -> Response {
    say(404, &json!({"message": format!("404 {what} Not Found")}))
}

fn no_route() -> Response {
    say(404, &json!({"error": "404 Not Found"}))
}

fn clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::probe::{Answer, send};

    fn get(url: &str) -> Answer {
        send("GET", url, &[("PRIVATE-TOKEN", TOKEN)], "")
    }

    fn stub(releases: usize) -> (GitLab, String) {
        let gitlab = GitLab::start().unwrap();
        gitlab.add_repository("Group/sub/app");
        for n in 0..releases {
            gitlab.add_release("Group/sub/app", &format!("v1.{n}.0"), "notes");
        }
        let url = format!("{}/api/v4/projects/group%2Fsub%2Fapp", gitlab.url());
        (gitlab, url)
    }

    #[test]
    fn a_project_is_one_segment_of_the_path() {
        let (gitlab, url) = stub(1);
        assert_eq!(get(&url).json()["path_with_namespace"], "Group/sub/app");
        let plain = get(&format!("{}/releases", url.replace("%2F", "/")));
        assert_eq!(
            (plain.status, plain.json()["error"].as_str()),
            (404, Some("404 Not Found"))
        );
        let other = get(&format!("{url}x/releases"));
        assert_eq!(other.json()["message"], "404 Project Not Found");
        assert_eq!(gitlab.requests(), 3);
        assert!(gitlab.request_log()[2].ends_with("%2Fappx/releases"));
    }

    #[test]
    fn pages_are_linked_with_every_key_newest_first() {
        let (_gitlab, url) = stub(45);
        let first = get(&format!("{url}/releases?sort=desc"));
        assert_eq!(first.json().as_array().unwrap().len(), 20);
        assert_eq!(first.json()[0]["tag_name"], "v1.44.0");
        assert_eq!(
            (&*first.headers["x-next-page"], &*first.headers["x-total"]),
            ("2", "45")
        );
        let link = first.headers["link"].clone();
        let next = link.split(['<', '>']).nth(1).unwrap();
        let query = "?id=group%2Fsub%2Fapp&page=2&per_page=20&sort=desc";
        assert_eq!(next, format!("{url}/releases{query}"));
        assert!(link.contains("rel=\"next\"") && link.contains("rel=\"last\""));
        let all = get(&format!("{url}/releases?per_page=500"));
        assert_eq!(all.json().as_array().unwrap().len(), 45);
        assert_eq!(all.headers["x-next-page"], "");
        assert!(!all.headers["link"].contains("rel=\"next\""));
    }

    #[test]
    fn a_release_tells_what_is_upcoming_and_nothing_of_prereleases() {
        let (gitlab, url) = stub(1);
        let release = Release {
            tag: "v2.0.0-rc/1".into(),
            name: Some("Two".into()),
            upcoming: true,
            ..Release::default()
        };
        gitlab.publish("group/sub/app", release);
        let list = get(&format!("{url}/releases")).json();
        assert_eq!(
            (&list[0]["name"], &list[0]["upcoming_release"]),
            (&json!("Two"), &json!(true))
        );
        assert!(list[0]["description"].is_null() && list[0].get("prerelease").is_none());
        assert_eq!(
            (&list[1]["name"], &list[1]["upcoming_release"]),
            (&json!("v1.0.0"), &json!(false))
        );
        let own = list[0]["_links"]["self"].as_str().unwrap();
        assert!(own.ends_with("/Group/sub/app/-/releases/v2.0.0-rc%2F1"));
    }

    #[test]
    fn trees_and_files_are_read_at_a_reference() {
        let (gitlab, url) = stub(0);
        let tree = |query: &str| get(&format!("{url}/repository/tree{query}"));
        let file = |rest: &str| get(&format!("{url}/repository/files/{rest}"));
        assert_eq!(tree("").json()["message"], "404 Tree Not Found");
        assert_eq!(
            file("a/raw?ref=HEAD").json()["message"],
            "404 Commit Not Found"
        );
        gitlab.put_file("group/sub/app", "CHANGELOG.md", "# 1\n");
        gitlab.put_file_at("group/sub/app", "v1", "docs/v1.md", "*");
        assert_eq!(tree("").json()[0]["name"], "CHANGELOG.md");
        let at_tag = tree("?ref=v1").json();
        assert_eq!(
            (&at_tag[0]["type"], &at_tag[1]["type"]),
            (&json!("tree"), &json!("blob"))
        );
        assert_eq!(tree("?path=docs&ref=v1").json()[0]["path"], "docs/v1.md");
        assert_eq!(tree("?path=docs").status, 404);
        assert_eq!(tree("?ref=v2").json()["message"], "404 Tree Not Found");
        assert_eq!(file("CHANGELOG.md/raw?ref=HEAD").body, "# 1\n");
        assert_eq!(file("docs%2Fv1.md/raw?ref=v1").body, "*");
        assert_eq!(
            file("docs%2Fv1.md/raw?ref=main").json()["message"],
            "404 File Not Found"
        );
        assert_eq!(
            file("docs/v1.md/raw?ref=v1").json()["error"],
            "404 Not Found"
        );
        let bare = file("CHANGELOG.md/raw");
        assert_eq!(
            (bare.status, bare.json()["error"].as_str()),
            (400, Some("ref is missing"))
        );
    }

    #[test]
    fn only_annotated_tags_have_a_message() {
        let (gitlab, url) = stub(1);
        gitlab.tag("group/sub/app", "v2", Some("News."));
        let tags = get(&format!("{url}/repository/tags?per_page=100")).json();
        assert_eq!(
            (&tags[0]["name"], &tags[0]["message"]),
            (&json!("v2"), &json!("News."))
        );
        assert_ne!(tags[0]["target"], tags[0]["commit"]["id"]);
        assert!(tags[0]["release"].is_null());
        assert_eq!(
            (&tags[1]["name"], &tags[1]["message"]),
            (&json!("v1.0.0"), &json!(""))
        );
        assert_eq!(tags[1]["release"]["description"], "notes");
    }

    #[test]
    fn limits_outages_and_wrong_tokens_are_answered_as_gitlab_does() {
        let (gitlab, url) = stub(1);
        let url = format!("{url}/releases");
        gitlab.limit_next(7);
        gitlab.fail_next(502, "<h1>502</h1>", 1);
        let limited = get(&url);
        assert_eq!(
            (limited.status, limited.body.as_str()),
            (429, "Retry later\n")
        );
        assert_eq!(limited.headers["retry-after"], "7");
        assert_eq!(limited.headers["ratelimit-remaining"], "0");
        assert_eq!(get(&url).body, "<h1>502</h1>");
        let first = get(&url);
        let known = [("If-None-Match", first.headers["etag"].as_str())];
        let again = send("GET", &url, &known, "");
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        let bad = send("GET", &url, &[("PRIVATE-TOKEN", "no")], "");
        assert_eq!(
            (bad.status, bad.json()["message"].as_str()),
            (401, Some("401 Unauthorized"))
        );
    }
}
