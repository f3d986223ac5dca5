//! Tags and the style they are written in.

use std::fmt;

use crate::grammar::{self, Kind};

/// A tag (or chart version) with its classification.
#[derive(Clone, Debug)]
pub struct Tag {
    text: String,
    pub(crate) kind: Kind,
}

/// How a tag is written; only tags of an equal style have an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// Numbers, semantic or by calendar.
    Numeric {
        /// What stands before the first number, such as `v`, `version-` or `RELEASE.`.
        prefix: String,
        /// How the numbers are kept apart.
        shape: Shape,
        /// How many numbers there are, revisions not counted.
        parts: usize,
        /// The variant, such as `alpine` or `debian-12`; empty for none.
        flavour: String,
        /// The names of the revision counters: `r` for `-r1`, `ce` for `-ce.0`, empty for `-0`. A
        /// security rebuild's number is none of them, as the next release comes without it.
        revisions: Vec<String>,
    },
    /// A bare word, whose content moves: `latest`, `main`.
    Floating,
    /// A commit id.
    Commit,
    /// A content digest.
    Digest,
}

/// How the numbers of a tag are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `1.2.3`
    Dotted,
    /// `2024-01-31`, also with a time of day.
    Dashed,
    /// `20240131`, also with a time of day.
    Compact,
}

impl Tag {
    /// Classifies a tag; what cannot be understood counts as a floating word.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            kind: grammar::classify(text),
        }
    }

    /// The tag as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The style that another tag must have to be comparable.
    #[must_use]
    pub fn style(&self) -> Style {
        match &self.kind {
            Kind::Numeric(numeric) => numeric.style(),
            Kind::Floating => Style::Floating,
            Kind::Commit => Style::Commit,
            Kind::Digest => Style::Digest,
        }
    }

    /// Is this a word whose content moves?
    #[must_use]
    pub fn is_floating(&self) -> bool {
        matches!(self.kind, Kind::Floating)
    }

    /// Is this an alpha, a beta, a release candidate or the like?
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        matches!(&self.kind, Kind::Numeric(numeric) if numeric.is_prerelease())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Tag {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numeric(prefix: &str, parts: usize, flavour: &str, revisions: &[&str]) -> Style {
        shaped(Shape::Dotted, prefix, parts, flavour, revisions)
    }

    fn shaped(
        shape: Shape,
        prefix: &str,
        parts: usize,
        flavour: &str,
        revisions: &[&str],
    ) -> Style {
        Style::Numeric {
            prefix: prefix.to_owned(),
            shape,
            parts,
            flavour: flavour.to_owned(),
            revisions: revisions.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn versions_have_prefix_parts_flavour_and_revision() {
        for (text, style) in [
            ("1.2.3", numeric("", 3, "", &[])),
            ("v1.2.3", numeric("v", 3, "", &[])),
            ("3.12", numeric("", 2, "", &[])),
            ("24", numeric("", 1, "", &[])),
            ("2026.2.26", numeric("", 3, "", &[])),
            ("2026.05.14.1326-nightly", numeric("", 4, "nightly", &[])),
            ("3.12-alpine", numeric("", 2, "alpine", &[])),
            ("3.12-alpine3.20", numeric("", 2, "alpine3.20", &[])),
            ("2.7.5-cuda", numeric("", 3, "cuda", &[])),
            ("4.6.3-r1", numeric("", 3, "", &["r"])),
            ("1.2.3.4567-ls132", numeric("", 4, "", &["ls"])),
            ("4.6.3-r1-ls132", numeric("", 3, "", &["r", "ls"])),
            ("2026.2.6-patch3", numeric("", 3, "", &["patch"])),
            ("3.5.21-0", numeric("", 3, "", &[""])),
            ("16.2.0-debian-12-r3", numeric("", 3, "debian-12", &["r"])),
            ("0.17.0-beta1-tensorrt", numeric("", 3, "tensorrt", &[])),
            ("v1.0.32.0", numeric("v", 4, "", &[])),
            ("version-1.2", numeric("version-", 2, "", &[])),
            ("version-v1.2", numeric("version-v", 2, "", &[])),
            ("release-1.2.3", numeric("release-", 3, "", &[])),
            ("stable-9646", numeric("stable-", 1, "", &[])),
            ("n8n-1.2.3", numeric("n8n-", 3, "", &[])),
            (
                "1.40.0.7998-c29d4c0c8-ls199",
                numeric("", 4, "<commit>", &["ls"]),
            ),
            ("v1.2.3+up4", numeric("v", 3, "", &[])),
            ("1.0rc1", numeric("", 2, "", &[])),
            (
                "RELEASE.2024-01-31T03-04-05Z",
                shaped(Shape::Dashed, "RELEASE.", 6, "", &[]),
            ),
            ("2024-01-31", shaped(Shape::Dashed, "", 3, "", &[])),
            (
                "bookworm-20240131-slim",
                shaped(Shape::Compact, "bookworm-", 3, "slim", &[]),
            ),
        ] {
            assert_eq!(Tag::parse(text).style(), style, "{text}");
            assert!(!Tag::parse(text).is_floating(), "{text}");
        }
    }

    #[test]
    fn words_commits_and_digests_are_no_versions() {
        for text in [
            "latest",
            "main",
            "nightly",
            "stable",
            "canary",
            "develop",
            "lts-alpine",
            "",
            "v",
            "latest-arm64",
            "latest-pg16",
            "16-latest",
            "amd64",
            "1.2 3",
            "ⅷ",
            "1.2.3\"}",
            "99999999999999999999999.1",
        ] {
            assert_eq!(Tag::parse(text).style(), Style::Floating, "{text}");
        }
        for text in [
            "62e2162",
            "sha-62e2162",
            "main-62e2162",
            "1234567",
            &"0a".repeat(20),
        ] {
            assert_eq!(Tag::parse(text).style(), Style::Commit, "{text}");
        }
        for text in [
            format!("sha256:{}", "ab".repeat(32)),
            "sha256-abc.sig".to_owned(),
        ] {
            assert_eq!(Tag::parse(&text).style(), Style::Digest, "{text}");
        }
    }

    #[test]
    fn prereleases_are_known_by_their_words() {
        for text in [
            "1.0.0-rc1",
            "1.0.0-rc.1",
            "v2.0.0-beta",
            "1.0.0-alpha.2.3",
            "1.0b2",
            "4.1.0.Beta1",
            "0.17.0-beta1-tensorrt",
            "5.0-M1",
            "beta-1.2.3",
            "1.2.3-dev.5",
            "1.2.3-RC-2",
            "v0.107.0-b.3",
            "v0.108.0-a.12",
        ] {
            assert!(Tag::parse(text).is_prerelease(), "{text}");
        }
        for text in [
            "1.0.0",
            "1.0.0-r1",
            "1.0-alpine",
            "2026.05.14-nightly",
            "1.2-b12",
            "beta",
        ] {
            assert!(!Tag::parse(text).is_prerelease(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_the_text(text in ".{0,200}") {
            let tag = Tag::parse(&text);
            prop_assert_eq!(tag.as_str(), &text);
        }

        #[test]
        fn parsing_never_panics_near_versions(text in "[v0-9a-f._+Tr:-]{0,40}") {
            let _ = Tag::parse(&text).style();
        }
    }
}
