//! Lists that broke a promise once, and were too rare to be left to chance.

use crate::ops::{Act, BackupScript, CiScript, Op, What};
use crate::play::{Played, play};

/// With the seed, which drives what is not in the list.
fn check(seed: u64, ops: &[(What, u64)]) -> Played {
    let ops: Vec<Op> = ops
        .iter()
        .map(|(what, then)| Op {
            what: what.clone(),
            then: *then,
        })
        .collect();
    let played = play(seed, &ops);
    assert!(
        played.broken.is_empty(),
        "{}\n\nbroken: {:#?}",
        played.story.join("\n"),
        played.broken
    );
    played
}

fn webhook(service: usize, version: usize) -> What {
    What::Webhook {
        service,
        version,
        times: 1,
    }
}

/// A person takes back what was done last.
fn wanted_back() -> What {
    What::Person {
        act: Act::Rollback,
        nth: 0,
    }
}

/// A backup that is renewed under the CI turn did not ask whether another one of the same database
/// runs.
#[test]
fn a_renewed_dump_waits_for_the_one_that_runs() {
    let ops = [
        (What::Ci(CiScript::Hangs), 0),
        // Holds the turn until the patience is over.
        (webhook(2, 1), 60),
        // Waits for the turn until its backup is too old.
        (webhook(0, 1), 35 * 60),
        (What::Backup(BackupScript::Succeeds(1_200)), 0),
        // Dumps the same database for so long that the other one wants to, too.
        (webhook(1, 1), 30 * 60),
    ];
    check(1, &ops);
}

/// What was done had held the turn, and needed it again when it was wanted back: the record of old
/// counted, although it waited for the slot of an upgrade that waited for the turn.
#[test]
fn an_undo_that_waits_for_a_slot_does_not_hold_the_turn() {
    let ops = [
        (webhook(1, 1), 600),
        // Holds the slot for long, and wants the turn then.
        (What::Backup(BackupScript::Succeeds(720)), 0),
        (webhook(1, 2), 60),
        (wanted_back(), 60),
    ];
    check(1, &ops);
}

/// Too rare to be left to chance: the one way in which two may have the turn.
#[test]
fn an_undo_takes_the_turn_over_from_a_run_that_hangs() {
    let ops = [
        (webhook(1, 1), 600),
        (What::Ci(CiScript::Hangs), 0),
        (webhook(0, 1), 300),
        (wanted_back(), 1_200),
    ];
    let played = check(1, &ops);
    let story = played.story.join("\n");
    assert!(played.seen.contains(&"turn taken over"), "{story}");
}
