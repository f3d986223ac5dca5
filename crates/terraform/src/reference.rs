//! What an image or chart reference says, and where its tag is written.

use version::Tag;

use crate::answer::{Owner, Refused};
use crate::lifecycle::Ignored;
use crate::parts::{Part, Place, first_unknown, slice, whole};

/// What a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Image,
    Chart,
}

/// An image or chart reference of something that Terraform makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) what: What,
    /// Where it is written; its tag may be elsewhere.
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) address: String,
    /// The same with positions instead of container names.
    pub(crate) numbered: String,
    pub(crate) expression: String,
    /// None where not even the repository is known.
    pub(crate) said: Option<Said>,
    pub(crate) owner: Owner,
    /// The entry of `ignore_changes` that covers it.
    pub(crate) ignored_by: Option<Ignored>,
    /// The folder in which Terraform is run.
    pub(crate) root: String,
}

/// What a reference says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The repository as written; of a chart its name.
    pub(crate) repository: String,
    /// The pieces of the tag; none if there is none.
    pub(crate) tag: Vec<Part>,
    /// The pieces of the digest; none if there is none.
    pub(crate) digest: Vec<Part>,
    /// Of both and what is between them, where they are one text.
    pub(crate) pinned: Vec<Part>,
}

/// One change of a text in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) place: Place,
    pub(crate) before: String,
    pub(crate) after: String,
    /// What stands around it in the whole tag; none where a digest goes with it.
    pub(crate) around: Option<(String, String)>,
}

impl Said {
    /// A tag that stands by itself, beside its repository.
    pub(crate) fn apart(repository: String, tag: Vec<Part>, digest: Vec<Part>) -> Said {
        let empty = |parts: &[Part]| whole(parts).is_some_and(|text| text.is_empty());
        let at = whole(&tag).and_then(|text| text.find('@'));
        if let Some(at) = at.filter(|_| digest.is_empty()) {
            return Said {
                repository,
                digest: after(&tag, at + 1),
                pinned: tag.clone(),
                tag: slice(&tag, 0..at),
            };
        }
        Said {
            repository,
            tag: if empty(&tag) { Vec::new() } else { tag },
            digest: if empty(&digest) { Vec::new() } else { digest },
            pinned: Vec::new(),
        }
    }

    /// Splits `repository[:tag][@digest]`, as far as it is known.
    pub(crate) fn of_image(parts: &[Part]) -> Option<Said> {
        let mut known = String::new();
        let mut open = false;
        for part in parts {
            match part {
                Part::Text { text, .. } if !open => known.push_str(text),
                Part::Text { .. } => {}
                Part::Unknown { .. } => open = true,
            }
        }
        let at = known.find('@');
        let name = known.get(..at.unwrap_or(known.len()))?;
        let folder = name.rfind('/').map_or(0, |at| at + 1);
        let colon = name.get(folder..)?.find(':').map(|at| folder + at);
        let repository = name.get(..colon.unwrap_or(name.len()))?;
        if !is_repository(repository) || (open && colon.is_none() && at.is_none()) {
            return None;
        }
        let length = known.len();
        let all = || slice(parts, 0..usize::MAX);
        Some(match (colon, at) {
            (None, None) => Said::apart(repository.to_owned(), Vec::new(), Vec::new()),
            (None, Some(at)) => {
                Said::apart(repository.to_owned(), Vec::new(), after(&all(), at + 1))
            }
            (Some(colon), None) => Said::apart(
                repository.to_owned(),
                if open {
                    after(&all(), colon + 1)
                } else {
                    slice(parts, colon + 1..length)
                },
                Vec::new(),
            ),
            (Some(colon), Some(at)) => Said {
                repository: repository.to_owned(),
                tag: slice(parts, colon + 1..at),
                digest: after(&all(), at + 1),
                pinned: after(&all(), colon + 1),
            },
        })
    }

    /// The tag as text, where it is known.
    pub(crate) fn tag_text(&self) -> Option<String> {
        whole(&self.tag).filter(|tag| !tag.is_empty())
    }

    /// The changes that move the tag, and the digest if there is one.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn changes(
        &self,
        target: &str,
        digest: Option<&str>,
        expression: &str,
    ) -> Result<Vec<Change>, Refused> {
        if self.digest.is_empty() {
            return Ok(vec![change(&self.tag, target, expression)?]);
        }
        let digest = digest
            .filter(|digest| is_digest(digest))
            .ok_or(Refused::DigestPinned)?;
        if let [
            Part::Text {
                text,
                place: Some(place),
            },
        ] = self.pinned.as_slice()
        {
            return Ok(vec![Change {
                place: place.clone(),
                before: text.clone(),
                after: format!("{target}@{digest}"),
                around: None,
            }]);
        }
        let mut both = vec![
            change(&self.tag, target, expression)?,
            change(&self.digest, digest, expression)?,
        ];
        both.iter_mut().for_each(|change| change.around = None);
        Ok(both)
    }
}

/// Whether YAML reads a text as a number that is written shorter: `16.10` is 16.1.
fn shortened(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && part.ends_with('0'),
        None => digits(text) && text.len() > 1 && text.starts_with('0'),
    }
}

/// Whether a text is a digest as registries give it.
fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The pieces from a byte on, whatever follows.
fn after(parts: &[Part], from: usize) -> Vec<Part> {
    slice(parts, from..usize::MAX)
}

/// The change of one piece that makes the whole text this one: what stands around it, such as the
/// `-cuda` of `"${var.tag}-cuda"`, must be the same in both.
fn change(parts: &[Part], target: &str, expression: &str) -> Result<Change, Refused> {
    let unresolvable = |expression: &str| Refused::Unresolvable {
        expression: expression.to_owned(),
    };
    if let Some(unknown) = first_unknown(parts) {
        return Err(unresolvable(unknown));
    }
    let mut found = Vec::new();
    let mut editable = false;
    for (at, part) in parts.iter().enumerate() {
        let Part::Text {
            text,
            place: Some(place),
        } = part
        else {
            continue;
        };
        editable = true;
        let (before, behind) = (parts.get(..at), parts.get(at + 1..));
        let (Some(before), Some(behind)) = (before.and_then(whole), behind.and_then(whole)) else {
            continue;
        };
        let middle = target
            .strip_prefix(before.as_str())
            .and_then(|rest| rest.strip_suffix(behind.as_str()))
            .filter(|middle| !middle.is_empty());
        let Some(middle) = middle else {
            continue;
        };
        // A lone `-` or a flavour is no version.
        let versions = |text: &str| text.chars().any(|c| c.is_ascii_digit());
        if parts.len() > 1 && !(versions(text) && versions(middle)) {
            continue;
        }
        if place.bare && before.is_empty() && behind.is_empty() && shortened(middle) {
            return Err(Refused::Style(format!(
                "{middle} without quotes is a number in YAML and loses its end; put quotes around \
                 {text} first"
            )));
        }
        found.push(Change {
            place: place.clone(),
            before: text.clone(),
            after: middle.to_owned(),
            around: Some((before, behind)),
        });
    }
    match (found.len(), editable) {
        (1, _) => found.pop().ok_or_else(|| unresolvable(expression)),
        (0, true) if parts.len() > 1 => Err(Refused::Style(format!(
            "{target} does not fit what is written around the version, which makes {}",
            whole(parts).unwrap_or_default()
        ))),
        _ => Err(unresolvable(expression)),
    }
}

/// The whole name of a repository whose registry is said beside it, if it is.
pub(crate) fn in_registry(registry: Option<String>, repository: String) -> String {
    match registry.filter(|registry| is_repository(registry)) {
        Some(registry) if !repository.starts_with(&format!("{registry}/")) => {
            format!("{registry}/{repository}")
        }
        _ => repository,
    }
}

/// Whether a text can be the repository of an image.
pub(crate) fn is_repository(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/:-".contains(c);
    !text.is_empty()
        && text.chars().all(plain)
        && !text.contains("//")
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether a text reads like an image and nothing else: with a tag, a digest or a path, in lower
/// case.
pub(crate) fn reads_like_an_image(parts: &[Part]) -> bool {
    let Some(said) = Said::of_image(parts) else {
        return false;
    };
    let lower = !said.repository.chars().any(|c| c.is_ascii_uppercase());
    let tagged = !said.tag.is_empty() || !said.digest.is_empty();
    let version = match said.tag_text() {
        Some(tag) => !tag.contains('/') && !Tag::parse(&tag).as_str().contains(' '),
        None => true,
    };
    lower && version && (tagged || said.repository.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        let span = 0..text.len();
        Part::Text {
            text: text.into(),
            place: Some(Place {
                path: "x.tf".into(),
                address: "a".into(),
                line: 1,
                span,
                bare: false,
            }),
        }
    }

    #[test]
    fn a_reference_is_taken_apart() {
        let said = |parts: &[Part]| {
            let said = Said::of_image(parts)?;
            Some((
                said.repository.clone(),
                said.tag_text(),
                !said.digest.is_empty(),
            ))
        };
        let known = |image: &str| said(&[text(image)]);
        let table = [
            ("alpine", Some(("alpine", None, false))),
            ("alpine:3.20", Some(("alpine", Some("3.20"), false))),
            ("host:5000/a/b:1", Some(("host:5000/a/b", Some("1"), false))),
            ("host:5000/a/b", Some(("host:5000/a/b", None, false))),
            ("a/b:1@sha256:00", Some(("a/b", Some("1"), true))),
            ("a/b@sha256:00", Some(("a/b", None, true))),
            ("docker.io/*", None),
            ("https://x.example/y", None),
            ("", None),
        ];
        for (image, expected) in table {
            let expected = expected
                .map(|(name, tag, digest)| (name.to_owned(), tag.map(str::to_owned), digest));
            assert_eq!(known(image), expected, "{image}");
        }
        let unknown = Part::unknown("var.x");
        assert_eq!(
            said(&[text("a/b:"), unknown.clone()]),
            Some(("a/b".into(), None, false))
        );
        assert_eq!(said(&[text("a/b"), unknown.clone()]), None);
        assert_eq!(said(&[unknown, text(":1")]), None);
    }

    #[test]
    fn what_stands_around_a_version_stays() {
        let to = |parts: &[Part], target: &str| {
            change(parts, target, "x").map(|change| (change.before, change.after))
        };
        let parts = [text("1.2.0"), text("-cuda")];
        assert_eq!(
            to(&parts, "1.3.0-cuda"),
            Ok(("1.2.0".into(), "1.3.0".into()))
        );
        assert!(matches!(to(&parts, "1.3.0"), Err(Refused::Style(_))));
        let parts = [text("v"), text("1.2.0")];
        assert_eq!(to(&parts, "v1.3.0"), Ok(("1.2.0".into(), "1.3.0".into())));
        // Two variables: which one moves is not said.
        let parts = [text("1"), text("."), text("2")];
        assert!(matches!(to(&parts, "1.3"), Ok((before, _)) if before == "2"));
        assert!(to(&parts, "2.3").is_err());
        assert!(to(&[Part::unknown("var.x")], "2").is_err());
    }
}
