//! Where an image is named without being declared: scripts, documents, values of the environment.

use crate::answer::{Options, Refused, RefusedSite};
use crate::find::service_of;
use crate::tree::{Tree, folder_of};

/// A longer file is none that a person looks through for an image.
const MAX_BYTES: usize = 512 * 1024;
/// So many places are told.
const MAX_FOUND: usize = 20;

/// The places that name the image, in the order of path and line.
pub(crate) fn mentions(tree: &dyn Tree, options: &Options, repository: &str) -> Vec<RefusedSite> {
    let full = version::normalise(repository);
    let mut names = version::short_forms(&full);
    names.insert(0, full);
    let mut found = Vec::new();
    for path in tree.paths() {
        let Some(text) = tree.read(&path).filter(|bytes| bytes.len() <= MAX_BYTES) else {
            continue;
        };
        let Ok(text) = String::from_utf8(text) else {
            continue;
        };
        for (at, line) in text.lines().enumerate() {
            if ["#", "//", "*", "/*", "<!--"]
                .iter()
                .any(|mark| line.trim_start().starts_with(mark))
            {
                continue;
            }
            let Some(tag) = names.iter().find_map(|name| named(line, name)) else {
                continue;
            };
            found.push(RefusedSite {
                service: service_of(folder_of(&path), options),
                path: path.clone(),
                line: at + 1,
                address: "a mention".to_owned(),
                current: (!tag.is_empty()).then(|| tag.to_owned()),
                reason: Refused::NotDeclarative,
            });
            if found.len() >= MAX_FOUND {
                return found;
            }
        }
    }
    found
}

/// The tag behind the name in a line, `""` without one; none if the line does not name it as a
/// whole word.
fn named<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let within = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    line.match_indices(name).find_map(|(at, _)| {
        let (before, rest) = line.split_at_checked(at)?;
        let after = rest.strip_prefix(name)?;
        if before.ends_with(within) || after.starts_with(within) {
            return None;
        }
        // A library image such as `redis` is a word of its own in many lines.
        let tag = after.strip_prefix(':')?;
        let end = tag.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
        tag.get(..end.unwrap_or(tag.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_a_whole_name_with_a_tag() {
        assert_eq!(named("docker run acme/app:1.2 sh", "acme/app"), Some("1.2"));
        assert_eq!(named("x = \"docker.io/acme/app:1.2\"", "acme/app"), None);
        assert_eq!(named("acme/app-web:1.2", "acme/app"), None);
        assert_eq!(named("the acme/app is nice", "acme/app"), None);
    }
}
