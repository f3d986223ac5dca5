//! A repository's `index.yaml`, of which one chart is kept.

use std::fmt;
use std::sync::Arc;

use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::Helm;
use crate::cache;
use crate::chart::ChartVersion;
use crate::ports::PortError;
use crate::registry::refusal;

/// The largest indexes have some twenty megabytes.
const MAX_INDEX: usize = 64 * 1024 * 1024;

#[derive(Deserialize)]
struct Entry {
    version: String,
    #[serde(rename = "appVersion", default)]
    app: Option<String>,
    #[serde(default)]
    deprecated: bool,
}

impl Helm {
    pub(super) async fn indexed(
        &self,
        repository: &str,
        chart: &str,
    ) -> Result<Option<Arc<Vec<ChartVersion>>>, PortError> {
        let url = format!("{repository}/index.yaml");
        let key = (url.clone(), chart.to_owned());
        let known = self.indexes.get(&key);
        let mut request = self.registries.client.get(&url);
        if let Some((etag, _)) = &known {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let limit = cache::key(&["limit", &url]);
        let asked = self.registries.open(&url, &limit, request, MAX_INDEX);
        let answer = asked.await?;
        if let (StatusCode::NOT_MODIFIED, Some((_, versions))) = (answer.status, known) {
            return Ok(Some(versions));
        }
        if !answer.status.is_success() {
            return Err(refusal(
                &url,
                &answer,
                "; chart repositories with an index are read without a login",
            ));
        }
        let (body, name) = (answer.body, chart.to_owned());
        // A large index takes a while.
        let parsed = tokio::task::spawn_blocking(move || parse(&body, &name)).await;
        let parsed = parsed.map_err(|error| PortError::new(format!("{url}: {error}")))?;
        let found = parsed.map_err(|why| PortError::new(format!("{url} is no index: {why}")))?;
        let Some(versions) = found.map(Arc::new) else {
            return Ok(None);
        };
        let etag = answer.headers.get(ETAG);
        if let Some(etag) = etag.and_then(|etag| etag.to_str().ok()) {
            let told = (etag.to_owned(), Arc::clone(&versions));
            self.indexes.put(key, told);
        }
        Ok(Some(versions))
    }
}

/// One chart's versions; none if the index has no such chart.
pub(super) fn parse(body: &[u8], chart: &str) -> Result<Option<Vec<ChartVersion>>, String> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 20_000_000,
            max_nodes: 20_000_000,
            max_total_scalar_bytes: MAX_INDEX,
        },
    };
    let read = serde_saphyr::with_deserializer_from_slice_with_options(body, options, |de| {
        Index(chart).deserialize(de)
    });
    let found = read.map_err(|error| error.to_string().chars().take(200).collect::<String>())?;
    Ok(found.map(|entries| {
        let versions = entries.into_iter().map(|entry| ChartVersion {
            version: entry.version,
            app: entry.app.filter(|app| !app.is_empty()),
            deprecated: entry.deprecated,
        });
        versions.collect()
    }))
}

/// The document, of which one chart is wanted.
struct Index<'a>(&'a str);
/// What stands under `entries`.
struct Entries<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Index<'_> {
    type Value = Option<Vec<Entry>>;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        de.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Index<'_> {
    type Value = Option<Vec<Entry>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the index of a chart repository")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == "entries" {
                found = Some(map.next_value_seed(Entries(self.0))?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        found.ok_or_else(|| serde::de::Error::missing_field("entries"))
    }
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = Option<Vec<Entry>>;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        de.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = Option<Vec<Entry>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("charts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0 {
                found = Some(map.next_value::<Vec<Entry>>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_read_as_yaml_of_any_style_and_as_json() {
        for text in [
            "apiVersion: v1\nentries:\n  other: []\n  app:\n  - appVersion: 2.10\n    \
             dependencies:\n    - {name: db, version: 9.9.9}\n    version: 1.0.0\n",
            "entries:\n    app:\n        -   version: \"1.0.0\"\n            appVersion: '2.10'\n",
            "{\"entries\": {\"app\": [{\"version\": \"1.0.0\", \"appVersion\": \"2.10\"}]}}",
        ] {
            let found = parse(text.as_bytes(), "app").unwrap().unwrap();
            let expected = ChartVersion {
                version: "1.0.0".to_owned(),
                app: Some("2.10".to_owned()),
                deprecated: false,
            };
            assert_eq!(found, [expected], "{text}");
            assert_eq!(parse(text.as_bytes(), "gone").unwrap(), None);
        }
    }

    #[test]
    fn what_is_no_index_is_no_empty_one() {
        for text in [
            "",
            "<html><body>sign in</body></html>",
            "apiVersion: v1\n",
            "entries:\n  app:\n  - version: 1.0.0\n  gen",
        ] {
            parse(text.as_bytes(), "app").unwrap_err();
        }
    }
}
