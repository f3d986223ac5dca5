//! The table "what CI says × what is live".
//!
//! Green CI is not believed, red CI is not believed either: what is live decides, and only our own
//! run can speak for an undo.

use std::collections::BTreeMap;

use crate::applied::Live;

/// What CI says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says<'a> {
    /// Our own run was green.
    Green,
    /// A newer run was green that took the place of ours: no proof that ours was tried.
    NewerGreen {
        /// Ours may be started again.
        restart: bool,
    },
    /// Our own run was red; the text is the evidence.
    Red(&'a str),
    /// There is no run that could still apply anything.
    Absent,
    /// It is silent: a run that does not end, or no answer. The text says which.
    Nothing(&'a str),
}

/// How long has been waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Time {
    /// It may still come.
    Early,
    /// It should have come.
    Late,
    /// What is unknown by now is given up.
    TooLate,
}

impl Time {
    /// From now, the time by which it should have come, and how much longer unknown is waited for.
    pub(crate) fn of(now_ms: i64, due_ms: i64, unknown_ms: i64) -> Time {
        if now_ms < due_ms {
            Time::Early
        } else if now_ms < due_ms.saturating_add(unknown_ms) {
            Time::Late
        } else {
            Time::TooLate
        }
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Look again later.
    Wait,
    /// It is live, with these images.
    Live(BTreeMap<String, String>),
    /// Start our own run again.
    Restart,
    /// Undo; the text is the evidence.
    Undo(String),
    /// A person is needed.
    Stuck(String),
}

/// Decides. While something is being undone, nothing else is.
pub(crate) fn verdict(says: Says<'_>, live: &Live, time: Time, undo: bool) -> Verdict {
    match (says, live) {
        (Says::Red(why), Live::Wanted { healthy: true, .. }) => Verdict::Stuck(format!(
            "CI failed, yet the wanted version is live and healthy: {why}"
        )),
        (Says::Red(why), Live::Wanted { .. } | Live::Other(_)) if undo => Verdict::Stuck(format!(
            "CI failed while undoing: {why}; {}",
            live.describe()
        )),
        (Says::Red(why), Live::Wanted { .. } | Live::Other(_)) => {
            Verdict::Undo(format!("{why}; {}", live.describe()))
        }
        // A run may still be applying.
        (Says::Nothing(_), _) if time == Time::Early => Verdict::Wait,
        (_, Live::Wanted { images, .. }) => Verdict::Live(images.clone()),
        (_, Live::Unknown(why)) if time == Time::TooLate => {
            Verdict::Stuck(format!("could not be verified: {why}"))
        }
        (_, Live::Unknown(_)) => Verdict::Wait,
        (_, Live::Other(_)) if time == Time::Early => Verdict::Wait,
        (Says::Green, Live::Other(what)) if !undo => {
            Verdict::Undo(format!("CI was green, yet {what}"))
        }
        (Says::Green | Says::Absent, Live::Other(what)) => {
            Verdict::Stuck(format!("not applied: {what}"))
        }
        (Says::NewerGreen { restart: true }, Live::Other(_)) if !undo => Verdict::Restart,
        (Says::NewerGreen { .. }, Live::Other(what)) => Verdict::Stuck(format!(
            "not applied: a newer run took the place of ours and was green, yet {what}"
        )),
        (Says::Nothing(how), Live::Other(_)) => {
            Verdict::Stuck(format!("{how}; {}", live.describe()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination; a column each for early, late and too late.
    const TABLE: &str = "
        says         live     undo   early late  too-late
        green        healthy  no     live  live  live
        green        sick     no     live  live  live
        green        old      no     wait  undo  undo
        green        away     no     wait  wait  stuck
        green        healthy  yes    live  live  live
        green        sick     yes    live  live  live
        green        old      yes    wait  stuck stuck
        green        away     yes    wait  wait  stuck
        newer-green  healthy  no     live  live  live
        newer-green  sick     no     live  live  live
        newer-green  old      no     wait  stuck stuck
        newer-green  away     no     wait  wait  stuck
        newer-green  healthy  yes    live  live  live
        newer-green  sick     yes    live  live  live
        newer-green  old      yes    wait  stuck stuck
        newer-green  away     yes    wait  wait  stuck
        restartable  healthy  no     live  live  live
        restartable  sick     no     live  live  live
        restartable  old      no     wait  again again
        restartable  away     no     wait  wait  stuck
        restartable  healthy  yes    live  live  live
        restartable  sick     yes    live  live  live
        restartable  old      yes    wait  stuck stuck
        restartable  away     yes    wait  wait  stuck
        red          healthy  no     stuck stuck stuck
        red          sick     no     undo  undo  undo
        red          old      no     undo  undo  undo
        red          away     no     wait  wait  stuck
        red          healthy  yes    stuck stuck stuck
        red          sick     yes    stuck stuck stuck
        red          old      yes    stuck stuck stuck
        red          away     yes    wait  wait  stuck
        absent       healthy  no     live  live  live
        absent       sick     no     live  live  live
        absent       old      no     wait  stuck stuck
        absent       away     no     wait  wait  stuck
        absent       healthy  yes    live  live  live
        absent       sick     yes    live  live  live
        absent       old      yes    wait  stuck stuck
        absent       away     yes    wait  wait  stuck
        nothing      healthy  no     wait  live  live
        nothing      sick     no     wait  live  live
        nothing      old      no     wait  stuck stuck
        nothing      away     no     wait  wait  stuck
        nothing      healthy  yes    wait  live  live
        nothing      sick     yes    wait  live  live
        nothing      old      yes    wait  stuck stuck
        nothing      away     yes    wait  wait  stuck";

    #[test]
    fn every_combination_has_its_verdict() {
        let says = [
            ("green", Says::Green),
            ("newer-green", Says::NewerGreen { restart: false }),
            ("restartable", Says::NewerGreen { restart: true }),
            ("red", Says::Red("red")),
            ("absent", Says::Absent),
            ("nothing", Says::Nothing("silent")),
        ];
        let wanted = |healthy| Live::Wanted {
            images: BTreeMap::new(),
            healthy,
        };
        let live = [
            ("healthy", wanted(true)),
            ("sick", wanted(false)),
            ("old", Live::Other("old".to_owned())),
            ("away", Live::Unknown("away".to_owned())),
        ];
        let mut rows = vec!["says live undo early late too-late".to_owned()];
        for (says_name, says) in says {
            for (undo_name, undo) in [("no", false), ("yes", true)] {
                for (live_name, live) in &live {
                    let verdicts =
                        [Time::Early, Time::Late, Time::TooLate].map(|time| {
                            match verdict(says, live, time, undo) {
                                Verdict::Wait => "wait",
                                Verdict::Live(_) => "live",
                                Verdict::Restart => "again",
                                Verdict::Undo(_) => "undo",
                                Verdict::Stuck(_) => "stuck",
                            }
                        });
                    let verdicts = verdicts.join(" ");
                    rows.push(format!("{says_name} {live_name} {undo_name} {verdicts}"));
                }
            }
        }
        let table = TABLE.lines().map(str::trim).filter(|row| !row.is_empty());
        let table: Vec<String> = table
            .map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(rows, table);
    }

    #[test]
    fn unknown_is_given_up_later_than_the_rest() {
        for (now_ms, time) in [
            (99, Time::Early),
            (100, Time::Late),
            (149, Time::Late),
            (150, Time::TooLate),
        ] {
            assert_eq!(Time::of(now_ms, 100, 50), time, "{now_ms}");
        }
    }
}
