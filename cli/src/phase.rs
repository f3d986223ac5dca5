//! The names of states and facts: as the server spells them, as JSON and `--phase` do, and in words.

use job::Phase;

/// One word for programs: `Ended(RolledBack)` is `rolled_back`.
pub(crate) fn name(wire: &str) -> String {
    let inner = wire
        .strip_prefix("Ended(")
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(wire);
    let mut name = String::new();
    for (at, c) in inner.chars().enumerate() {
        if c.is_ascii_uppercase() && at > 0 {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// For people: `UndoCiPassed` is `undo CI passed`.
pub(crate) fn words(wire: &str) -> String {
    let name = name(wire);
    let words: Vec<&str> = name
        .split('_')
        .map(|word| if word == "ci" { "CI" } else { word })
        .collect();
    words.join(" ")
}

/// A fact's name for people. Pods are never ready at once, so the first look must not alarm.
pub(crate) fn fact(name: &str) -> String {
    match name {
        "failing_since" => "not healthy yet".to_owned(),
        name => words(name),
    }
}

/// Whether nothing more happens by itself.
pub(crate) fn is_over(wire: &str) -> bool {
    wire.starts_with("Ended")
}

/// Whether nothing more happens until a person acts.
pub(crate) fn needs_person(wire: &str) -> bool {
    wire == "Stuck" || wire == "Parked"
}

/// Whether the wanted version is live and was watched.
pub(crate) fn is_success(wire: &str) -> bool {
    wire == "Ended(Succeeded)"
}

/// The server's name of what a person named.
///
/// # Errors
/// A sentence that lists all names.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let wanted = text.to_ascii_lowercase().replace(['-', ' '], "_");
    let mut all = Phase::ALL.iter().map(|phase| format!("{phase:?}"));
    all.clone()
        .find(|wire| name(wire) == wanted)
        .ok_or_else(|| {
            let names: Vec<String> = all.by_ref().map(|wire| name(&wire)).collect();
            format!("there is no such phase; there are {}", names.join(", "))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_a_name_of_its_own_that_is_read_back() {
        let mut names = Vec::new();
        for phase in Phase::ALL {
            let wire = format!("{phase:?}");
            assert_eq!(parse(&name(&wire)), Ok(wire.clone()));
            assert_eq!(parse(&words(&wire)), Ok(wire.clone()));
            assert_eq!(is_over(&wire), phase.is_end(), "{wire}");
            names.push(name(&wire));
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Phase::ALL.len());
    }

    #[test]
    fn names_are_for_programs_and_words_for_people() {
        let table = [
            ("Held", "held", "held"),
            ("UndoCiPassed", "undo_ci_passed", "undo CI passed"),
            ("Ended(RolledBack)", "rolled_back", "rolled back"),
            ("SomethingNew", "something_new", "something new"),
            ("", "", ""),
        ];
        for (wire, expected, in_words) in table {
            assert_eq!(name(wire), expected);
            assert_eq!(words(wire), in_words);
        }
        assert_eq!(fact("ci_passed"), "CI passed");
        assert_eq!(fact("failing_since"), "not healthy yet");
        assert!(parse("gone").is_err_and(|why| why.contains("rolled_back")));
    }
}
