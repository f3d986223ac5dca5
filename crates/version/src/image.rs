//! Image references: `[host[:port]/]path[:tag][@digest]`.

use std::fmt;

use crate::name::normalise;

/// The longest repository name that registries accept.
const MAX_REPOSITORY: usize = 255;
/// The longest tag that registries accept.
const MAX_TAG: usize = 128;

/// An image reference as written, split into its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageRef {
    /// The name as written, without tag and digest.
    pub repository: String,
    /// What follows the last `:` after the last `/`.
    pub tag: Option<String>,
    /// `algorithm:hex`, without the `@`.
    pub digest: Option<String>,
}

/// Why a text is no image reference, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing was given.
    #[error("the image reference is empty: give a name such as `ghcr.io/owner/name:1.2.3`")]
    Empty,
    /// A URL instead of a name.
    #[error("an image reference has no scheme: drop everything up to and including `://`")]
    Scheme,
    /// A character that no reference may hold.
    #[error(
        "{character:?} is not allowed in an image reference: \
         use letters, digits and `.` `_` `-` `/` `:` `@` only"
    )]
    Character {
        /// The first offending character.
        character: char,
    },
    /// The registry host is malformed.
    #[error("the registry host {host:?} is malformed: write `host` or `host:port`")]
    Host {
        /// What stands before the first `/`.
        host: String,
    },
    /// The repository's path is malformed.
    #[error(
        "the name part {component:?} is malformed: use lower-case letters and digits, \
         with single `.`, `_`, `__` or dashes between them"
    )]
    Path {
        /// The first offending component.
        component: String,
    },
    /// The tag is malformed.
    #[error(
        "the tag is malformed: use up to {MAX_TAG} letters, digits, `_`, `.` and `-`, \
         and start with a letter, a digit or `_`"
    )]
    Tag,
    /// The digest is malformed.
    #[error("the digest is malformed: write `@sha256:` and 64 hexadecimal digits")]
    Digest,
    /// The name is longer than any registry takes.
    #[error(
        "the image name has {length} characters: registries take at most {MAX_REPOSITORY}; shorten it"
    )]
    TooLong {
        /// How long it is.
        length: usize,
    },
}

impl ImageRef {
    /// Splits a reference and checks every part of it.
    ///
    /// # Errors
    /// When any part breaks the rules of registries; nothing is repaired or trimmed.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::Empty);
        }
        if text.contains("://") {
            return Err(ParseError::Scheme);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
        if let Some(character) = text.chars().find(|c| !allowed(*c)) {
            return Err(ParseError::Character { character });
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the host's port.
        let (repository, tag) = match named.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (named, None),
        };
        check_repository(repository)?;
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ParseError::Tag);
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(ParseError::Digest);
        }
        Ok(Self {
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The repository with its registry: `alpine` is `docker.io/library/alpine`.
    #[must_use]
    pub fn normalised(&self) -> String {
        normalise(&self.repository)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn check_repository(repository: &str) -> Result<(), ParseError> {
    if repository.is_empty() {
        return Err(ParseError::Empty);
    }
    if repository.len() > MAX_REPOSITORY {
        return Err(ParseError::TooLong {
            length: repository.len(),
        });
    }
    let path = match crate::name::split_host(repository) {
        Some((host, path)) if is_host(host) => path,
        Some((host, _)) => {
            return Err(ParseError::Host {
                host: host.to_owned(),
            });
        }
        None => repository,
    };
    match path
        .split('/')
        .find(|component| !is_path_component(component))
    {
        Some(component) => Err(ParseError::Path {
            component: component.to_owned(),
        }),
        None => Ok(()),
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.split('.').all(label)
        && port.is_none_or(|port| {
            port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok()
        })
}

/// Lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_path_component(component: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separated = component
        .split(plain)
        .filter(|separator| !separator.is_empty());
    component.starts_with(plain)
        && component.ends_with(plain)
        && separated.into_iter().all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.chars().all(|c| c == '-')
        })
}

fn is_tag(tag: &str) -> bool {
    (1..=MAX_TAG).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return false;
    };
    let length = match algorithm {
        "sha256" => hex.len() == 64,
        "sha384" => hex.len() == 96,
        "sha512" => hex.len() == 128,
        _ => false,
    };
    length
        && hex
            .chars()
            .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sha() -> String {
        format!("sha256:{}", "ab".repeat(32))
    }

    #[test]
    fn references_split_into_their_parts() {
        let sha = sha();
        for (text, repository, tag, digest) in [
            ("alpine", "alpine", None, None),
            (
                "docker.io/library/alpine:3.21",
                "docker.io/library/alpine",
                Some("3.21"),
                None,
            ),
            ("host:5000/x/y:1", "host:5000/x/y", Some("1"), None),
            ("host:5000/x/y", "host:5000/x/y", None, None),
            ("localhost/x:1", "localhost/x", Some("1"), None),
            ("ghcr.io/o/r:v1@SHA", "ghcr.io/o/r", Some("v1"), Some(&sha)),
            ("ghcr.io/o/r@SHA", "ghcr.io/o/r", None, Some(&sha)),
            (
                "reg.EXAMPLE.org/a--b/c__d:X_1",
                "reg.EXAMPLE.org/a--b/c__d",
                Some("X_1"),
                None,
            ),
        ] {
            let text = text.replace("SHA", &sha);
            let image = ImageRef::parse(&text).expect(&text);
            assert_eq!(image.repository, repository);
            assert_eq!(image.tag.as_deref(), tag);
            assert_eq!(image.digest.as_ref(), digest);
            assert_eq!(image.to_string(), text);
        }
    }

    #[test]
    fn malformed_references_are_refused_with_their_fault() {
        for (text, fault) in [
            ("", "empty"),
            (":1", "empty"),
            ("@sha256:00", "empty"),
            (" alpine", "' ' is not allowed"),
            ("alpine:3\n", "'\\n' is not allowed"),
            ("alpine:\"3\"", "is not allowed"),
            ("alpine:3\"}", "is not allowed"),
            ("alpine:${v}", "'$' is not allowed"),
            ("alpinë", "'ë' is not allowed"),
            ("https://ghcr.io/o/r:1", "drop everything up to"),
            ("Alpine", "lower-case"),
            ("ghcr.io/o//r", "malformed"),
            ("ghcr.io/o/r/", "malformed"),
            ("/o/r", "malformed"),
            ("o/r_.x", "malformed"),
            ("host:port/x", "registry host"),
            ("host:70000/x", "registry host"),
            ("alpine:", "the tag is malformed"),
            ("alpine:-1", "the tag is malformed"),
            ("alpine:a:b", "malformed"),
            ("alpine@sha256:abc", "the digest is malformed"),
            ("alpine@latest", "the digest is malformed"),
        ] {
            let fault_found = ImageRef::parse(text).expect_err(text).to_string();
            assert!(fault_found.contains(fault), "{text:?}: {fault_found}");
        }
    }

    #[test]
    fn overlong_names_and_tags_are_refused() {
        assert_eq!(
            ImageRef::parse(&"a".repeat(256)),
            Err(ParseError::TooLong { length: 256 })
        );
        let tag = "t".repeat(129);
        assert_eq!(
            ImageRef::parse(&format!("alpine:{tag}")),
            Err(ParseError::Tag)
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,300}") {
            let _ = ImageRef::parse(&text);
        }

        #[test]
        fn what_parses_is_written_back_unchanged(text in "[a-z0-9.:/@_-]{1,40}") {
            if let Ok(image) = ImageRef::parse(&text) {
                prop_assert_eq!(image.to_string(), text);
            }
        }
    }
}
