//! The words of a heading, and what they are: a date, a filler, a version.

use version::ReleaseName;

/// Words around a version that say nothing else.
const FILLERS: [&str; 35] = [
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
    "with",
    "what's",
    "what’s",
    "whats",
    "new",
    "notes",
    "noteworthy",
    "on",
    "of",
    "the",
    "from",
    "between",
    "and",
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
    "to",
];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The words, without the brackets and quotes around them.
pub(super) fn words(plain: &str) -> impl Iterator<Item = &str> {
    plain
        .split([
            ' ', '\t', '\u{a0}', ',', '(', ')', '[', ']', '"', '`', '“', '”', '‘',
        ])
        .map(|word| {
            word.trim_matches('\'')
                .trim_end_matches([':', ';', '!', '?'])
        })
        .filter(|word| !word.is_empty())
        // `1.1.0/0.9.7` was released on two lines at once.
        .flat_map(|word| {
            let both = word.contains('/') && word.split('/').all(is_dotted);
            word.split(if both { '/' } else { '\n' })
        })
}

/// With the text of its links and not their addresses.
pub(crate) fn without_addresses(heading: &str) -> String {
    let mut plain = String::with_capacity(heading.len());
    let mut rest = heading;
    while let Some((before, link)) = rest.split_once("](") {
        let (Some((front, text)), Some((_, after))) =
            (before.rsplit_once('['), link.split_once(')'))
        else {
            break;
        };
        plain.extend([front, text]);
        rest = after;
    }
    plain + rest
}

/// Without links, tags, emphasis and symbols.
pub(super) fn without_markup(heading: &str) -> String {
    let mut plain = String::with_capacity(heading.len());
    let mut rest = heading;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            // `](address)` of a link.
            ']' if rest.starts_with("](") => rest.find(')').map(|end| end + 1),
            '<' => rest.find('>').map(|end| end + 1),
            _ => None,
        };
        let width = skipped.unwrap_or_else(|| c.len_utf8());
        if skipped.is_none() {
            let mark = c == '*' || c == '~';
            let symbol = !c.is_ascii() && !c.is_alphanumeric() && !"–—“”‘’→".contains(c);
            plain.push(if mark || symbol { ' ' } else { c });
        } else {
            plain.push(' ');
        }
        rest = rest.get(width..).unwrap_or_default();
    }
    plain
}

pub(super) fn is_filler(word: &str) -> bool {
    let lower = word.to_lowercase();
    let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
    bare.is_empty()
        || FILLERS.contains(&lower.as_str())
        || FILLERS.contains(&bare)
        || is_dated(&lower)
}

/// Whether the first of these words begins a date: `Tue Nov 26 2024`.
pub(super) fn begins_with_day(words: &[&str]) -> bool {
    let [day, month, ..] = words else {
        return false;
    };
    is_name_of(day, &DAYS) && is_name_of(month, &MONTHS)
}

/// How many words are neither fillers nor a part of a date.
pub(super) fn telling(words: &[&str]) -> usize {
    let mut after_time = false;
    let mut count = 0;
    for word in words {
        // A zone has a name of its own, and stands behind the time: `10:45:52 GMT`.
        let zone = after_time && word.starts_with(char::is_uppercase);
        after_time = is_time(word);
        count += usize::from(!(after_time || zone || is_filler(word)));
    }
    count
}

/// `10:45`, `10:45:52`
fn is_time(word: &str) -> bool {
    let two = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_digit());
    word.contains(':') && word.split(':').all(two)
}

fn is_name_of(word: &str, names: &[&str]) -> bool {
    let lower = word.to_lowercase();
    names.iter().any(|name| {
        lower.starts_with(name) && lower.chars().all(char::is_alphabetic) && lower.len() <= 9
    })
}

/// A date, or a part of one.
fn is_dated(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    if is_name_of(bare, &MONTHS) || is_name_of(bare, &DAYS) {
        return true;
    }
    let lower = bare.to_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let ending = lower.get(digits.len()..).unwrap_or_default();
    let number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    let compact = digits == lower && lower.len() == 8 && lower.starts_with("20");
    (number && ["", "st", "nd", "rd", "th", "z"].contains(&ending) && digits.len() <= 4)
        || compact
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

/// The version that a word is, with what stands in front in a monorepo.
pub(super) fn version_in(word: &str) -> Option<ReleaseName> {
    let word = word.trim_matches(|c: char| "_-–—.:;|{}".contains(c));
    // Debian counts the times that a numbering began anew: `1:1.3.0`.
    let word = match word.split_once(':') {
        Some((epoch, version)) if epoch.chars().all(|c| c.is_ascii_digit()) => version,
        _ => word,
    };
    (!is_date(word)).then(|| ReleaseName::parse(word)).flatten()
}

/// `1.2.3`, `v1.2.0-rc1`
fn is_dotted(word: &str) -> bool {
    let numbers = word.strip_prefix(['v', 'V']).unwrap_or(word);
    let mut parts = numbers.split('.');
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    parts.next().is_some_and(digits)
        && parts
            .next()
            .is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()))
}

/// `2025.xxxx`, `1.2.x`: the version that comes next, whichever it will be.
pub(super) fn is_placeholder(word: &str) -> bool {
    let bare = word.trim_start_matches(['v', 'V']);
    let mut parts = bare.split('.');
    let blank = |part: &str| !part.is_empty() && part.chars().all(|c| "xX".contains(c));
    bare.starts_with(|c: char| c.is_ascii_digit()) && parts.any(blank)
}

/// How a prerelease is spelled that is set apart from its version, such as `RC 1` in `1.2.0 RC 1`,
/// and the words after it; none if these words begin with no prerelease.
pub(super) fn prerelease<'a>(words: &'a [&'a str]) -> Option<(String, &'a [&'a str])> {
    let dashes = words
        .iter()
        .take_while(|word| "-–—".contains(**word))
        .count();
    let words = words.get(dashes..)?;
    let lower = |at: usize| words.get(at).map(|word| word.to_lowercase());
    let (name, used) = match (lower(0)?.as_str(), lower(1).as_deref()) {
        ("release", Some("candidate")) => ("rc".to_owned(), 2),
        (word, _) => (word.to_owned(), 1),
    };
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let early = ["rc", "alpha", "beta", "pre", "preview", "dev", "milestone"];
    if !early.contains(&letters) {
        return None;
    }
    let rest = words.get(used..)?;
    let number = rest.first().filter(|word| {
        letters == name && word.len() < 4 && word.chars().all(|c| c.is_ascii_digit())
    });
    let rest = rest.get(usize::from(number.is_some())..)?;
    // A project may call each of its releases a beta.
    if letters == name && number.is_none() && name != "rc" {
        return None;
    }
    Some((
        format!("{name}{}", number.copied().unwrap_or_default()),
        rest,
    ))
}
