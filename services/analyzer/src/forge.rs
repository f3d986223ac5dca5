//! [`Releases`] from git hosts: GitHub, GitLab, and Forgejo with its elder, Gitea.
//!
//! The three differ in addresses and names; `ask.rs` is what they share, `alike.rs` what two do.

mod alike;
mod ask;
mod gitea;
mod github;
mod gitlab;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runtime::Secret;
use runtime::settings::{ForgeKind, Settings};
use serde::de::DeserializeOwned;

use self::ask::{Answer, Asker, Asks, Failure};
use crate::cache::Cache;
use crate::ports::{Home, PortError, Release, Releases, Tagged};

/// GitHub lists no more than so many; a list without end would never stop.
const MAX_ITEMS: usize = 10_000;
const JSON: &str = "application/json";
/// Git hosts that need no configuration, with their kind.
const KNOWN: [(&str, ForgeKind); 3] = [
    ("gitlab.com", ForgeKind::GitLab),
    ("codeberg.org", ForgeKind::Forgejo),
    ("gitea.com", ForgeKind::Gitea),
];

/// The git hosts that are known.
pub struct Forges {
    hosts: BTreeMap<String, Host>,
}

struct Host {
    kind: Kind,
    asker: Asker,
}

#[derive(Clone, Copy)]
enum Kind {
    GitHub,
    GitLab,
    Gitea,
}

impl Forges {
    /// All configured hosts, and those that everybody knows.
    ///
    /// # Errors
    /// A token cannot be read, or the TLS set-up of this machine is unusable.
    pub fn new(settings: &Settings, cache: &Arc<dyn Cache>) -> anyhow::Result<Forges> {
        let secrets = settings.secrets();
        let client = client(settings.github.timeout)?;
        let github = Host::github(
            client.clone(),
            &settings.github.url,
            secrets.github_token()?,
            Arc::clone(cache),
        );
        let mut hosts = BTreeMap::from([("github.com".to_owned(), github)]);
        for (host, kind) in KNOWN {
            let url = format!("https://{host}");
            let host_of = Host::other(client.clone(), host, kind, &url, None, Arc::clone(cache));
            hosts.insert(host.to_owned(), host_of);
        }
        for (host, forge) in &settings.forges {
            let url = forge
                .url
                .clone()
                .unwrap_or_else(|| format!("https://{host}"));
            let token = secrets.forge_token(host)?;
            let (client, cache) = (client.clone(), Arc::clone(cache));
            let host_of = Host::other(client, host, forge.kind, &url, token, cache);
            hosts.insert(host.clone(), host_of);
        }
        Ok(Forges { hosts })
    }

    fn host(&self, home: &Home) -> Result<&Host, PortError> {
        let host = self.hosts.get(&home.host);
        host.ok_or_else(|| PortError::new(format!("{} is no git host that is known", home.host)))
    }
}

fn client(timeout: Duration) -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(timeout).build()?)
}

impl Host {
    fn github(
        client: reqwest::Client,
        url: &str,
        token: Option<Secret>,
        cache: Arc<dyn Cache>,
    ) -> Host {
        let bearer = token.map(|token| Secret::new(format!("Bearer {}", token.expose())));
        let at = "github.token_file or BOWLINE_SECRET_GITHUB_TOKEN";
        // On GitHub Enterprise the API is below a path.
        let own = url.trim_end_matches('/').ends_with("/api/v3");
        let mark = if own { "/api/v3/" } else { "/" };
        Host {
            kind: Kind::GitHub,
            asker: Asker::new(client, ("GitHub", url, mark), bearer, at, cache),
        }
    }

    fn other(
        client: reqwest::Client,
        host: &str,
        kind: ForgeKind,
        url: &str,
        token: Option<Secret>,
        cache: Arc<dyn Cache>,
    ) -> Host {
        let (kind, mark, authorization) = match kind {
            ForgeKind::GitLab => (
                Kind::GitLab,
                "/api/v4/",
                // No header of GitLab's own: this one is not carried along to another host.
                token.map(|token| Secret::new(format!("Bearer {}", token.expose()))),
            ),
            ForgeKind::Gitea | ForgeKind::Forgejo => (
                Kind::Gitea,
                "/api/v1/",
                token.map(|token| Secret::new(format!("token {}", token.expose()))),
            ),
        };
        let at = format!("forges.\"{host}\".token_file");
        let base = format!("{}{mark}", url.trim_end_matches('/'));
        Host {
            kind,
            asker: Asker::new(client, (host, &base, mark), authorization, &at, cache),
        }
    }

    /// One answer; none if there is nothing at the address.
    async fn get(
        &self,
        what: &'static str,
        url: &str,
        accept: &str,
    ) -> Result<Option<Answer>, PortError> {
        let asked = async { Ok(self.asker.get(url, accept, Asks::Below).await?) };
        runtime::outside(what, Some(&self.asker.base), asked).await
    }

    /// Whether there is a repository at the address.
    async fn knows(&self, what: &'static str, url: &str) -> Result<bool, PortError> {
        let asked = async { Ok(self.asker.get(url, JSON, Asks::Whether).await?.is_some()) };
        runtime::outside(what, Some(&self.asker.base), asked).await
    }

    /// The same for what never changes.
    async fn get_fixed(&self, what: &'static str, url: &str) -> Result<Option<Answer>, PortError> {
        let asked = async { Ok(self.asker.get_fixed(url, JSON).await?) };
        runtime::outside(what, Some(&self.asker.base), asked).await
    }

    /// A file as it is; none if there is none.
    async fn file(
        &self,
        what: &'static str,
        url: &str,
        accept: &str,
    ) -> Result<Option<Answer>, PortError> {
        match self.get(what, url, accept).await? {
            // A notice of an outage, or a login.
            Some(answer) if answer.page => Err(PortError::new(format!(
                "{} sent a page in place of a file",
                self.asker.name
            ))),
            found => Ok(found),
        }
    }

    /// A list over all its pages; none if there is nothing at the address. The sizes of a page are
    /// tried in turn: one with much in it may be more than the host can put together in time.
    async fn list<T: DeserializeOwned>(
        &self,
        (what, asks): (&'static str, Asks),
        sizes: &[usize],
        address: impl Fn(usize) -> String,
    ) -> Result<Option<Vec<T>>, PortError> {
        let mut sizes = sizes.iter().peekable();
        while let Some(size) = sizes.next() {
            match self.pages((what, asks), address(*size)).await {
                Err(Failure::TooMuch(_)) if sizes.peek().is_some() => {}
                answer => return Ok(answer?),
            }
        }
        Ok(None)
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        (what, asks): (&'static str, Asks),
        first: String,
    ) -> Result<Option<Vec<T>>, Failure> {
        let mut next = Some(first);
        let mut found = Vec::new();
        let mut begun = false;
        while let Some(url) = next.take() {
            let asked = self.asker.get(&url, JSON, asks);
            let answer = match runtime::outside(what, Some(&self.asker.base), asked).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Ok(begun.then_some(found)),
                // GitHub lists the newest ones only; what was read so far stands.
                Err(Failure::Beyond(_)) if begun => break,
                Err(failure) => return Err(failure),
            };
            let page: Vec<T> = self.read(&answer.body).map_err(Failure::Other)?;
            found.extend(page);
            begun = true;
            next = answer.next;
            if next.is_some() && found.len() >= MAX_ITEMS {
                tracing::warn!("{} lists more than {MAX_ITEMS} at {url}", self.asker.name);
                break;
            }
        }
        Ok(Some(found))
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, PortError> {
        serde_json::from_slice(body).map_err(|error| {
            PortError::new(format!("{} sent something else: {error}", self.asker.name))
        })
    }
}

#[async_trait]
impl Releases for Forges {
    fn knows(&self, host: &str) -> bool {
        self.hosts.contains_key(host)
    }

    async fn all(&self, home: &Home) -> Result<Option<Vec<Release>>, PortError> {
        let host = self.host(home)?;
        match host.kind {
            Kind::GitHub => github::releases(host, &home.path).await,
            Kind::GitLab => gitlab::releases(host, &home.path).await,
            Kind::Gitea => gitea::releases(host, &home.path).await,
        }
    }

    async fn files(
        &self,
        home: &Home,
        folder: &str,
        at: Option<&str>,
    ) -> Result<Vec<String>, PortError> {
        let host = self.host(home)?;
        match host.kind {
            Kind::GitHub => github::files(host, &home.path, folder, at).await,
            Kind::GitLab => gitlab::files(host, &home.path, folder, at).await,
            Kind::Gitea => gitea::files(host, &home.path, folder, at).await,
        }
    }

    async fn text(
        &self,
        home: &Home,
        file: &str,
        at: Option<&str>,
    ) -> Result<Option<String>, PortError> {
        let host = self.host(home)?;
        let answer = match host.kind {
            Kind::GitHub => github::file(host, &home.path, file, at).await?,
            Kind::GitLab => gitlab::file(host, &home.path, file, at).await?,
            Kind::Gitea => gitea::file(host, &home.path, file, at).await?,
        };
        Ok(answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()))
    }

    async fn tags(&self, home: &Home) -> Result<Vec<Tagged>, PortError> {
        let host = self.host(home)?;
        match host.kind {
            Kind::GitHub => github::tags(host, &home.path).await,
            Kind::GitLab => gitlab::tags(host, &home.path).await,
            Kind::Gitea => gitea::tags(host, &home.path).await,
        }
    }

    async fn annotation(&self, home: &Home, tag: &Tagged) -> Result<Option<String>, PortError> {
        let host = self.host(home)?;
        match host.kind {
            Kind::GitHub => github::annotation(host, &home.path, &tag.name).await,
            // They come with the list.
            Kind::GitLab | Kind::Gitea => Ok(tag.message.clone()),
        }
    }
}

/// A segment of a path, or a value of a query, as addresses write it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The same for a path, whose slashes stay.
fn escaped_path(path: &str) -> String {
    let segments = path.split('/').map(escaped);
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
