//! Settings that notes speak of.

use crate::assess::Note;
use crate::scan::quoted;

/// A variable that a service sets and that the notes name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The variable.
    pub name: String,
    /// The release whose notes name it.
    pub version: String,
    /// The line, bounded; text of strangers.
    pub quote: String,
}

/// Where the notes name one of these variables, once for each release that does.
#[must_use]
pub fn touched<'a>(notes: &[Note], names: impl Iterator<Item = &'a str> + Clone) -> Vec<Touched> {
    let mut found = Vec::new();
    for note in notes {
        for name in names.clone() {
            let texts = note.title.iter().chain([&note.body]);
            let mut lines = texts.flat_map(|text| text.split(['\n', '\r']));
            if let Some(line) = lines.find(|line| says(line, name)) {
                found.push(Touched {
                    name: name.to_owned(),
                    version: note.version.clone(),
                    quote: quoted(line),
                });
            }
        }
    }
    found
}

/// Whether the line holds the name, whole and in its own case. Short and common words, such as `TZ`,
/// count only where they are set apart as a name.
fn says(line: &str, name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let plain = name.len() < 4 || !name.contains('_');
    line.match_indices(name).any(|(begins, _)| {
        let before = line.get(..begins).unwrap_or_default();
        let after = line.get(begins + name.len()..).unwrap_or_default();
        let whole = !before.ends_with(inside) && !after.starts_with(inside);
        whole && (!plain || is_set_apart(before, after))
    })
}

/// In code, in bold, before `=`, before `:` at the beginning of the line, or beside a word that says
/// what it is.
fn is_set_apart(before: &str, after: &str) -> bool {
    let marked = before.ends_with('`')
        || after.starts_with('=')
        || (before.ends_with('*') && after.starts_with('*'));
    let begins = !before.contains(|c: char| c.is_alphanumeric()) && after.starts_with(':');
    marked
        || begins
        || before.split_whitespace().next_back().is_some_and(is_kind)
        || after.split_whitespace().next().is_some_and(is_kind)
}

/// What names of settings are called.
fn is_kind(word: &str) -> bool {
    let lower = word.to_lowercase();
    let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
    [
        "variable",
        "variables",
        "env",
        "environment",
        "var",
        "setting",
        "settings",
        "option",
    ]
    .contains(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_whole_and_in_their_own_case() {
        for (line, name, expected) in [
            ("- `DB_HOST` is now `DATABASE_HOST`", "DB_HOST", true),
            ("- DB_HOST=x", "DB_HOST", true),
            ("MY_DB_HOST is gone, DB_HOST too", "DB_HOST", true),
            ("MY_DB_HOST is gone", "DB_HOST", false),
            ("DB_HOST_NAME is gone", "DB_HOST", false),
            ("db_host is gone", "DB_HOST", false),
            ("the TZ is kept", "TZ", false),
            ("set `TZ`", "TZ", true),
            ("PORT=80", "PORT", true),
            ("- **PUID** is gone", "PUID", true),
            ("- PORT: now 80", "PORT", true),
            ("the PORT: 80", "PORT", false),
            ("the DOMAIN variable is needed", "DOMAIN", true),
            ("set the environment variable DOMAIN.", "DOMAIN", true),
            ("the DOMAIN is needed", "DOMAIN", false),
            ("the DOMAINS variable", "DOMAIN", false),
            ("", "DB_HOST", false),
        ] {
            assert_eq!(says(line, name), expected, "{line}");
        }
    }

    #[test]
    fn each_release_names_a_variable_once() {
        let note = |version: &str, body: &str| Note {
            version: version.to_owned(),
            title: None,
            body: body.to_owned(),
            url: String::new(),
        };
        let notes = [
            note("1.1", "DB_HOST\nDB_HOST again"),
            note("1.2", "DB_HOST"),
        ];
        let mut titled = note("1.3", "x");
        titled.title = Some("OTHER_ONE is gone".to_owned());
        let notes = [notes.as_slice(), &[titled]].concat();
        let found = touched(&notes, ["DB_HOST", "OTHER_ONE"].into_iter());
        let told: Vec<(&str, &str)> = found
            .iter()
            .map(|one| (one.version.as_str(), one.quote.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("1.1", "DB_HOST"),
                ("1.2", "DB_HOST"),
                ("1.3", "OTHER_ONE is gone")
            ]
        );
    }
}
