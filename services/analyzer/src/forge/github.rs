//! GitHub's REST API. Source: docs.github.com/rest.

use serde::Deserialize;

use super::ask::Answer;
use super::{Host, escaped, escaped_path};
use crate::ports::{PortError, Release, Tagged};

const JSON: &str = "application/vnd.github+json";
/// The file as it is. As JSON it would come without its content above a megabyte.
const RAW: &str = "application/vnd.github.raw+json";

#[derive(Deserialize)]
struct ReleaseBody {
    tag_name: String,
    name: Option<String>,
    body: Option<String>,
    html_url: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    prerelease: bool,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
    sha: String,
}

#[derive(Deserialize)]
struct Annotated {
    message: String,
}

pub(super) async fn releases(host: &Host, path: &str) -> Result<Option<Vec<Release>>, PortError> {
    let url = format!("{}/repos/{path}/releases?per_page=100", host.asker.base);
    let all = host
        .list::<ReleaseBody>("github_releases", url, JSON)
        .await?;
    Ok(all.map(|all| {
        all.into_iter()
            .filter(|release| !release.draft)
            .map(|release| Release {
                tag: release.tag_name,
                title: release.name,
                body: release.body.unwrap_or_default(),
                url: release.html_url,
                prerelease: release.prerelease,
            })
            .collect()
    }))
}

pub(super) async fn files(
    host: &Host,
    path: &str,
    folder: &str,
    at: Option<&str>,
) -> Result<Vec<String>, PortError> {
    let url = contents(host, path, folder, at);
    let Some(answer) = host.get("github_contents", &url, JSON).await? else {
        return Ok(Vec::new());
    };
    // A file of that name comes as an object.
    let entries: Vec<Entry> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let files = entries.into_iter().filter(|entry| entry.kind == "file");
    Ok(files.map(|entry| entry.name).collect())
}

pub(super) async fn file(
    host: &Host,
    path: &str,
    file: &str,
    at: Option<&str>,
) -> Result<Option<Answer>, PortError> {
    let url = contents(host, path, file, at);
    host.get("github_contents", &url, RAW).await
}

fn contents(host: &Host, path: &str, inner: &str, at: Option<&str>) -> String {
    let inner = match inner {
        // GitHub does not take a slash at the end.
        "" => String::new(),
        inner => format!("/{}", escaped_path(inner)),
    };
    let at = at
        .map(|at| format!("?ref={}", escaped(at)))
        .unwrap_or_default();
    format!("{}/repos/{path}/contents{inner}{at}", host.asker.base)
}

pub(super) async fn tags(host: &Host, path: &str) -> Result<Vec<Tagged>, PortError> {
    let url = format!("{}/repos/{path}/tags?per_page=100", host.asker.base);
    let all = host.list::<Named>("github_tags", url, JSON).await?;
    let all = all.unwrap_or_default().into_iter();
    Ok(all
        .map(|tag| Tagged {
            name: tag.name,
            message: None,
        })
        .collect())
}

/// What an annotated tag says; none for a tag that only names a commit.
pub(super) async fn annotation(
    host: &Host,
    path: &str,
    tag: &str,
) -> Result<Option<String>, PortError> {
    let base = format!("{}/repos/{path}/git", host.asker.base);
    let url = format!("{base}/ref/tags/{}", escaped_path(tag));
    let Some(answer) = host.get("github_tags", &url, JSON).await? else {
        return Ok(None);
    };
    let object = host.read::<Reference>(&answer.body)?.object;
    if object.kind != "tag" {
        return Ok(None);
    }
    let url = format!("{base}/tags/{}", escaped(&object.sha));
    let Some(answer) = host.get("github_tags", &url, JSON).await? else {
        return Ok(None);
    };
    Ok(Some(host.read::<Annotated>(&answer.body)?.message))
}
