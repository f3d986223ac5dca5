//! Charts in an OCI registry: one tag for each version, and the app version in its config.

use std::cmp::Ordering;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use semver::Version;
use serde::{Deserialize, Serialize};

use super::Helm;
use crate::cache;
use crate::chart::ChartVersion;
use crate::ports::PortError;
use crate::registry::{Place, json};

/// Each version takes two requests; of more, the oldest ones count.
const MAX_VERSIONS: usize = 200;
/// So many are asked for at the same time.
const AT_ONCE: usize = 4;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const HELM_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

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

/// What a chart's config says.
#[derive(Serialize, Deserialize)]
struct Pushed {
    #[serde(rename = "appVersion", default)]
    app: Option<String>,
    #[serde(default)]
    deprecated: bool,
}

impl Helm {
    pub(super) async fn pushed(
        &self,
        place: &str,
        chart: &str,
        written: &str,
    ) -> Result<Option<Arc<Vec<ChartVersion>>>, PortError> {
        let (authority, folder) = place.split_once('/').unwrap_or((place, ""));
        let place = match folder.trim_matches('/') {
            "" => self.registries.place(authority, chart)?,
            folder => self
                .registries
                .place(authority, &format!("{folder}/{chart}"))?,
        };
        let Some(tags) = self.registries.tags(&place).await? else {
            return Ok(None);
        };
        let mut versions: Vec<(Version, String)> = tags
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

    /// What one tag holds; none if that is no chart, but a signature or the like.
    async fn version(&self, place: &Place, tag: &str) -> Result<Option<ChartVersion>, PortError> {
        let url = place.url(&format!("manifests/{tag}"))?;
        let key = cache::key(&["chart", url.as_str()]);
        let version = |pushed: Pushed| ChartVersion {
            version: tag.replace('_', "+"),
            app: pushed.app.filter(|app| !app.is_empty()),
            deprecated: pushed.deprecated,
        };
        let known = self.cache.get(&key).await;
        let known = known.and_then(|known| serde_json::from_slice::<Option<Pushed>>(&known).ok());
        if let Some(known) = known {
            return Ok(known.map(version));
        }
        let Some(answer) = self.registries.find(place, &url, Some(MANIFEST)).await? else {
            // A tag whose manifest was taken away, or something that is no single manifest.
            return Ok(None);
        };
        let manifest: Manifest = json(&url, &answer.body)?;
        let found = if manifest.config.media_type == HELM_CONFIG {
            let blob = place.url(&format!("blobs/{}", manifest.config.digest))?;
            let answer = self.registries.found(place, &blob, None).await?;
            Some(json::<Pushed>(&blob, &answer.body)?)
        } else {
            None
        };
        if let Ok(told) = serde_json::to_vec(&found) {
            self.cache.put(&key, &told, None).await;
        }
        Ok(found.map(version))
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
