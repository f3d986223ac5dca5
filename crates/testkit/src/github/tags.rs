//! Tags: as the list shows them, their references, and the objects of annotated ones.

use axum::response::Response;
use serde_json::{Value, json};

use super::body::{not_found, tagged};
use super::{Repository, Site};
use crate::forge::Tag;
use crate::server::decode_path;

impl Site {
    /// A tag in the list, which tells neither its date nor what it says.
    pub(super) fn render_tag(&self, repository: &str, tag: &Tag) -> Value {
        let own = format!("{}/repos/{repository}", self.base);
        let Tag { name, commit, .. } = tag;
        json!({
            "name": name, "node_id": format!("REF_{}", tag.object()),
            "commit": {"sha": commit, "url": format!("{own}/commits/{commit}")},
            "zipball_url": format!("{own}/zipball/refs/tags/{name}"),
            "tarball_url": format!("{own}/tarball/refs/tags/{name}"),
        })
    }

    /// The reference of a tag; it names a commit, or an annotated tag's object.
    pub(super) fn reference(&self, repository: &Repository, name: &[&str]) -> Response {
        let Some(tag) = repository.content.find_tag(&decode_path(name)) else {
            return not_found();
        };
        let own = format!("{}/repos/{}/git", self.base, repository.full_name);
        let (name, sha) = (&tag.name, tag.object());
        let (kind, object) = match tag.message {
            Some(_) => ("tag", format!("{own}/tags/{sha}")),
            None => ("commit", format!("{own}/commits/{sha}")),
        };
        tagged(&json!({
            "ref": format!("refs/tags/{name}"), "node_id": format!("REF_{sha}"),
            "url": format!("{own}/refs/tags/{name}"),
            "object": {"type": kind, "sha": sha, "url": object},
        }))
    }

    /// The object of an annotated tag; a plain tag has none.
    pub(super) fn annotated_tag(&self, repository: &Repository, sha: &str) -> Response {
        let mut tags = repository.content.tags();
        let Some(tag) = tags.find(|tag| tag.message.is_some() && tag.object() == sha) else {
            return not_found();
        };
        let own = format!("{}/repos/{}/git", self.base, repository.full_name);
        let commit = &tag.commit;
        let at = tag.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        tagged(&json!({
            "tag": tag.name, "sha": sha, "node_id": format!("TAG_{sha}"),
            "url": format!("{own}/tags/{sha}"), "message": tag.message,
            "tagger": {"name": "maintainer", "email": "maintainer@example.org", "date": at},
            "object": {"type": "commit", "sha": commit, "url": format!("{own}/commits/{commit}")},
            "verification": {"verified": false, "reason": "unsigned", "signature": null,
                             "payload": null, "verified_at": null},
        }))
    }
}
