//! Releases that say little themselves, and the changelog that says the rest.

use std::cmp::Ordering;

use risk::Note;
use version::ReleaseName;

/// Notes of fewer characters than this that lead elsewhere say nothing themselves.
pub(crate) const LITTLE: usize = 400;

/// The notes of releases, with what a file says where they say little or nothing.
pub(crate) fn merged(mut notes: Vec<Note>, found: Vec<Note>) -> Vec<Note> {
    let name = |note: &Note| {
        ReleaseName::parse(&note.version).map_or_else(|| note.version.clone(), |name| name.version)
    };
    for section in found {
        let version = name(&section);
        let mut known = notes.iter_mut();
        match known.find(|note| version::same_version(&name(note), &version)) {
            Some(note) if says_little(note) => {
                // It may have said the little that matters.
                note.body = format!("{}\n\n{}", note.body, section.body);
                note.url = section.url;
            }
            Some(_) => {}
            None => {
                let newer = |note: &Note| {
                    version::compare_apps(&name(note), &version) == Some(Ordering::Greater)
                };
                let place = notes.iter().position(newer).unwrap_or(notes.len());
                notes.insert(place, section);
            }
        }
    }
    notes
}

/// Whether the notes are empty, or only lead to where the real ones are.
pub(crate) fn says_little(note: &Note) -> bool {
    let lines = note.body.lines().map(str::trim).filter(|line| {
        let bare = line.trim_start_matches(['#', '*', '-', ' ', '_']);
        !bare.is_empty() && !bare.starts_with("<!--") && !is_link(bare)
    });
    let text: String = lines.collect::<Vec<_>>().join(" ");
    let lower = text.to_lowercase();
    let leads = [
        "changelog",
        "change log",
        "release notes",
        "changes file",
        "news file",
    ];
    text.is_empty()
        || version::same_version(&text, &note.version)
        || (text.len() < LITTLE && leads.iter().any(|word| lower.contains(word)))
}

/// `Full Changelog: https://…`, or an address alone.
fn is_link(line: &str) -> bool {
    let lower = line.to_lowercase();
    let address = lower.find("http").map(|at| lower.split_at(at).0);
    let before = address.unwrap_or(&lower);
    let bare = before.trim_matches(|c: char| !c.is_alphanumeric());
    address.is_some() && (bare.is_empty() || bare.starts_with("full changelog"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_fills_what_releases_leave_out() {
        let note = |version: &str, body: &str| Note {
            version: version.to_owned(),
            title: None,
            body: body.to_owned(),
            url: String::new(),
        };
        let releases = vec![
            note("v1.1.0", "See the changelog."),
            note(
                "v1.2.0",
                "A fix of the login, and much else that is new in this version.",
            ),
        ];
        let file = vec![note("1.0.1", "a"), note("1.1.0", "b"), note("1.2.0", "c")];
        let told = merged(releases, file);
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(|note| {
                (
                    note.version.as_str(),
                    note.body.get(..8).unwrap_or(&note.body),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("1.0.1", "a"),
                ("v1.1.0", "See the "),
                ("v1.2.0", "A fix of")
            ]
        );
        let both = merged(
            vec![note("v1.1.0", "See the changelog.")],
            vec![note("1.1.0", "b")],
        );
        assert_eq!(both[0].body, "See the changelog.\n\nb");
    }
}
