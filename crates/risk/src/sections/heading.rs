//! The version that a heading names, if that is what the heading is for.

use version::ReleaseName;

/// Before a version these make the heading speak about another thing: a guide, a dependency.
const OTHER_THINGS: [&str; 44] = [
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
    "with",
    "bump",
    "bumped",
    "minimum",
    "deprecated",
    "removed",
    "node",
    "node.js",
    "nodejs",
    "python",
    "php",
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "redis",
    "java",
    "golang",
    "ruby",
    "kubernetes",
    "openssl",
    "api",
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
/// Words around a version that say nothing else.
const FILLERS: [&str; 33] = [
    "version",
    "release",
    "released",
    "releases",
    "changes",
    "changelog",
    "change",
    "log",
    "in",
    "for",
    "what's",
    "whats",
    "new",
    "notes",
    "on",
    "of",
    "the",
    "-",
    "–",
    "—",
    "/",
    "|",
    "final",
    "stable",
    "lts",
    "security",
    "hotfix",
    "patch",
    "maintenance",
    "update",
    "yanked",
    "build",
    "tag",
];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// So many words of a product's name may stand before the version.
const MAX_NAME: usize = 3;

/// Whether the other version is one of this one's: `1.2.3` of `1.2`, or a later patch of `1.2.0`.
pub(super) fn contains(this: &ReleaseName, other: &ReleaseName) -> bool {
    let (outer, inner) = (parts(&this.version), parts(&other.version));
    if outer.len() < inner.len() {
        return inner.starts_with(&outer);
    }
    let patches = outer.len() == inner.len()
        && outer.len() > 2
        && outer.split_last().map(|(_, line)| line) == inner.split_last().map(|(_, line)| line);
    patches
        && version::compare_apps(&this.version, &other.version) == Some(std::cmp::Ordering::Less)
}

fn parts(version: &str) -> Vec<&str> {
    let bare = version.strip_prefix(['v', 'V']).unwrap_or(version);
    bare.split('.').collect()
}

/// Notes of what nobody has got yet.
pub(super) fn is_unreleased(heading: &str) -> bool {
    let heading = heading.to_ascii_lowercase();
    let words = [
        "unreleased",
        "upcoming",
        "next release",
        "in development",
        "not released",
    ];
    let alone = [
        "next",
        "head",
        "main",
        "master",
        "dev",
        "development",
        "trunk",
    ];
    let bare = heading.trim_matches(|c: char| !c.is_alphanumeric());
    words.iter().any(|word| heading.contains(word)) || alone.contains(&bare)
}

/// The version of a heading that is marked as one.
pub(super) fn named(heading: &str) -> Option<ReleaseName> {
    let plain = without_markup(heading);
    let words: Vec<&str> = words(&plain).collect();
    let at = words.iter().position(|word| version_in(word).is_some())?;
    let named = version_in(words.get(at)?)?;
    let before = words.get(..at).unwrap_or_default();
    let mut name = Vec::new();
    for word in before {
        let lower = word.to_lowercase();
        if OTHER_THINGS.contains(&lower.as_str()) {
            return None;
        }
        if !is_filler(&lower) {
            name.push(*word);
        }
    }
    let says_version = before
        .iter()
        .any(|word| ["version", "release"].contains(&word.to_lowercase().as_str()));
    if name.len() > MAX_NAME || !(is_clear(&named.version) || says_version) {
        return None;
    }
    let after = words.get(at + 1).map(|word| word.to_lowercase());
    if after.is_some_and(|word| NOT_ABOUT_IT.contains(&word.as_str())) {
        return None;
    }
    Some(named)
}

/// The version of a line that nothing marks: it has to be alone on it, but for a name in front,
/// a date, and a code name.
pub(super) fn alone(line: &str) -> Option<ReleaseName> {
    if line.starts_with(['-', '*', '+', '>', '#', '|']) && !line.starts_with("* v") {
        return None;
    }
    let found = named(line)?;
    let plain = without_markup(line);
    let words: Vec<&str> = words(&plain).collect();
    let at = words.iter().position(|word| version_in(word).is_some())?;
    let rest = words.get(at + 1..).unwrap_or_default();
    // What is in quotes or brackets is a code name or a date.
    let quoted = plain.contains(['\'', '"', '(', '[']);
    let others = rest
        .iter()
        .filter(|word| !is_filler(&word.to_lowercase()) && !is_dated(word))
        .count();
    let before = words.get(..at).unwrap_or_default();
    let named_before = before
        .iter()
        .filter(|word| !is_filler(&word.to_lowercase()))
        .count();
    let sentence = plain.trim_end().ends_with(['.', ',', ';']);
    let quiet = others == 0 || (quoted && others <= 3);
    (quiet && named_before <= 1 && !sentence).then_some(found)
}

/// A number alone says little: `12` may be anything, `v12` and `12.1` are versions.
fn is_clear(version: &str) -> bool {
    version.starts_with(['v', 'V']) || version.contains('.')
}

fn is_filler(lower: &str) -> bool {
    let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
    bare.is_empty() || FILLERS.contains(&lower) || FILLERS.contains(&bare) || is_dated(lower)
}

/// A date, or a part of one.
fn is_dated(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let lower = bare.to_lowercase();
    let starts = |names: &[&str]| {
        names.iter().any(|name| {
            lower.starts_with(name) && lower.chars().all(char::is_alphabetic) && lower.len() <= 9
        })
    };
    if starts(&MONTHS) || starts(&DAYS) {
        return true;
    }
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let ending = lower.get(digits.len()..).unwrap_or_default();
    let number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    (number && ["", "st", "nd", "rd", "th", "z"].contains(&ending) && digits.len() <= 4)
        || is_date(bare)
}

/// `2026-01-31`, `2026/01/31`, `31.01.2026`, `1/31/2026`, with or without a time.
fn is_date(bare: &str) -> bool {
    let day = bare.split(['T', 't']).next().unwrap_or(bare);
    ['-', '/', '.'].iter().any(|separator| {
        let parts: Vec<&str> = day.split(*separator).collect();
        let [a, b, c] = parts.as_slice() else {
            return false;
        };
        let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        let all = [a, b, c].iter().all(|part| digits(part));
        // Versions by the calendar are written with dots, and begin with the year.
        let year_first = *separator != '.' && a.len() == 4 && b.len() <= 2 && c.len() <= 2;
        let year_last = c.len() == 4 && a.len() <= 2 && b.len() <= 2;
        all && (year_first || year_last)
    })
}

/// The words of a heading, without the brackets and quotes around them.
fn words(plain: &str) -> impl Iterator<Item = &str> {
    plain
        .split([
            ' ', '\t', '\u{a0}', ',', '(', ')', '[', ']', '"', '\'', '`', '“', '”', '‘',
        ])
        .map(|word| word.trim_end_matches([':', ';', '!']))
        .filter(|word| !word.is_empty())
}

/// Without links, tags, emphasis and symbols.
fn without_markup(heading: &str) -> String {
    let mut plain = String::with_capacity(heading.len());
    let mut rest = heading;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            // `](address)` of a link, and `[name]: address`.
            ']' if rest.starts_with("](") => rest.find(')').map(|end| end + 1),
            '<' => rest.find('>').map(|end| end + 1),
            _ => None,
        };
        let width = skipped.unwrap_or_else(|| c.len_utf8());
        if skipped.is_none() {
            let mark = c == '*' || c == '~';
            let symbol = !c.is_ascii() && !c.is_alphanumeric() && !"–—“”‘’".contains(c);
            plain.push(if mark || symbol { ' ' } else { c });
        } else {
            plain.push(' ');
        }
        rest = rest.get(width..).unwrap_or_default();
    }
    plain
}

/// The version that a word is, with what stands in front in a monorepo.
fn version_in(word: &str) -> Option<ReleaseName> {
    let word = word.trim_matches(|c: char| "_-–—.:;|{}".contains(c));
    (!is_date(word)).then(|| ReleaseName::parse(word)).flatten()
}
