use std::time::Duration;

use futures::{StreamExt as _, stream};
use job::{Body, SkipReason};

use super::Bench;
use crate::tests::sample::{up_to_planned, up_to_rollback, written};
use crate::{CircuitSettings, History, Taken, board, circuit};

const CLUSTER: &str = "home";

pub(in crate::tests) async fn so_many_fly_at_once_and_the_next_when_one_lands(bench: &dyn Bench) {
    let log = &bench.log();
    let waiting: Vec<History> = stream::iter(0..9)
        .map(|number| async move {
            let tag = number.to_string();
            // One service each: only the cluster is shared.
            written(&**log, &tag, up_to_planned(&tag, &tag)).await
        })
        .buffered(4)
        .collect()
        .await;
    let mut left = waiting;
    while !left.is_empty() {
        let taken: Vec<Taken> = stream::iter(&left)
            .map(|history| async move {
                board(&**log, CLUSTER, history, Some(3), false)
                    .await
                    .unwrap()
            })
            .buffered(9)
            .collect()
            .await;
        let held: Vec<usize> = (0..left.len())
            .filter(|index| taken[*index] == Taken::Held)
            .collect();
        assert!((1..=3).contains(&held.len()), "{taken:?}");
        let landed = left.remove(held[0]);
        let end = Body::Skipped(SkipReason::AlreadyThere);
        log.append(&landed.id, Some(&landed), end).await.unwrap();
    }
}

pub(in crate::tests) async fn who_flies_alone_is_alone_and_what_is_stuck_does_not_fly(
    bench: &dyn Bench,
) {
    let log = &*bench.log();
    let fly = async |history: &History, alone| {
        let taken = board(log, CLUSTER, history, None, alone).await.unwrap();
        taken == Taken::Held
    };
    let first = written(log, "1", up_to_rollback("one", "1")).await;
    let alone = written(log, "2", up_to_planned("two", "2")).await;
    let later = written(log, "3", up_to_planned("three", "3")).await;
    assert!(fly(&first, false).await);
    assert!(!fly(&alone, true).await);
    assert!(!fly(&later, false).await, "nobody overtakes it");
    let stuck = Body::Stuck("no".to_owned());
    log.append(&first.id, Some(&first), stuck).await.unwrap();
    assert!(!fly(&later, false).await);
    assert!(fly(&alone, true).await);
    assert!(!fly(&later, false).await);
    let end = Body::Skipped(SkipReason::AlreadyThere);
    log.append(&alone.id, Some(&alone), end).await.unwrap();
    assert!(fly(&later, false).await);
}

pub(in crate::tests) async fn a_circuit_trips_once_is_told_once_and_is_closed_by_hand(
    bench: &dyn Bench,
) {
    let log = &*bench.log();
    let settings = CircuitSettings {
        undos: 2,
        within: Duration::from_secs(1_800),
    };
    let one = written(log, "1", up_to_rollback("one", "1")).await;
    let two = written(log, "2", up_to_rollback("two", "2")).await;
    for _ in 0..2 {
        let note = circuit::note_undo(log, CLUSTER, &one, settings);
        note.await.unwrap();
        assert_eq!(circuit::tripped(log, CLUSTER).await.unwrap(), None);
    }
    circuit::note_undo(log, CLUSTER, &two, settings)
        .await
        .unwrap();
    let tripped = circuit::tripped(log, CLUSTER).await.unwrap().unwrap();
    assert_eq!(tripped.upgrades, [one.id.clone(), two.id]);
    assert_eq!(circuit::tripped(log, "other").await.unwrap(), None);
    assert_eq!(circuit::untold(log).await.unwrap(), [tripped]);
    circuit::told(log, CLUSTER).await.unwrap();
    assert_eq!(circuit::untold(log).await.unwrap(), []);

    assert_eq!(circuit::close_all(log).await.unwrap(), [CLUSTER]);
    assert_eq!(circuit::close_all(log).await.unwrap(), [""; 0]);
    assert_eq!(circuit::tripped(log, CLUSTER).await.unwrap(), None);
    let three = written(log, "3", up_to_rollback("three", "3")).await;
    let note = circuit::note_undo(log, CLUSTER, &three, settings);
    note.await.unwrap();
    assert_eq!(circuit::tripped(log, CLUSTER).await.unwrap(), None);
}
