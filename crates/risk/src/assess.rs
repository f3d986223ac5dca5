//! The judgement: SAFE, CAUTION or UNKNOWN, and why.

use std::fmt;

use version::Jump;

use crate::scan::{self, Finding};

/// The notes of one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The release's version or tag.
    pub version: String,
    /// Its title, which often repeats the version.
    pub title: Option<String>,
    /// Its text, usually Markdown.
    pub body: String,
    /// Where people can read it.
    pub url: String,
}

/// How much care an upgrade needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// A small jump whose notes announce nothing.
    Safe,
    /// A large jump, announced breakage, or a service that is always stepped.
    Caution,
    /// Nothing is written about this upgrade.
    Unknown,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Safe => "SAFE",
            Self::Caution => "CAUTION",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// A level with its reasons and its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// How much care is needed.
    pub level: Level,
    /// Why, in words for people; never empty.
    pub reasons: Vec<String>,
    /// Where the notes announce breakage, in the order of the notes.
    pub findings: Vec<Finding>,
    /// The advisories that the notes name, in the order of the notes, each once.
    pub security: Vec<String>,
}

/// What is known about an upgrade.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// How far it goes; `None` if the versions do not tell.
    pub jump: Option<Jump>,
    /// Is the service always taken through every version?
    pub always_step: bool,
    /// The notes of the releases on the way, oldest first; `None` or empty if none exist.
    pub notes: Option<&'a [Note]>,
    /// The words that announce breakage.
    pub words: &'a [String],
}

/// The words that announce breakage, unless the configuration names others.
#[must_use]
pub fn default_words() -> Vec<String> {
    [
        "breaking",
        "BREAKING",
        "migration required",
        "schema change",
        "database migration",
        "manual intervention",
        "action required",
        "removed",
        "deprecated",
        "renamed",
        "incompatible",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Judges an upgrade: reasons for caution first, then missing notes, else it is safe.
#[must_use]
pub fn assess(input: &Input<'_>) -> Assessment {
    let notes = input.notes.unwrap_or_default();
    let findings = scan::findings(notes, input.words);
    let mut reasons = Vec::new();
    if input.jump == Some(Jump::Major) {
        reasons.push("the major version changes".to_owned());
    }
    if input.always_step {
        reasons.push("this service is always taken through every version".to_owned());
    }
    reasons.extend(word_reasons(&findings));
    let level = if !reasons.is_empty() {
        Level::Caution
    } else if !notes.iter().any(says_something) {
        reasons.push(match notes.len() {
            0 => "no release notes exist for the versions in between".to_owned(),
            1 => "the release in between has empty notes".to_owned(),
            count => format!("the {count} releases in between have empty notes"),
        });
        Level::Unknown
    } else {
        let jump = input
            .jump
            .map(|jump| format!("{jump} update; "))
            .unwrap_or_default();
        let releases = match notes.len() {
            1 => "1 release".to_owned(),
            count => format!("{count} releases"),
        };
        reasons.push(format!(
            "{jump}the notes of {releases} announce no breakage"
        ));
        Level::Safe
    };
    Assessment {
        level,
        reasons,
        findings,
        security: scan::advisories(notes),
    }
}

/// One reason a word, with the versions that say it.
fn word_reasons(findings: &[Finding]) -> Vec<String> {
    let mut by_word: Vec<(&str, Vec<&str>)> = Vec::new();
    for finding in findings {
        let index = by_word.iter().position(|(word, _)| *word == finding.word);
        let index = index.unwrap_or_else(|| {
            by_word.push((&finding.word, Vec::new()));
            by_word.len() - 1
        });
        if let Some((_, versions)) = by_word.get_mut(index)
            && !versions.contains(&finding.version.as_str())
        {
            versions.push(&finding.version);
        }
    }
    let told = by_word.into_iter().map(|(word, versions)| {
        let shown = versions
            .iter()
            .take(3)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        match versions.len().saturating_sub(3) {
            0 => format!("the notes of {shown} say \"{word}\""),
            more => format!("the notes of {shown} and {more} more say \"{word}\""),
        }
    });
    told.collect()
}

/// An empty body under a title that only repeats the version is no changelog.
fn says_something(note: &Note) -> bool {
    let title = note.title.as_deref().map_or("", str::trim);
    !note.body.trim().is_empty()
        || !(title.is_empty() || version::same_version(title, &note.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(version: &str, body: &str) -> Note {
        Note {
            version: version.to_owned(),
            title: None,
            body: body.to_owned(),
            url: format!("https://example.org/{version}"),
        }
    }

    fn check(jump: Option<Jump>, always_step: bool, notes: Option<&[Note]>) -> Assessment {
        assess(&Input {
            jump,
            always_step,
            notes,
            words: &default_words(),
        })
    }

    #[test]
    fn caution_wins_over_unknown_and_unknown_over_safe() {
        let quiet = [note("1.1.0", "Fixes a typo.")];
        let loud = [note("1.1.0", "The old API was Removed.")];
        let blank = [note("1.1.0", " \n")];
        for (jump, always, notes, level) in [
            (Some(Jump::Patch), false, Some(&quiet[..]), Level::Safe),
            (Some(Jump::Minor), false, Some(&quiet[..]), Level::Safe),
            (Some(Jump::Major), false, Some(&quiet[..]), Level::Caution),
            (Some(Jump::Patch), true, Some(&quiet[..]), Level::Caution),
            (Some(Jump::Patch), false, Some(&loud[..]), Level::Caution),
            (Some(Jump::Patch), false, None, Level::Unknown),
            (Some(Jump::Patch), false, Some(&[]), Level::Unknown),
            (Some(Jump::Patch), false, Some(&blank[..]), Level::Unknown),
            (Some(Jump::Major), false, None, Level::Caution),
            (Some(Jump::Patch), true, None, Level::Caution),
            (None, false, Some(&quiet[..]), Level::Safe),
            (None, false, None, Level::Unknown),
        ] {
            let found = check(jump, always, notes);
            assert_eq!(found.level, level, "{jump:?} {always} {notes:?}");
            assert!(!found.reasons.is_empty());
        }
    }

    #[test]
    fn reasons_name_the_word_and_its_versions() {
        let notes: Vec<Note> = ["1.1", "1.2", "1.3", "1.4"]
            .map(|version| note(version, "Breaking: x"))
            .to_vec();
        assert_eq!(
            check(Some(Jump::Major), false, Some(&notes)).reasons,
            [
                "the major version changes",
                "the notes of 1.1, 1.2, 1.3 and 1 more say \"breaking\""
            ]
        );
    }

    #[test]
    fn a_title_alone_can_be_a_changelog() {
        let mut titled = note("v1.1.0", "");
        titled.title = Some("1.1.0".to_owned());
        assert_eq!(
            check(None, false, Some(&[titled.clone()])).level,
            Level::Unknown
        );
        titled.title = Some("Fix the clock".to_owned());
        assert_eq!(
            check(None, false, Some(&[titled.clone()])).level,
            Level::Safe
        );
        titled.title = Some("Breaking release".to_owned());
        assert_eq!(check(None, false, Some(&[titled])).level, Level::Caution);
    }

    #[test]
    fn levels_are_written_in_capitals() {
        let written = [Level::Safe, Level::Caution, Level::Unknown].map(|level| level.to_string());
        assert_eq!(written, ["SAFE", "CAUTION", "UNKNOWN"]);
    }
}
