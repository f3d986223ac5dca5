//! Files and folders of a repository.

use axum::http::Uri;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::body::{error, not_found, raw, tagged};
use super::{Repository, Site};
use crate::forge::{BRANCH, object};
use crate::server::{decode_path, query};

const DOCUMENTATION: &str = "https://docs.github.com/v3/repos/contents/";
/// What is larger comes without its content, unless it is asked for as it is.
const LARGE: usize = 1024 * 1024;

impl Site {
    pub(super) fn contents(
        &self,
        repository: &Repository,
        path: &[&str],
        uri: &Uri,
        accept: &str,
    ) -> Response {
        if path.last().is_some_and(|last| last.is_empty()) {
            return not_found();
        }
        let content = &repository.content;
        if content.is_empty() {
            return error(404, "This repository is empty.", DOCUMENTATION);
        }
        let reference = query(uri, "ref").filter(|reference| !reference.is_empty());
        let reference = reference.unwrap_or_else(|| BRANCH.to_owned());
        let Some(tree) = content.tree(&reference) else {
            let message = format!("No commit found for the ref {reference}");
            return error(404, &message, DOCUMENTATION);
        };
        let path = decode_path(path);
        let shown =
            |path: &str, text| entry(&self.base, (&repository.full_name, &reference), path, text);
        if let Some(text) = tree.file(&path) {
            if accept.contains(".raw") {
                return raw(text);
            }
            let mut file = shown(&path, Some(text));
            let (encoding, content) = if text.len() > LARGE {
                ("none", String::new())
            } else {
                ("base64", encoded(text))
            };
            file["encoding"] = json!(encoding);
            file["content"] = json!(content);
            return tagged(&file);
        }
        let Some(entries) = tree.list(&path) else {
            return not_found();
        };
        let entries = entries.iter().map(|entry| shown(&entry.path, entry.text));
        let entries: Value = entries.collect();
        tagged(&entries)
    }
}

/// What a folder's list and a file's answer have in common; a folder has no text.
fn entry(
    base: &str,
    (repository, reference): (&str, &str),
    path: &str,
    text: Option<&str>,
) -> Value {
    let (kind, page, objects) = match text {
        Some(_) => ("file", "blob", "blobs"),
        None => ("dir", "tree", "trees"),
    };
    let object = object(path, text);
    let own = format!("{base}/repos/{repository}/contents/{path}?ref={reference}");
    let git = format!("{base}/repos/{repository}/git/{objects}/{object}");
    let html = format!("https://github.com/{repository}/{page}/{reference}/{path}");
    let download =
        text.map(|_| format!("https://raw.githubusercontent.com/{repository}/{reference}/{path}"));
    json!({
        "name": path.rsplit('/').next(), "path": path, "type": kind, "sha": object,
        "size": text.map_or(0, str::len), "url": own, "html_url": html, "git_url": git,
        "download_url": download, "_links": {"self": own, "git": git, "html": html},
    })
}

/// Base64 in lines of sixty characters, each with its end.
fn encoded(text: &str) -> String {
    let encoded = STANDARD.encode(text);
    let lines = encoded.as_bytes().chunks(60);
    lines
        .map(|line| format!("{}\n", String::from_utf8_lossy(line)))
        .collect()
}
