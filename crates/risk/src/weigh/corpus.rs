//! The corpus of labelled release notes against both rules. See `testdata/corpus/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use version::{ReleaseName, Tag};

use super::weigh;
use crate::{Input, Level, Note, assess, default_words, sections};

/// What the rules are measured by and not tuned: what they get wrong there is not shown.
const UNSEEN: &str = "sample";

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "style")]
    _style: String,
    from: String,
    to: String,
    source: String,
    versions: Vec<String>,
    attention: bool,
    why: String,
    #[serde(default)]
    finding: Vec<Labelled>,
}

#[derive(Deserialize)]
struct Labelled {
    version: String,
    #[serde(rename = "kind")]
    _kind: String,
    quote: String,
}

fn cases(half: &str) -> BTreeMap<String, (PathBuf, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/corpus")
        .join(half);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(path.join("case.toml")).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.insert(name, (path, case));
    }
    assert!(found.len() >= 28, "{half}");
    found
}

/// The notes between the versions, as the analyzer picks them.
fn notes(path: &Path, case: &Case) -> Vec<Note> {
    let mut all: Vec<(ReleaseName, Note)> = Vec::new();
    if case.source == "releases" {
        for entry in fs::read_dir(path.join("releases")).unwrap() {
            let file = entry.unwrap().path();
            let tag = file.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&file).unwrap();
            let (title, body) = match text.strip_prefix("title: ") {
                Some(rest) => rest
                    .split_once('\n')
                    .map_or((Some(rest), ""), |(title, body)| (Some(title), body)),
                None => (None, text.as_str()),
            };
            let note = Note {
                version: tag.clone(),
                title: title.map(str::to_owned),
                body: body.to_owned(),
                url: String::new(),
            };
            // As the analyzer does, which sees other tags of a repository as well.
            all.extend(ReleaseName::parse(&tag).map(|name| (name, note)));
        }
    } else {
        let text = fs::read_to_string(path.join(&case.source)).unwrap();
        for section in sections(&text) {
            let name = ReleaseName {
                version: section.version.clone(),
                package: section.package.clone(),
            };
            let note = Note {
                version: section.version,
                title: Some(section.heading),
                body: section.body.to_owned(),
                url: String::new(),
            };
            all.push((name, note));
        }
    }
    // What a prerelease says, its release says again; files often give it once, in either place.
    if case.source == "releases" && !Tag::parse(&case.to).is_prerelease() {
        all.retain(|(name, _)| !Tag::parse(&name.version).is_prerelease());
    }
    let names: Vec<ReleaseName> = all.iter().map(|(name, _)| name.clone()).collect();
    // In a monorepo the labels give the project's tags, of which an image has the version alone.
    let bare = |tag: &str| {
        let name = ReleaseName::parse(tag).filter(|name| name.package.is_some());
        match name {
            Some(name) => (name.version, name.package.unwrap_or_default()),
            None => (tag.to_owned(), "app".to_owned()),
        }
    };
    let ((from, _), (to, image)) = (bare(&case.from), bare(&case.to));
    let package = version::package_for(&format!("registry/acme/{image}"), &to, &names);
    all.retain(|(name, _)| name.package == package);
    let mut between = version::notes_between(
        &Tag::parse(&from),
        &Tag::parse(&to),
        all.iter().map(|(name, _)| name.version.clone()),
    );
    between.dedup();
    let note = |version: &String| {
        let found = all.iter().find(|(name, _)| name.version == *version);
        found.map(|(_, note)| note.clone())
    };
    between.iter().filter_map(note).collect()
}

#[test]
fn the_notes_on_the_way_are_found_exactly() {
    for half in ["blind", "seen", "later", "last"] {
        for (name, (path, case)) in cases(half) {
            let found: Vec<String> = notes(&path, &case)
                .into_iter()
                .map(|note| {
                    ReleaseName::parse(&note.version).map_or(note.version, |name| name.version)
                })
                .collect();
            let expected: Vec<String> = case
                .versions
                .iter()
                .map(|text| {
                    ReleaseName::parse(text).map_or_else(|| text.clone(), |name| name.version)
                })
                .collect();
            // Some labels leave out what a file says of candidates, and what names a whole line.
            let whole = |text: &&String| expected.contains(text) || half == "blind";
            let counted = |text: &&String| {
                let tag = Tag::parse(text);
                let line = expected
                    .iter()
                    .any(|one| one.starts_with(&format!("{text}.")) && !expected.contains(*text));
                whole(text) || !(tag.is_prerelease() || line)
            };
            let found: Vec<&String> = found.iter().filter(counted).collect();
            assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{half}/{name}");
        }
    }
}

#[derive(Default)]
struct Score {
    right: usize,
    false_alarms: Vec<String>,
    missed: Vec<String>,
}

impl Score {
    fn add(&mut self, name: &str, said: bool, wanted: bool) {
        match (said, wanted) {
            (true, true) => self.right += 1,
            (true, false) => self.false_alarms.push(name.to_owned()),
            (false, true) => self.missed.push(name.to_owned()),
            (false, false) => {}
        }
    }

    fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.false_alarms.len()).max(1) as f64
    }

    fn recall(&self) -> f64 {
        self.right as f64 / (self.right + self.missed.len()).max(1) as f64
    }
}

#[test]
fn both_rules_against_what_people_say() {
    let words = default_words();
    for (half, least) in [
        ("blind", (0.95, 0.95)),
        ("seen", (0.85, 0.95)),
        ("later", (0.7, 0.95)),
        ("last", (0.65, 0.9)),
        (UNSEEN, (0.5, 0.7)),
    ] {
        let (mut plain, mut weighed) = (Score::default(), Score::default());
        let (mut told, mut labelled) = (0, 0);
        for (name, (path, case)) in cases(half) {
            let notes = notes(&path, &case);
            let assessment = assess(&Input {
                jump: None,
                always_step: false,
                notes: Some(&notes),
                words: &words,
                rule: crate::Rule::Plain,
            });
            plain.add(&name, assessment.level == Level::Caution, case.attention);
            let announced = weigh(&notes);
            let said = announced.iter().any(|line| line.lowered.is_none());
            weighed.add(&name, said, case.attention);
            if said != case.attention && half != UNSEEN {
                println!("{half}/{name}: {}", case.why);
                for line in announced
                    .iter()
                    .filter(|line| line.lowered.is_none() || !said)
                {
                    println!(
                        "    {} {:?} {:?}: {}",
                        line.version, line.kind, line.lowered, line.quote
                    );
                }
            }
            let loose = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            for finding in &case.finding {
                labelled += 1;
                let quote = loose(&finding.quote);
                let short: String = quote.chars().take(60).collect();
                let hit = announced
                    .iter()
                    .any(|line| loose(&line.quote).contains(&short));
                told += usize::from(hit);
                if !hit && half != UNSEEN {
                    println!(
                        "{half}/{name}: not told: {} {}",
                        finding.version, finding.quote
                    );
                }
            }
        }
        for (rule, score) in [("plain", &plain), ("weighed", &weighed)] {
            println!(
                "{half}, {rule} rule: precision {:.2}, recall {:.2}",
                score.precision(),
                score.recall()
            );
            if half != UNSEEN {
                let (alarms, missed) = (&score.false_alarms, &score.missed);
                println!("    false alarms {alarms:?}, missed {missed:?}");
            }
        }
        println!("{half}: {told} of {labelled} labelled places are told");
        let (precision, recall) = (weighed.precision(), weighed.recall());
        assert!(precision >= least.0, "{half}: precision {precision:.2}");
        assert!(recall >= least.1, "{half}: recall {recall:.2}");
    }
}
