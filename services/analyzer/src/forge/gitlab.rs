//! GitLab's REST API. Source: docs.gitlab.com/api.

use serde::Deserialize;

use super::alike::Entry;
use super::ask::{Answer, Asks};
use super::{Host, alike, escaped};
use crate::ports::{PortError, Release, Tagged};

#[derive(Deserialize)]
struct ReleaseBody {
    tag_name: String,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    upcoming_release: bool,
    #[serde(rename = "_links", default)]
    links: Links,
}

#[derive(Deserialize, Default)]
struct Links {
    #[serde(rename = "self", default)]
    own: String,
}

#[derive(Deserialize)]
struct TagBody {
    name: String,
    message: Option<String>,
}

/// The project; its path is one segment, whose slashes are escaped.
fn project(host: &Host, path: &str) -> String {
    format!("{}/projects/{}", host.asker.base, escaped(path))
}

pub(super) async fn releases(host: &Host, path: &str) -> Result<Option<Vec<Release>>, PortError> {
    let address = |size| format!("{}/releases?per_page={size}", project(host, path));
    let all = host
        .list::<ReleaseBody>(("gitlab_releases", Asks::Whether), &[100], address)
        .await?;
    Ok(all.map(|all| {
        all.into_iter()
            .filter(|release| !release.upcoming_release)
            .map(|release| Release {
                // GitLab marks none; the tag tells.
                prerelease: version::Tag::parse(&release.tag_name).is_prerelease(),
                tag: release.tag_name,
                title: release.name,
                body: release.description.unwrap_or_default(),
                url: release.links.own,
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
    let (folder, at) = (escaped(folder), alike::reference('&', at));
    let project = project(host, path);
    let address = |size| format!("{project}/repository/tree?per_page={size}&path={folder}{at}");
    let all = host
        .list::<Entry>(("gitlab_tree", Asks::Below), &[100], address)
        .await?;
    Ok(alike::named(all.unwrap_or_default(), "blob"))
}

pub(super) async fn file(
    host: &Host,
    path: &str,
    file: &str,
    at: Option<&str>,
) -> Result<Option<Answer>, PortError> {
    let (project, file) = (project(host, path), escaped(file));
    let at = escaped(at.unwrap_or("HEAD"));
    let url = format!("{project}/repository/files/{file}/raw?ref={at}");
    host.file("gitlab_file", &url, "*/*").await
}

pub(super) async fn tags(host: &Host, path: &str) -> Result<Vec<Tagged>, PortError> {
    let address = |size| {
        let project = project(host, path);
        format!("{project}/repository/tags?per_page={size}")
    };
    let all = host
        .list::<TagBody>(("gitlab_tags", Asks::Below), &[100], address)
        .await?;
    let all = all.unwrap_or_default().into_iter();
    Ok(all
        .map(|tag| Tagged {
            name: tag.name,
            message: tag.message.filter(|message| !message.trim().is_empty()),
        })
        .collect())
}
