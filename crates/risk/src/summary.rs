//! The changelog in short, for commit messages and announcements.

use crate::assess::{Assessment, Evidence, Note, Rule};
use crate::defuse::{defuse, defuse_url};
use crate::scan::{bounded, one_line};
use crate::weigh::highlight;

/// How many characters of a release's title are shown.
const MAX_TITLE: usize = 100;

/// Longer links are left out: one of them must not take the room of all others.
const MAX_LINK: usize = 300;

/// Sums up the notes: how many releases, advisories, announced breakage, then a line a release.
///
/// The text is defused and never longer than `max_bytes`; what does not fit is counted. Each part
/// leaves room for those behind it, so that a release's link is there however much is announced.
#[must_use]
pub fn summary(notes: &[Note], assessment: &Assessment, max_bytes: usize) -> String {
    let count = match notes.len() {
        0 => "No release notes exist for this upgrade.".to_owned(),
        1 => "1 release:".to_owned(),
        count => format!("{count} releases:"),
    };
    let breaking = Section {
        heading: "Announced breakage:",
        lines: announced(assessment),
        things: "places",
    };
    let releases = Section {
        heading: "Notes:",
        lines: notes.iter().map(release).collect(),
        things: "releases",
    };
    let behind = |section: &Section| section.bytes().min(max_bytes / 3);
    let kept = behind(&releases);
    let mut text = Bounded {
        text: String::new(),
        max_bytes,
    };
    text.line(&count);
    text.max_bytes = max_bytes - kept - behind(&breaking);
    text.enumeration("Security: ", &assessment.security);
    text.max_bytes = max_bytes - kept;
    text.section(&breaking);
    text.max_bytes = max_bytes;
    text.section(&releases);
    text.text
}

/// What announces breakage by the rule that was asked for, a line each.
fn announced(assessment: &Assessment) -> Vec<String> {
    let place = |one: Evidence<'_>| {
        let what = match assessment.rule {
            Rule::Plain => format!("\"{}\"", one.what),
            Rule::Weighed => one.what.to_owned(),
        };
        let [version, what, quote] = [one.version, &what, one.quote].map(one_line);
        defuse(&format!("- {version} {what}: {}", quote.trim()))
    };
    assessment.evidence().map(place).collect()
}

fn release(note: &Note) -> String {
    let version = one_line(&note.version);
    let title = one_line(note.title.as_deref().unwrap_or_default());
    let plain = title.trim().is_empty() || version::same_version(title.trim(), &version);
    // A title that says nothing gives way to what the notes say first.
    let title = if plain {
        highlight(&note.body).unwrap_or_default()
    } else {
        title
    };
    let title = title.trim();
    let told = if title.is_empty() || version::same_version(title, &version) {
        defuse(&format!("- {version}"))
    } else {
        defuse(&format!("- {version}: {}", bounded(title, MAX_TITLE)))
    };
    match defuse_url(&note.url) {
        url if url.is_empty() || url.len() > MAX_LINK => told,
        url => format!("{told} {url}"),
    }
}

/// A heading with lines below it.
struct Section {
    heading: &'static str,
    lines: Vec<String>,
    /// What a line tells of.
    things: &'static str,
}

impl Section {
    /// How long it is in full.
    fn bytes(&self) -> usize {
        let lines: usize = self.lines.iter().map(|line| line.len() + 1).sum();
        if lines == 0 {
            0
        } else {
            self.heading.len() + 1 + lines
        }
    }
}

/// A text that never outgrows its limit; whole lines only.
struct Bounded {
    text: String,
    max_bytes: usize,
}

impl Bounded {
    fn fits(&self, bytes: usize) -> bool {
        self.text.len() + bytes <= self.max_bytes
    }

    fn line(&mut self, line: &str) -> bool {
        let fits = self.fits(line.len() + 1);
        if fits {
            self.text.push_str(line);
            self.text.push('\n');
        }
        fits
    }

    /// As many of the items as fit on one line, and a count of the others.
    fn enumeration(&mut self, heading: &str, items: &[String]) {
        let mut line = heading.to_owned();
        for (index, item) in items.iter().enumerate() {
            let left = items.len() - index;
            let joint = if index == 0 { "" } else { ", " };
            let rest = format!("{joint}… and {left} more");
            let reserve = if left == 1 { 0 } else { rest.len() };
            if !self.fits(line.len() + joint.len() + item.len() + reserve + 1) {
                line.push_str(&rest);
                break;
            }
            line.push_str(joint);
            line.push_str(item);
        }
        if !items.is_empty() {
            self.line(&line);
        }
    }

    /// A heading with as many of the lines as fit, and a count of the others.
    fn section(&mut self, section: &Section) {
        if section.lines.is_empty() || !self.line(section.heading) {
            return;
        }
        let rest = |left: usize| format!("- … and {left} more {}", section.things);
        let count = section.lines.len();
        for (index, line) in section.lines.iter().enumerate() {
            let left = count - index;
            // Room for the closing line stays free until the last line.
            let reserve = if left == 1 { 0 } else { rest(left).len() + 1 };
            if !self.fits(line.len() + 1 + reserve) {
                self.line(&rest(left));
                return;
            }
            self.line(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Input, assess, default_words};

    fn note(version: &str, title: Option<&str>, body: &str) -> Note {
        Note {
            version: version.to_owned(),
            title: title.map(str::to_owned),
            body: body.to_owned(),
            url: format!("https://example.org/{version}"),
        }
    }

    fn told(notes: &[Note], max_bytes: usize) -> String {
        let words = default_words();
        let input = Input {
            jump: None,
            always_step: false,
            notes: Some(notes),
            words: &words,
            rule: Rule::Plain,
        };
        summary(notes, &assess(&input), max_bytes)
    }

    #[test]
    fn security_comes_before_breakage_and_breakage_before_the_list() {
        let notes = [
            note(
                "v4.7.0",
                Some("v4.7.0"),
                "Removed old flags [ci skip]\nFixes CVE-2026-1234.",
            ),
            note("4.8.0", Some("Faster, thanks @bob"), "x"),
        ];
        assert_eq!(
            told(&notes, 4096),
            "2 releases:\n\
             Security: CVE-2026-1234\n\
             Announced breakage:\n\
             - v4.7.0 \"removed\": Removed old flags (ci skip)\n\
             Notes:\n\
             - v4.7.0 https://example.org/v4.7.0\n\
             - 4.8.0: Faster, thanks bob https://example.org/4.8.0\n"
        );
    }

    #[test]
    fn a_title_that_says_nothing_gives_way_to_the_first_item_for_users() {
        let body = "## What's changed\n* chore: bump things\n* Bump x from 1 to 2 by @dependabot\n\
                    * feat: albums can be shared by @bob in https://example.org/1\n";
        assert_eq!(
            told(&[note("v1.1.0", Some("v1.1.0"), body)], 4096),
            "1 release:\nNotes:\n\
             - v1.1.0: feat: albums can be shared by bob in https://example.org/v1.1.0\n"
        );
    }

    #[test]
    fn absent_notes_are_said_to_be_absent() {
        assert_eq!(
            told(&[], 4096),
            "No release notes exist for this upgrade.\n"
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let notes: Vec<Note> = (0..40)
            .map(|minor| note(&format!("1.{minor}.0"), None, "x"))
            .collect();
        let text = told(&notes, 300);
        assert!(text.len() <= 300, "{text}");
        let listed = text.lines().filter(|line| line.starts_with("- 1.")).count();
        assert!(
            text.ends_with(&format!("- … and {} more releases\n", 40 - listed)),
            "{text}"
        );
    }

    #[test]
    fn many_advisories_are_named_as_far_as_there_is_room() {
        let many: String = (0..250)
            .map(|n| format!("CVE-2026-{} ", 10_000 + n))
            .collect();
        let text = told(&[note("1.1.0", None, &many)], 2000);
        let line = text.lines().find(|line| line.starts_with("Security: "));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        let named = line.matches("CVE-").count();
        assert!(named > 50, "{text}");
        assert!(
            line.ends_with(&format!(", … and {} more", 250 - named)),
            "{text}"
        );
        assert!(
            text.ends_with("Notes:\n- 1.1.0 https://example.org/1.1.0\n"),
            "{text}"
        );
    }

    #[test]
    fn breakage_leaves_room_for_the_releases_and_their_links() {
        let body = "- removed the first of many things that were in the way\n- removed more\n";
        let notes: Vec<Note> = (0..40)
            .map(|minor| note(&format!("1.{minor}.0"), None, body))
            .collect();
        let text = told(&notes, 1200);
        assert!(text.len() <= 1200, "{text}");
        assert!(text.contains("more places\nNotes:\n- 1.0.0"), "{text}");
        assert!(text.contains(" https://example.org/1.0.0\n"), "{text}");
        assert!(text.ends_with(" more releases\n"), "{text}");
    }

    #[test]
    fn a_link_without_end_is_left_out_and_the_others_stay() {
        let mut long = note("1.1.0", None, "x");
        long.url = format!("https://example.org/{}", "x".repeat(5000));
        let text = told(&[long, note("1.2.0", None, "x")], 1000);
        assert_eq!(
            text,
            "2 releases:\nNotes:\n- 1.1.0\n- 1.2.0 https://example.org/1.2.0\n"
        );
    }

    proptest! {
        #[test]
        fn summaries_are_bounded_and_harmless(
            bodies in prop::collection::vec("(\\[ci|skip\\]|\\[skip|ci\\]| |\n|removed|@a|\\PC){0,20}", 0..8),
            max_bytes in 0_usize..1500,
        ) {
            let notes: Vec<Note> =
                bodies.iter().map(|body| note(body, Some(body), body)).collect();
            let text = told(&notes, max_bytes);
            prop_assert!(text.len() <= max_bytes);
            let skip = regex::Regex::new(r"(?i)\[(ci *skip|skip *ci)\]").unwrap();
            prop_assert!(!skip.is_match(&text), "{}", text);
        }
    }
}
