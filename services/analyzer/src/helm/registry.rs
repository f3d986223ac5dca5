//! Charts in an OCI registry: one tag for each version, and the app version in its config.

use std::cmp::Ordering;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, LINK, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use semver::Version;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Helm, Read, read, refusal};
use crate::chart::ChartVersion;
use crate::ports::PortError;

/// A page of tags, a manifest and a config stay far below this.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// A list without end would never stop.
const MAX_PAGES: usize = 50;
/// Each version takes two requests; of more, the oldest ones count.
const MAX_VERSIONS: usize = 200;
/// So many are asked for at the same time.
const AT_ONCE: usize = 4;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const HELM_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
}

#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "appVersion", default)]
    app: Option<String>,
    #[serde(default)]
    deprecated: bool,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// A chart's place in a registry.
struct Place {
    base: Url,
    repository: String,
}

impl Helm {
    pub(super) async fn pushed(
        &self,
        place: &str,
        chart: &str,
        written: &str,
    ) -> Result<Option<Arc<Vec<ChartVersion>>>, PortError> {
        let place = Place::of(place, chart)?;
        let mut versions: Vec<(Version, String)> = self
            .tags(&place)
            .await?
            .into_iter()
            .filter_map(|tag| Some((counts(&tag, written)?, tag)))
            .collect();
        versions.sort_by(|a, b| a.0.cmp_precedence(&b.0));
        if versions.len() > MAX_VERSIONS {
            tracing::warn!(
                repository = place.repository,
                versions = versions.len(),
                "more than {MAX_VERSIONS} newer versions are in the registry; the oldest are read"
            );
            versions.truncate(MAX_VERSIONS);
        }
        let place = &place;
        let asked = versions
            .into_iter()
            .map(|(_, tag)| async move { self.version(place, &tag).await });
        let found: Vec<Option<ChartVersion>> =
            stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        Ok(Some(Arc::new(found.into_iter().flatten().collect())))
    }

    /// Every tag, page by page.
    async fn tags(&self, place: &Place) -> Result<Vec<String>, PortError> {
        let mut next = Some(place.url("tags/list?n=1000")?);
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            let answer = self.ask(place, &url, None).await?;
            next = next_page(place, &answer.headers)?;
            let page: Tags = json(&url, &answer.body)?;
            found.extend(page.tags.unwrap_or_default());
        }
        Ok(found)
    }

    /// What one tag holds; none if that is no chart, but a signature or the like.
    async fn version(&self, place: &Place, tag: &str) -> Result<Option<ChartVersion>, PortError> {
        let url = place.url(&format!("manifests/{tag}"))?;
        if let Some(known) = self.pushed.get(&url.to_string()) {
            return Ok(known);
        }
        let answer = self.ask(place, &url, Some(MANIFEST)).await?;
        let manifest: Manifest = json(&url, &answer.body)?;
        let found = if manifest.config.media_type == HELM_CONFIG {
            let blob = place.url(&format!("blobs/{}", manifest.config.digest))?;
            let answer = self.ask(place, &blob, None).await?;
            let config: Config = json(&blob, &answer.body)?;
            Some(ChartVersion {
                version: tag.replace('_', "+"),
                app: config.app.filter(|app| !app.is_empty()),
                deprecated: config.deprecated,
            })
        } else {
            None
        };
        self.pushed.put(url.to_string(), found.clone());
        Ok(found)
    }

    /// Asks with the token that is known, and with a new one if the registry wants one.
    async fn ask(&self, place: &Place, url: &Url, accept: Option<&str>) -> Result<Read, PortError> {
        let key = (place.base.to_string(), place.repository.clone());
        let mut token = self.tokens.get(&key);
        let mut renewed = false;
        loop {
            let mut request = self.client.get(url.clone());
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some(token) = &token {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let answer = read(url.as_str(), request, MAX_BODY).await?;
            if answer.status == StatusCode::UNAUTHORIZED
                && !renewed
                && let Some(challenge) = Challenge::of(&answer.headers)
            {
                let new = self.token(place, &challenge).await?;
                self.tokens.put(key.clone(), new.clone());
                (token, renewed) = (Some(new), true);
                continue;
            }
            return if answer.status.is_success() {
                Ok(answer)
            } else {
                Err(refusal(url.as_str(), &answer))
            };
        }
    }

    /// A token for whoever comes.
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
        let answer = read(url.as_str(), self.client.get(url.clone()), MAX_BODY).await?;
        if !answer.status.is_success() {
            return Err(refusal(url.as_str(), &answer));
        }
        let token: Token = json(&url, &answer.body)?;
        let token = token.token.or(token.access_token);
        token.ok_or_else(|| PortError::new(format!("{url} sent no token")))
    }
}

impl Place {
    /// `host/path` and the chart's name; on this machine a registry needs no TLS.
    fn of(place: &str, chart: &str) -> Result<Place, PortError> {
        let wrong = || PortError::new(format!("oci://{place} is no address of a registry"));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let base = Url::parse(&format!("https://{authority}")).map_err(|_error| wrong())?;
        let host = base.host_str().ok_or_else(wrong)?;
        let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let base = if here {
            Url::parse(&format!("http://{authority}")).map_err(|_error| wrong())?
        } else {
            base
        };
        let repository = match path.trim_matches('/') {
            "" => chart.to_owned(),
            path => format!("{path}/{chart}"),
        };
        Ok(Place { base, repository })
    }

    fn url(&self, rest: &str) -> Result<Url, PortError> {
        let path = format!("/v2/{}/{rest}", self.repository);
        let url = self.base.join(&path);
        url.map_err(|error| PortError::new(format!("{}{path} is no address: {error}", self.base)))
    }
}

/// The version that a tag names, if it may matter: not older than what is written.
fn counts(tag: &str, written: &str) -> Option<Version> {
    let parse = |text: &str| {
        let text = text.replace('_', "+");
        Version::parse(text.strip_prefix('v').unwrap_or(&text)).ok()
    };
    let version = parse(tag)?;
    let Some(written) = parse(written) else {
        return Some(version);
    };
    let older = version.cmp_precedence(&written) == Ordering::Less;
    let early = !version.pre.is_empty() && written.pre.is_empty();
    (!older && !early).then_some(version)
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

fn json<T: DeserializeOwned>(url: &Url, body: &[u8]) -> Result<T, PortError> {
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
    fn only_versions_that_are_not_older_are_looked_at() {
        for (tag, written, expected) in [
            ("1.2.0", "1.2.0", true),
            ("1.10.0_build", "1.2.0", true),
            ("v1.3.0", "1.2.0", true),
            ("1.1.9", "1.2.0", false),
            ("1.3.0-rc1", "1.2.0", false),
            ("1.3.0-rc1", "1.2.0-rc1", true),
            ("sha256-0123.sig", "1.2.0", false),
            ("latest", "1.2.0", false),
        ] {
            assert_eq!(counts(tag, written).is_some(), expected, "{tag}, {written}");
        }
    }

    #[test]
    fn a_registry_on_this_machine_needs_no_tls() {
        let place = Place::of("127.0.0.1:5000/charts", "app").unwrap();
        let url = place.url("tags/list").unwrap();
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:5000/v2/charts/app/tags/list"
        );
        let place = Place::of("ghcr.io/acme/helm", "app").unwrap();
        let url = place.url("tags/list").unwrap();
        assert_eq!(url.as_str(), "https://ghcr.io/v2/acme/helm/app/tags/list");
        Place::of("", "app").map(|_| ()).unwrap_err();
    }
}
