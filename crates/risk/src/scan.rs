//! Finding words and advisories in release notes.

use std::borrow::Cow;
use std::collections::HashSet;

use regex::{Regex, RegexBuilder};

use crate::advisory;
use crate::assess::Note;
use crate::defuse::is_invisible;
use crate::lines::begins;

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

/// Where a word stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The note's place among all.
    pub(crate) note: usize,
    pub(crate) title: bool,
    /// The byte of the visible text.
    pub(crate) at: usize,
}

/// Every word of the list in every note, titles included, each with its place.
pub(crate) fn findings(notes: &[Note], words: &[String]) -> Vec<(Finding, Place)> {
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
    for (nth, note) in notes.iter().enumerate() {
        let title = note.title.iter().map(|title| (true, visible(title)));
        let texts: Vec<(bool, Cow<'_, str>)> =
            title.chain([(false, visible(&note.body))]).collect();
        for (word, pattern) in &patterns {
            let mut quotes: HashSet<String> = HashSet::new();
            let all = texts.iter().flat_map(|(title, text)| {
                matches(pattern, text).map(|(at, quote)| (*title, at, quote))
            });
            let new = all.filter(|(_, _, quote)| quotes.insert(quote.clone()));
            found.extend(new.take(MAX_PER_RELEASE).map(|(title, at, quote)| {
                let finding = Finding {
                    word: (*word).to_owned(),
                    version: note.version.clone(),
                    quote,
                    url: note.url.clone(),
                };
                (
                    finding,
                    Place {
                        note: nth,
                        title,
                        at,
                    },
                )
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
    let hidden = text.contains(is_invisible);
    // Nor does anybody see how a line ends.
    if !hidden && !text.contains("\r\n") {
        return Cow::Borrowed(text);
    }
    let lines = text.replace("\r\n", "\n");
    Cow::Owned(lines.chars().filter(|c| !is_invisible(*c)).collect())
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

/// The place of the first match in each line, and its quote, the match standing as whole words.
fn matches<'a>(pattern: &'a Regex, text: &'a str) -> impl Iterator<Item = (usize, String)> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let found = pattern.find_at(text, at)?;
            at = found.end();
            let (before, rest) = text.split_at_checked(found.start())?;
            let after = rest.strip_prefix(found.as_str())?;
            if is_whole(before, found.as_str(), after) {
                at += after.find(ENDS).unwrap_or(after.len());
                return Some((found.start(), quote(before, found.as_str(), after)));
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

/// A line of so many characters may go on in the next one.
const WRAPPED: usize = 50;
/// So many lines are put together on either side.
const MAX_LINES: usize = 3;

/// What stands before a match in its line, and in the lines that go on in it.
fn lead(head: &str) -> String {
    let mut lines = head.rsplit(ENDS);
    let mut lead = lines.next().unwrap_or_default().to_owned();
    for before in lines.take(MAX_LINES) {
        if is_new(&lead) || !goes_on(before) || is_quotation(before) != is_quotation(&lead) {
            break;
        }
        lead = format!("{before} {}", lead.trim_start());
    }
    lead
}

/// What stands behind a match in its line, and in the lines in which it goes on.
fn rest(line: &str, tail: &str) -> String {
    let mut lines = tail.split(ENDS);
    let mut rest = lines.next().unwrap_or_default().to_owned();
    let mut last = format!("{line}{rest}");
    for after in lines.take(MAX_LINES) {
        let ends = after.trim().is_empty() || is_new(after);
        if ends || !goes_on(&last) || is_quotation(after) != is_quotation(&last) {
            break;
        }
        rest = format!("{rest} {}", after.trim_start());
        after.clone_into(&mut last);
    }
    rest
}

/// Whether a line is long enough to be wrapped, and no heading.
fn goes_on(line: &str) -> bool {
    line.chars().count() >= WRAPPED && !line.starts_with('#')
}

/// Whether a line begins something, so that the one before has ended.
fn is_new(line: &str) -> bool {
    let bare = line.trim_start();
    begins(bare) || bare.starts_with(['#', '=', '~']) || bare.starts_with("--")
}

/// So many bytes around a match are looked at.
const AROUND: usize = 4_000;

fn last(text: &str) -> &str {
    let at = text.ceil_char_boundary(text.len().saturating_sub(AROUND));
    text.get(at..).unwrap_or_default()
}

fn first(text: &str) -> &str {
    text.get(..text.floor_char_boundary(AROUND))
        .unwrap_or_default()
}

fn is_quotation(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// The line or lines of a match, on one line, cut around the match where too long.
fn quote(head: &str, matched: &str, tail: &str) -> String {
    let head = lead(last(head));
    let tail = rest(&format!("{head}{matched}"), first(tail));
    let head = one_line(&head).trim_start().to_owned();
    let tail = one_line(&tail).trim_end().to_owned();
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
        found_in(&[note(body)], &default_words())
            .into_iter()
            .map(|finding| finding.word)
            .collect()
    }

    fn found_in(notes: &[Note], words: &[String]) -> Vec<Finding> {
        let found = findings(notes, words).into_iter();
        found.map(|(finding, _)| finding).collect()
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
        let found = found_in(
            &[note("- removed a\n- removed b, removed c\n")],
            &default_words(),
        );
        let quotes: Vec<&str> = found.iter().map(|finding| finding.quote.as_str()).collect();
        assert_eq!(quotes, ["- removed a", "- removed b, removed c"]);
        let many: String = (0..50).map(|line| format!("removed {line}\n")).collect();
        assert_eq!(
            found_in(&[note(&many)], &default_words()).len(),
            MAX_PER_RELEASE
        );
        assert_eq!(
            found_in(&[note("removed\nremoved x")], &default_words()).len(),
            2
        );
        let found = found_in(
            &[note("a\r> needs a database\r> **migration** b\rc")],
            &default_words(),
        );
        let quotes: Vec<&str> = found.iter().map(|finding| finding.quote.as_str()).collect();
        assert_eq!(quotes, ["> needs a database > **migration** b"]);
    }

    #[test]
    fn a_line_that_was_wrapped_is_quoted_with_what_goes_on() {
        for (body, expected) in [
            (
                "Not this, which is a paragraph of its own as long as the next.\r\n\r\n\
                 Parts of the application that nobody has used for years were\r\nremoved.\r\n\r\nx",
                "Parts of the application that nobody has used for years were removed.",
            ),
            (
                "-   Deprecated parts of the application that nobody has used are now\n    removed.",
                "- Deprecated parts of the application that nobody has used are now removed.",
            ),
            (
                "- The parts of the application that nobody used were removed, and\n  so were two\n- x",
                "- The parts of the application that nobody used were removed, and so were two",
            ),
            ("Added a\nRemoved b\nFixed c", "Removed b"),
            (
                "## A heading that is as long as any other line of this text\nremoved",
                "removed",
            ),
            (
                "An underlined heading as long as any other, about removed\n========\nx",
                "An underlined heading as long as any other, about removed",
            ),
        ] {
            let found = found_in(&[note(body)], &default_words());
            let quotes: Vec<&str> = found.iter().map(|finding| finding.quote.as_str()).collect();
            assert!(quotes.contains(&expected), "{quotes:?}");
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_word() {
        let body = format!("{} removed {}", "ä".repeat(500), "ö".repeat(500));
        let found = found_in(&[note(&body)], &default_words());
        let quote = &found[0].quote;
        assert_eq!(quote.chars().count(), MAX_QUOTE);
        assert!(quote.contains(" removed ö"), "{quote}");
        assert!(quote.starts_with("…ä") && quote.ends_with("ö…"), "{quote}");
    }

    #[test]
    fn configured_words_may_hold_any_character_and_blank_ones_are_ignored() {
        let words = ["feat!:", " ", "(bc)"].map(str::to_owned);
        let found = found_in(&[note("feat!: new\nx (BC) y\n")], &words);
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
            for finding in found_in(&[note(&body)], &default_words()) {
                prop_assert!(finding.quote.chars().count() <= MAX_QUOTE);
                prop_assert!(!finding.quote.contains(char::is_control));
                prop_assert!(finding.quote.to_lowercase().contains("removed"));
            }
        }
    }
}
