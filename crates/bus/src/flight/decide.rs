use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Who flies or waits to, and the driver under which that was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Passenger {
    pub(super) id: String,
    pub(super) seq: u64,
    #[serde(default)]
    pub(super) alone: bool,
}

/// The record of one cluster. The queue is kept in the order of arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(default)]
    pub(super) aboard: Vec<Passenger>,
    #[serde(default)]
    pub(super) queue: Vec<Passenger>,
}

/// What a passenger's log says about its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It flies, or waits to.
    Valid,
    /// It does not: the entry is a leftover.
    Invalid,
    /// What was read is older than the entry; it stands.
    Unknown,
}

pub(super) type Verdicts = HashMap<Passenger, Verdict>;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask this passenger's log and decide again.
    Judge(Passenger),
    /// This is the record, if nobody changes it meanwhile.
    Done { record: Record, place: Place },
}

/// Where the asking upgrade stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Aboard,
    Queued { ahead: usize, by: Option<String> },
}

/// Decides over one request. Nobody is overtaken: whoever waits in front of `me` has its place
/// kept, and if it has to wait, so has everybody behind it.
pub(super) fn decide(
    record: &Record,
    me: &Passenger,
    max: Option<usize>,
    verdicts: &Verdicts,
) -> Next {
    let mut record = record.clone();
    for passenger in record.aboard.clone() {
        match verdicts.get(&passenger) {
            None => return Next::Judge(passenger),
            Some(Verdict::Invalid) => record.aboard.retain(|other| *other != passenger),
            Some(Verdict::Valid | Verdict::Unknown) => {}
        }
    }
    let aboard = record.aboard.iter_mut().find(|one| one.id == me.id);
    if let Some(entry) = aboard {
        // As with claims: whoever judged it by an older driver finds the record changed.
        if entry.seq < me.seq {
            *entry = me.clone();
        }
        record.queue.retain(|passenger| passenger.id != me.id);
        return Next::Done {
            record,
            place: Place::Aboard,
        };
    }
    match record
        .queue
        .iter_mut()
        .find(|passenger| passenger.id == me.id)
    {
        Some(entry) => entry.alone = me.alone,
        None => record.queue.push(me.clone()),
    }
    let mut taken = record.aboard.clone();
    let mut ahead = 0;
    for passenger in record.queue.clone() {
        if passenger.id == me.id {
            if fits(&taken, me, max) {
                record.queue.retain(|passenger| passenger.id != me.id);
                record.aboard.push(me.clone());
                return Next::Done {
                    record,
                    place: Place::Aboard,
                };
            }
            break;
        }
        match verdicts.get(&passenger) {
            None => return Next::Judge(passenger),
            Some(Verdict::Invalid) => {
                record.queue.retain(|other| *other != passenger);
                continue;
            }
            Some(Verdict::Valid | Verdict::Unknown) => {}
        }
        ahead += 1;
        if !fits(&taken, &passenger, max) {
            // Nobody behind it goes either; the rest need not be judged.
            ahead = record
                .queue
                .iter()
                .position(|passenger| passenger.id == me.id)
                .unwrap_or(ahead);
            break;
        }
        taken.push(passenger);
    }
    let by = taken.first().map(|passenger| passenger.id.clone());
    Next::Done {
        record,
        place: Place::Queued { ahead, by },
    }
}

fn fits(taken: &[Passenger], passenger: &Passenger, max: Option<usize>) -> bool {
    let among_others = !taken.iter().any(|other| other.alone);
    if passenger.alone {
        taken.is_empty()
    } else {
        among_others && max.is_none_or(|max| taken.len() < max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a`, or `!a` (flies alone).
    fn passenger(text: &str) -> Passenger {
        Passenger {
            id: text.trim_start_matches('!').to_owned(),
            seq: 1,
            alone: text.starts_with('!'),
        }
    }

    fn passengers(text: &str) -> Vec<Passenger> {
        text.split_whitespace().map(passenger).collect()
    }

    fn shown(passengers: &[Passenger]) -> String {
        let names: Vec<String> = passengers
            .iter()
            .map(|one| format!("{}{}", if one.alone { "!" } else { "" }, one.id))
            .collect();
        names.join(" ")
    }

    /// Records are written `aboard | queue`; everybody in `invalid` is, all others are valid.
    #[track_caller]
    fn check(before: &str, me: &str, max: usize, invalid: &str, after: &str, place: &str) {
        let (aboard, queue) = before.split_once('|').unwrap();
        let record = Record {
            aboard: passengers(aboard),
            queue: passengers(queue),
        };
        let max = Some(max).filter(|max| *max > 0);
        let mut verdicts = Verdicts::new();
        loop {
            match decide(&record, &passenger(me), max, &verdicts) {
                Next::Judge(passenger) => {
                    let verdict = if invalid.contains(&passenger.id) {
                        Verdict::Invalid
                    } else {
                        Verdict::Valid
                    };
                    assert!(
                        verdicts.insert(passenger, verdict).is_none(),
                        "judged twice"
                    );
                }
                Next::Done {
                    record,
                    place: found,
                } => {
                    let found = match found {
                        Place::Aboard => "aboard".to_owned(),
                        Place::Queued { ahead, by } => {
                            format!("{ahead} behind {}", by.unwrap_or_default())
                        }
                    };
                    let found_after =
                        format!("{} | {}", shown(&record.aboard), shown(&record.queue));
                    assert_eq!((found_after.trim(), found.as_str()), (after, place));
                    return;
                }
            }
        }
    }

    #[test]
    fn places_are_taken_while_there_are_some() {
        check("|", "a", 2, "", "a |", "aboard");
        check("a |", "b", 2, "", "a b |", "aboard");
        check("a b |", "c", 2, "", "a b | c", "0 behind a");
        check("a b | c", "d", 2, "", "a b | c d", "1 behind a");
    }

    #[test]
    fn asking_again_changes_nothing() {
        check("a b | c", "a", 2, "", "a b | c", "aboard");
        check("a b | c d", "d", 2, "", "a b | c d", "1 behind a");
    }

    #[test]
    fn without_a_limit_everybody_flies() {
        check("a b c d |", "e", 0, "", "a b c d e |", "aboard");
    }

    #[test]
    fn whoever_has_landed_leaves_its_place_to_the_head_of_the_queue() {
        check("a b | c d", "d", 2, "a", "b | c d", "1 behind b");
        check("a b | c d", "c", 2, "a", "b c | d", "aboard");
        // Both find a place, in whatever order they ask.
        check("a b | c d", "d", 2, "ab", "d | c", "aboard");
    }

    #[test]
    fn who_flies_alone_waits_for_all_and_all_wait_for_it() {
        check("|", "!a", 0, "", "!a |", "aboard");
        check("!a |", "b", 0, "", "!a | b", "0 behind a");
        check("a b |", "!c", 0, "", "a b | !c", "0 behind a");
        check("a b | !c", "d", 0, "", "a b | !c d", "1 behind a");
        check("a b | !c d", "!c", 0, "ab", "!c | d", "aboard");
    }

    #[test]
    fn leftovers_in_the_queue_keep_nobody_waiting() {
        check("a | !b c", "c", 2, "b", "a c |", "aboard");
    }

    #[test]
    fn more_places_than_before_are_used_and_fewer_ground_nobody() {
        check("a b c |", "b", 1, "", "a b c |", "aboard");
        check("a | b", "b", 3, "", "a b |", "aboard");
    }
}
