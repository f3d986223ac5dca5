//! What lies between two tags: the tags to step through, and the releases whose notes belong to it.

use std::cmp::Ordering;

use crate::grammar::{Kind, Numeric};
use crate::order::{compare, ranked};
use crate::prerelease;
use crate::tag::Tag;

/// The candidates after `from`, up to and including `to`, in `from`'s style, oldest first.
///
/// Prereleases count only when `from` is one, and then until the first release; on the way to a
/// prerelease only prereleases count. Of several spellings of one version one is kept,
/// `to`'s own for choice. `to` itself is there only if it is among the candidates.
pub fn between(from: &Tag, to: &Tag, candidates: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<Tag> = candidates
        .map(|candidate| Tag::parse(&candidate))
        .filter(|tag| compare(from, tag) == Some(Ordering::Less))
        .filter(|tag| matches!(compare(tag, to), Some(Ordering::Less | Ordering::Equal)))
        .filter(|tag| from.is_prerelease() || !tag.is_prerelease())
        .filter(|tag| tag.is_prerelease() || !to.is_prerelease())
        .collect();
    found.sort_by(|a, b| {
        let order = match (&a.kind, &b.kind) {
            (Kind::Numeric(a), Kind::Numeric(b)) => sorted(a, b),
            _ => Ordering::Equal,
        };
        order
            .then_with(|| (a != to).cmp(&(b != to)))
            .then_with(|| a.as_str().cmp(b.as_str()))
    });
    // No step may lead from a release back to a prerelease, or to what may not be newer.
    found.dedup_by(|later, kept| {
        compare(later, kept) != Some(Ordering::Greater)
            || (later.is_prerelease() && !kept.is_prerelease())
    });
    found.into_iter().map(|tag| tag.to_string()).collect()
}

/// The releases whose notes belong to the way from one image tag to another, oldest first.
///
/// Releases are named after the source, not after the image: prefix and flavour are not compared,
/// and revisions only where the release has them too, so `v4.7.0` lies between `4.6.3-r1` and
/// `4.10.0-r1`, and `4.6.3-r2` before `4.6.3-r3`. Releases with more numbers than the tag count for
/// the tag that contains them, unless there is a release of just the tag's numbers: then `0.8.6.2`
/// comes after `0.8.6`.
pub fn releases_between(
    from: &Tag,
    to: &Tag,
    releases: impl Iterator<Item = String>,
) -> Vec<String> {
    let early = |text: &String| Tag::parse(text).is_prerelease();
    let old = from.is_prerelease();
    notes_between(from, to, releases.filter(|text| old || !early(text)))
}

/// As [`releases_between`], with the prereleases on the way: a changelog often says in their parts
/// what the release brings.
pub fn notes_between(from: &Tag, to: &Tag, versions: impl Iterator<Item = String>) -> Vec<String> {
    let (Kind::Numeric(old), Kind::Numeric(new)) = (&from.kind, &to.kind) else {
        return Vec::new();
    };
    let mut found: Vec<(Numeric, String)> = versions
        .filter_map(|text| match Tag::parse(&text).kind {
            Kind::Numeric(release) => Some((release, text)),
            Kind::Floating | Kind::Commit | Kind::Digest => None,
        })
        .collect();
    let exact = |tag: &Numeric| found.iter().any(|(release, _)| release.parts == tag.parts);
    let (old_exact, new_exact) = (exact(old), exact(new));
    found.retain(|(release, _)| {
        let after = source_order(release, old, old_exact) == Some(Ordering::Greater);
        let until = source_order(release, new, new_exact);
        after && matches!(until, Some(Ordering::Less | Ordering::Equal))
    });
    found.sort_by(|(a, left), (b, right)| sorted(a, b).then_with(|| left.cmp(right)));
    found.into_iter().map(|(_, text)| text).collect()
}

/// An order for lists, also of what has no other; it agrees with [`compare`] where that has one.
fn sorted(a: &Numeric, b: &Numeric) -> Ordering {
    let order = a.parts.cmp(&b.parts);
    order
        .then_with(|| prerelease::sorted(&a.prerelease, &b.prerelease))
        .then_with(|| a.security.cmp(&b.security))
        .then_with(|| a.revisions.cmp(&b.revisions))
}

/// Orders a release against an image tag by as many numbers as the tag has, or exactly, and by its
/// counters if the release has the same ones.
fn source_order(release: &Numeric, tag: &Numeric, exact: bool) -> Option<Ordering> {
    let count = match exact {
        true => tag.parts.len().max(release.parts.len()),
        false => tag.parts.len(),
    };
    let padded = |numbers: &Numeric| {
        let numbers = numbers.parts.clone().into_iter();
        numbers.chain(std::iter::repeat(0)).take(count)
    };
    ranked(padded(release).cmp(padded(tag)), release, tag)
}
