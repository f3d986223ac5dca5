use std::collections::HashMap;

use job::UpgradeId;
use serde::{Deserialize, Serialize};

use super::WindowSettings;

/// The record of one repository's window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// When the first of `admitted` got its place; of no meaning while there is none.
    #[serde(default)]
    pub(super) start_ms: i64,
    #[serde(default)]
    pub(super) admitted: Vec<String>,
    #[serde(default)]
    pub(super) held: Vec<String>,
}

/// How an upgrade stands towards the window, by its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It lacks `admitted`.
    Waiting,
    /// It was admitted and keeps its place, or it was started and then ended.
    Admitted,
    /// It ended without `started`: nothing happened, so its place is free.
    Over,
    /// Its log could not be seen; its place is kept, and it is not let in.
    Unknown,
}

/// Whether the window is over.
pub(super) fn expired(record: &Record, now_ms: i64, settings: WindowSettings) -> bool {
    let length_ms = i64::try_from(settings.length.as_millis()).unwrap_or(i64::MAX);
    // A clock that was set back must not keep a window shut.
    let age_ms = now_ms.saturating_sub(record.start_ms);
    age_ms >= length_ms || age_ms < 0
}

/// The window after everybody who can get a place has one; `anew` ends the one before at once.
pub(super) fn decide(
    record: &Record,
    now_ms: i64,
    settings: WindowSettings,
    newcomer: Option<&UpgradeId>,
    anew: bool,
    standings: &HashMap<String, Standing>,
) -> Record {
    let standing = |id: &String| standings.get(id).copied().unwrap_or(Standing::Unknown);
    let mut window = record.clone();
    if anew || expired(record, now_ms, settings) {
        // Whoever was never told has its place in the new window.
        window
            .admitted
            .retain(|id| matches!(standing(id), Standing::Waiting | Standing::Unknown));
        window.start_ms = now_ms;
    }
    window.admitted.retain(|id| standing(id) != Standing::Over);
    window.held.retain(|id| {
        matches!(standing(id), Standing::Waiting | Standing::Unknown)
            && !window.admitted.contains(id)
    });
    if let Some(id) = newcomer.map(|id| id.as_str().to_owned())
        && standing(&id) == Standing::Waiting
        && !window.admitted.contains(&id)
        && !window.held.contains(&id)
    {
        window.held.push(id);
    }
    let mut held = Vec::with_capacity(window.held.len());
    for id in std::mem::take(&mut window.held) {
        if window.admitted.len() < settings.max && standing(&id) == Standing::Waiting {
            if window.admitted.is_empty() {
                window.start_ms = now_ms;
            }
            window.admitted.push(id);
        } else {
            held.push(id);
        }
    }
    window.held = held;
    if window.admitted.is_empty() {
        // Nothing is measured without an admission; an unchanged record is not written.
        window.start_ms = record.start_ms;
    }
    window
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SETTINGS: WindowSettings = WindowSettings {
        max: 2,
        length: Duration::from_secs(100),
    };

    fn id(letter: &str) -> UpgradeId {
        UpgradeId::parse(&letter.repeat(16)).unwrap()
    }

    fn ids(letters: &str) -> Vec<String> {
        letters
            .split_whitespace()
            .map(|letter| id(letter).as_str().to_owned())
            .collect()
    }

    /// Windows are written `start: admitted | held`; standings as lists of letters.
    struct Case<'a> {
        before: (i64, &'a str, &'a str),
        now: i64,
        newcomer: &'a str,
        waiting: &'a str,
        admitted: &'a str,
        over: &'a str,
        after: (i64, &'a str, &'a str),
    }

    fn check(case: &Case<'_>) {
        let record = |(start, admitted, held): (i64, &str, &str)| Record {
            start_ms: start * 1000,
            admitted: ids(admitted),
            held: ids(held),
        };
        let mut standings = HashMap::new();
        for (letters, standing) in [
            (case.waiting, Standing::Waiting),
            (case.admitted, Standing::Admitted),
            (case.over, Standing::Over),
        ] {
            standings.extend(ids(letters).into_iter().map(|id| (id, standing)));
        }
        let newcomer = Some(case.newcomer)
            .filter(|letter| !letter.is_empty())
            .map(id);
        let decide = |before: &Record, standings: &HashMap<String, Standing>| {
            decide(
                before,
                case.now * 1000,
                SETTINGS,
                newcomer.as_ref(),
                false,
                standings,
            )
        };
        let after = decide(&record(case.before), &standings);
        assert_eq!(after, record(case.after));
        // Once more, after everybody was told: nothing changes.
        for id in &after.admitted {
            standings.insert(id.clone(), Standing::Admitted);
        }
        assert_eq!(decide(&after, &standings), after, "not idempotent");
    }

    const NOTHING: Case<'_> = Case {
        before: (0, "", ""),
        now: 10,
        newcomer: "",
        waiting: "",
        admitted: "",
        over: "",
        after: (0, "", ""),
    };

    #[test]
    fn the_first_admission_opens_the_window() {
        check(&Case {
            newcomer: "a",
            waiting: "a",
            after: (10, "a", ""),
            ..NOTHING
        });
    }

    #[test]
    fn nobody_asks_and_nothing_is_written() {
        check(&NOTHING);
        check(&Case {
            before: (7, "", ""),
            after: (7, "", ""),
            ..NOTHING
        });
    }

    #[test]
    fn later_admissions_do_not_move_the_window() {
        check(&Case {
            before: (5, "a", ""),
            newcomer: "b",
            waiting: "b",
            admitted: "a",
            after: (5, "a b", ""),
            ..NOTHING
        });
    }

    #[test]
    fn a_full_window_holds_newcomers_in_order() {
        check(&Case {
            before: (5, "a b", "c"),
            newcomer: "d",
            waiting: "c d",
            admitted: "a b",
            after: (5, "a b", "c d"),
            ..NOTHING
        });
    }

    #[test]
    fn heads_of_the_queue_go_before_a_newcomer() {
        check(&Case {
            before: (5, "a b", "c"),
            newcomer: "d",
            waiting: "c d",
            admitted: "a",
            over: "b",
            after: (5, "a c", "d"),
            ..NOTHING
        });
    }

    #[test]
    fn a_started_upgrade_keeps_its_place_after_its_end() {
        check(&Case {
            before: (5, "a b", "c"),
            waiting: "c",
            admitted: "a b",
            after: (5, "a b", "c"),
            ..NOTHING
        });
    }

    #[test]
    fn an_expired_window_starts_again_with_the_queue() {
        check(&Case {
            before: (5, "a b", "c d e"),
            now: 105,
            waiting: "c d e",
            admitted: "a b",
            after: (105, "c d", "e"),
            ..NOTHING
        });
    }

    #[test]
    fn a_new_window_begins_at_once_when_a_person_wants_one() {
        let before = Record {
            start_ms: 5_000,
            admitted: ids("a b"),
            held: ids("c d e"),
        };
        let standings: HashMap<String, Standing> = ids("a b")
            .into_iter()
            .map(|id| (id, Standing::Admitted))
            .chain(ids("c d e").into_iter().map(|id| (id, Standing::Waiting)))
            .collect();
        let after = decide(&before, 6_000, SETTINGS, None, true, &standings);
        assert_eq!(after.start_ms, 6_000);
        assert_eq!((after.admitted, after.held), (ids("c d"), ids("e")));
    }

    #[test]
    fn a_window_is_not_expired_a_moment_before_its_end() {
        check(&Case {
            before: (5, "a b", "c"),
            now: 104,
            waiting: "c",
            admitted: "a b",
            after: (5, "a b", "c"),
            ..NOTHING
        });
    }

    #[test]
    fn whoever_was_not_told_of_its_place_keeps_it_in_the_next_window() {
        check(&Case {
            before: (5, "a b", "c d"),
            now: 200,
            waiting: "b c d",
            admitted: "a",
            after: (200, "b c", "d"),
            ..NOTHING
        });
    }

    #[test]
    fn an_ended_upgrade_leaves_the_queue() {
        check(&Case {
            before: (5, "a b", "c d"),
            waiting: "d",
            admitted: "a b",
            over: "c",
            after: (5, "a b", "d"),
            ..NOTHING
        });
    }

    #[test]
    fn a_newcomer_that_went_on_already_gets_no_second_place() {
        check(&Case {
            before: (5, "b", ""),
            newcomer: "a",
            admitted: "a b",
            after: (5, "b", ""),
            ..NOTHING
        });
    }

    #[test]
    fn an_upgrade_that_cannot_be_seen_is_neither_dropped_nor_let_in() {
        check(&Case {
            before: (5, "a", "c d"),
            waiting: "d",
            after: (5, "a d", "c"),
            ..NOTHING
        });
    }
}
