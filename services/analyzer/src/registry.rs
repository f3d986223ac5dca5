//! Registries, over the distribution API of OCI: tags, manifests and blobs, with a token where one is
//! wanted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, HeaderMap, LINK, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use runtime::{Secret, Settings};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ports::PortError;

/// A page of tags, a manifest and a config stay far below this.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// A list without end would never stop.
const MAX_PAGES: usize = 50;
/// So much is remembered of each kind; with more it is forgotten, and asked for again.
const REMEMBERED: usize = 2_000;
/// Where Docker Hub keeps what is named after it.
const DOCKER_HUB: &str = "registry-1.docker.io";

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
    pub(crate) fn new(settings: &Settings) -> anyhow::Result<Registries> {
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
        })
    }

    /// Every tag, page by page.
    pub(crate) async fn tags(&self, place: &Place) -> Result<Vec<String>, PortError> {
        let mut next = Some(place.url("tags/list?n=1000")?);
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            let answer = self.found(place, &url, None).await?;
            next = next_page(place, &answer.headers)?;
            let page: Tags = json(&url, &answer.body)?;
            found.extend(page.tags.unwrap_or_default());
        }
        Ok(found)
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

    /// Asks with the token that is known, and with a new one if the registry wants one.
    pub(crate) async fn ask(
        &self,
        method: Method,
        place: &Place,
        url: &Url,
        accept: Option<&str>,
    ) -> Result<Read, PortError> {
        let key = (place.base.to_string(), place.repository.clone());
        let mut token = self.tokens.get(&key);
        let mut renewed = false;
        loop {
            let mut request = self.client.request(method.clone(), url.clone());
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some(token) = &token {
                request = request.header(AUTHORIZATION, token);
            }
            let answer = read(url.as_str(), request, MAX_BODY).await?;
            if answer.status == StatusCode::UNAUTHORIZED && !renewed {
                let new = match Challenge::of(&answer.headers) {
                    Some(challenge) => {
                        let token = self.token(place, &challenge).await?;
                        Some(format!("Bearer {token}"))
                    }
                    None => self.logins.get(&place.name).map(basic),
                };
                if let Some(new) = new {
                    self.tokens.put(key.clone(), new.clone());
                    (token, renewed) = (Some(new), true);
                    continue;
                }
            }
            return Ok(answer);
        }
    }

    /// Where an image is; its name is normalised.
    pub(crate) fn place_of(&self, image: &str) -> Result<Place, PortError> {
        let (host, path) = image.split_once('/').unwrap_or((image, ""));
        self.place(host, path)
    }

    /// Whether a look at a manifest counts as a pull of everybody behind this address: so Docker Hub
    /// treats whoever does not log in.
    pub(crate) fn counts_looks(&self, place: &Place) -> bool {
        place.name == "docker.io" && !self.logins.contains_key(&place.name)
    }

    /// A repository of a registry.
    pub(crate) fn place(&self, host: &str, path: &str) -> Result<Place, PortError> {
        match self.urls.get(host) {
            Some(url) => Place::below(host, url, path),
            None => Place::at(host, path),
        }
    }

    /// A token for whoever is configured, else for whoever comes.
    async fn token(&self, place: &Place, challenge: &Challenge) -> Result<String, PortError> {
        let realm = &challenge.realm;
        let mut url = Url::parse(realm)
            .ok()
            .filter(|url| url.scheme() == "https" || url.scheme() == place.base.scheme())
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
        if let Some(login) = self.logins.get(&place.name) {
            request = request.basic_auth(&login.user, Some(login.password.expose()));
        }
        let answer = read(url.as_str(), request, MAX_BODY).await?;
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
        let authority = if name == "docker.io" {
            DOCKER_HUB
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
        let path = format!("/v2/{}/{rest}", self.repository);
        let url = self.base.join(&path);
        url.map_err(|error| PortError::new(format!("{}{path} is no address: {error}", self.base)))
    }
}

/// The header of a login without tokens.
fn basic(login: &Login) -> String {
    use base64::Engine as _;
    let text = format!("{}:{}", login.user, login.password.expose());
    let text = base64::engine::general_purpose::STANDARD.encode(text);
    format!("Basic {text}")
}

/// The next page, on the same registry.
fn next_page(place: &Place, headers: &HeaderMap) -> Result<Option<Url>, PortError> {
    let Some(links) = headers.get(LINK).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let next = links.split(',').find_map(|link| {
        let (address, rest) = link.split_once(';')?;
        let next = rest.contains("rel=\"next\"") || rest.contains("rel=next");
        next.then(|| address.trim().trim_matches(['<', '>']).to_owned())
    });
    let Some(next) = next else { return Ok(None) };
    let url = place.base.join(&next).ok();
    let url = url.filter(|url| url.origin() == place.base.origin());
    match url {
        Some(url) => Ok(Some(url)),
        // The token goes nowhere else, whatever a link says.
        None => Err(PortError::new(format!(
            "the list of tags goes on at {next:?}, which is not below {}",
            place.base
        ))),
    }
}

pub(crate) fn json<T: DeserializeOwned>(url: &Url, body: &[u8]) -> Result<T, PortError> {
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

/// An answer's status and headers, with its body.
pub(crate) struct Read {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Asks, and reads no more than `max` bytes of the answer.
pub(crate) async fn read(
    what: &str,
    request: RequestBuilder,
    max: usize,
) -> Result<Read, PortError> {
    let told = |error: reqwest::Error| {
        // The address of a blob may hold a signature.
        let error = anyhow::Error::new(error.without_url());
        PortError::new(format!("failed to ask {what}: {error:#}"))
    };
    let asked = request.header(USER_AGENT, "bowline").send().await;
    let mut answer: Response = asked.map_err(told)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(told)? {
        if body.len() + part.len() > max {
            return Err(PortError::new(format!(
                "the answer of {what} is larger than {max} bytes"
            )));
        }
        body.extend_from_slice(&part);
    }
    Ok(Read {
        status,
        headers,
        body,
    })
}

/// What an answer that is no success means: nothing is known, and it is asked again.
pub(crate) fn refusal(what: &str, answer: &Read, login: &str) -> PortError {
    let hint = match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => login,
        StatusCode::NOT_FOUND => "; is the address right?",
        _ => "",
    };
    let seconds = answer
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    PortError {
        what: format!("{what} answered {}{hint}", answer.status),
        retry_after: seconds.map(|seconds| Duration::from_secs(seconds.clamp(1, 3_700))),
        lasting: matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
        ),
    }
}

/// What was learned, for as long as the process lives.
pub(crate) struct Remembered<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Remembered(Mutex::default())
    }
}

impl<K: Eq + std::hash::Hash, V: Clone> Remembered<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.lock().get(key).cloned()
    }

    pub(crate) fn put(&self, key: K, value: V) {
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, value);
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
        let hub = Place::at("docker.io", "library/alpine").unwrap();
        assert_eq!(
            hub.url("manifests/3").unwrap().as_str(),
            "https://registry-1.docker.io/v2/library/alpine/manifests/3"
        );
        Place::at("", "app").map(|_| ()).unwrap_err();
    }
}
