//! The version that a heading names, if that is what the heading is for.

use version::ReleaseName;

use super::words::{
    begins_with_day, is_filler, is_placeholder, prerelease, telling, version_in, without_markup,
    words,
};

/// Before a version these make the heading speak about a way to it, or of a need for it.
const ANOTHER_MATTER: [&str; 26] = [
    "from",
    "to",
    "since",
    "before",
    "after",
    "until",
    "upgrade",
    "upgrading",
    "upgrades",
    "migrating",
    "migration",
    "migrate",
    "requires",
    "require",
    "required",
    "requirement",
    "support",
    "supports",
    "supported",
    "drop",
    "drops",
    "dropped",
    "bump",
    "bumped",
    "deprecated",
    "removed",
];
/// And these after it.
const NOT_ABOUT_IT: [&str; 16] = [
    "to",
    "support",
    "and",
    "or",
    "required",
    "compatibility",
    "is",
    "was",
    "has",
    "will",
    "upgrade",
    "upgrading",
    "migration",
    "users",
    "only",
    "deprecation",
];
/// So many words of a product's name may stand before the version.
const MAX_NAME: usize = 6;
/// A code name has at most so many words.
const MAX_CODE_NAME: usize = 4;

/// A version, and what the heading says besides.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) release: ReleaseName,
    /// What it is called as well: `v1.48.0/v0.142.0`, `2022.1.4 = 10.1.0.7`.
    pub(super) others: Vec<ReleaseName>,
    /// The words in front of the version that are no fillers, usually a product's name.
    pub(super) product: Vec<String>,
    /// It says nothing but a date or a code name besides.
    pub(super) alone: bool,
    /// It says nothing behind the version but a date.
    pub(super) silent: bool,
}

impl Named {
    /// Nothing but a version.
    fn only(release: ReleaseName) -> Named {
        Named {
            release,
            others: Vec::new(),
            product: Vec::new(),
            alone: true,
            silent: true,
        }
    }
}

/// The version of a heading that is marked as one.
pub(super) fn named(heading: &str) -> Option<Named> {
    // Most headings name none, and there are many.
    if !heading.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let plain = without_markup(heading);
    // What it is compared to is the version before.
    let plain = plain.split(" compared to ").next().unwrap_or_default();
    let words: Vec<&str> = words(plain).collect();
    if may_have_placeholder(plain) && words.iter().any(|word| is_placeholder(word)) {
        return None;
    }
    let (at, spans) = place(&words)?;
    let mut release = version_in(words.get(at)?)?;
    let before = words.get(..at).unwrap_or_default();
    let mut after = words.get(at + 1..).unwrap_or_default();
    if let Some((early, rest)) = prerelease(after).filter(|(_, rest)| telling(rest) == 0) {
        release.version = format!("{}-{early}", release.version);
        after = rest;
    }
    let also: Vec<&str> = after
        .iter()
        .take_while(|word| is_version(word) || ["/", "=", "&", "+", "and", "-"].contains(*word))
        .copied()
        .collect();
    let others: Vec<ReleaseName> = also.iter().filter_map(|word| version_in(word)).collect();
    if !others.is_empty() {
        after = after.get(also.len()..).unwrap_or_default();
    }
    let allowed = |word: &str| spans && ["from", "to"].contains(&word);
    let product: Vec<String> = before
        .iter()
        .filter(|word| !(spans && version_in(word).is_some()))
        .map(|word| word.to_lowercase())
        .collect();
    if product
        .iter()
        .any(|word| ANOTHER_MATTER.contains(&word.as_str()) && !allowed(word))
    {
        return None;
    }
    let product: Vec<String> = product
        .into_iter()
        .filter(|word| !is_filler(word))
        .collect();
    if product.len() > MAX_NAME {
        return None;
    }
    let next = after.first().map(|word| word.to_lowercase());
    let another = after.get(1).is_some_and(|word| is_version(word));
    if next.is_some_and(|word| NOT_ABOUT_IT.contains(&word.as_str()) && !(word == "and" && another))
    {
        return None;
    }
    // What is in quotes or brackets is a code name or a date, and so is what a dash sets apart.
    let quoted = plain.contains(['\'', '"', '(', '[']);
    let set_apart = before.is_empty()
        && after
            .first()
            .is_some_and(|word| ["-", "–", "—"].contains(word));
    let more = telling(after);
    let quiet = more == 0 || ((quoted || set_apart) && more <= MAX_CODE_NAME);
    let end = plain.trim_end();
    let sentence =
        end.ends_with([',', ';']) || (end.ends_with('.') && (more > 0 || after.is_empty()));
    Some(Named {
        alone: quiet && product.len() <= 1 && !sentence,
        silent: more == 0,
        release,
        others,
        product,
    })
}

/// Words with which a heading speaks of the way to a version.
const WAYS: [&str; 8] = [
    "migrating",
    "migrate",
    "migration",
    "upgrading",
    "upgrade",
    "updating",
    "update",
    "to",
];

/// The version of a heading such as `Migrating to 1.2.0` or `Upgrade from 1.1 to 1.2`: in a file
/// whose releases have no other headings it is that release's.
pub(super) fn towards(heading: &str) -> Option<Named> {
    let plain = without_markup(heading);
    let words: Vec<&str> = words(&plain).collect();
    let is = |word: &&str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    let way = words.first()?;
    if !WAYS.iter().any(|wanted| is(way, wanted)) {
        return None;
    }
    let to = words.iter().position(|word| is(word, "to"))?;
    let rest = words.get(to + 1..)?;
    let at = rest.iter().position(|word| is_version(word))?;
    let release = version_in(rest.get(at)?)?;
    let after = rest.get(at + 1..).unwrap_or_default();
    let named = at <= 2 && telling(after) == 0;
    named.then(|| Named::only(release))
}

/// The version of a line that nothing marks: it has to be alone on it, but for a name in front,
/// a date, and a code name.
pub(super) fn alone(line: &str) -> Option<Named> {
    // `[1.2.3]: https://…` is where a link leads.
    if line.starts_with(['-', '+', '>', '|']) && !line.starts_with("--")
        || (line.starts_with('[') && line.contains("]:"))
    {
        return None;
    }
    let bare = undecorated(line);
    if let Some(found) = packaged(bare) {
        return Some(found);
    }
    let listed = bare.starts_with(['*', '#']);
    let bare = bare.trim_start_matches(['*', '#']).trim_start();
    let found = named(bare)?;
    // Of the items of a list those are headings that name nothing but a version.
    (found.alone && (!listed || found.product.is_empty())).then_some(found)
}

/// `--- 1.2.3 ---`, `*1.2.3*` without what stands on both sides.
fn undecorated(line: &str) -> &str {
    let Some(mark) = line.chars().next().filter(|c| "-*_~".contains(*c)) else {
        return line;
    };
    let inner = line.trim_matches(mark);
    let both = line.ends_with(mark) && !inner.is_empty();
    if both { inner.trim() } else { line }
}

/// `* Tue Nov 26 2024 Name <mail> - 1.2.3-1`, as packagers write.
fn packaged(line: &str) -> Option<Named> {
    let plain = without_markup(line.strip_prefix("* ")?);
    let words: Vec<&str> = words(&plain).collect();
    let last = words.last().filter(|_| begins_with_day(&words))?;
    let release = version_in(last).filter(|found| is_clear(&found.version))?;
    Some(Named::only(release))
}

/// Where the version stands, and whether it ends a span: the second of `from 1.2 to 1.3`.
fn place(words: &[&str]) -> Option<(usize, bool)> {
    let is_here = |(index, word): (usize, &&str)| {
        let said = index
            .checked_sub(1)
            .and_then(|before| words.get(before))
            .is_some_and(|word| ["version", "release"].contains(&word.to_lowercase().as_str()));
        version_in(word).is_some_and(|found| said || is_clear(&found.version))
    };
    let at = words.iter().enumerate().position(is_here)?;
    let between = words
        .iter()
        .take(at)
        .any(|word| *word == "between" || *word == "Between");
    let joined = words
        .get(at + 1)
        .is_some_and(|word| ["to", "→", "->", "=>"].contains(word) || (between && *word == "and"));
    let spans = joined && words.get(at + 2).is_some_and(|word| is_version(word));
    Some(if spans { (at + 2, true) } else { (at, false) })
}

fn is_version(word: &str) -> bool {
    version_in(word).is_some_and(|found| is_clear(&found.version))
}

/// A number alone says little: `12` may be anything, `v12` and `12.1` are versions.
fn is_clear(version: &str) -> bool {
    version.starts_with(['v', 'V']) || version.contains('.')
}

/// Most headings need no second look at their words.
fn may_have_placeholder(plain: &str) -> bool {
    plain.contains(".x") || plain.contains(".X")
}

/// Notes of what nobody has got yet, and of nothing else.
pub(super) fn is_unreleased(heading: &str) -> bool {
    let plain = without_markup(heading);
    let lower: Vec<String> = words(&plain).map(str::to_lowercase).collect();
    if may_have_placeholder(&plain)
        && lower
            .iter()
            .all(|word| is_placeholder(word) || is_filler(word) || word == "unreleased")
    {
        return true;
    }
    let telling: Vec<&str> = lower
        .iter()
        .map(String::as_str)
        .filter(|word| word.contains(char::is_alphabetic))
        .filter(|word| !["version", "release", "yyyy-mm-dd", "tbd", "tba"].contains(word))
        .collect();
    match telling.as_slice() {
        [one] => [
            "unreleased",
            "upcoming",
            "next",
            "head",
            "main",
            "master",
            "dev",
            "development",
            "trunk",
        ]
        .contains(one),
        // After a project's name.
        [_, "unreleased"] => true,
        ["unreleased", others @ ..] => others.iter().all(|word| is_filler(word)),
        ["in", "development"] | ["not", "released"] | ["not", "yet", "released"] => true,
        _ => false,
    }
}
