//! The changelog file of a project that publishes no notes with its releases.

use std::collections::BTreeMap;

use risk::{Note, Section, sections};
use version::{ReleaseName, Tag, package_for};

use crate::ports::{Home, PortError, Releases, Tagged};

/// Where changelogs are, in this order.
const FOLDERS: [&str; 3] = ["", "docs", "doc"];
/// How they are called, best first, without what separates words.
const NAMES: [&str; 7] = [
    "changelog",
    "changes",
    "news",
    "history",
    "releasenotes",
    "releases",
    "whatsnew",
];
const ENDINGS: [&str; 6] = ["md", "markdown", "rst", "txt", "adoc", ""];
/// So many files of one folder are read.
const MAX_FILES: usize = 2;
/// So many tags are asked for their annotations; each takes two requests.
const MAX_ANNOTATIONS: usize = 30;

/// What is asked: an image, and the tags between which its notes are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name, normalised and without tag.
    pub image: &'a str,
    /// The tag that runs.
    pub from: &'a str,
    /// The wanted one.
    pub to: &'a str,
}

/// The notes of a changelog file and its name; none if no file says anything about the way.
///
/// The default branch goes first. Where it holds nothing, the file may have moved or been cut
/// since, and the wanted version's own tree still has it.
pub(crate) async fn of_file(
    releases: &dyn Releases,
    home: &Home,
    wanted: &Wanted<'_>,
    tags: &[Tagged],
) -> Result<Option<(String, Vec<Note>)>, PortError> {
    let tag = tags
        .iter()
        .find(|tag| ReleaseName::parse(&tag.name).is_some_and(|release| release.says(wanted.to)));
    let trees = [None, tag.map(|tag| tag.name.as_str())];
    for (nth, at) in trees.into_iter().enumerate() {
        if nth > 0 && at.is_none() {
            continue;
        }
        for folder in FOLDERS {
            let files = releases.files(home, folder, at).await?;
            for name in ranked(&files).into_iter().take(MAX_FILES) {
                let path = match folder {
                    "" => name.to_owned(),
                    folder => format!("{folder}/{name}"),
                };
                let Some(text) = releases.text(home, &path, at).await? else {
                    continue;
                };
                let notes = notes_in(&text, wanted, |line| address(home, &path, at, line));
                if !notes.is_empty() {
                    return Ok(Some((path, notes)));
                }
            }
        }
    }
    Ok(None)
}

/// What the annotations of the tags on the way say.
pub(crate) async fn of_tags(
    releases: &dyn Releases,
    home: &Home,
    wanted: &Wanted<'_>,
    tags: &[Tagged],
) -> Result<Vec<Note>, PortError> {
    let names: Vec<ReleaseName> = tags
        .iter()
        .filter_map(|tag| ReleaseName::parse(&tag.name))
        .collect();
    let package = package_for(wanted.image, wanted.to, &names);
    let ours = |tag: &&Tagged| {
        ReleaseName::parse(&tag.name).is_some_and(|release| release.package == package)
    };
    let ours: Vec<&Tagged> = tags.iter().filter(ours).collect();
    let version = |tag: &Tagged| ReleaseName::parse(&tag.name).map(|release| release.version);
    let between = version::releases_between(
        &Tag::parse(wanted.from),
        &Tag::parse(wanted.to),
        ours.iter().filter_map(|tag| version(tag)),
    );
    let mut notes = Vec::new();
    for name in between.iter().rev().take(MAX_ANNOTATIONS) {
        let found = ours.iter().find(|tag| version(tag).as_ref() == Some(name));
        let Some(tag) = found else { continue };
        let Some(message) = releases.annotation(home, tag).await? else {
            continue;
        };
        let message = without_signature(&message);
        if !message.is_empty() && !version::same_version(message, name) {
            notes.push(Note {
                version: name.clone(),
                title: None,
                body: message.to_owned(),
                url: home.url(),
            });
        }
    }
    notes.reverse();
    Ok(notes)
}

/// The sections of a changelog on the way, oldest first.
#[must_use]
pub fn notes_in(text: &str, wanted: &Wanted<'_>, address: impl Fn(usize) -> String) -> Vec<Note> {
    let all = sections(text);
    let name = |section: &Section<'_>| ReleaseName {
        version: section.version.clone(),
        package: section.package.clone(),
    };
    let names: Vec<ReleaseName> = all.iter().map(name).collect();
    let package = package_for(wanted.image, wanted.to, &names);
    let ours = all.iter().filter(|section| section.package == package);
    let ours = ours.map(|section| (section.version.as_str(), section));
    let sections = on_the_way(wanted, ours).into_iter();
    sections
        .map(|section| Note {
            version: section.version.clone(),
            title: Some(section.heading.clone()),
            body: section.body.to_owned(),
            url: address(section.line),
        })
        .collect()
}

/// What belongs to the versions on the way, oldest first; what has the same version stays together.
pub(crate) fn on_the_way<'a, T>(
    wanted: &Wanted<'_>,
    named: impl Iterator<Item = (&'a str, T)>,
) -> Vec<T> {
    let mut by_version: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for (version, one) in named {
        by_version.entry(version).or_default().push(one);
    }
    let versions = by_version.keys().map(|version| (*version).to_owned());
    let (from, to) = (Tag::parse(wanted.from), Tag::parse(wanted.to));
    let between = version::notes_between(&from, &to, versions);
    let found = between
        .iter()
        .filter_map(|version| by_version.remove(version.as_str()));
    found.flatten().collect()
}

/// Where a person reads a line of a file.
fn address(home: &Home, path: &str, at: Option<&str>, line: usize) -> String {
    let (host, at) = (home.host.as_str(), at.unwrap_or("HEAD"));
    let url = home.url();
    match host {
        "github.com" => format!("{url}/blob/{at}/{path}#L{line}"),
        host if host.contains("gitlab") => format!("{url}/-/blob/{at}/{path}#L{line}"),
        _ => url,
    }
}

/// The names that a changelog may have, best first.
fn ranked(files: &[String]) -> Vec<&str> {
    let mut found: Vec<((usize, usize), &str)> = files
        .iter()
        .filter_map(|file| Some((rank(file)?, file.as_str())))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, file)| file).collect()
}

fn rank(file: &str) -> Option<(usize, usize)> {
    let lower = file.to_ascii_lowercase();
    let (stem, ending) = lower.rsplit_once('.').unwrap_or((&lower, ""));
    let stem: String = stem.chars().filter(|c| !"-_ ".contains(*c)).collect();
    let name = NAMES.iter().position(|name| *name == stem)?;
    let ending = ENDINGS.iter().position(|known| *known == ending)?;
    Some((name, ending))
}

/// Without the signature that git puts below.
fn without_signature(message: &str) -> &str {
    let end = [
        "-----BEGIN PGP SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE-----",
    ]
    .iter()
    .filter_map(|mark| message.find(mark))
    .min();
    message
        .get(..end.unwrap_or(message.len()))
        .unwrap_or(message)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changelogs_are_known_by_their_usual_names() {
        let files = [
            "README.md",
            "RELEASES.md",
            "NEWS",
            "changelog.txt",
            "CHANGELOG.md",
            "Release-Notes.rst",
            "HISTORY.rst",
            "CHANGES",
            "changelog.py",
            "CHANGELOG-old.md",
            "WHATS_NEW.md",
        ];
        assert_eq!(
            ranked(&files.map(str::to_owned)),
            [
                "CHANGELOG.md",
                "changelog.txt",
                "CHANGES",
                "NEWS",
                "HISTORY.rst",
                "Release-Notes.rst",
                "RELEASES.md",
                "WHATS_NEW.md",
            ]
        );
    }

    #[test]
    fn the_sections_on_the_way_are_taken_and_no_other() {
        let text = "# Changes\n\n## Unreleased\nbreaking\n## 1.2.11\nd\n## 1.2.10\nc\n## 1.2.10-rc.1\nb\n\
                    ## 1.2.2\na\n## 1.2.1\nold\n";
        let wanted = Wanted {
            image: "a/b",
            from: "1.2.1",
            to: "1.2.10",
        };
        let notes = notes_in(text, &wanted, |line| format!("L{line}"));
        let told: Vec<(&str, &str, &str)> = notes
            .iter()
            .map(|note| (note.version.as_str(), note.body.trim(), note.url.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("1.2.2", "a", "L11"),
                ("1.2.10-rc.1", "b", "L9"),
                ("1.2.10", "c", "L7")
            ]
        );
    }

    #[test]
    fn suffixes_that_only_the_image_has_hide_no_section() {
        let text = "## 4.10.0\nb\n## 4.7.0\na\n## 4.6.3\nold\n";
        let wanted = Wanted {
            image: "coturn/coturn",
            from: "4.6.3-r1",
            to: "4.10.0-r1",
        };
        let notes = notes_in(text, &wanted, |_| String::new());
        let versions: Vec<&str> = notes.iter().map(|note| note.version.as_str()).collect();
        assert_eq!(versions, ["4.7.0", "4.10.0"]);
    }

    #[test]
    fn a_signature_is_no_note() {
        let message = "Fixes.\n-----BEGIN PGP SIGNATURE-----\nabc\n";
        assert_eq!(without_signature(message), "Fixes.");
        assert_eq!(without_signature("-----BEGIN SSH SIGNATURE-----\n"), "");
    }
}
