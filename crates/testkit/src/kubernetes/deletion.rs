//! What a DELETE asks for, and what becomes of a Job and its pod after it.

use jiff::Timestamp;
use serde_json::Value;

use crate::server::query;

/// In which order an object and its dependents go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cascade {
    /// The object stays, marked as deleted, until its pods are gone.
    Foreground,
    /// The object goes at once, its pods when they have ended.
    Background,
    /// The object goes at once, and its pods go on.
    Orphan,
}

/// A deletion that was accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deletion {
    pub(super) at: Timestamp,
    pub(super) cascade: Cascade,
}

/// The options of a DELETE, from its body or its query.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) cascade: Cascade,
    /// Only the object with this UID is meant.
    pub(super) uid: Option<String>,
    pub(super) dry_run: bool,
}

impl Options {
    /// `None` if the API server would not take them.
    pub(super) fn read(uri: &axum::http::Uri, body: &[u8]) -> Option<Self> {
        let body = match body {
            [] => Value::Null,
            body => serde_json::from_slice(body).ok()?,
        };
        let text = |pointer| {
            body.pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let policy = text("/propagationPolicy").or_else(|| query(uri, "propagationPolicy"));
        let cascade = match policy.as_deref() {
            Some("Foreground") => Cascade::Foreground,
            Some("Background") => Cascade::Background,
            // For the sake of old clients, batch/v1 orphans unless it is told otherwise.
            None | Some("Orphan") => Cascade::Orphan,
            Some(_) => return None,
        };
        Some(Self {
            cascade,
            uid: text("/preconditions/uid"),
            dry_run: body.get("dryRun").is_some() || query(uri, "dryRun").is_some(),
        })
    }
}
