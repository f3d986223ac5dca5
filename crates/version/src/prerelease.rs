//! Alphas, betas, release candidates and the like: how they are written, and which comes first.

use std::cmp::Ordering;

use semver::Prerelease;

const WORDS: [&str; 10] = [
    "alpha",
    "beta",
    "rc",
    "cr",
    "pre",
    "preview",
    "prerelease",
    "snapshot",
    "milestone",
    "ea",
];
/// Flavours when alone (`-dev` is an image with a shell), prereleases when counted (`-dev.5`).
const WORDS_WHEN_COUNTED: [&str; 6] = ["dev", "canary", "next", "nightly", "edge", "m"];

/// Is this word alone enough to call a version a prerelease?
pub(crate) fn is_word(word: &str) -> bool {
    WORDS.contains(&word.to_ascii_lowercase().as_str())
}

/// Reads `rc1`, `RC.01` and `rc.1` all as `rc.1`, so that their counters compare as numbers.
///
/// A letter stands for its word where it is attached to the numbers, as in `1.0b2`, or counted
/// behind a dot, as in `1.0-b.2`; `1.0-b2` is a build.
pub(crate) fn read(token: &str, attached: bool) -> Option<String> {
    let end = token
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(token.len());
    let (word, count) = token.split_at_checked(end)?;
    let dotted = count
        .strip_prefix('.')
        .is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()));
    let word = match (word.to_ascii_lowercase().as_str(), attached) {
        ("a", _) if attached || dotted => "alpha".to_owned(),
        ("b", _) if attached || dotted => "beta".to_owned(),
        ("c", true) if !count.is_empty() => "rc".to_owned(),
        (word, _) if WORDS.contains(&word) => word.to_owned(),
        (word, _) if WORDS_WHEN_COUNTED.contains(&word) && !count.is_empty() => word.to_owned(),
        _ => return None,
    };
    let count = count.strip_prefix('.').unwrap_or(count);
    if count.is_empty() {
        return Some(word);
    }
    let identifiers = count.split('.').map(|identifier| {
        let numeric = identifier.chars().all(|c| c.is_ascii_digit()) && !identifier.is_empty();
        match identifier.trim_start_matches('0') {
            "" if numeric => "0",
            trimmed if numeric => trimmed,
            _ => identifier,
        }
    });
    let counted = identifiers.collect::<Vec<_>>().join(".");
    Some(format!("{word}.{counted}"))
}

/// The order of two prereleases of one version, a release being the last; none where nothing tells
/// it: `next` may come before or after `beta`, and `nightly.3` has nothing to do with `dev.4`.
pub(crate) fn compare(a: &Prerelease, b: &Prerelease) -> Option<Ordering> {
    if a.is_empty() || b.is_empty() || word(a) == word(b) {
        return Some(a.cmp(b));
    }
    let (left, right) = (rank(word(a))?, rank(word(b))?);
    (left != right).then(|| left.cmp(&right))
}

/// An order of all prereleases for lists, which agrees with [`compare`] where that has one.
pub(crate) fn sorted(a: &Prerelease, b: &Prerelease) -> Ordering {
    if a.is_empty() || b.is_empty() {
        return a.cmp(b);
    }
    let key = |prerelease| (rank(word(prerelease)), word(prerelease));
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

fn word(prerelease: &Prerelease) -> &str {
    prerelease.split('.').next().unwrap_or_default()
}

/// How close to the release it is; none for words that mean something else to each project.
fn rank(word: &str) -> Option<u8> {
    match word {
        "dev" | "nightly" | "snapshot" | "canary" | "edge" => Some(0),
        "alpha" => Some(1),
        "beta" => Some(2),
        "m" | "milestone" => Some(3),
        "pre" | "preview" | "prerelease" => Some(4),
        "rc" | "cr" => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the earliest to the release; `next` and `ea` have no place among them.
    const LINE: [&str; 9] = [
        "dev.9",
        "dev.10",
        "alpha.1",
        "beta",
        "beta.2",
        "milestone.1",
        "preview.7",
        "rc.1",
        "",
    ];

    fn parsed(text: &str) -> Prerelease {
        Prerelease::new(text).unwrap()
    }

    #[test]
    fn words_have_their_rank_whatever_the_alphabet_says() {
        for (left, a) in LINE.iter().enumerate() {
            for (right, b) in LINE.iter().enumerate() {
                let found = compare(&parsed(a), &parsed(b));
                assert_eq!(found, Some(left.cmp(&right)), "{a} and {b}");
            }
        }
    }

    #[test]
    fn what_nothing_tells_is_not_ordered() {
        for (a, b) in [
            ("next.1", "beta.1"),
            ("ea.1", "rc.1"),
            ("next.1", "ea.1"),
            ("dev.1", "nightly.2"),
            ("pre.1", "preview.2"),
        ] {
            assert_eq!(compare(&parsed(a), &parsed(b)), None, "{a} and {b}");
            assert_eq!(compare(&parsed(b), &parsed(a)), None, "{b} and {a}");
        }
    }

    #[test]
    fn lists_are_sorted_as_far_as_there_is_an_order() {
        let mut all: Vec<&str> = LINE.to_vec();
        all.extend(["next.1", "next.2", "ea.1", "nightly.3", "pre.1"]);
        for a in &all {
            for b in &all {
                let order = sorted(&parsed(a), &parsed(b));
                assert_eq!(order == Ordering::Equal, a == b, "{a} and {b}");
                if let Some(known) = compare(&parsed(a), &parsed(b)) {
                    assert_eq!(order, known, "{a} and {b}");
                }
            }
        }
    }
}
