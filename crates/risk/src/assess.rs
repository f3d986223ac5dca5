//! The judgement: SAFE, CAUTION or UNKNOWN, and why.

use std::collections::{HashMap, HashSet};
use std::fmt;

use version::Jump;

use crate::scan::{self, Finding, Place};
use crate::silent::says_something;
use crate::weigh::{self, Announced, Kind, Span};

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

/// How release notes are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Any listed word, anywhere in the notes.
    #[default]
    Plain,
    /// What a line speaks about counts as well, see [`crate::weigh()`].
    Weighed,
}

/// A level with its reasons and its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// How much care is needed, by the rule that was asked for.
    pub level: Level,
    /// The rule that was asked for.
    pub rule: Rule,
    /// The level by the plain rule.
    pub plain: Level,
    /// The level by the weighed rule.
    pub weighed: Level,
    /// Why, in words for people; never empty.
    pub reasons: Vec<String>,
    /// Where the notes say a listed word, in the order of the notes.
    pub findings: Vec<Finding>,
    /// The lines that announce something, with their weight, in the order of the notes; then those
    /// that do not, although they have a listed word.
    pub announced: Vec<Announced>,
    /// The advisories that the notes name, in the order of the notes, each once.
    pub security: Vec<String>,
}

/// A place in the notes that raised the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence<'a> {
    /// The release whose notes say it.
    pub version: &'a str,
    /// The listed word, or what the line announces.
    pub what: &'a str,
    /// The line, bounded; text of strangers.
    pub quote: &'a str,
    /// Where people can read it.
    pub url: &'a str,
}

impl Assessment {
    /// What raised the level by the rule that was asked for, in the order of the notes.
    pub fn evidence(&self) -> impl Iterator<Item = Evidence<'_>> {
        let (findings, announced) = match self.rule {
            Rule::Plain => (self.findings.as_slice(), [].as_slice()),
            Rule::Weighed => ([].as_slice(), self.announced.as_slice()),
        };
        let findings = findings.iter().map(|one| Evidence {
            version: &one.version,
            what: &one.word,
            quote: &one.quote,
            url: &one.url,
        });
        let announced = announced.iter().filter(|line| line.lowered.is_none());
        findings.chain(announced.map(|line| Evidence {
            version: &line.version,
            what: line.kind.as_str(),
            quote: &line.quote,
            url: &line.url,
        }))
    }
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
    /// Which rule decides.
    pub rule: Rule,
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
    let found = scan::findings(notes, input.words);
    let lines = weigh::located(notes);
    let judged = weighed(&found, &lines);
    let (unheard, lowerings) = (unheard(&judged), lowerings(&judged));
    let findings: Vec<Finding> = found.into_iter().map(|(finding, _)| finding).collect();
    let mut announced: Vec<Announced> = lines.into_iter().map(|(line, _)| line).collect();
    announced.extend(unheard);
    let mut reasons = Vec::new();
    if input.jump == Some(Jump::Major) {
        reasons.push("the major version changes".to_owned());
    }
    if input.always_step {
        reasons.push("this service is always taken through every version".to_owned());
    }
    let careful = !reasons.is_empty();
    let silent = !notes.iter().any(says_something);
    let level = |found: bool| match () {
        () if careful || found => Level::Caution,
        () if silent => Level::Unknown,
        () => Level::Safe,
    };
    let counting = announced.iter().filter(|line| line.lowered.is_none());
    let plain = level(!findings.is_empty());
    let weighed = level(counting.clone().next().is_some());
    let decided = match input.rule {
        Rule::Plain => {
            let said = findings
                .iter()
                .map(|one| (one.word.as_str(), one.version.as_str()));
            let said = by_word(said).into_iter();
            reasons.extend(said.map(|(word, versions)| {
                format!("the notes of {} say \"{word}\"", listed(&versions))
            }));
            plain
        }
        Rule::Weighed => {
            let said = counting.map(|line| (line.kind.as_str(), line.version.as_str()));
            let said = by_word(said).into_iter();
            reasons.extend(said.map(|(kind, versions)| {
                format!("the notes of {} announce: {kind}", listed(&versions))
            }));
            reasons.extend(lowerings);
            weighed
        }
    };
    match decided {
        Level::Caution => {}
        Level::Unknown => reasons.insert(0, nothing_said(notes.len())),
        Level::Safe => reasons.insert(0, quiet(input.jump, notes.len(), weighed != Level::Safe)),
    }
    Assessment {
        level: decided,
        rule: input.rule,
        plain,
        weighed,
        reasons,
        findings,
        announced,
        security: scan::advisories(notes),
    }
}

fn nothing_said(count: usize) -> String {
    match count {
        0 => "no release notes exist for the versions in between".to_owned(),
        1 => "the release in between has notes that say nothing".to_owned(),
        count => format!("the {count} releases in between have notes that say nothing"),
    }
}

/// `doubted`: the other rule sees something.
fn quiet(jump: Option<Jump>, count: usize, doubted: bool) -> String {
    let jump = jump
        .map(|jump| format!("{jump} update; "))
        .unwrap_or_default();
    let releases = match count {
        1 => "1 release".to_owned(),
        count => format!("{count} releases"),
    };
    let said = if doubted {
        "have none of the listed words"
    } else {
        "announce no breakage"
    };
    format!("{jump}the notes of {releases} {said}")
}

/// So many lowerings are told one by one.
const MAX_LOWERINGS: usize = 5;

/// Each line with a listed word once, and what the weighed rule makes of it: none if it sees nothing
/// there, and that it counts if it counts anything of it.
fn weighed<'a>(
    found: &'a [(Finding, Place)],
    announced: &'a [(Announced, Span)],
) -> Vec<(&'a Finding, Option<&'a Announced>)> {
    let mut seen: HashSet<(usize, &str)> = HashSet::new();
    let mut of_note: HashMap<(usize, bool), Vec<&(Announced, Span)>> = HashMap::new();
    for line in announced {
        let (note, title) = (line.1.note, line.1.title);
        of_note.entry((note, title)).or_default().push(line);
    }
    let mut told = Vec::new();
    for (finding, place) in found {
        if !seen.insert((place.note, &finding.quote)) {
            continue;
        }
        let same = of_note.get(&(place.note, place.title));
        let here = same.into_iter().flatten();
        let here = here.filter(|(_, span)| span.bytes.contains(&place.at));
        let line = here.min_by_key(|(line, _)| line.lowered.is_some());
        told.push((finding, line.map(|(line, _)| line)));
    }
    told
}

/// The lines with a listed word that announce nothing.
fn unheard(lines: &[(&Finding, Option<&Announced>)]) -> Vec<Announced> {
    let alone = lines.iter().filter(|(_, line)| line.is_none());
    let unheard = alone.map(|(finding, _)| Announced {
        kind: Kind::Listed,
        version: finding.version.clone(),
        quote: finding.quote.trim().to_owned(),
        url: finding.url.clone(),
        lowered: Some(UNHEARD),
    });
    unheard.collect()
}

const UNHEARD: &str = "it announces nothing that those who run the service have to know";

/// The lines with a listed word that the weighed rule takes for harmless, each with the reason.
fn lowerings(lines: &[(&Finding, Option<&Announced>)]) -> Vec<String> {
    let harmless = lines.iter().filter_map(|(finding, line)| {
        let why = line.map_or(Some(UNHEARD), |line| line.lowered)?;
        Some((finding, why))
    });
    let mut told: Vec<String> = harmless
        .map(|(finding, why)| {
            let short: String = finding.quote.trim().chars().take(80).collect();
            format!(
                "taken for harmless, because {why}: {} {short:?}",
                finding.version
            )
        })
        .collect();
    if let Some(more) = told
        .len()
        .checked_sub(MAX_LOWERINGS)
        .filter(|more| *more > 0)
    {
        told.truncate(MAX_LOWERINGS);
        told.push(format!(
            "and {more} more lines with listed words are taken for harmless"
        ));
    }
    told
}

/// Up to three versions, and how many more.
fn listed(versions: &[&str]) -> String {
    let shown = versions
        .iter()
        .take(3)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match versions.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Each word once, with the versions that say it; what one version says comes together.
fn by_word<'a>(said: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut words: Vec<(&str, Vec<&str>)> = Vec::new();
    for (word, version) in said {
        let known = words.iter_mut().find(|(known, _)| *known == word);
        match known {
            Some((_, versions)) if versions.last() == Some(&version) => {}
            Some((_, versions)) => versions.push(version),
            None => words.push((word, vec![version])),
        }
    }
    words
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
            rule: Rule::Plain,
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
    fn a_listed_word_that_announces_nothing_is_told_with_the_reason_whichever_rule_decides() {
        let notes = [note(
            "1.1",
            "- Removed the old thing\n- Removed the `--old` flag",
        )];
        let found = check(Some(Jump::Patch), false, Some(&notes));
        let told: Vec<_> = found
            .announced
            .iter()
            .map(|line| {
                (
                    line.kind.as_str(),
                    line.quote.as_str(),
                    line.lowered.is_some(),
                )
            })
            .collect();
        let expected = [
            ("removed", "- Removed the `--old` flag", false),
            ("listed word", "- Removed the old thing", true),
        ];
        assert_eq!(told, expected);
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
        for (name, level) in [
            ("v1.1.0 (unreleased)", Level::Unknown),
            ("App 1.1.0 - 2026-01-02", Level::Unknown),
            ("1.1.0 (Under Release Candidate Process)", Level::Unknown),
            ("1.1.0: the clock is right again", Level::Safe),
        ] {
            titled.title = Some(name.to_owned());
            assert_eq!(check(None, false, Some(&[titled.clone()])).level, level);
        }
        for (body, level) in [
            ("\nUnreleased\n\n", Level::Unknown),
            ("include::changes-1_1.adoc[leveloffset=2]\n", Level::Unknown),
            ("Unreleased\n- Fix", Level::Safe),
        ] {
            let only = note("1.1.0", body);
            assert_eq!(check(None, false, Some(&[only])).level, level, "{body}");
        }
        titled.title = Some("Breaking release".to_owned());
        assert_eq!(check(None, false, Some(&[titled])).level, Level::Caution);
    }

    #[test]
    fn levels_are_written_in_capitals() {
        let written = [Level::Safe, Level::Caution, Level::Unknown].map(|level| level.to_string());
        assert_eq!(written, ["SAFE", "CAUTION", "UNKNOWN"]);
    }
}
