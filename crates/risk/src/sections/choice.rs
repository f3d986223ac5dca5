//! Which of the headings that name versions begin a release's notes.
//!
//! Inside a release headings name versions of other things: `Electron 28.1.0`, `Removal in 2.0`. No
//! list of words is complete, so a heading has to name its version as the file's releases do.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use version::{ReleaseName, compare_apps};

use super::heading::Named;

/// How a heading stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Marked,
    Bold,
    Plain,
}

/// A heading that names a version or says that something is unreleased.
#[derive(Debug)]
pub(super) struct Heading<'a> {
    pub(super) text: &'a str,
    pub(super) class: Class,
    /// 1 is the highest; of one class only.
    pub(super) level: u8,
    pub(super) number: usize,
    pub(super) begins: usize,
    pub(super) ends: usize,
    /// None where it is about what is not released.
    pub(super) named: Option<Named>,
}

/// What headings of one kind of release have in common: the words before the version, and whether a
/// package is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Manner<'a> {
    product: &'a [String],
    package: bool,
}

/// The headings that begin or end a release's notes, in their order.
pub(super) fn chosen<'a, 'b>(headings: &'b [Heading<'a>]) -> Vec<&'b Heading<'a>> {
    let choice = Choice::new(headings);
    let mut found: Vec<&Heading<'_>> = Vec::new();
    for (index, heading) in headings.iter().enumerate() {
        let open = found.last().copied();
        if choice.takes(open, index, heading) {
            found.push(heading);
        }
    }
    found
}

/// Whether the releases of the file are named by nothing but their version.
pub(super) fn are_bare(headings: &[Heading<'_>]) -> bool {
    let choice = Choice::new(headings);
    choice.main.is_some_and(Manner::is_bare)
}

struct Choice<'a> {
    /// How the file names its releases.
    main: Option<Manner<'a>>,
    /// Where each manner is seen last.
    last: HashMap<Manner<'a>, usize>,
    /// How often versions have so many numbers.
    lengths: HashMap<usize, usize>,
}

impl<'a> Choice<'a> {
    fn new(headings: &'a [Heading<'_>]) -> Self {
        let mut versions: HashMap<Manner<'_>, HashSet<&str>> = HashMap::new();
        let (mut last, mut lengths) = (HashMap::new(), HashMap::new());
        let (mut first, mut inside) = (Vec::new(), Vec::new());
        let mut unreleased: Option<&Heading<'_>> = None;
        for (index, heading) in headings.iter().enumerate() {
            if unreleased.is_some_and(|open| !is_below(open, heading)) {
                unreleased = None;
            }
            let Some(named) = &heading.named else {
                unreleased = Some(heading);
                continue;
            };
            let manner = Manner::of(named);
            let seen = versions.entry(manner).or_default();
            seen.insert(&named.release.version);
            *lengths.entry(numbers(&named.release).len()).or_default() += 1;
            last.insert(manner, index);
            let place = if unreleased.is_none() {
                &mut first
            } else {
                &mut inside
            };
            place.push((manner, heading));
        }
        first.append(&mut inside);
        // What is inside stands behind what it is inside of, but for what is not released, and has a
        // lower level: the first manner is the releases'. A name with one version is a title's.
        let count = |manner: &Manner<'_>| versions.get(manner).map_or(0, HashSet::len);
        let main = match first.first() {
            Some((manner, _)) if manner.is_bare() => Some(*manner),
            other => first
                .iter()
                .filter(|(manner, _)| count(manner) > 1)
                .reduce(|best, next| {
                    let more = count(&next.0) > count(&best.0);
                    if is_above(best, next, more) {
                        next
                    } else {
                        best
                    }
                })
                .or(other)
                .map(|(manner, _)| *manner),
        };
        Self {
            main,
            last,
            lengths,
        }
    }

    fn takes(&self, open: Option<&Heading<'_>>, index: usize, heading: &Heading<'_>) -> bool {
        let Some(open) = open else {
            return true;
        };
        let below = is_below(open, heading);
        let Some(named) = &heading.named else {
            return !below;
        };
        let manner = Manner::of(named);
        let Some(opened) = &open.named else {
            return Some(manner) == self.main || !below;
        };
        let above = Manner::of(opened);
        if manner == above {
            return !below || self.is_release_below(opened, named);
        }
        if Some(manner) == self.main {
            return true;
        }
        if below {
            // `Fixed in 2026.2.1` within the notes of 2026.2.
            let mends = extends(&opened.release, &named.release)
                || is_later_patch(&opened.release, &named.release);
            return named.product == ["fixed"] && mends;
        }
        // A project that changed its name goes on where the old name ended.
        let ended = self.last.get(&above).is_none_or(|last| *last < index);
        ended
            && numbers(&opened.release).len() == numbers(&named.release).len()
            && order(&named.release, &opened.release) == Some(Ordering::Less)
    }

    /// Some give patches a smaller heading than what they mend, or set them below their line.
    fn is_release_below(&self, open: &Named, named: &Named) -> bool {
        if open.release.package != named.release.package {
            return false;
        }
        if extends(&open.release, &named.release) {
            return true;
        }
        let (above, length) = (numbers(&open.release).len(), numbers(&named.release).len());
        let usual = length > 1 && self.lengths.get(&length) > Some(&1);
        let patch = is_later_patch(&open.release, &named.release);
        let older = order(&named.release, &open.release) == Some(Ordering::Less);
        (length == above || usual) && named.alone && (patch || older)
    }
}

impl<'a> Manner<'a> {
    fn of(named: &'a Named) -> Self {
        Self {
            product: &named.product,
            package: named.release.package.is_some(),
        }
    }

    /// Nothing but a version.
    fn is_bare(self) -> bool {
        self.product.is_empty() && !self.package
    }
}

/// Headings that stand out in different ways do not rank: what comes second is inside.
fn is_below(open: &Heading<'_>, heading: &Heading<'_>) -> bool {
    heading.class != open.class || heading.level > open.level
}

/// Whether the second stands above the first, or beside it with nothing but the version, or with
/// `more` of them.
fn is_above(
    this: &(Manner<'_>, &Heading<'_>),
    other: &(Manner<'_>, &Heading<'_>),
    more: bool,
) -> bool {
    let better = other.0.is_bare() || (more && !this.0.is_bare());
    match (this.1.class, other.1.class) {
        (Class::Marked, Class::Marked) | (Class::Bold, Class::Bold) => {
            let (above, level) = (other.1.level, this.1.level);
            above < level || (above == level && better && this.0 != other.0)
        }
        (Class::Bold, Class::Marked) => true,
        (Class::Plain, Class::Plain) => more,
        _ => false,
    }
}

fn order(a: &ReleaseName, b: &ReleaseName) -> Option<Ordering> {
    compare_apps(&a.version, &b.version)
}

/// `1.2.3` of `1.2`.
pub(super) fn extends(this: &ReleaseName, other: &ReleaseName) -> bool {
    let (outer, inner) = (numbers(this), numbers(other));
    outer.len() < inner.len() && inner.starts_with(&outer)
}

/// `1.2.1` of `1.2.0`.
fn is_later_patch(this: &ReleaseName, other: &ReleaseName) -> bool {
    let (outer, inner) = (numbers(this), numbers(other));
    outer.len() == inner.len()
        && outer.len() > 2
        && outer.split_last().map(|(_, line)| line) == inner.split_last().map(|(_, line)| line)
        && order(this, other) == Some(Ordering::Less)
}

/// The numbers that a version begins with.
fn numbers(release: &ReleaseName) -> Vec<&str> {
    let version = release.version.as_str();
    let bare = version.strip_prefix(['v', 'V']).unwrap_or(version);
    let ends = bare.find(|c: char| !c.is_ascii_digit() && c != '.');
    let core = bare.get(..ends.unwrap_or(bare.len())).unwrap_or_default();
    core.split('.').filter(|part| !part.is_empty()).collect()
}
