//! Lists that broke a promise once, and were too rare to be left to chance.

use crate::ops::{BackupScript, CiScript, Op, What};
use crate::play::play;

fn check(ops: &[(What, u64)]) {
    let ops: Vec<Op> = ops
        .iter()
        .map(|(what, then)| Op {
            what: what.clone(),
            then: *then,
        })
        .collect();
    let played = play(1, &ops);
    assert!(
        played.broken.is_empty(),
        "{}\n\nbroken: {:#?}",
        played.story.join("\n"),
        played.broken
    );
}

fn webhook(service: usize, version: usize) -> What {
    What::Webhook {
        service,
        version,
        times: 1,
    }
}

/// A backup that is renewed under the CI turn did not ask whether another one of the same database
/// runs.
#[test]
fn a_renewed_dump_waits_for_the_one_that_runs() {
    check(&[
        (What::Ci(CiScript::Hangs), 0),
        // Holds the turn until the patience is over.
        (webhook(2, 1), 60),
        // Waits for the turn until its backup is too old.
        (webhook(0, 1), 35 * 60),
        (What::Backup(BackupScript::Succeeds(1_200)), 0),
        // Dumps the same database for so long that the other one wants to, too.
        (webhook(1, 1), 30 * 60),
    ]);
}
