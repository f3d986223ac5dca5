//! The API of Gitea and Forgejo. Source: the `OpenAPI` document that each instance serves.

use serde::Deserialize;

use super::ask::Answer;
use super::{Host, JSON, escaped, escaped_path};
use crate::ports::{PortError, Release, Tagged};

/// More is clamped without a word.
const PAGE: usize = 50;

#[derive(Deserialize)]
struct ReleaseBody {
    tag_name: String,
    name: Option<String>,
    body: Option<String>,
    #[serde(default)]
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
struct TagBody {
    name: String,
    message: Option<String>,
    /// The tag's own object, if it is annotated; else the commit's.
    id: String,
    commit: Commit,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

pub(super) async fn releases(host: &Host, path: &str) -> Result<Option<Vec<Release>>, PortError> {
    let url = format!(
        "{}/repos/{path}/releases?draft=false&limit={PAGE}",
        host.asker.base
    );
    let all = host
        .list::<ReleaseBody>("gitea_releases", url, JSON)
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
    let folder = match folder {
        "" => String::new(),
        folder => format!("/{}", escaped_path(folder)),
    };
    let at = at
        .map(|at| format!("?ref={}", escaped(at)))
        .unwrap_or_default();
    let url = format!("{}/repos/{path}/contents{folder}{at}", host.asker.base);
    let Some(answer) = host.get("gitea_contents", &url, JSON).await? else {
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
    let at = at
        .map(|at| format!("?ref={}", escaped(at)))
        .unwrap_or_default();
    let file = escaped_path(file);
    let url = format!("{}/repos/{path}/raw/{file}{at}", host.asker.base);
    host.get("gitea_file", &url, "*/*").await
}

pub(super) async fn tags(host: &Host, path: &str) -> Result<Vec<Tagged>, PortError> {
    let url = format!("{}/repos/{path}/tags?limit={PAGE}", host.asker.base);
    let all = host.list::<TagBody>("gitea_tags", url, JSON).await?;
    let all = all.unwrap_or_default().into_iter();
    Ok(all
        .map(|tag| Tagged {
            name: tag.name,
            // A plain tag comes with the message of its commit, which says nothing of the release.
            message: tag.message.filter(|_| tag.id != tag.commit.sha),
        })
        .collect())
}
