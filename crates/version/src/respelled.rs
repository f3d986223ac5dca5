//! A release's version in the spelling of a tag.

use crate::grammar::{Kind, Numeric};
use crate::tag::{Shape, Tag};

/// Writes a release's version as a tag is written: with or without `v`, with a prefix such as
/// `version-` or `RELEASE.`, and with zeros in front where the tag has them.
///
/// As many numbers stay as the release has, and flavour and revisions of the tag are not added: what
/// an image was built with, its release does not tell. What is no version only loses its `v`.
#[must_use]
pub fn respelled(release_version: &str, like_tag: &str) -> String {
    let (release, like) = (Tag::parse(release_version), Tag::parse(like_tag));
    let Kind::Numeric(read) = &release.kind else {
        return release_version.to_owned();
    };
    let (numbers, rest) = split(&release, read);
    let Kind::Numeric(model) = &like.kind else {
        return format!("{numbers}{rest}");
    };
    let (shown, _) = split(&like, model);
    let dotted = read.shape == Shape::Dotted && model.shape == Shape::Dotted;
    let numbers = if dotted {
        let mut shown = shown.split('.');
        let parts = numbers.split('.').map(|part| match shown.next() {
            Some(model) => padded(part, model),
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join(".")
    } else {
        numbers.to_owned()
    };
    format!("{}{numbers}{rest}", model.prefix)
}

/// The numbers behind a tag's prefix, and what comes after them.
fn split<'a>(tag: &'a Tag, numeric: &Numeric) -> (&'a str, &'a str) {
    let text = tag.as_str().get(numeric.prefix.len()..).unwrap_or_default();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let numbers = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    let numbers = numbers.trim_end_matches('.');
    text.split_at_checked(numbers.len()).unwrap_or_default()
}

/// A number with as many zeros in front as another one shows; `11` shows nothing.
fn padded(number: &str, like: &str) -> String {
    let bare = match number.trim_start_matches('0') {
        "" => "0",
        bare => bare,
    };
    match like.len() {
        _ if number.is_empty() => String::new(),
        1 => bare.to_owned(),
        width if like.starts_with('0') => format!("{bare:0>width$}"),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_spelled_like_the_tag() {
        for (release, like, expected) in [
            ("v1.2.4", "1.2.3", "1.2.4"),
            ("1.2.4", "1.2.3", "1.2.4"),
            ("1.2.4", "v1.2.3", "v1.2.4"),
            ("v1.2.4", "v1.2.3", "v1.2.4"),
            ("V1.2.4", "v1.2.3", "v1.2.4"),
            ("v1.2.4", "V1.2.3", "V1.2.4"),
            // Prefixes, also those that begin with a `v`.
            ("v1.22.0", "version-1.21.0", "version-1.22.0"),
            ("1.22.0", "version-v1.21.0", "version-v1.22.0"),
            ("v4.6", "release-4.5", "release-4.6"),
            ("version-1.22", "1.21", "1.22"),
            ("version-1.22", "v1.21", "v1.22"),
            ("n8n-1.2.4", "1.2.3", "1.2.4"),
            ("v0.4.0", "pg16-v0.3.0", "pg16-v0.4.0"),
            ("1.2.4", "php8.2-1.2.3", "php8.2-1.2.4"),
            ("b4720", "server-b4719", "server-b4720"),
            (
                "2024-11-07T00-52-20Z",
                "RELEASE.2024-01-31T03-04-05Z",
                "RELEASE.2024-11-07T00-52-20Z",
            ),
            // As many numbers as the release has.
            ("v1.22.0", "version-1.21", "version-1.22.0"),
            ("1.22", "v1.21.3", "v1.22"),
            ("v25", "24.0.2", "25"),
            // Zeros in front are the tag's own where it shows what it does.
            ("2024.3.1", "2024.01.1", "2024.03.1"),
            ("2024.12.1", "2024.01.1", "2024.12.1"),
            ("2024.03.1", "2024.1.1", "2024.3.1"),
            ("2024.03.1", "2024.11.1", "2024.03.1"),
            ("2024.3.1", "2024.11.1", "2024.3.1"),
            ("v2024.3", "2024.01.05", "2024.03"),
            ("1.10.0", "1.9.0", "1.10.0"),
            ("1.0.0", "1.10.0", "1.0.0"),
            ("2024.3.1.900", "2024.01.1.0800", "2024.03.1.0900"),
            // What the release adds to its numbers stays, and what the image adds is left out.
            ("v2024.3.1-rc.1", "2024.01.1", "2024.03.1-rc.1"),
            ("v1.2.4", "1.2.3-alpine", "1.2.4"),
            ("v1.2.4", "1.2.3-r1", "1.2.4"),
            ("v1.2.4+up1", "1.2.3", "1.2.4+up1"),
            ("4.6.3-r2", "v4.6.3-r1", "v4.6.3-r2"),
            // Numbers kept apart in another way are left as they are.
            ("2024-02-01", "2024.01.31", "2024-02-01"),
            ("20240201", "20240131", "20240201"),
            // Without a version on one side nothing is added.
            ("v1.2.4", "latest", "1.2.4"),
            ("nightly", "v1.2.3", "nightly"),
            ("62e2162", "v1.2.3", "62e2162"),
            ("1..2", "1.2.3", "1..2"),
        ] {
            let found = respelled(release, like);
            assert_eq!(found, expected, "{release} like {like}");
        }
    }

    #[test]
    fn what_is_spelled_like_a_tag_compares_with_it() {
        for (release, like) in [
            ("v1.22.0", "version-1.21.0"),
            ("2024.3.1", "2024.01.1"),
            ("b4720", "server-b4719"),
            ("2024-11-07T00-52-20Z", "RELEASE.2024-01-31T03-04-05Z"),
        ] {
            let spelled = Tag::parse(&respelled(release, like));
            assert!(
                crate::upgrade(&Tag::parse(like), &spelled).is_ok(),
                "{release} like {like}"
            );
        }
    }
}
