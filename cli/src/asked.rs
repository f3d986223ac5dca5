//! What may be asked for: an image or a chart, and its wanted version.

use version::{ImageRef, ParseError};

/// An image and its wanted tag, apart.
///
/// # Errors
/// A sentence that says what is wrong with which of the two.
pub(crate) fn image(image: &str, tag: &str) -> Result<ImageRef, String> {
    let parsed = ImageRef::parse(image).map_err(|error| format!("`{image}`: {error}"))?;
    if parsed.tag.is_some() || parsed.digest.is_some() {
        return Err(format!(
            "`{image}` holds a tag or a digest already; give the image without it, then the tag"
        ));
    }
    let with_tag = ImageRef::parse(&format!("{image}:{tag}"));
    if !with_tag.is_ok_and(|all| all.digest.is_none() && all.tag.as_deref() == Some(tag)) {
        return Err(format!("{tag:?}: {}", ParseError::Tag));
    }
    Ok(parsed)
}

/// A chart's name and its wanted version.
///
/// # Errors
/// A sentence that says what is wrong with which of the two.
pub(crate) fn chart(name: &str, version: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if version.is_empty() || !version.chars().all(plain) {
        return Err(format!(
            "{version:?} is no chart version: use letters, digits, `.`, `_`, `-` and `+`"
        ));
    }
    if name.is_empty() || !name.chars().all(|c| plain(c) || "/:".contains(c)) {
        return Err(format!("{name:?} is no name of a chart"));
    }
    Ok(())
}
