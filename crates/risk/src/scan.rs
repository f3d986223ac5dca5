//! Finding words and advisories in release notes.

use std::borrow::Cow;
use std::collections::HashSet;

use regex::{Regex, RegexBuilder};

use crate::advisory;
use crate::assess::Note;
use crate::defuse::is_invisible;

/// How much of a line is quoted, in characters.
pub(crate) const MAX_QUOTE: usize = 200;
/// How much of a long line stands before the word in its quote, in characters.
const LEAD: usize = 80;
/// How often one word is quoted from one release.
const MAX_PER_RELEASE: usize = 5;

/// What ends a line.
const ENDS: [char; 2] = ['\n', '\r'];

/// A place where the notes announce breakage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The word or phrase, as configured.
    pub word: String,
    /// The release whose notes say it.
    pub version: String,
    /// The line around it, at most 200 characters; text of strangers, see [`crate::defuse`].
    pub quote: String,
    /// Where people can read the notes.
    pub url: String,
}

/// Every word of the list in every note, titles included.
pub(crate) fn findings(notes: &[Note], words: &[String]) -> Vec<Finding> {
    let mut patterns: Vec<(&str, Regex)> = Vec::new();
    for word in words {
        let known = |(seen, _): &(&str, Regex)| seen.to_lowercase() == word.to_lowercase();
        if !patterns.iter().any(known)
            && let Some(pattern) = phrase_pattern(word)
        {
            patterns.push((word, pattern));
        }
    }
    let mut found = Vec::new();
    for note in notes {
        let texts: Vec<Cow<'_, str>> = note
            .title
            .iter()
            .chain([&note.body])
            .map(|text| visible(text))
            .collect();
        for (word, pattern) in &patterns {
            let mut quotes: Vec<String> = Vec::new();
            for quote in texts.iter().flat_map(|text| matches(pattern, text)) {
                if !quotes.contains(&quote) {
                    quotes.push(quote);
                }
                if quotes.len() == MAX_PER_RELEASE {
                    break;
                }
            }
            found.extend(quotes.into_iter().map(|quote| Finding {
                word: (*word).to_owned(),
                version: note.version.clone(),
                quote,
                url: note.url.clone(),
            }));
        }
    }
    found
}

/// The identifiers of security advisories, each once, in the order of the notes.
pub(crate) fn advisories(notes: &[Note]) -> Vec<String> {
    let texts = notes
        .iter()
        .flat_map(|note| note.title.iter().chain([&note.body]));
    let mut seen = HashSet::new();
    texts
        .flat_map(|text| advisory::named(text))
        .filter(|id| seen.insert(id.clone()))
        .collect()
}

/// The text without what cannot be seen, which may stand within a word.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if text.contains(is_invisible) {
        Cow::Owned(text.chars().filter(|c| !is_invisible(*c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// What may stand between the words of a phrase: white space, also across the lines of a quotation,
/// hyphens, and the marks of emphasis and code around them.
const BETWEEN: &str =
    r"(?:[*_`~]*(?:[-\u{2010}\u{2011}]|(?:\s|&nbsp;|&#160;|[\r\n][ \t>]*)+)[*_`~]*|[*_`~]+)";

/// Matches a phrase in any case, whatever sets its words apart; a blank one has no pattern.
fn phrase_pattern(phrase: &str) -> Option<Regex> {
    let words: Vec<String> = phrase.split_whitespace().map(regex::escape).collect();
    let pattern = RegexBuilder::new(&words.join(BETWEEN))
        .case_insensitive(true)
        .build();
    pattern.ok().filter(|_| !words.is_empty())
}

/// A quote for each line with a match, the match standing as whole words.
fn matches<'a>(pattern: &'a Regex, text: &'a str) -> impl Iterator<Item = String> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let found = pattern.find_at(text, at)?;
            at = found.end();
            let (before, rest) = text.split_at_checked(found.start())?;
            let after = rest.strip_prefix(found.as_str())?;
            if is_whole(before, found.as_str(), after) {
                at += after.find(ENDS).unwrap_or(after.len());
                return Some(quote(before, found.as_str(), after));
            }
        }
    })
}

/// Does the match neither begin nor end inside a word?
///
/// An underscore ends a word, because Markdown sets words in bold with it.
fn is_whole(before: &str, matched: &str, after: &str) -> bool {
    let inside = |left: Option<char>, right: Option<char>| {
        left.is_some_and(char::is_alphanumeric) && right.is_some_and(char::is_alphanumeric)
    };
    !inside(before.chars().next_back(), matched.chars().next())
        && !inside(matched.chars().next_back(), after.chars().next())
}

/// The line or lines of a match, on one line, cut around the match where too long.
fn quote(head: &str, matched: &str, tail: &str) -> String {
    let head = one_line(head.rsplit(ENDS).next().unwrap_or_default())
        .trim_start()
        .to_owned();
    let tail = one_line(tail.split(ENDS).next().unwrap_or_default())
        .trim_end()
        .to_owned();
    let skipped = head.chars().count().saturating_sub(LEAD);
    let whole = head.chars().count() + matched.chars().count() + tail.chars().count() <= MAX_QUOTE;
    let head = if whole || skipped == 0 {
        head
    } else {
        format!("…{}", head.chars().skip(skipped).collect::<String>())
    };
    bounded(&format!("{head}{}{tail}", one_line(matched)), MAX_QUOTE)
}

/// At most so many characters, the last of them a mark where something is left out.
pub(crate) fn bounded(line: &str, characters: usize) -> String {
    if line.chars().count() <= characters {
        return line.to_owned();
    }
    let kept = characters.saturating_sub(1);
    line.chars().take(kept).chain(['…']).collect()
}

/// A line as it is quoted: bounded, on one line.
pub(crate) fn quoted(line: &str) -> String {
    bounded(one_line(line).trim(), MAX_QUOTE)
}

/// Collapses white space to single spaces and drops control characters.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            if !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !c.is_control() {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::default_words;

    fn note(body: &str) -> Note {
        Note {
            version: "1.0.0".to_owned(),
            title: None,
            body: body.to_owned(),
            url: "https://example.org/1.0.0".to_owned(),
        }
    }

    fn words_in(body: &str) -> Vec<String> {
        let found = findings(&[note(body)], &default_words());
        found.into_iter().map(|finding| finding.word).collect()
    }

    #[test]
    fn words_are_found_whole_and_in_any_case() {
        for (body, expected) in [
            ("## BREAKING CHANGES", Some("breaking")),
            ("⚠️ Breaking: x", Some("breaking")),
            ("__Breaking__ changes", Some("breaking")),
            ("**removed**.", Some("removed")),
            ("Removed", Some("removed")),
            ("it was unremoved", None),
            ("removedly", None),
            ("éremoved", None),
            ("record-breaking", Some("breaking")),
            ("groundbreaking", None),
            ("a database\n   migration runs", Some("database migration")),
            ("Database\u{a0}Migration", Some("database migration")),
            ("databases migration", None),
            ("ACTION\tREQUIRED!", Some("action required")),
            (
                "> needs a database\n> migration before",
                Some("database migration"),
            ),
            (
                "> > a database\r\n> > migration",
                Some("database migration"),
            ),
            ("**Action** required", Some("action required")),
            ("action _required_", Some("action required")),
            ("`action` **required**", Some("action required")),
            ("action&nbsp;required", Some("action required")),
            ("a database-migration runs", Some("database migration")),
            ("schema\u{2011}change", Some("schema change")),
            ("manual **inter\u{ad}vention**", Some("manual intervention")),
            ("re\u{200b}moved", Some("removed")),
            ("- the schema\n- change the colour", None),
            ("* the schema\n* change the colour", None),
            ("Database > migration", None),
            ("schema changes", None),
            ("nothing at all", None),
            ("", None),
        ] {
            assert_eq!(
                words_in(body).first().map(String::as_str),
                expected,
                "{body:?}"
            );
        }
    }

    #[test]
    fn every_line_is_quoted_once_and_only_so_many() {
        let found = findings(
            &[note("- removed a\n- removed b, removed c\n")],
            &default_words(),
        );
        let quotes: Vec<&str> = found.iter().map(|finding| finding.quote.as_str()).collect();
        assert_eq!(quotes, ["- removed a", "- removed b, removed c"]);
        let many: String = (0..50).map(|line| format!("removed {line}\n")).collect();
        assert_eq!(
            findings(&[note(&many)], &default_words()).len(),
            MAX_PER_RELEASE
        );
        assert_eq!(
            findings(&[note("removed\nremoved x")], &default_words()).len(),
            2
        );
        let found = findings(
            &[note("a\r> needs a database\r> **migration** b\rc")],
            &default_words(),
        );
        let quotes: Vec<&str> = found.iter().map(|finding| finding.quote.as_str()).collect();
        assert_eq!(quotes, ["> needs a database > **migration** b"]);
    }

    #[test]
    fn long_lines_are_cut_around_the_word() {
        let body = format!("{} removed {}", "ä".repeat(500), "ö".repeat(500));
        let found = findings(&[note(&body)], &default_words());
        let quote = &found[0].quote;
        assert_eq!(quote.chars().count(), MAX_QUOTE);
        assert!(quote.contains(" removed ö"), "{quote}");
        assert!(quote.starts_with("…ä") && quote.ends_with("ö…"), "{quote}");
    }

    #[test]
    fn configured_words_may_hold_any_character_and_blank_ones_are_ignored() {
        let words = ["feat!:", " ", "(bc)"].map(str::to_owned);
        let found = findings(&[note("feat!: new\nx (BC) y\n")], &words);
        let quotes: Vec<&str> = found.iter().map(|finding| finding.quote.as_str()).collect();
        assert_eq!(quotes, ["feat!: new", "x (BC) y"]);
    }

    #[test]
    fn advisories_are_listed_once_in_their_order() {
        let notes = [
            note("Fixes GHSA-ABCD-1234-wxyz, CVE-2026-12345 and cve-2026-0001."),
            note("See CVE-2026-12345, CVE-26-1, XCVE-2026-0002, GHSA-abcd-1234."),
        ];
        assert_eq!(
            advisories(&notes),
            ["GHSA-abcd-1234-wxyz", "CVE-2026-12345", "CVE-2026-0001"]
        );
    }

    #[test]
    fn any_number_of_advisories_is_listed_in_little_time() {
        let many: String = (0..200_000)
            .map(|n| format!("CVE-2026-{} ", 10_000 + n))
            .collect();
        assert_eq!(advisories(&[note(&many)]).len(), 200_000);
    }

    proptest! {
        #[test]
        fn quotes_are_bounded_single_lines(body in "(removed|[ \n\r\u{7}äx.]){0,400}") {
            for finding in findings(&[note(&body)], &default_words()) {
                prop_assert!(finding.quote.chars().count() <= MAX_QUOTE);
                prop_assert!(!finding.quote.contains(char::is_control));
                prop_assert!(finding.quote.to_lowercase().contains("removed"));
            }
        }
    }
}
