//! Which tag is newer, and by how much.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::grammar::{Kind, Numeric};
use crate::prerelease;
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
    let (left, right) = read_alike(old, new);
    let order = precedence(&left, &right);
    let difference = difference(&left.style(), &right.style()).or_else(|| {
        let (offered, used) = (&right.prerelease, &left.prerelease);
        order
            .is_none()
            .then(|| format!("prerelease `{offered}` instead of `{used}`"))
    });
    let (from, to) = (from.to_string(), to.to_string());
    if let Some(difference) = difference {
        return Err(Refusal::OtherStyle {
            from,
            to,
            difference,
        });
    }
    if order != Some(Ordering::Less) {
        return Err(Refusal::NotNewer { from, to });
    }
    if new.is_prerelease() && !old.is_prerelease() {
        return Err(Refusal::Prerelease { from, to });
    }
    Ok(distance(old, new))
}

/// How far it is from one version to another, also where that is no upgrade, such as from a release
/// to a prerelease, or where they are written differently; none if one of them is no version.
#[must_use]
pub fn jump(from: &Tag, to: &Tag) -> Option<Jump> {
    Some(distance(numbers(from).ok()?, numbers(to).ok()?))
}

fn distance(old: &Numeric, new: &Numeric) -> Jump {
    let mut pairs = old.parts.iter().zip(&new.parts);
    match pairs.position(|(old, new)| old != new) {
        Some(0) => Jump::Major,
        Some(1) => Jump::Minor,
        _ => Jump::Patch,
    }
}

/// The order of two tags, if they are versions of one style.
///
/// Nothing orders prereleases of one version whose words have no known rank, such as `next` and
/// `beta`, or the same rank, such as `dev` and `nightly`. Spellings of one version (`1.02` and
/// `1.2`, other build metadata) are equal.
#[must_use]
pub fn compare(a: &Tag, b: &Tag) -> Option<Ordering> {
    match (&a.kind, &b.kind) {
        (Kind::Numeric(left), Kind::Numeric(right)) => {
            let (left, right) = read_alike(left, right);
            let same = left.style() == right.style();
            same.then(|| precedence(&left, &right)).flatten()
        }
        _ => None,
    }
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

/// `2.0.0-b5` is a build of a release, and a beta next to `2.0.0-rc1`.
fn read_alike<'a>(a: &'a Numeric, b: &'a Numeric) -> (Cow<'a, Numeric>, Cow<'a, Numeric>) {
    let as_beta = |one: &'a Numeric, other: &Numeric| {
        let apart = one.prerelease.is_empty() && !other.prerelease.is_empty();
        let beta = apart.then(|| one.with_build_as_beta()).flatten();
        beta.map_or(Cow::Borrowed(one), Cow::Owned)
    };
    (as_beta(a, b), as_beta(b, a))
}

fn precedence(a: &Numeric, b: &Numeric) -> Option<Ordering> {
    ranked(a.parts.cmp(&b.parts), a, b)
}

/// Where the numbers are equal, prereleases decide, and then counters.
pub(crate) fn ranked(numbers: Ordering, a: &Numeric, b: &Numeric) -> Option<Ordering> {
    if numbers.is_ne() {
        return Some(numbers);
    }
    let order = prerelease::compare(&a.prerelease, &b.prerelease)?;
    let order = order.then_with(|| a.security.cmp(&b.security));
    Some(order.then_with(|| by_counters(a, b)))
}

/// The order of revision counters; other counters say nothing about each other.
fn by_counters(a: &Numeric, b: &Numeric) -> Ordering {
    if a.counters().eq(b.counters()) {
        a.revisions.cmp(&b.revisions)
    } else {
        Ordering::Equal
    }
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
