//! An OCI registry that holds Helm charts and images: the distribution API with tokens.
//!
//! Blobs lie on a second server, as with the large registries, and that one refuses the token.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::server::{Server, json as json_reply, lock, query, reply, with_header};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const HELM_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A stub registry; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Registry {
    state: Arc<Mutex<Inner>>,
    server: Arc<Server>,
    _blobs: Arc<Server>,
}

#[derive(Debug)]
struct Inner {
    url: String,
    blobs_url: String,
    /// By repository: the tags in their order, with the digest of the manifest.
    tags: BTreeMap<String, Vec<(String, String)>>,
    manifests: HashMap<String, Value>,
    blobs: HashMap<String, Value>,
    page: usize,
    anonymous: bool,
    /// Who alone gets a token: `user:password`.
    login: Option<String>,
    /// Tokens that are good, by the repository that they are for.
    tokens: Vec<(String, String)>,
    faults: VecDeque<(u16, Option<u64>)>,
    requests: Vec<String>,
    serial: u64,
    /// How it names itself in the addresses that it tells, if otherwise than it is asked.
    called: Option<String>,
    /// HEAD is not allowed.
    no_head: bool,
    /// Who alone may read, without any token: `user:password`.
    basic: Option<String>,
    /// The registry behind this one.
    behind: Option<String>,
    /// It wants a token of its own before it leads there.
    guarded: bool,
    /// Everything is answered with a page for people, such as a login.
    pages: bool,
    /// What Docker Hub's own interface answers instead of a tag: a status, and perhaps seconds to
    /// wait.
    hub: Option<(u16, Option<u64>)>,
}

impl Registry {
    /// Starts an empty registry that wants tokens and lists three tags a page.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Inner {
            url: String::new(),
            blobs_url: String::new(),
            tags: BTreeMap::new(),
            manifests: HashMap::new(),
            blobs: HashMap::new(),
            page: 3,
            anonymous: false,
            login: None,
            tokens: Vec::new(),
            faults: VecDeque::new(),
            requests: Vec::new(),
            serial: 0,
            called: None,
            no_head: false,
            basic: None,
            behind: None,
            guarded: false,
            pages: false,
            hub: None,
        }));
        let router = |answer| {
            Router::new()
                .fallback(answer)
                .with_state(Arc::clone(&state))
        };
        let server = Server::start("registry", router(axum::routing::get(front)))?;
        let blobs = Server::start("blobs", router(axum::routing::get(blob)))?;
        {
            let mut state = lock(&state);
            server.url().clone_into(&mut state.url);
            blobs.url().clone_into(&mut state.blobs_url);
        }
        Ok(Self {
            state,
            server: Arc::new(server),
            _blobs: Arc::new(blobs),
        })
    }

    /// The address of a folder of charts, as a Helm release names it.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "{}/charts",
            self.server.url().replacen("http://", "oci://", 1)
        )
    }

    /// Pushes a chart's version, as `helm push` does: a `+` becomes `_` in the tag.
    pub fn push(&self, chart: &str, version: &str, app: &str) {
        let config = json!({"apiVersion": "v2", "name": chart, "version": version,
                            "appVersion": app, "type": "application"});
        lock(&self.state).push(chart, &version.replace('+', "_"), HELM_CONFIG, &config);
    }

    /// Pushes something that is no chart, such as a signature.
    pub fn push_other(&self, chart: &str, tag: &str) {
        lock(&self.state).push(chart, tag, IMAGE_CONFIG, &json!({"architecture": ""}));
    }

    /// The address of the registry itself.
    #[must_use]
    pub fn address(&self) -> String {
        self.server.url().to_owned()
    }

    /// Pushes an image for the two usual platforms.
    pub fn push_image(&self, repository: &str, tag: &str) {
        self.push_image_for(repository, tag, &["linux/amd64", "linux/arm64"], None);
    }

    /// Pushes an image for these platforms, whose label names this source.
    pub fn push_image_for(
        &self,
        repository: &str,
        tag: &str,
        platforms: &[&str],
        source: Option<&str>,
    ) {
        lock(&self.state).push_index(repository, tag, platforms, source);
    }

    /// Nobody else gets a token.
    pub fn require_login(&self, user: &str, password: &str) {
        lock(&self.state).login = Some(format!("{user}:{password}"));
    }

    /// Everybody may read without a token.
    pub fn anonymous(&self) {
        lock(&self.state).anonymous = true;
    }

    /// Wants the login itself instead of a token, as some private registries do.
    pub fn require_basic_login(&self, user: &str, password: &str) {
        lock(&self.state).basic = Some(format!("{user}:{password}"));
    }

    /// Names itself like this where a list goes on, as one behind a proxy does.
    pub fn call(&self, url: &str) {
        lock(&self.state).called = Some(url.to_owned());
    }

    /// Answers HEAD with 405.
    pub fn refuse_head(&self) {
        lock(&self.state).no_head = true;
    }

    /// Leads everybody to another registry, which wants its own token.
    pub fn lead_to(&self, other: &Registry) {
        lock(&self.state).behind = Some(other.address());
    }

    /// Wants a token of its own before it leads anybody on.
    pub fn guard_the_way(&self) {
        lock(&self.state).guarded = true;
    }

    /// Answers everything with a page for people, as a proxy does that wants a login.
    pub fn answer_with_pages(&self) {
        lock(&self.state).pages = true;
    }

    /// No token that was given out is good any more.
    pub fn expire_tokens(&self) {
        lock(&self.state).tokens.clear();
    }

    /// The next answers have this status, and perhaps a time to come back in seconds.
    pub fn fail_next(&self, status: u16, retry_after: Option<u64>, times: usize) {
        let faults = (0..times).map(|_| (status, retry_after));
        lock(&self.state).faults.extend(faults);
    }

    /// What was to fail and has not yet does not.
    pub fn fail_no_more(&self) {
        lock(&self.state).faults.clear();
    }

    /// Docker Hub's own interface, which stands beside its registry, answers like this from now on.
    pub fn fail_hub(&self, status: u16, retry_after: Option<u64>) {
        lock(&self.state).hub = Some((status, retry_after));
    }

    /// Path and query of every request to the registry itself, oldest first.
    #[must_use]
    pub fn request_log(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }
}

impl Inner {
    fn push(&mut self, chart: &str, tag: &str, media_type: &str, config: &Value) {
        let repository = format!("charts/{chart}");
        let config_digest = digest(&config.to_string());
        self.blobs.insert(config_digest.clone(), config.clone());
        let size = config.to_string().len();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": media_type, "digest": config_digest, "size": size},
            "layers": [{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                        "digest": digest(tag), "size": 31_000}],
            "annotations": {"org.opencontainers.image.title": chart,
                            "org.opencontainers.image.version": tag},
        });
        let manifest_digest = digest(&format!("{repository}{tag}"));
        self.manifests.insert(manifest_digest.clone(), manifest);
        let tags = self.tags.entry(repository).or_default();
        tags.push((tag.to_owned(), manifest_digest));
        // Registries list in the order of text, where 10 is before 9.
        tags.sort();
    }

    /// An index with a manifest for each platform, as `docker buildx` pushes it.
    fn push_index(
        &mut self,
        repository: &str,
        tag: &str,
        platforms: &[&str],
        source: Option<&str>,
    ) {
        let mut entries = Vec::new();
        for platform in platforms {
            let (os, architecture) = platform.split_once('/').unwrap_or((platform, ""));
            let labels = source.map(|source| json!({"org.opencontainers.image.source": source}));
            let config = json!({"os": os, "architecture": architecture,
                                "config": {"Labels": labels}, "tag": tag});
            let config_digest = digest(&config.to_string());
            self.blobs.insert(config_digest.clone(), config);
            let manifest = json!({
                "schemaVersion": 2, "mediaType": MANIFEST,
                "config": {"mediaType": IMAGE_CONFIG, "digest": config_digest, "size": 2_000},
                "layers": [],
            });
            let manifest_digest = digest(&format!("{repository}{tag}{platform}"));
            self.manifests.insert(manifest_digest.clone(), manifest);
            entries.push(
                json!({"mediaType": MANIFEST, "digest": manifest_digest, "size": 500,
                                "platform": {"os": os, "architecture": architecture}}),
            );
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        let index_digest = digest(&format!("{repository}{tag}"));
        self.manifests.insert(index_digest.clone(), index);
        let tags = self.tags.entry(repository.to_owned()).or_default();
        tags.retain(|(known, _)| known != tag);
        tags.push((tag.to_owned(), index_digest));
        tags.sort();
    }

    fn handle(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
        self.requests.push(uri.to_string());
        if self.pages {
            return reply(200, "text/html; charset=utf-8", "<h1>Sign in</h1>");
        }
        let unknown = self.guarded && uri.path() != "/token" && !self.has_any_token(headers);
        if let Some(behind) = self
            .behind
            .as_ref()
            .filter(|_| uri.path() != "/token" && !unknown)
        {
            return with_header(
                reply(307, "text/html", ""),
                "location",
                &format!("{behind}{uri}"),
            );
        }
        if self.no_head && method == Method::HEAD {
            return error(405, "UNSUPPORTED", "the operation is unsupported");
        }
        if let Some((status, retry_after)) = self.faults.pop_front() {
            let refusal = error(status, "TOOMANYREQUESTS", "try again later");
            return match retry_after {
                Some(wait) => with_header(refusal, "retry-after", &wait.to_string()),
                None => refusal,
            };
        }
        if uri.path() == "/token" {
            return self.token(uri, headers);
        }
        let Some(path) = uri.path().strip_prefix("/v2/") else {
            return reply(404, "text/plain", "404 page not found\n");
        };
        if let Some(path) = path.strip_prefix("namespaces/") {
            return self.hub_tag(path);
        }
        let split = |marker: &str| {
            let (repository, rest) = path.split_once(marker)?;
            Some((repository.to_owned(), rest.to_owned()))
        };
        let tags = path.strip_suffix("/tags/list").map(str::to_owned);
        let (manifest, blob) = (split("/manifests/"), split("/blobs/"));
        let named = [&manifest, &blob].into_iter().flatten();
        let named = named.map(|(repository, _)| repository).next();
        let Some(repository) = tags.as_ref().or(named) else {
            return error(404, "UNSUPPORTED", "the operation is unsupported");
        };
        if let Some(login) = &self.basic {
            if !is_basic(headers, login) {
                let refusal = error(401, "UNAUTHORIZED", "authentication required");
                return with_header(refusal, "www-authenticate", "Basic realm=\"stub\"");
            }
        } else if !self.may_read(repository, headers) {
            let challenge = format!(
                "Bearer realm=\"{}/token\",service=\"stub\",scope=\"repository:{repository}:pull\"",
                self.url
            );
            let refusal = error(401, "UNAUTHORIZED", "authentication required");
            return with_header(refusal, "www-authenticate", &challenge);
        }
        let Some(known) = self.tags.get(repository) else {
            return error(404, "NAME_UNKNOWN", "repository name not known to registry");
        };
        if tags.is_some() {
            return self.page(repository, known, uri);
        }
        if let Some((_, tag)) = &manifest {
            let accept = headers.get(header::ACCEPT);
            let accept = accept
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            let found = known.iter().find(|(name, _)| name == tag);
            let digest = found.map_or(tag.as_str(), |(_, digest)| digest);
            let kind = |manifest: &Value| match manifest["mediaType"].as_str() {
                Some(INDEX) => INDEX,
                _ => MANIFEST,
            };
            let found = self.manifests.get(digest);
            return match found.filter(|manifest| accept.contains(kind(manifest))) {
                Some(manifest) => reply(200, kind(manifest), manifest.to_string()),
                None => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            };
        }
        let digest = blob.map(|(_, digest)| digest).unwrap_or_default();
        if self.blobs.contains_key(&digest) {
            let to = format!("{}/{digest}?signature=stub", self.blobs_url);
            return with_header(reply(307, "text/html", ""), "location", &to);
        }
        error(404, "BLOB_UNKNOWN", "blob unknown to registry")
    }

    /// What Docker Hub tells of a tag to everybody: the platforms, and the attestations as `unknown`.
    fn hub_tag(&self, path: &str) -> Response {
        if let Some((status, retry_after)) = self.hub {
            let refusal = json_reply(status, &json!({"detail": "stub"}));
            return match retry_after {
                Some(wait) => with_header(refusal, "retry-after", &wait.to_string()),
                None => refusal,
            };
        }
        let found = path.split_once("/repositories/").and_then(|(owner, rest)| {
            let (name, tag) = rest.split_once("/tags/")?;
            let tags = self.tags.get(&format!("{owner}/{name}"))?;
            let (_, digest) = tags.iter().find(|(known, _)| known == tag)?;
            Some((tag, self.manifests.get(digest)?))
        });
        let Some((tag, manifest)) = found else {
            let message = "httperror 404: object not found";
            return json_reply(404, &json!({"message": message, "errinfo": {}}));
        };
        let image = |platform: &Value| {
            json!({"architecture": platform["architecture"], "features": "", "variant": null,
                   "os": platform["os"], "os_version": null, "size": 3_402_422,
                   "status": "active"})
        };
        let entries = manifest["manifests"].as_array().into_iter().flatten();
        let mut images: Vec<Value> = entries.map(|entry| image(&entry["platform"])).collect();
        images.push(image(&json!({"architecture": "unknown", "os": "unknown"})));
        let told = json!({"name": tag, "images": images, "tag_status": "active", "v2": true});
        json_reply(200, &told)
    }

    fn token(&mut self, uri: &Uri, headers: &HeaderMap) -> Response {
        if let Some(login) = &self.login
            && !is_basic(headers, login)
        {
            return error(401, "UNAUTHORIZED", "incorrect username or password");
        }
        let scope = query(uri, "scope").unwrap_or_default();
        let repository = scope
            .strip_prefix("repository:")
            .and_then(|rest| rest.strip_suffix(":pull"));
        let Some(repository) = repository.filter(|_| query(uri, "service").is_some()) else {
            return error(400, "DENIED", "no scope or no service");
        };
        self.serial += 1;
        let token = format!("stub-token-{}", self.serial);
        self.tokens.push((token.clone(), repository.to_owned()));
        json_reply(200, &json!({"token": token, "expires_in": 300}))
    }

    fn has_any_token(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|given| self.tokens.iter().any(|(known, _)| known == given))
    }

    fn may_read(&self, repository: &str, headers: &HeaderMap) -> bool {
        let good = |token: &str| {
            let mut tokens = self.tokens.iter();
            tokens.any(|(known, place)| known == token && place == repository)
        };
        self.anonymous || bearer(headers).is_some_and(good)
    }

    fn page(&self, repository: &str, known: &[(String, String)], uri: &Uri) -> Response {
        let wanted = query(uri, "n").and_then(|n| n.parse::<usize>().ok());
        let size = wanted.unwrap_or(self.page).min(self.page);
        let last = query(uri, "last").unwrap_or_default();
        let rest = known.iter().map(|(tag, _)| tag).filter(|tag| **tag > last);
        let tags: Vec<&String> = rest.clone().take(size).collect();
        let answer = json_reply(200, &json!({"name": repository, "tags": tags}));
        match tags.last().filter(|_| rest.count() > size) {
            Some(last) => {
                let root = self.called.as_deref().unwrap_or_default();
                let next = format!(
                    "<{root}/v2/{repository}/tags/list?last={last}&n={size}>; rel=\"next\""
                );
                with_header(answer, "link", &next)
            }
            None => answer,
        }
    }
}

/// The token that comes with a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(header::AUTHORIZATION)?;
    given.to_str().ok()?.strip_prefix("Bearer ")
}

/// Whether a request comes with this login.
fn is_basic(headers: &HeaderMap, login: &str) -> bool {
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(login);
    let given = headers.get(header::AUTHORIZATION);
    given.is_some_and(|given| given.as_bytes() == format!("Basic {expected}").as_bytes())
}

async fn front(
    State(state): State<Arc<Mutex<Inner>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let answer = lock(&state).handle(&method, &uri, &headers);
    with_header(answer, "docker-distribution-api-version", "registry/2.0")
}

/// The signature in the address is the only credential; a second one is refused.
async fn blob(State(state): State<Arc<Mutex<Inner>>>, uri: Uri, headers: HeaderMap) -> Response {
    if headers.contains_key(header::AUTHORIZATION) {
        return reply(400, "application/xml", "<Code>InvalidArgument</Code>");
    }
    let digest = uri.path().trim_start_matches('/');
    match lock(&state).blobs.get(digest) {
        Some(blob) if query(&uri, "signature").is_some() => {
            reply(200, "application/octet-stream", blob.to_string())
        }
        _ => reply(403, "application/xml", "<Code>AccessDenied</Code>"),
    }
}

fn error(status: u16, code: &str, message: &str) -> Response {
    json_reply(
        status,
        &json!({"errors": [{"code": code, "message": message}]}),
    )
}

/// As long as a real digest, and the same for the same text.
fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("sha256:{:016x}{}", hasher.finish(), "0".repeat(48))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::probe::{Answer, send};

    fn get(url: &str, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("accept", MANIFEST)];
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        send("GET", url, &headers, "")
    }

    #[test]
    fn a_version_is_found_by_way_of_challenge_token_pages_manifest_and_blob() {
        let registry = Registry::start().unwrap();
        for minor in 0..5 {
            registry.push("app", &format!("1.{minor}.0+build"), "2.0.0");
        }
        let base = registry.url().replacen("oci://", "http://", 1);
        let base = base.replace("/charts", "");
        let list = format!("{base}/v2/charts/app/tags/list?n=1000");
        let refused = get(&list, "");
        assert_eq!(refused.status, 401);
        let challenge = &refused.headers["www-authenticate"];
        assert!(
            challenge.contains("scope=\"repository:charts/app:pull\""),
            "{challenge}"
        );
        let token = get(
            &format!("{base}/token?service=stub&scope=repository:charts/app:pull"),
            "",
        );
        let token = token.json()["token"].as_str().unwrap().to_owned();
        let first = get(&list, &token);
        let tags = json!(["1.0.0_build", "1.1.0_build", "1.2.0_build"]);
        assert_eq!(first.json()["tags"], tags);
        let next = first.headers["link"].split(['<', '>']).nth(1).unwrap();
        let second = get(&format!("{base}{next}"), &token);
        assert_eq!(second.json()["tags"], json!(["1.3.0_build", "1.4.0_build"]));
        assert!(!second.headers.contains_key("link"));
        let manifest = get(
            &format!("{base}/v2/charts/app/manifests/1.4.0_build"),
            &token,
        );
        let digest = manifest.json()["config"]["digest"]
            .as_str()
            .unwrap()
            .to_owned();
        let moved = get(&format!("{base}/v2/charts/app/blobs/{digest}"), &token);
        assert_eq!(moved.status, 307);
        assert_eq!(get(&moved.headers["location"], &token).status, 400);
        let config = get(&moved.headers["location"], "").json();
        assert_eq!(config["appVersion"], "2.0.0");
    }

    #[test]
    fn a_token_for_one_repository_opens_no_other() {
        let registry = Registry::start().unwrap();
        registry.push("app", "1.0.0", "2");
        registry.push("other", "1.0.0", "2");
        let base = registry.url().replacen("oci://", "http://", 1);
        let base = base.replace("/charts", "");
        let token = get(
            &format!("{base}/token?service=stub&scope=repository:charts/app:pull"),
            "",
        );
        let token = token.json()["token"].as_str().unwrap().to_owned();
        let list = |chart: &str| get(&format!("{base}/v2/charts/{chart}/tags/list"), &token).status;
        assert_eq!((list("app"), list("other")), (200, 401));
        registry.expire_tokens();
        assert_eq!(list("app"), 401);
    }
}
