//! The grammar of tags: `prefix numbers [prerelease] [flavour] [revision]`, in any usual spelling.

use semver::Prerelease;

use crate::prerelease;
use crate::tag::{Shape, Style};

/// What a tag is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Numeric(Numeric),
    Floating,
    Commit,
    Digest,
}

/// The parts of a numeric tag. Build metadata (`+…`) has no rank and is dropped, but for a security
/// rebuild's number.
#[derive(Clone, Debug)]
pub(crate) struct Numeric {
    pub(crate) prefix: String,
    pub(crate) shape: Shape,
    pub(crate) parts: Vec<u64>,
    /// Empty for a release.
    pub(crate) prerelease: Prerelease,
    pub(crate) flavour: String,
    pub(crate) revisions: Vec<(String, u64)>,
    /// The number of a security rebuild, Grafana's `11.3.0-security-01`. It is no counter of the
    /// style: the next release comes without.
    pub(crate) security: Option<u64>,
}

/// Stands in a flavour for a commit id, which differs from build to build.
pub(crate) const COMMIT: &str = "<commit>";

/// Before a commit id, whatever the id looks like.
const COMMIT_WORDS: [&str; 3] = ["sha", "commit", "git"];
/// Before a number that counts, however long it is.
const NUMBERED: [&str; 10] = [
    "v", "version", "ver", "release", "rel", "stable", "build", "rev", "revision", "r",
];

/// Before the number of a security rebuild.
const SECURITY: &str = "security";

const REVISIONS: [&str; 16] = [
    "r", "rev", "revision", "ls", "p", "patch", "b", "build", "bld", "hotfix", "post", "u", "k3s",
    "rke2r", "ce", "ee",
];
const ARCHITECTURES: [&str; 15] = [
    "386", "aarch64", "amd64", "arm32v6", "arm32v7", "arm64", "arm64v8", "armv6", "armv7", "i386",
    "ppc64le", "riscv64", "s390x", "x64", "x86",
];

impl Numeric {
    pub(crate) fn is_prerelease(&self) -> bool {
        let mut words = self.prefix.split(['-', '_', '.']);
        !self.prerelease.is_empty() || words.any(prerelease::is_word)
    }

    /// The style that another one must have to be comparable.
    pub(crate) fn style(&self) -> Style {
        Style::Numeric {
            prefix: self.prefix.clone(),
            shape: self.shape,
            parts: self.parts.len(),
            flavour: self.flavour.clone(),
            revisions: self.counters().map(str::to_owned).collect(),
        }
    }

    /// The names of the revision counters.
    pub(crate) fn counters(&self) -> impl Iterator<Item = &str> {
        self.revisions.iter().map(|(name, _)| name.as_str())
    }

    /// Takes the build of `2.0.0-b5` for a beta.
    pub(crate) fn with_build_as_beta(&self) -> Option<Numeric> {
        let mut read = self.clone();
        let at = read.counters().position(|name| name == "b")?;
        let (_, number) = read.revisions.remove(at);
        add_prerelease(&mut read, &format!("beta.{number}")).then_some(read)
    }
}

pub(crate) fn classify(text: &str) -> Kind {
    if text.starts_with("sha256:") || text.starts_with("sha256-") || text.starts_with("sha512:") {
        return Kind::Digest;
    }
    let text = &text.replacen("+security-", "-security-", 1);
    let text = text
        .split_once('+')
        .map_or(text.as_str(), |(version, _build)| version);
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !text.chars().all(legal) || text.split(['-', '_', '.']).any(|word| word == "latest") {
        return Kind::Floating;
    }
    // One short commit id in thirty has no letter; a plain number of that length is a date or none.
    if text.len() >= 7 && text.chars().all(|c| c.is_ascii_digit()) && compact_date(text).is_none() {
        return Kind::Commit;
    }
    let mut at = 0;
    let mut before = "";
    for token in text.split(['-', '_']) {
        if is_commit(token) || is_commit_after(before, token) {
            return Kind::Commit;
        }
        if let Some(lead) = token.find(|c: char| c.is_ascii_digit())
            && !is_architecture(before, token)
            && !is_product_name(token, lead)
            && !is_variant(
                token,
                lead,
                text.get(at + token.len()..).unwrap_or_default(),
            )
        {
            return text
                .split_at_checked(at + lead)
                .and_then(|(prefix, rest)| numeric(prefix, rest))
                .map_or(Kind::Floating, Kind::Numeric);
        }
        at += token.len() + 1;
        before = token;
    }
    Kind::Floating
}

fn numeric(prefix: &str, rest: &str) -> Option<Numeric> {
    let (shape, parts, suffix) = dashed_date(rest)
        .map(|(parts, suffix)| (Shape::Dashed, parts, suffix))
        .or_else(|| compact_date(rest).map(|(parts, suffix)| (Shape::Compact, parts, suffix)))
        .or_else(|| dotted(rest).map(|(parts, suffix)| (Shape::Dotted, parts, suffix)))?;
    let mut found = Numeric {
        prefix: prefix.to_owned(),
        shape,
        parts,
        prerelease: Prerelease::EMPTY,
        flavour: String::new(),
        revisions: Vec::new(),
        security: None,
    };
    read_suffix(&mut found, suffix);
    Some(found)
}

/// What the previous token of a suffix was, which decides what a bare number belongs to.
enum Previous {
    Numbers,
    UncountedPrerelease,
    Flavour,
}

fn read_suffix(found: &mut Numeric, suffix: &str) {
    if suffix.is_empty() {
        return;
    }
    let mut attached = suffix.starts_with(|c: char| c.is_ascii_alphabetic());
    let suffix = suffix.strip_prefix(['-', '_', '.']).unwrap_or(suffix);
    let mut flavour: Vec<&str> = Vec::new();
    let mut previous = Previous::Numbers;
    for token in suffix.split(['-', '_']) {
        if let Ok(number) = token.parse::<u64>() {
            match previous {
                Previous::Numbers => found.revisions.push((String::new(), number)),
                Previous::UncountedPrerelease => {
                    add_prerelease(found, &number.to_string());
                    previous = Previous::Numbers;
                }
                Previous::Flavour if flavour.last() == Some(&SECURITY) => {
                    flavour.pop();
                    found.security = Some(number);
                    previous = Previous::Numbers;
                }
                Previous::Flavour => flavour.push(token),
            }
        } else if !attached && is_commit(token) {
            // Before its first letters are read as a beta's.
            flavour.push(COMMIT);
            previous = Previous::Flavour;
        } else if let Some(identifiers) = prerelease::read(token, attached)
            && add_prerelease(found, &identifiers)
        {
            previous = if identifiers.contains('.') {
                Previous::Numbers
            } else {
                Previous::UncountedPrerelease
            };
        } else if let Some(revision) = revision(token) {
            found.revisions.push(revision);
            previous = Previous::Numbers;
        } else {
            let commit = token.strip_prefix('g').is_some_and(is_commit);
            flavour.push(if commit { COMMIT } else { token });
            previous = Previous::Flavour;
        }
        attached = false;
    }
    found.flavour = flavour.join("-");
}

fn add_prerelease(found: &mut Numeric, identifiers: &str) -> bool {
    let joined = if found.prerelease.is_empty() {
        identifiers.to_owned()
    } else {
        format!("{}.{identifiers}", found.prerelease)
    };
    let parsed = Prerelease::new(&joined);
    parsed
        .map(|prerelease| found.prerelease = prerelease)
        .is_ok()
}

/// `r1` and `ce.0` by their names.
fn revision(token: &str) -> Option<(String, u64)> {
    let end = token.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (name, number) = token.split_at_checked(end)?;
    let number = number.parse().ok()?;
    let name = name.strip_suffix('.').unwrap_or(name);
    REVISIONS.contains(&name).then(|| (name.to_owned(), number))
}

/// Hexadecimal with a letter and a digit, at least as long as git's short ids.
fn is_commit(token: &str) -> bool {
    (7..=64).contains(&token.len())
        && token
            .chars()
            .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
        && token.contains(|c: char| c.is_ascii_digit())
        && token.contains(|c: char| c.is_ascii_alphabetic())
}

/// A commit id without a letter: `1234567` of `main-1234567`, but not the date of `main-20240131`,
/// nor the number of a build.
fn is_commit_after(before: &str, token: &str) -> bool {
    let before = before.to_ascii_lowercase();
    let long = (7..=40).contains(&token.len()) && token.chars().all(|c| c.is_ascii_digit());
    let date = compact_date(token).is_some() && !COMMIT_WORDS.contains(&before.as_str());
    long && !before.is_empty() && !date && !NUMBERED.contains(&before.as_str())
}

/// `x86_64` falls into two.
fn is_architecture(before: &str, token: &str) -> bool {
    ARCHITECTURES.contains(&token) || (before == "x86" && token == "64")
}

/// `n8n` and `k8s` hold a digit but are words; `v1beta` is not.
fn is_product_name(token: &str, lead: usize) -> bool {
    lead > 0
        && !token.starts_with(['v', 'V'])
        && !token.contains('.')
        && token.ends_with(|c: char| c.is_ascii_alphabetic())
}

/// `pg16` of `pg16-v0.3.0` and `php8.2` of `php8.2-1.2.3`: a word with a number, and the version
/// comes after it.
fn is_variant(token: &str, lead: usize, after: &str) -> bool {
    let word = token.get(..lead).unwrap_or_default();
    let named = !word.is_empty() && !word.starts_with(['v', 'V']);
    // `RELEASE.2024` ends in the version's own number.
    let glued = word.ends_with(|c: char| c.is_ascii_alphabetic())
        && !NUMBERED.contains(&word.to_ascii_lowercase().as_str());
    let mut later = after.match_indices(['-', '_']);
    named
        && (glued || !token.contains('.'))
        && later.any(|(at, _)| after.get(at + 1..).is_some_and(begins_version))
}

/// Do two numbers with a dot begin it, or a date?
fn begins_version(text: &str) -> bool {
    let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let parted = dotted(bare).is_some_and(|(parts, _)| parts.len() > 1);
    parted || dashed_date(bare).is_some() || compact_date(bare).is_some()
}

fn dotted(text: &str) -> Option<(Vec<u64>, &str)> {
    let mut parts = Vec::new();
    let mut left = text;
    loop {
        let (digits, after) = split_digits(left)?;
        parts.push(digits.parse().ok()?);
        match after.strip_prefix('.') {
            Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => left = next,
            _ => return Some((parts, after)),
        }
    }
}

/// `2024-01-31`, optionally followed by `T03-04-05Z`.
fn dashed_date(text: &str) -> Option<(Vec<u64>, &str)> {
    let (mut parts, mut rest) = dashed_numbers(text, 4)?;
    if !is_date(&parts) {
        return None;
    }
    if let Some((time, after)) = rest
        .strip_prefix('T')
        .and_then(|time| dashed_numbers(time, 2))
    {
        parts.extend(time);
        rest = after.strip_prefix('Z').unwrap_or(after);
    }
    Some((parts, rest))
}

/// Three numbers joined by dashes: the first of `width` digits, the others of two.
fn dashed_numbers(text: &str, width: usize) -> Option<(Vec<u64>, &str)> {
    let mut parts = Vec::new();
    let mut left = text;
    for width in [width, 2, 2] {
        if !parts.is_empty() {
            left = left.strip_prefix('-')?;
        }
        let (digits, after) = split_digits(left)?;
        if digits.len() != width {
            return None;
        }
        parts.push(digits.parse().ok()?);
        left = after;
    }
    Some((parts, left))
}

/// `20240131`, optionally followed by hour, minute and second.
fn compact_date(text: &str) -> Option<(Vec<u64>, &str)> {
    let (digits, rest) = split_digits(text)?;
    if !matches!(digits.len(), 8 | 10 | 12 | 14) || rest.starts_with('.') {
        return None;
    }
    let (year, mut left) = digits.split_at_checked(4)?;
    let mut parts = vec![year.parse().ok()?];
    while let Some((pair, after)) = left.split_at_checked(2) {
        parts.push(pair.parse().ok()?);
        left = after;
    }
    is_date(&parts).then_some((parts, rest))
}

fn is_date(parts: &[u64]) -> bool {
    matches!(parts, [1990..=2099, 1..=12, 1..=31, ..])
}

fn split_digits(text: &str) -> Option<(&str, &str)> {
    text.split_at_checked(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}
