//! Registries, over the distribution API of OCI: tags, manifests and blobs, with a token where one is
//! wanted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Url};
use runtime::{Secret, Settings};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use version::DOCKER_HUB;

use crate::cache::{self, Cache};
use crate::http::{self, Read};
use crate::limits::{self, Limits};
use crate::ports::PortError;

/// A page of tags, a manifest and a config stay far below this.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// A list without end would never stop.
const MAX_PAGES: usize = 200;
/// So much is remembered of each kind; with more it is forgotten, and asked for again.
const REMEMBERED: usize = 2_000;
/// Where Docker Hub keeps what is named after it, and how else it is called.
const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";
const DOCKER_HUB_TOO: [&str; 2] = [DOCKER_HUB_REGISTRY, "index.docker.io"];

/// Who reads a registry that wants a login.
struct Login {
    user: String,
    password: Secret,
}

/// What helps with a registry that refuses us.
pub(crate) const LOGIN: &str = "; does it want a login? One is given under [registries]";

/// A client for registries.
pub(crate) struct Registries {
    pub(crate) client: reqwest::Client,
    /// By registry and repository.
    tokens: Remembered<(String, String), String>,
    /// By registry, as images name it.
    logins: BTreeMap<String, Login>,
    /// Where registries are asked, by the name that images have for them.
    urls: BTreeMap<String, String>,
    limits: Limits,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// A repository in a registry.
pub(crate) struct Place {
    /// What images call the registry.
    name: String,
    base: Url,
    pub(crate) repository: String,
}

impl Registries {
    /// A client for all registries, with the configured logins.
    ///
    /// # Errors
    /// A password cannot be read, or the TLS set-up of this machine is unusable.
    pub(crate) fn new(settings: &Settings, cache: &Arc<dyn Cache>) -> anyhow::Result<Registries> {
        let secrets = settings.secrets();
        let mut logins = BTreeMap::new();
        for (host, registry) in &settings.registries {
            if let Some(password) = secrets.registry_password(host)? {
                let user = registry.user.clone();
                logins.insert(host.clone(), Login { user, password });
            }
        }
        Ok(Registries {
            client: reqwest::Client::builder()
                .timeout(settings.helm.timeout)
                .build()?,
            tokens: Remembered::default(),
            logins,
            urls: settings
                .registries
                .iter()
                .filter_map(|(host, registry)| Some((host.clone(), registry.url.clone()?)))
                .collect(),
            limits: Limits::new(Arc::clone(cache)),
        })
    }

    /// Every tag, page by page; none if there is no such repository.
    pub(crate) async fn tags(&self, place: &Place) -> Result<Option<Vec<String>>, PortError> {
        let mut next = Some(place.url("tags/list?n=1000")?);
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else {
                return Ok(Some(found));
            };
            let Some(answer) = self.find(place, &url, None).await? else {
                return Ok(None);
            };
            next = place.next_page(&answer.headers)?;
            let page: Tags = json(&url, &answer.body)?;
            found.extend(page.tags.unwrap_or_default());
        }
        // They come in the order of text, so what is missing may be the newest.
        Err(PortError::lasting(format!(
            "{}{} lists more than {} tags, so what lies in between is not known",
            place.base,
            place.repository,
            found.len()
        )))
    }

    /// An answer with what was asked for.
    pub(crate) async fn found(
        &self,
        place: &Place,
        url: &Url,
        accept: Option<&str>,
    ) -> Result<Read, PortError> {
        let answer = self.ask(Method::GET, place, url, accept).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(refusal(url.as_str(), &answer, LOGIN))
        }
    }

    /// The same for what may not be there.
    pub(crate) async fn find(
        &self,
        place: &Place,
        url: &Url,
        accept: Option<&str>,
    ) -> Result<Option<Read>, PortError> {
        let answer = self.ask(Method::GET, place, url, accept).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer)),
            _ => Err(refusal(url.as_str(), &answer, LOGIN)),
        }
    }

    /// Asks with the token that is known, and with a new one if the registry wants one.
    ///
    /// Where another registry stands behind this one and wants a token of its own, that one is asked
    /// with it: no client carries a token from one host to the next.
    pub(crate) async fn ask(
        &self,
        method: Method,
        place: &Place,
        url: &Url,
        accept: Option<&str>,
    ) -> Result<Read, PortError> {
        let limit_key = self.limit_key(place, &method);
        self.limits.guard(&limit_key, place.base.as_str()).await?;
        let mut asked = url.clone();
        let mut token = self.tokens.get(&place.realm(url));
        // Each of the two may want a token, and each only once.
        let mut renewed = Vec::new();
        loop {
            let mut request = self.client.request(method.clone(), asked.clone());
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some(token) = &token {
                request = request.header(AUTHORIZATION, token);
            }
            let sent = limits::now();
            let answer = http::read(request, MAX_BODY).await;
            let answer = answer.map_err(|unread| unread.told(url.as_str()))?;
            let origin = answer.url.origin();
            if answer.status == StatusCode::UNAUTHORIZED && !renewed.contains(&origin) {
                let behind = origin != url.origin();
                let realm = place.realm(&answer.url);
                let known = self.tokens.get(&realm).filter(|_| behind);
                // A login is for the registry that it was given for.
                let login = self.logins.get(&place.name).filter(|_| !behind);
                let new = match (known, Challenge::of(&answer.headers)) {
                    (Some(known), _) if token.as_ref() != Some(&known) => Some(known),
                    (_, Some(challenge)) => {
                        renewed.push(origin);
                        let token = self.token(place, login, &challenge, &limit_key).await?;
                        Some(format!("Bearer {token}"))
                    }
                    (_, None) => {
                        renewed.push(origin);
                        login.map(basic)
                    }
                };
                if let Some(new) = new {
                    self.tokens.put(realm, new.clone());
                    (token, asked) = (Some(new), answer.url);
                    continue;
                }
            }
            self.limited(url.as_str(), &answer, (&limit_key, sent))
                .await?;
            if answer.status.is_success() && http::is_page(&answer.headers) {
                return Err(PortError::lasting(format!(
                    "{url} sent a page for people{LOGIN}"
                )));
            }
            return Ok(answer);
        }
    }

    /// Remembers a limit that an answer tells of.
    async fn limited(
        &self,
        what: &str,
        answer: &Read,
        (limit_key, sent): (&str, i64),
    ) -> Result<(), PortError> {
        let named = http::named_wait(answer.status, &answer.headers);
        if named.is_none() && answer.status != StatusCode::TOO_MANY_REQUESTS {
            return Ok(());
        }
        let wait = self.limits.begin(limit_key, sent, named).await;
        Err(PortError {
            retry_after: Some(wait),
            lasting: false,
            ..refusal(what, answer, "")
        })
    }

    /// An address that no token goes to, such as an index of charts; who shares a limit with it has
    /// the same `limit_key`.
    pub(crate) async fn open(
        &self,
        url: &str,
        limit_key: &str,
        request: reqwest::RequestBuilder,
        max: usize,
    ) -> Result<Read, PortError> {
        self.limits.guard(limit_key, url).await?;
        let sent = limits::now();
        let answer = http::read(request, max).await;
        let answer = answer.map_err(|unread| unread.told(url))?;
        self.limited(url, &answer, (limit_key, sent)).await?;
        Ok(answer)
    }

    /// Who shares a limit: all who ask a registry as the same user. What counts as a pull has one of
    /// its own.
    fn limit_key(&self, place: &Place, method: &Method) -> String {
        let user = self.logins.get(&place.name);
        let user = user.map_or("", |login| login.user.as_str());
        let pulls = place.counts_looks() && *method == Method::GET;
        let kind = if pulls { "pulls" } else { "registry" };
        cache::key(&["limit", kind, place.base.as_str(), user])
    }

    /// Where an image is; its name is normalised.
    pub(crate) fn place_of(&self, image: &str) -> Result<Place, PortError> {
        let (host, path) = image.split_once('/').unwrap_or((image, ""));
        self.place(host, path)
    }

    /// A repository of a registry.
    pub(crate) fn place(&self, host: &str, path: &str) -> Result<Place, PortError> {
        let host = match host {
            host if DOCKER_HUB_TOO.contains(&host) => DOCKER_HUB,
            host => host,
        };
        match self.urls.get(host) {
            Some(url) => Place::below(host, url, path),
            None => Place::at(host, path),
        }
    }

    /// A token for whoever is configured, else for whoever comes.
    async fn token(
        &self,
        place: &Place,
        login: Option<&Login>,
        challenge: &Challenge,
        limit_key: &str,
    ) -> Result<String, PortError> {
        let realm = &challenge.realm;
        let mut url = Url::parse(realm)
            .ok()
            // Without TLS a token is fetched only where a registry without TLS is.
            .filter(|url| url.scheme() == "https" || same_host(url, &place.base))
            .ok_or_else(|| {
                PortError::new(format!("{} sends to {realm:?} for a token", place.base))
            })?;
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = &challenge.service {
                query.append_pair("service", service);
            }
            let own = format!("repository:{}:pull", place.repository);
            query.append_pair("scope", challenge.scope.as_ref().unwrap_or(&own));
        }
        let mut request = self.client.get(url.clone());
        if let Some(login) = login {
            request = request.basic_auth(&login.user, Some(login.password.expose()));
        }
        let sent = limits::now();
        let answer = http::read(request, MAX_BODY).await;
        let answer = answer.map_err(|unread| unread.told(url.as_str()))?;
        self.limited(url.as_str(), &answer, (limit_key, sent))
            .await?;
        if !answer.status.is_success() {
            return Err(refusal(url.as_str(), &answer, LOGIN));
        }
        let token: Token = json(&url, &answer.body)?;
        let token = token.token.or(token.access_token);
        token.ok_or_else(|| PortError::new(format!("{url} sent no token")))
    }
}

impl Place {
    /// A repository at `host` or `host:port`; on this machine a registry needs no TLS.
    fn at(name: &str, repository: &str) -> Result<Place, PortError> {
        let authority = if name == DOCKER_HUB {
            DOCKER_HUB_REGISTRY
        } else {
            name
        };
        let host = authority.split(':').next().unwrap_or_default();
        let here = matches!(host, "localhost" | "127.0.0.1");
        let scheme = if here { "http" } else { "https" };
        Place::below(name, &format!("{scheme}://{authority}"), repository)
    }

    fn below(name: &str, url: &str, repository: &str) -> Result<Place, PortError> {
        let wrong = || PortError::new(format!("{name}/{repository} is no place in a registry"));
        let base = Url::parse(url).map_err(|_error| wrong())?;
        if base.host_str().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        Ok(Place {
            name: name.to_owned(),
            base,
            repository: repository.trim_matches('/').to_owned(),
        })
    }

    pub(crate) fn url(&self, rest: &str) -> Result<Url, PortError> {
        let text = format!("{}/v2/{}/{rest}", self.root(), self.repository);
        Url::parse(&text).map_err(|error| PortError::new(format!("{text} is no address: {error}")))
    }

    /// Whether a look at a manifest counts as a pull, of which Docker Hub allows few.
    pub(crate) fn counts_looks(&self) -> bool {
        self.name == DOCKER_HUB
    }

    /// Whom a token for an address of this repository is for.
    fn realm(&self, url: &Url) -> (String, String) {
        (url.origin().ascii_serialization(), self.repository.clone())
    }

    fn root(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The next page, on the same registry.
    fn next_page(&self, headers: &HeaderMap) -> Result<Option<Url>, PortError> {
        let next = http::next_page(headers, self.root(), "/v2/");
        let next = next.map(|next| next.map(|next| Url::parse(&next)).transpose());
        match next {
            Ok(Ok(next)) => Ok(next),
            // The token goes nowhere else, whatever a link says.
            Ok(Err(_)) | Err(_) => Err(PortError::new(format!(
                "the list of tags of {}/{} goes on at an address that is none of a registry",
                self.root(),
                self.repository
            ))),
        }
    }
}

fn same_host(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme() && one.host_str() == other.host_str()
}

/// The header of a login without tokens.
fn basic(login: &Login) -> String {
    use base64::Engine as _;
    let text = format!("{}:{}", login.user, login.password.expose());
    let text = base64::engine::general_purpose::STANDARD.encode(text);
    format!("Basic {text}")
}

pub(crate) fn json<T: DeserializeOwned>(
    url: &impl std::fmt::Display,
    body: &[u8],
) -> Result<T, PortError> {
    serde_json::from_slice(body)
        .map_err(|error| PortError::new(format!("{url} sent something else: {error}")))
}

/// Where the registry says that tokens are.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    fn of(headers: &HeaderMap) -> Option<Challenge> {
        let mut all = headers.get_all(WWW_AUTHENTICATE).iter();
        all.find_map(|value| Challenge::parse(value.to_str().ok()?))
    }

    /// `Bearer realm="…",service="…",scope="…"`; a scope has commas of its own.
    fn parse(text: &str) -> Option<Challenge> {
        let (scheme, mut rest) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        while let Some((key, value)) = rest.split_once('=') {
            let (value, behind) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => value.split_once(',').unwrap_or((value, "")),
            };
            let value = Some(value.to_owned());
            match key.trim_matches([',', ' ']).to_ascii_lowercase().as_str() {
                "realm" => realm = value,
                "service" => service = value,
                "scope" => scope = value,
                _ => {}
            }
            rest = behind;
        }
        Some(Challenge {
            realm: realm?,
            service,
            scope,
        })
    }
}

/// What an answer that is no success means: nothing is known, and it is asked again.
pub(crate) fn refusal(what: &str, answer: &Read, login: &str) -> PortError {
    let status = answer.status;
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => login,
        StatusCode::NOT_FOUND => "; is the address right?",
        _ => "",
    };
    let retry_after = http::named_wait(status, &answer.headers);
    PortError {
        what: format!("{what} answered {status}{hint}"),
        retry_after,
        lasting: retry_after.is_none()
            && status.is_client_error()
            && !matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY
            ),
    }
}

/// So long is remembered what was learned; a tag may be taken away or pushed anew.
const MEMORY: Duration = Duration::from_secs(3_600);

/// What was learned within the last hour.
pub(crate) struct Remembered<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Remembered(Mutex::default())
    }
}

impl<K: Eq + std::hash::Hash, V: Clone> Remembered<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let known = self.lock();
        let (learned, value) = known.get(key)?;
        (learned.elapsed() < MEMORY).then(|| value.clone())
    }

    pub(crate) fn put(&self, key: K, value: V) {
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, (Instant::now(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_with_commas_in_its_scope() {
        let text = "Bearer realm=\"https://auth.example.org/token\", service=example.org, \
                    scope=\"repository:charts/app:pull,push\"";
        let expected = Challenge {
            realm: "https://auth.example.org/token".to_owned(),
            service: Some("example.org".to_owned()),
            scope: Some("repository:charts/app:pull,push".to_owned()),
        };
        assert_eq!(Challenge::parse(text), Some(expected));
        assert_eq!(Challenge::parse("Basic realm=\"x\""), None);
        assert_eq!(Challenge::parse("Bearer service=\"x\""), None);
    }

    #[test]
    fn a_registry_on_this_machine_needs_no_tls() {
        let place = Place::at("127.0.0.1:5000", "charts/app").unwrap();
        let url = place.url("tags/list").unwrap();
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:5000/v2/charts/app/tags/list"
        );
        let place = Place::at("ghcr.io", "acme/helm/app").unwrap();
        let url = place.url("tags/list").unwrap();
        assert_eq!(url.as_str(), "https://ghcr.io/v2/acme/helm/app/tags/list");
        let below = Place::below("mirror", "https://m.example.org/hub/", "a/b").unwrap();
        assert_eq!(
            below.url("tags/list").unwrap().as_str(),
            "https://m.example.org/hub/v2/a/b/tags/list"
        );
        let hub = Place::at("docker.io", "library/alpine").unwrap();
        assert_eq!(
            hub.url("manifests/3").unwrap().as_str(),
            "https://registry-1.docker.io/v2/library/alpine/manifests/3"
        );
        Place::at("", "app").map(|_| ()).unwrap_err();
    }
}
