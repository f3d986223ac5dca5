//! Notes that say nothing: links, dates, headings without anything under them.

use crate::assess::Note;
use crate::sections;

/// Words that lead elsewhere, or stand around a date.
const LEADING: [&str; 58] = [
    "a",
    "all",
    "and",
    "announcement",
    "are",
    "at",
    "be",
    "blog",
    "can",
    "change",
    "changelog",
    "changes",
    "commit",
    "commits",
    "compare",
    "complete",
    "date",
    "detail",
    "details",
    "diff",
    "download",
    "downloads",
    "for",
    "found",
    "from",
    "full",
    "github",
    "here",
    "http",
    "https",
    "in",
    "info",
    "information",
    "is",
    "list",
    "log",
    "more",
    "not",
    "note",
    "notes",
    "of",
    "on",
    "our",
    "page",
    "please",
    "post",
    "read",
    "release",
    "released",
    "releases",
    "see",
    "the",
    "this",
    "to",
    "todo",
    "unreleased",
    "version",
    "view",
];
/// Words of headings that most projects have.
const USUAL: [&str; 36] = [
    "added",
    "additions",
    "and",
    "breaking",
    "bug",
    "bugfixes",
    "bugs",
    "changed",
    "changes",
    "closed",
    "dependencies",
    "deprecated",
    "deprecations",
    "enhancements",
    "features",
    "fixed",
    "fixes",
    "highlights",
    "implemented",
    "improved",
    "improvements",
    "issues",
    "merged",
    "minor",
    "misc",
    "new",
    "other",
    "performance",
    "pull",
    "removals",
    "removed",
    "requests",
    "security",
    "updated",
    "updates",
    "what's",
];
/// Words that stand for what is still missing.
const MISSING: [&str; 4] = ["tba", "tbd", "yet", "none"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Whether a release's notes, or its title, say anything about it.
pub(crate) fn says_something(note: &Note) -> bool {
    let title = note.title.as_deref().map_or("", str::trim);
    note.body.lines().any(|line| !is_silent(line))
        || !(title.is_empty()
            || version::same_version(title, &note.version)
            || sections::is_name_alone(title))
}

/// Whether a line only leads elsewhere, tells a date, or is a heading that most releases have.
fn is_silent(line: &str) -> bool {
    let line = line.trim();
    if line.starts_with("include::") {
        return true;
    }
    let heading = line.starts_with('#') || (line.starts_with("**") && line.ends_with("**"));
    let text = sections::without_addresses(line).to_lowercase();
    let words = text.split_whitespace().filter(|word| !word.contains("://"));
    words
        .flat_map(|word| word.split(|c: char| !(c.is_alphanumeric() || c == '\'')))
        // Numbers are of versions and dates.
        .filter(|word| {
            word.trim_start_matches('v')
                .starts_with(char::is_alphabetic)
        })
        .all(|word| {
            LEADING.contains(&word)
                || MISSING.contains(&word)
                || is_month(word)
                || (heading && USUAL.contains(&word))
        })
}

/// Whole, or by its first three letters.
fn is_month(word: &str) -> bool {
    MONTHS
        .iter()
        .any(|month| *month == word || month.get(..3) == Some(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(title: Option<&str>, body: &str) -> bool {
        says_something(&Note {
            version: "1.1.0".to_owned(),
            title: title.map(str::to_owned),
            body: body.to_owned(),
            url: String::new(),
        })
    }

    #[test]
    fn links_dates_and_empty_headings_say_nothing() {
        for body in [
            "",
            " \n---\n",
            "Release date: 2021-07-29\n\n[Release Notes](11-3-4/)\n",
            "See the [release notes](https://example.org/1.1.0) for details.",
            "https://example.org/a/b/releases/tag/v1.1.0",
            "[Full Changelog](https://example.org/compare/1...2)",
            "Changes: [v1.0.0...v1.1.0](https://example.org/compare/1...2) <https://example.org>",
            "**Full Changelog**: https://example.org/compare/1...2",
            "### Added\n\n### Changed\n\n### Breaking changes\n",
            "**Implemented enhancements:**\n\n**Fixed bugs:**\n",
            "TODO",
            "Unreleased",
            "include::changes-1_1.adoc[leveloffset=2]",
            "January 31st, 2026",
        ] {
            assert!(!says(Some("v1.1.0 (2026-01-31)"), body), "{body}");
        }
    }

    #[test]
    fn everything_else_does() {
        for body in [
            "- Fix",
            "Fixed the login.",
            "### Added\n- Boards",
            "## The login is fixed",
            "- [The login is fixed](https://example.org/1)",
            "https://example.org/1 the login is fixed",
            "See the [upgrade guide](https://example.org/up) before you upgrade.",
            "修复",
            "Separate decoders",
        ] {
            assert!(says(None, body), "{body}");
        }
        assert!(says(Some("1.1.0: the clock is right again"), ""));
    }
}
