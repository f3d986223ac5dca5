use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Class;

/// Who holds or waits, for which step, and the driver under which that was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Party {
    pub(super) id: String,
    pub(super) step: u32,
    pub(super) seq: u64,
}

/// An entry of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiter {
    #[serde(flatten)]
    pub(super) party: Party,
    pub(super) class: Class,
    pub(super) since_ms: i64,
}

/// The record of one claim. The queue is kept in the order in which it is served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) holder: Option<Party>,
    #[serde(default)]
    pub(super) queue: Vec<Waiter>,
}

impl Record {
    pub(super) fn without(mut self, id: &str) -> Record {
        self.holder = self.holder.filter(|holder| holder.id != id);
        self.queue.retain(|waiter| waiter.party.id != id);
        self
    }

    /// The record after the head of the queue, which has to be `me`, took it from `holder`.
    pub(super) fn taken_over(mut self, holder: &str, me: &Party) -> Option<Record> {
        let held = self.holder.as_ref().is_some_and(|party| party.id == holder);
        let next = self
            .queue
            .first()
            .is_some_and(|waiter| waiter.party.id == me.id);
        (held && next).then(|| {
            self.queue.remove(0);
            self.holder = Some(me.clone());
            self
        })
    }

    /// The holder becomes the first of the upgrades that wait; nothing for whoever does not hold it.
    pub(super) fn stepped_down(mut self, me: &Waiter) -> Record {
        let holds = |holder: &Party| holder.id == me.party.id;
        if !self.holder.as_ref().is_some_and(holds) {
            return self;
        }
        self.holder = None;
        let undos = |waiter: &Waiter| waiter.class < me.class;
        let at = self.queue.iter().take_while(|waiter| undos(waiter)).count();
        self.queue.insert(at, me.clone());
        self
    }

    /// Undos before upgrades; among their like, in the order of arrival.
    fn enqueue(&mut self, me: &Waiter) {
        let at = self
            .queue
            .iter()
            .position(|waiter| waiter.class > me.class)
            .unwrap_or(self.queue.len());
        self.queue.insert(at, me.clone());
    }
}

/// What a party's log says about its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has needed the claim ever since.
    Valid,
    /// It has not: the entry is a leftover.
    Invalid,
    /// What was read is older than the entry; it stands.
    Unknown,
}

pub(super) type Verdicts = HashMap<Party, Verdict>;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask this party's log and decide again.
    Judge(Party),
    /// This is the record, if nobody changes it meanwhile.
    Done { record: Record, place: Place },
}

/// Where the asking upgrade stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Held,
    Queued { ahead: usize, by: Option<String> },
}

/// Decides over one request. Only the holder, and heads of the queue in front of `me`, are judged.
pub(super) fn decide(record: &Record, me: &Waiter, verdicts: &Verdicts) -> Next {
    let mut record = record.clone();
    if let Some(holder) = record.holder.clone() {
        match verdicts.get(&holder) {
            None => return Next::Judge(holder),
            Some(Verdict::Invalid) => record.holder = None,
            Some(Verdict::Valid) if holder.id == me.party.id => {
                record.queue.retain(|waiter| waiter.party.id != me.party.id);
                return Next::Done {
                    record,
                    place: Place::Held,
                };
            }
            Some(Verdict::Valid | Verdict::Unknown) => {}
        }
    }
    // An entry of an earlier step, or from before the undo, does not keep its place.
    record.queue.retain(|waiter| {
        waiter.party.id != me.party.id
            || (waiter.party.step == me.party.step && waiter.class == me.class)
    });
    if !record
        .queue
        .iter()
        .any(|waiter| waiter.party.id == me.party.id)
    {
        record.enqueue(me);
    }
    if record.holder.is_none() {
        while let Some(head) = record.queue.first().map(|waiter| waiter.party.clone()) {
            if head.id == me.party.id {
                record.queue.remove(0);
                record.holder = Some(me.party.clone());
                return Next::Done {
                    record,
                    place: Place::Held,
                };
            }
            match verdicts.get(&head) {
                None => return Next::Judge(head),
                Some(Verdict::Valid | Verdict::Unknown) => break,
                Some(Verdict::Invalid) => {
                    record.queue.remove(0);
                }
            }
        }
    }
    let ahead = record
        .queue
        .iter()
        .position(|waiter| waiter.party.id == me.party.id)
        .unwrap_or(record.queue.len());
    let first = record
        .queue
        .first()
        .map(|waiter| &waiter.party)
        .filter(|_| ahead > 0);
    let by = record
        .holder
        .as_ref()
        .or(first)
        .map(|party| party.id.clone());
    Next::Done {
        record,
        place: Place::Queued { ahead, by },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(text: &str) -> Party {
        let (id, step) = text.split_once('/').unwrap_or((text, "1"));
        Party {
            id: id.to_owned(),
            step: step.parse().unwrap(),
            seq: 1,
        }
    }

    /// `a`, `a/2` (step 2), `!a` (an undo).
    fn waiter(text: &str) -> Waiter {
        let class = if text.starts_with('!') {
            Class::Undo
        } else {
            Class::Forward
        };
        Waiter {
            party: party(text.trim_start_matches('!')),
            class,
            since_ms: 0,
        }
    }

    fn record(text: &str) -> Record {
        let (holder, queue) = text.split_once('|').unwrap();
        Record {
            holder: Some(holder.trim())
                .filter(|holder| !holder.is_empty())
                .map(party),
            queue: queue.split_whitespace().map(waiter).collect(),
        }
    }

    fn shown(record: &Record) -> String {
        let holder = record.holder.as_ref().map_or_else(String::new, show);
        let queue: Vec<String> = record
            .queue
            .iter()
            .map(|waiter| {
                let mark = if waiter.class == Class::Undo { "!" } else { "" };
                format!("{mark}{}", show(&waiter.party))
            })
            .collect();
        format!("{holder} | {}", queue.join(" ")).trim().to_owned()
    }

    fn show(party: &Party) -> String {
        if party.step == 1 {
            party.id.clone()
        } else {
            format!("{}/{}", party.id, party.step)
        }
    }

    /// Everybody in `invalid` is, everybody in `unknown` is; all others are valid.
    fn check(before: &str, me: &str, invalid: &str, unknown: &str, after: &str, place: &str) {
        let named = |list: &str, party: &Party| {
            list.split_whitespace()
                .any(|name| self::party(name) == *party)
        };
        let record = record(before);
        let me = waiter(me);
        let mut verdicts = Verdicts::new();
        loop {
            match decide(&record, &me, &verdicts) {
                Next::Judge(party) => {
                    let verdict = if named(invalid, &party) {
                        Verdict::Invalid
                    } else if named(unknown, &party) {
                        Verdict::Unknown
                    } else {
                        Verdict::Valid
                    };
                    assert!(verdicts.insert(party, verdict).is_none(), "judged twice");
                }
                Next::Done {
                    record,
                    place: found,
                } => {
                    let found = match found {
                        Place::Held => "held".to_owned(),
                        Place::Queued { ahead, by } => {
                            format!("{ahead} behind {}", by.unwrap_or_default())
                        }
                    };
                    assert_eq!((shown(&record).as_str(), found.as_str()), (after, place));
                    return;
                }
            }
        }
    }

    #[test]
    fn a_free_claim_is_taken() {
        check("|", "a", "", "", "a |", "held");
    }

    #[test]
    fn asking_again_changes_nothing() {
        check("a | b", "a", "", "", "a | b", "held");
        check("a | b c", "c", "", "", "a | b c", "1 behind a");
    }

    #[test]
    fn a_taken_claim_is_queued_for_in_the_order_of_arrival() {
        check("a |", "b", "", "", "a | b", "0 behind a");
        check("a | b", "c", "", "", "a | b c", "1 behind a");
    }

    #[test]
    fn an_undo_goes_before_upgrades_and_behind_earlier_undos() {
        check("a | b c", "!d", "", "", "a | !d b c", "0 behind a");
        check("a | !d b", "!e", "", "", "a | !d !e b", "1 behind a");
        check("| b", "!d", "", "", "d | b", "held");
    }

    #[test]
    fn who_steps_down_goes_before_all_but_undos() {
        let stepped_down =
            |before: &str, me: &str| shown(&record(before).stepped_down(&waiter(me)));
        assert_eq!(stepped_down("a | b c", "a"), "| a b c");
        assert_eq!(stepped_down("a | !d b", "a"), "| !d a b");
        assert_eq!(stepped_down("a | b", "b"), "a | b");
        check("| a b", "!d", "", "", "d | a b", "held");
        check("| a b", "b", "", "", "| a b", "1 behind a");
        check("| a b", "a", "", "", "a | b", "held");
    }

    #[test]
    fn an_invalid_holder_is_removed_and_the_head_takes_its_place() {
        check("a | b", "b", "a", "", "b |", "held");
        check("a |", "b", "a", "", "b |", "held");
    }

    #[test]
    fn only_the_head_takes_a_free_claim() {
        check("a | b", "c", "a", "", "| b c", "1 behind b");
        check("| b", "c", "", "", "| b c", "1 behind b");
    }

    #[test]
    fn invalid_heads_are_removed() {
        check("| b c", "d", "b c", "", "d |", "held");
        check("a | b c", "d", "a b", "", "| c d", "1 behind c");
    }

    #[test]
    fn an_entry_newer_than_what_was_read_stands() {
        check("a |", "b", "", "a", "a | b", "0 behind a");
        check("| a", "b", "", "a", "| a b", "1 behind a");
        // Also one's own: an old delivery must not take what its upgrade gave back since.
        check("a |", "a", "", "a", "a | a", "0 behind a");
    }

    #[test]
    fn the_next_step_queues_anew() {
        check("a | b", "a/2", "a", "", "| b a/2", "1 behind b");
        check("c | a b", "a/2", "", "", "c | b a/2", "1 behind c");
    }

    #[test]
    fn a_failed_upgrade_keeps_what_it_holds_for_its_undo() {
        check("a | b", "!a", "", "", "a | b", "held");
    }

    #[test]
    fn an_upgrade_in_the_queue_comes_to_the_front_with_its_undo() {
        check("c | b a", "!a", "", "", "c | !a b", "0 behind c");
    }

    #[test]
    fn a_release_leaves_the_others() {
        let record = record("a | b !c");
        assert_eq!(shown(&record.clone().without("a")), "| b !c");
        assert_eq!(shown(&record.without("b")), "a | !c");
    }

    #[test]
    fn only_the_head_of_the_queue_takes_over_and_only_from_the_holder() {
        let over = |before: &str, holder: &str, me: &str| {
            let taken = record(before).taken_over(holder, &party(me));
            taken.map(|record| shown(&record))
        };
        assert_eq!(over("a | !b c", "a", "b").as_deref(), Some("b | c"));
        assert_eq!(over("a | !b c", "a", "c"), None);
        assert_eq!(over("d | !b c", "a", "b"), None);
        assert_eq!(over("| !b c", "a", "b"), None);
        assert_eq!(over("a |", "a", "b"), None);
    }

    #[test]
    fn a_record_is_written_as_documented() {
        let text = serde_json::to_string(&record("a | !b")).unwrap();
        assert_eq!(
            text,
            r#"{"holder":{"id":"a","step":1,"seq":1},"queue":[{"id":"b","step":1,"seq":1,"class":"undo","since_ms":0}]}"#
        );
    }
}
