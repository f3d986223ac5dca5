//! What arrives at the webhook: DIUN's native body, or the `diun_entry_*` body of the bulk loop.

use job::Source;
use serde::Deserialize;
use version::ImageRef;

/// No algorithm's digest is longer.
const MAX_DIGEST: usize = 200;

/// An announcement, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The image without tag, as it was sent.
    pub image: ImageRef,
    /// The status, as it was sent.
    pub status: String,
    /// Which body it was.
    pub source: Source,
    /// The manifest's digest, if it was sent.
    pub digest: Option<String>,
    /// The hub link; may be empty.
    pub hub_link: String,
}

/// A body that is no announcement; the text says what was wrong and what to send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON.
    #[error("the body is not JSON ({0}); send DIUN's webhook body, or a diun_entry_* object")]
    NotJson(String),
    /// JSON of another shape.
    #[error(
        "the body names no image: expected `image` and `status` (DIUN's webhook), or \
         `diun_entry_image`, `diun_entry_imagetag` and `diun_entry_status`"
    )]
    NoImage,
    /// The status is missing.
    #[error("the body names no status; expected `new` or `update`")]
    NoStatus,
    /// The image has neither tag nor digest.
    #[error(
        "the image {0} has no tag, so there is no version to go to; send it behind a `:`, or as \
         `diun_entry_imagetag`"
    )]
    NoTag(String),
    /// The image cannot be read.
    #[error("the image cannot be read: {0}")]
    Image(String),
    /// The digest is far too long to be one.
    #[error("the digest has {0} characters; send `sha256:` and 64 digits, or leave it out")]
    Digest(usize),
}

/// Both shapes at once; keys that are not needed are not looked at, so that a newer DIUN works.
#[derive(Deserialize)]
struct Raw {
    status: Option<String>,
    image: Option<String>,
    digest: Option<String>,
    hub_link: Option<String>,
    diun_entry_status: Option<String>,
    diun_entry_image: Option<String>,
    diun_entry_imagetag: Option<String>,
    diun_entry_digest: Option<String>,
    diun_entry_hublink: Option<String>,
}

/// Reads a body.
///
/// # Errors
/// [`BodyError`], for the answer.
pub fn parse(body: &[u8]) -> Result<Announcement, BodyError> {
    let raw: Raw = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            BodyError::NoImage
        } else {
            BodyError::NotJson(error.to_string())
        }
    })?;
    if let Some(name) = raw.diun_entry_image {
        let mut image = read(&name)?;
        if let Some(tag) = raw.diun_entry_imagetag.filter(|tag| !tag.is_empty()) {
            // The name may carry a tag of its own; the key says which one is meant.
            image = tagged(&image.repository, &tag)?;
        }
        if image.tag.is_none() && image.digest.is_none() {
            return Err(BodyError::NoTag(image.normalised()));
        }
        return Ok(Announcement {
            digest: digest(raw.diun_entry_digest)?,
            image,
            status: raw.diun_entry_status.ok_or(BodyError::NoStatus)?,
            source: Source::DiunEntry,
            hub_link: raw.diun_entry_hublink.unwrap_or_default(),
        });
    }
    let image = read(&raw.image.ok_or(BodyError::NoImage)?)?;
    // What is pinned by its digest alone is well-formed, and filtered out later.
    if image.tag.is_none() && image.digest.is_none() {
        return Err(BodyError::NoTag(image.normalised()));
    }
    Ok(Announcement {
        digest: digest(raw.digest.or_else(|| image.digest.clone()))?,
        image,
        status: raw.status.ok_or(BodyError::NoStatus)?,
        source: Source::Diun,
        hub_link: raw.hub_link.unwrap_or_default(),
    })
}

/// The digest, if there is one; it is only compared, but it has to fit into a fact.
fn digest(sent: Option<String>) -> Result<Option<String>, BodyError> {
    match sent.filter(|digest| !digest.is_empty()) {
        Some(digest) if digest.len() > MAX_DIGEST => Err(BodyError::Digest(digest.len())),
        digest => Ok(digest),
    }
}

fn read(text: &str) -> Result<ImageRef, BodyError> {
    ImageRef::parse(text).map_err(|error| BodyError::Image(error.to_string()))
}

/// An image whose name and tag come apart; neither may spill over into the other.
pub(crate) fn tagged(name: &str, tag: &str) -> Result<ImageRef, BodyError> {
    let image = read(&format!("{name}:{tag}"))?;
    if image.repository == name && image.tag.as_deref() == Some(tag) && image.digest.is_none() {
        Ok(image)
    } else {
        Err(BodyError::Image(format!(
            "`{name}` is no name without tag, or `{tag}` is no tag"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_native_body_is_read_whatever_else_it_carries() {
        let body = br#"{"diun_version":"v4.33.0","hostname":"diun","status":"new",
            "provider":"kubernetes","image":"docker.io/vaultwarden/server:1.36.0","hub_link":"",
            "mime_type":"x","digest":"sha256:0a","created":null,"platform":"linux/amd64",
            "metadata":null}"#;
        let read = parse(body).expect("a native body");
        assert_eq!(read.image.repository, "docker.io/vaultwarden/server");
        assert_eq!(read.image.tag.as_deref(), Some("1.36.0"));
        assert_eq!((read.status.as_str(), read.source), ("new", Source::Diun));
        assert_eq!(read.digest.as_deref(), Some("sha256:0a"));
    }

    #[test]
    fn the_bulk_body_takes_the_tag_from_its_own_key() {
        let body = br#"{"diun_entry_status":"update","diun_entry_image":"ghcr.io/o/r",
            "diun_entry_imagetag":"v1","diun_entry_provider":"kubernetes"}"#;
        let read = parse(body).expect("a bulk body");
        assert_eq!(read.image.repository, "ghcr.io/o/r");
        assert_eq!(read.image.tag.as_deref(), Some("v1"));
        assert_eq!(read.source, Source::DiunEntry);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fault = |body: &[u8]| parse(body).expect_err("a fault").to_string();
        assert!(fault(b"hello").starts_with("the body is not JSON"));
        assert!(fault(b"{}").starts_with("the body names no image"));
        assert!(fault(b"[1]").starts_with("the body names no image"));
        assert!(fault(br#"{"image":"a/b:1"}"#).starts_with("the body names no status"));
        for image in [r#"a/b:1\"x"#, r"a/b:1\nx", r#"a/b:1\"}"#, ""] {
            let body = format!(r#"{{"image":"{image}","status":"new"}}"#);
            assert!(
                fault(body.as_bytes()).starts_with("the image cannot be read"),
                "{image}"
            );
        }
    }
}
