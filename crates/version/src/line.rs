//! The line that a version belongs to: `2.9` of `2.9.2`.

use crate::app::says_app;
use crate::grammar::Kind;
use crate::tag::Tag;

impl Tag {
    /// The first numbers of a version, without zeros in front and without what stands around them:
    /// `1.2` of `n8n-1.2.3-alpine`. All of them if there are fewer; none if it is no version.
    #[must_use]
    pub fn line(&self, count: usize) -> Option<String> {
        match &self.kind {
            Kind::Numeric(numeric) => {
                let parts = numeric.parts.iter().take(count).map(u64::to_string);
                Some(parts.collect::<Vec<_>>().join("."))
            }
            Kind::Floating | Kind::Commit | Kind::Digest => None,
        }
    }
}

/// Whether a tag belongs to the line that a shorter version names: `2.9.2` to `2.9`, and `2.9` to
/// itself, but not `2.90.0`.
///
/// Only plain versions name a line: nothing but itself belongs to `2.9-alpine` or `2.9.0-rc1`.
#[must_use]
pub fn is_of_line(tag: &str, version: &str) -> bool {
    let (tag, line) = (Tag::parse(tag), Tag::parse(version));
    let (Kind::Numeric(numbers), Kind::Numeric(line_numbers)) = (&tag.kind, &line.kind) else {
        return false;
    };
    let plain = line_numbers.prerelease.is_empty()
        && line_numbers.flavour.is_empty()
        && line_numbers.revisions.is_empty()
        && line_numbers.security.is_none();
    says_app(tag.as_str(), version) || (plain && numbers.parts.starts_with(&line_numbers.parts))
}

/// Whether a tag is what a shorter version names as well: `1.1.0` is `1.1`, and `1.1.0-rc1` is
/// `1.1-rc1`.
#[must_use]
pub fn is_first_of(tag: &str, version: &str) -> bool {
    let (tag, version) = (Tag::parse(tag), Tag::parse(version));
    let (Kind::Numeric(tag), Kind::Numeric(version)) = (&tag.kind, &version.kind) else {
        return false;
    };
    let plain = version.flavour.is_empty()
        && version.revisions.is_empty()
        && (version.security.is_none() || version.security == tag.security);
    let rest = tag.parts.strip_prefix(version.parts.as_slice());
    plain
        && tag.prerelease == version.prerelease
        && rest.is_some_and(|rest| rest.iter().all(|part| *part == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_first_of_a_shorter_version() {
        for (tag, version, expected) in [
            ("1.1.0", "1.1", true),
            ("v1.1.0", "1.1", true),
            ("1.1.0-alpine", "v1.1", true),
            ("1.1.0-rc1", "1.1-rc1", true),
            ("1.1", "1.1", true),
            ("2.0.0", "2", true),
            ("1.1.1", "1.1", false),
            ("1.10.0", "1.1", false),
            ("1.1.0-rc1", "1.1", false),
            ("1.1.0", "1.1-rc1", false),
            ("1.1", "1.1.0", false),
            ("latest", "1.1", false),
            ("1.1.0", "latest", false),
        ] {
            assert_eq!(is_first_of(tag, version), expected, "{tag} of {version}");
        }
    }

    #[test]
    fn a_line_is_made_of_the_first_numbers() {
        for (tag, count, expected) in [
            ("1.2.3", 1, Some("1")),
            ("1.2.3", 2, Some("1.2")),
            ("v1.2.3", 2, Some("1.2")),
            ("1.2.3-alpine", 2, Some("1.2")),
            ("n8n-1.2.3", 2, Some("1.2")),
            ("n8n-1.2.3", 1, Some("1")),
            ("pg16-v0.3.0", 2, Some("0.3")),
            ("php8.2-1.2.3", 2, Some("1.2")),
            ("version-1.21", 2, Some("1.21")),
            ("2024.01.1", 2, Some("2024.1")),
            ("RELEASE.2024-01-31T03-04-05Z", 2, Some("2024.1")),
            ("20240131", 2, Some("2024.1")),
            ("2.9", 3, Some("2.9")),
            ("2.9-r4", 3, Some("2.9")),
            ("2.9.0-rc1", 2, Some("2.9")),
            ("latest", 2, None),
            ("62e2162", 1, None),
        ] {
            let found = Tag::parse(tag).line(count);
            assert_eq!(found.as_deref(), expected, "{count} of {tag}");
        }
    }

    #[test]
    fn a_tag_is_of_the_lines_that_its_numbers_begin_with() {
        for (tag, version, expected) in [
            ("2.9.2", "2.9", true),
            ("v2.9.2", "2.9", true),
            ("2.9.2", "v2.9", true),
            ("2.9", "2.9", true),
            ("2.9.2", "2", true),
            ("2.9.2-alpine", "2.9", true),
            ("2.9.0-rc1", "2.9", true),
            ("n8n-2.9.2", "2.9", true),
            ("2024.01.5", "2024.1", true),
            ("2.90.0", "2.9", false),
            ("2.8.9", "2.9", false),
            ("12.9", "2.9", false),
            ("2.9", "2.9.2", false),
            ("2", "2.9", false),
            ("2.9.0", "2.9.0-rc1", false),
            ("2.9.2-alpine", "2.9-alpine", false),
            ("2.9.0-rc1", "2.9.0-rc1", true),
            ("2.9.1-r1", "2.9.0-r1", false),
            ("latest", "latest", false),
            ("latest", "2.9", false),
            ("2.9", "latest", false),
            ("", "", false),
        ] {
            assert_eq!(is_of_line(tag, version), expected, "{tag} of {version}");
        }
    }
}
