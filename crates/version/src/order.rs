//! Which tag is newer, by how much, and what lies between.

use std::cmp::Ordering;
use std::fmt;

use crate::grammar::{Kind, Numeric};
use crate::tag::{Style, Tag};

/// How far an upgrade goes, by the first number that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Jump {
    /// The third number or a later one, a revision, or a prerelease's counter.
    Patch,
    /// The second number, also below 1.0.
    Minor,
    /// The first number, also a calendar year.
    Major,
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

/// Why one tag is no upgrade of another, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing would change.
    #[error("`{tag}` is already the tag in use")]
    SameTag {
        /// The tag.
        tag: String,
    },
    /// A word whose content moves is neither pinned nor put in place of a version.
    #[error("`{tag}` is a floating tag: it names no version, so it is neither changed nor pinned")]
    Floating {
        /// The floating one of the two.
        tag: String,
    },
    /// A commit id or digest has no order.
    #[error("`{tag}` is a commit id or a digest: nothing tells which of two is newer")]
    Unordered {
        /// The one of the two without an order.
        tag: String,
    },
    /// The tags are written differently, so their numbers do not mean the same.
    #[error("`{to}` is not written like `{from}`: {difference}")]
    OtherStyle {
        /// The tag in use.
        from: String,
        /// The tag on offer.
        to: String,
        /// What differs.
        difference: String,
    },
    /// A release is not replaced by a prerelease.
    #[error("`{to}` is a prerelease, and `{from}` is not")]
    Prerelease {
        /// The tag in use.
        from: String,
        /// The tag on offer.
        to: String,
    },
    /// Older, or a different spelling of the same version.
    #[error("`{to}` is not newer than `{from}`")]
    NotNewer {
        /// The tag in use.
        from: String,
        /// The tag on offer.
        to: String,
    },
}

/// Says how far the upgrade goes, or why there is none.
///
/// # Errors
/// When `to` is not strictly newer than `from` in `from`'s own style.
pub fn upgrade(from: &Tag, to: &Tag) -> Result<Jump, Refusal> {
    if from == to {
        return Err(Refusal::SameTag {
            tag: from.to_string(),
        });
    }
    let old = numbers(from)?;
    let new = numbers(to)?;
    let pair = || (from.to_string(), to.to_string());
    if let Some(difference) = difference(&from.style(), &to.style()) {
        let (from, to) = pair();
        return Err(Refusal::OtherStyle {
            from,
            to,
            difference,
        });
    }
    if precedence(old, new) != Ordering::Less {
        let (from, to) = pair();
        return Err(Refusal::NotNewer { from, to });
    }
    if new.is_prerelease() && !old.is_prerelease() {
        let (from, to) = pair();
        return Err(Refusal::Prerelease { from, to });
    }
    Ok(
        match old
            .parts
            .iter()
            .zip(&new.parts)
            .position(|(old, new)| old != new)
        {
            Some(0) => Jump::Major,
            Some(1) => Jump::Minor,
            _ => Jump::Patch,
        },
    )
}

/// The order of two tags, if they are versions of one style.
///
/// Spellings of one version (`1.02` and `1.2`, other build metadata) are equal.
#[must_use]
pub fn compare(a: &Tag, b: &Tag) -> Option<Ordering> {
    match (&a.kind, &b.kind) {
        (Kind::Numeric(left), Kind::Numeric(right)) if a.style() == b.style() => {
            Some(precedence(left, right))
        }
        _ => None,
    }
}

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
        let order = compare(a, b).unwrap_or(Ordering::Equal);
        order
            .then_with(|| (a != to).cmp(&(b != to)))
            .then_with(|| a.as_str().cmp(b.as_str()))
    });
    // No step may lead from a release back to a prerelease.
    found.dedup_by(|later, kept| {
        compare(later, kept) == Some(Ordering::Equal)
            || (later.is_prerelease() && !kept.is_prerelease())
    });
    found.into_iter().map(|tag| tag.to_string()).collect()
}

/// The releases whose notes belong to the way from one image tag to another, oldest first.
///
/// Releases are named after the source, not after the image: prefix and flavour are not compared,
/// and revisions only where the release has them too, so `v4.7.0` lies between `4.6.3-r1` and
/// `4.10.0-r1`, and `4.6.3-r2` before `4.6.3-r3`. Releases with more numbers than the tag count for
/// the tag that contains them.
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
        .filter(|(release, _)| source_order(release, old) == Ordering::Greater)
        .filter(|(release, _)| source_order(release, new) != Ordering::Greater)
        .collect();
    found.sort_by(|(a, left), (b, right)| {
        let order = a.parts.cmp(&b.parts).then_with(|| by_prerelease(a, b));
        order
            .then_with(|| a.revisions.cmp(&b.revisions))
            .then_with(|| left.cmp(right))
    });
    found.into_iter().map(|(_, text)| text).collect()
}

/// Do a release name and a tag say the same version, but for `v`, `version-`, `release-` or `RELEASE.`?
#[must_use]
pub fn same_version(a: &str, b: &str) -> bool {
    bare(a) == bare(b)
}

fn bare(text: &str) -> &str {
    ["version-", "release-", "release.", "v"]
        .iter()
        .fold(text, |left, prefix| {
            match left.split_at_checked(prefix.len()) {
                Some((head, rest)) if head.eq_ignore_ascii_case(prefix) => rest,
                _ => left,
            }
        })
}

fn numbers(tag: &Tag) -> Result<&Numeric, Refusal> {
    match &tag.kind {
        Kind::Numeric(numeric) => Ok(numeric),
        Kind::Floating => Err(Refusal::Floating {
            tag: tag.to_string(),
        }),
        Kind::Commit | Kind::Digest => Err(Refusal::Unordered {
            tag: tag.to_string(),
        }),
    }
}

fn precedence(a: &Numeric, b: &Numeric) -> Ordering {
    let order = a.parts.cmp(&b.parts).then_with(|| by_prerelease(a, b));
    order.then_with(|| by_counters(a, b))
}

/// The order of revision counters; other counters say nothing about each other.
fn by_counters(a: &Numeric, b: &Numeric) -> Ordering {
    if a.counters() == b.counters() {
        a.revisions.cmp(&b.revisions)
    } else {
        Ordering::Equal
    }
}

/// Semantic versioning's rule: identifiers in turn, numbers as numbers, a release above all.
fn by_prerelease(a: &Numeric, b: &Numeric) -> Ordering {
    a.prerelease.cmp(&b.prerelease)
}

/// Orders a release against an image tag by as many numbers as the tag has, and by its counters if
/// the release has the same ones.
fn source_order(release: &Numeric, tag: &Numeric) -> Ordering {
    let padded = release.parts.iter().copied().chain(std::iter::repeat(0));
    let order = padded.take(tag.parts.len()).cmp(tag.parts.iter().copied());
    order
        .then_with(|| by_prerelease(release, tag))
        .then_with(|| by_counters(release, tag))
}

fn difference(from: &Style, to: &Style) -> Option<String> {
    let (
        Style::Numeric {
            prefix,
            shape,
            parts,
            flavour,
            revisions,
        },
        Style::Numeric {
            prefix: to_prefix,
            shape: to_shape,
            parts: to_parts,
            flavour: to_flavour,
            revisions: to_revisions,
        },
    ) = (from, to)
    else {
        return (from != to).then(|| "one is a version and the other is not".to_owned());
    };
    let named = |text: &str| match text {
        "" => "none".to_owned(),
        text => format!("`{text}`"),
    };
    let counters = |names: &[String]| match names {
        [] => "none".to_owned(),
        names => format!("`-{}`", names.join("-")),
    };
    if prefix != to_prefix {
        Some(format!(
            "prefix {} instead of {}",
            named(to_prefix),
            named(prefix)
        ))
    } else if parts != to_parts {
        let plural = if *to_parts == 1 { "" } else { "s" };
        Some(format!("{to_parts} number{plural} instead of {parts}"))
    } else if shape != to_shape {
        Some("its numbers are kept apart in another way".to_owned())
    } else if flavour != to_flavour {
        Some(format!(
            "flavour {} instead of {}",
            named(to_flavour),
            named(flavour)
        ))
    } else if revisions != to_revisions {
        let (offered, used) = (counters(to_revisions), counters(revisions));
        Some(format!("revision counter {offered} instead of {used}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
