//! The API of Gitea and Forgejo. Source: the `OpenAPI` document that each instance serves.

use serde::Deserialize;

use super::ask::{Answer, Asks};
use super::{Host, alike, escaped_path};
use crate::ports::{PortError, Release, Tagged};

/// More is clamped without a word.
const PAGE: usize = 50;

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
    let repository = format!("{}/repos/{path}", host.asker.base);
    let listed = alike::releases(host, ("gitea_releases", Asks::Below), &[PAGE], |size| {
        format!("{repository}/releases?draft=false&limit={size}")
    });
    if let Some(listed) = listed.await? {
        return Ok(Some(listed));
    }
    // Where a project has switched releases off, it has none, and is there all the same.
    let there = host.knows("gitea_repository", &repository).await?;
    Ok(there.then(Vec::new))
}

pub(super) async fn files(
    host: &Host,
    path: &str,
    folder: &str,
    at: Option<&str>,
) -> Result<Vec<String>, PortError> {
    let url = alike::contents(host, path, folder, at);
    alike::files(host, "gitea_contents", &url).await
}

pub(super) async fn file(
    host: &Host,
    path: &str,
    file: &str,
    at: Option<&str>,
) -> Result<Option<Answer>, PortError> {
    let (file, at) = (escaped_path(file), alike::reference('?', at));
    let url = format!("{}/repos/{path}/raw/{file}{at}", host.asker.base);
    host.file("gitea_file", &url, "*/*").await
}

pub(super) async fn tags(host: &Host, path: &str) -> Result<Vec<Tagged>, PortError> {
    let address = |size| format!("{}/repos/{path}/tags?limit={size}", host.asker.base);
    let all = host
        .list::<TagBody>(("gitea_tags", Asks::Below), &[PAGE], address)
        .await?;
    let all = all.unwrap_or_default().into_iter();
    Ok(all
        .map(|tag| Tagged {
            name: tag.name,
            // A plain tag comes with the message of its commit, which says nothing of the release.
            message: tag.message.filter(|_| tag.id != tag.commit.sha),
        })
        .collect())
}
