//! What answers look like: releases, files as they are, entity tags, errors.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Release, Repository};
use crate::server::{json as json_reply, reply, with_header};

pub(super) fn describe(id: u64, repository: &Repository) -> Value {
    let full_name = &repository.full_name;
    let name = full_name.rsplit('/').next();
    json!({"id": id, "name": name, "full_name": full_name, "private": false, "archived": false,
           "html_url": format!("https://github.com/{full_name}"), "default_branch": "main"})
}

pub(super) fn render(repository: &str, id: u64, release: &Release, at: Timestamp) -> Value {
    let at = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let tag = &release.tag;
    json!({
        "id": id, "tag_name": tag, "target_commitish": "main", "name": release.name,
        "body": release.body, "draft": release.draft, "prerelease": release.prerelease,
        "created_at": at, "published_at": at, "assets": [],
        "author": {"login": "maintainer", "id": 1, "type": "User"},
        "html_url": format!("https://github.com/{repository}/releases/tag/{tag}"),
    })
}

pub(super) fn tagged(body: &Value) -> Response {
    with_etag(json_reply(200, body), &body.to_string())
}

/// A file as it is.
pub(super) fn raw(text: &str) -> Response {
    let content_type = "application/vnd.github.raw+json; charset=utf-8";
    with_etag(reply(200, content_type, text), text)
}

fn with_etag(answer: Response, body: &str) -> Response {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let etag = format!("W/\"{:016x}\"", hasher.finish());
    with_header(answer, "etag", &etag)
}

pub(super) fn error(status: u16, message: &str, documentation: &str) -> Response {
    let body = json!({"message": message, "documentation_url": documentation,
                      "status": status.to_string()});
    json_reply(status, &body)
}

pub(super) fn not_found() -> Response {
    error(
        404,
        "Not Found",
        "https://docs.github.com/rest/releases/releases#list-releases",
    )
}
