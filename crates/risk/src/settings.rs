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
            if let Some(line) = note.body.lines().find(|line| says(line, name)) {
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
/// count only in code.
fn says(line: &str, name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let plain = name.len() < 4 || !name.contains('_');
    let mut at = 0;
    while let Some(begins) = line
        .get(at..)
        .and_then(|rest| rest.find(name))
        .map(|found| found + at)
    {
        let ends = begins + name.len();
        let (before, after) = (line.get(..begins), line.get(ends..));
        let before = before.and_then(|text| text.chars().next_back());
        let after = after.and_then(|text| text.chars().next());
        let whole = !before.is_some_and(inside) && !after.is_some_and(inside);
        let code = before == Some('`') || after == Some('=');
        if whole && (!plain || code) {
            return true;
        }
        at = ends;
    }
    false
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
        let found = touched(&notes, ["DB_HOST", "OTHER_ONE"].into_iter());
        let told: Vec<(&str, &str)> = found
            .iter()
            .map(|one| (one.version.as_str(), one.quote.as_str()))
            .collect();
        assert_eq!(told, [("1.1", "DB_HOST"), ("1.2", "DB_HOST")]);
    }
}
