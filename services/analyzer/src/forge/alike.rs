//! What GitHub and those that imitate it, Gitea and Forgejo, answer alike.

use serde::Deserialize;

use super::ask::Asks;
use super::{Host, JSON, escaped, escaped_path};
use crate::ports::{PortError, Release};

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

/// An entry of a folder; GitLab's looks so as well.
#[derive(Deserialize)]
pub(super) struct Entry {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The releases of a list that are no drafts.
pub(super) async fn releases(
    host: &Host,
    what: (&'static str, Asks),
    sizes: &[usize],
    address: impl Fn(usize) -> String,
) -> Result<Option<Vec<Release>>, PortError> {
    let all = host.list::<ReleaseBody>(what, sizes, address).await?;
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

/// A folder comes as a list, and a file of that name as an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Contents {
    Folder(Vec<Entry>),
    File {},
}

/// The files of a folder; none if there is no such folder, or if it is a file.
pub(super) async fn files(
    host: &Host,
    what: &'static str,
    url: &str,
) -> Result<Vec<String>, PortError> {
    let Some(answer) = host.get(what, url, JSON).await? else {
        return Ok(Vec::new());
    };
    Ok(match host.read(&answer.body)? {
        Contents::Folder(entries) => named(entries, "file"),
        Contents::File {} => Vec::new(),
    })
}

/// The names of the entries of one kind.
pub(super) fn named(entries: Vec<Entry>, kind: &str) -> Vec<String> {
    let found = entries.into_iter().filter(|entry| entry.kind == kind);
    found.map(|entry| entry.name).collect()
}

/// Where a file or a folder is.
pub(super) fn contents(host: &Host, path: &str, inner: &str, at: Option<&str>) -> String {
    let inner = match inner {
        // GitHub does not take a slash at the end.
        "" => String::new(),
        inner => format!("/{}", escaped_path(inner)),
    };
    let at = reference('?', at);
    format!("{}/repos/{path}/contents{inner}{at}", host.asker.base)
}

/// The part of an address that names a tag; nothing means the default branch.
pub(super) fn reference(separator: char, at: Option<&str>) -> String {
    at.map(|at| format!("{separator}ref={}", escaped(at)))
        .unwrap_or_default()
}
