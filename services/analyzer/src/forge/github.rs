//! GitHub's REST API. Source: docs.github.com/rest.

use serde::Deserialize;

use super::ask::{Answer, Asks};
use super::{Host, alike, escaped, escaped_path};
use crate::ports::{PortError, Release, Tagged};

/// The file as it is. As JSON it would come without its content above a megabyte.
const RAW: &str = "application/vnd.github.raw+json";

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
    // Each release comes with all its files, of which some projects have hundreds.
    alike::releases(
        host,
        ("github_releases", Asks::Whether),
        &[100, 30, 10],
        |size| format!("{}/repos/{path}/releases?per_page={size}", host.asker.base),
    )
    .await
}

pub(super) async fn files(
    host: &Host,
    path: &str,
    folder: &str,
    at: Option<&str>,
) -> Result<Vec<String>, PortError> {
    let url = alike::contents(host, path, folder, at);
    alike::files(host, "github_contents", &url).await
}

pub(super) async fn file(
    host: &Host,
    path: &str,
    file: &str,
    at: Option<&str>,
) -> Result<Option<Answer>, PortError> {
    let url = alike::contents(host, path, file, at);
    host.file("github_contents", &url, RAW).await
}

pub(super) async fn tags(host: &Host, path: &str) -> Result<Vec<Tagged>, PortError> {
    let address = |size| format!("{}/repos/{path}/tags?per_page={size}", host.asker.base);
    let all = host
        .list::<Named>(("github_tags", Asks::Below), &[100], address)
        .await?;
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
    let Some(answer) = host.get_fixed("github_tags", &url).await? else {
        return Ok(None);
    };
    let object = host.read::<Reference>(&answer.body)?.object;
    if object.kind != "tag" {
        return Ok(None);
    }
    let url = format!("{base}/tags/{}", escaped(&object.sha));
    let Some(answer) = host.get_fixed("github_tags", &url).await? else {
        return Ok(None);
    };
    Ok(Some(host.read::<Annotated>(&answer.body)?.message))
}
