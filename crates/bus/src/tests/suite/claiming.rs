use std::time::Duration;

use futures::{StreamExt, stream};
use job::{Body, Claim, Phase, SkipReason, UpgradeId};

use super::Bench;
use crate::tests::sample::{
    applied, pushing, requested, rollback, up_to_planned, up_to_rollback, up_to_started, written,
};
use crate::tests::until::until;
use crate::{
    Bucket, Class, History, Log, PutError, Taken, WindowSettings, admit, holder, release, take,
};

const LENGTH: Duration = Duration::from_secs(2);
const FIVE: WindowSettings = WindowSettings {
    max: 5,
    length: LENGTH,
};

fn ready(service: &str, tag: &str) -> Vec<Body> {
    let mut bodies = up_to_started(service, tag);
    bodies.push(Body::Ready);
    bodies
}

async fn forward(log: &dyn Log, claim: &Claim, history: &History) -> Taken {
    take(log, claim, history, Class::Forward).await.unwrap()
}

pub(in crate::tests) async fn an_undo_is_served_before_earlier_upgrades(bench: &dyn Bench) {
    let log = &*bench.log();
    let settings = log.settings();
    let first = written(log, "first", up_to_started("a", "first")).await;
    let second = written(log, "second", up_to_started("b", "second")).await;
    let undo = written(log, "undo", up_to_rollback("c", "undo")).await;
    let turn = Claim::turn(&first.state);

    assert_eq!(forward(log, &turn, &first).await, Taken::Held);
    assert_eq!(
        holder(log, &turn).await.unwrap(),
        Some((first.id.clone(), 1))
    );
    let first = log
        .append(&first.id, Some(&first), Body::Ready)
        .await
        .unwrap();
    let behind_first = Taken::Waiting {
        ahead: 0,
        by: Some(first.id.clone()),
        retry: settings.claim_head,
    };
    assert_eq!(forward(log, &turn, &second).await, behind_first);
    assert_eq!(
        take(log, &turn, &undo, Class::Undo).await.unwrap(),
        behind_first
    );

    // The turn is free as soon as the holder's log says so, without any release.
    let first = log
        .append(&first.id, Some(&first), Body::SteppedBack("paused".into()))
        .await
        .unwrap();
    log.append(
        &first.id,
        Some(&first),
        Body::Skipped(SkipReason::AlreadyThere),
    )
    .await
    .unwrap_err();
    log.append(
        &first.id,
        Some(&first),
        Body::Aborted {
            at: "1".into(),
            why: "test".into(),
            transience: job::Transience::Lasting,
        },
    )
    .await
    .unwrap();
    let behind_undo = Taken::Waiting {
        ahead: 1,
        by: Some(undo.id.clone()),
        retry: settings.claim_others,
    };
    assert_eq!(forward(log, &turn, &second).await, behind_undo);
    assert_eq!(
        take(log, &turn, &undo, Class::Undo).await.unwrap(),
        Taken::Held
    );
    assert_eq!(
        forward(log, &turn, &second).await,
        Taken::Waiting {
            ahead: 0,
            by: Some(undo.id.clone()),
            retry: settings.claim_head,
        }
    );
    release(log, &turn, &undo.id).await.unwrap();
    assert_eq!(holder(log, &turn).await.unwrap(), None);
    assert_eq!(forward(log, &turn, &second).await, Taken::Held);
}

pub(in crate::tests) async fn a_holder_that_lost_its_need_is_removed(bench: &dyn Bench) {
    let log = &*bench.log();
    let mut old = written(log, "old", ready("redis", "old")).await;
    let new = written(log, "new", up_to_planned("redis", "new")).await;
    let slot = Claim::slot(&old.state).unwrap();
    assert_eq!(forward(log, &slot, &old).await, Taken::Held);
    assert!(matches!(
        forward(log, &slot, &new).await,
        Taken::Waiting { ahead: 0, .. }
    ));

    let bodies = [
        Body::Baselined(job::Baseline::default()),
        Body::Pushing {
            base: "b".into(),
            commit_at: 1,
            commit: "c".into(),
        },
        Body::Pushed { commit: "c".into() },
        Body::CiAbsent,
        applied(),
    ];
    for body in bodies {
        old = log.append(&old.id, Some(&old), body).await.unwrap();
        assert!(matches!(
            forward(log, &slot, &new).await,
            Taken::Waiting { .. }
        ));
    }
    log.append(
        &old.id,
        Some(&old),
        Body::Succeeded {
            report: String::new(),
        },
    )
    .await
    .unwrap();
    assert_eq!(holder(log, &slot).await.unwrap(), None);
    assert_eq!(forward(log, &slot, &new).await, Taken::Held);
    assert_eq!(holder(log, &slot).await.unwrap(), Some((new.id, 1)));
}

pub(in crate::tests) async fn a_claim_is_held_by_one_of_many_at_a_time(bench: &dyn Bench) {
    let log = &bench.log();
    let waiting: Vec<History> = stream::iter(0..12)
        .map(|number| async move {
            let tag = number.to_string();
            written(&**log, &tag, up_to_planned("redis", &tag)).await
        })
        .buffered(4)
        .collect()
        .await;
    let slot = &Claim::slot(&waiting[0].state).unwrap();
    let mut left = waiting;
    while !left.is_empty() {
        let taken: Vec<Taken> = stream::iter(&left)
            .map(|history| async move { forward(&**log, slot, history).await })
            .buffered(12)
            .collect()
            .await;
        let held: Vec<usize> = (0..left.len())
            .filter(|index| taken[*index] == Taken::Held)
            .collect();
        assert!(held.len() <= 1, "{taken:?}");
        for index in held {
            let history = left.remove(index);
            let end = Body::Skipped(SkipReason::AlreadyThere);
            log.append(&history.id, Some(&history), end).await.unwrap();
        }
    }
}

/// What a claim is needed for passes and comes back: one that only watches has no need of the turn,
/// and needs it again as soon as it has to be undone.
pub(in crate::tests) async fn who_needs_a_claim_again_is_safe_from_older_judgements(
    bench: &dyn Bench,
) {
    let log = &*bench.log();
    let settings = log.settings();
    let holder = written(log, "holder", ready("redis", "holder")).await;
    let other = written(log, "other", up_to_started("web", "other")).await;
    let turn = Claim::turn(&holder.state);
    assert_eq!(forward(log, &turn, &holder).await, Taken::Held);
    let watching = [
        Body::Baselined(job::Baseline::default()),
        pushing(),
        Body::Pushed { commit: "c".into() },
        Body::CiAbsent,
        applied(),
    ];
    let watching = told(log, &holder, watching).await;
    assert!(!job::needs(&turn, 1, &watching.state));

    // Another one has read the record and that the holder has no need, and is about to write.
    let key = turn.key();
    let (revision, _) = log.get(Bucket::Claims, &key).await.unwrap().unwrap();
    let undo = told(log, &watching, [rollback()]).await;
    let taken = take(log, &turn, &undo, Class::Undo).await.unwrap();
    assert_eq!(taken, Taken::Held);
    let theirs = format!(
        r#"{{"holder":{{"id":"{}","step":1,"seq":{}}}}}"#,
        other.id,
        other.sequence()
    );
    let late = log
        .put(Bucket::Claims, &key, revision, theirs.as_bytes())
        .await;
    assert!(matches!(late, Err(PutError::Conflict)), "{late:?}");
    let behind_the_undo = Taken::Waiting {
        ahead: 0,
        by: Some(undo.id.clone()),
        retry: settings.claim_head,
    };
    assert_eq!(forward(log, &turn, &other).await, behind_the_undo);
}

/// Nor does it hold anything by the need alone: else two would wait for each other, one for a slot
/// and the other for this turn.
pub(in crate::tests) async fn a_need_that_came_back_holds_nothing_by_itself(bench: &dyn Bench) {
    let log = &*bench.log();
    let done = written(log, "done", ready("redis", "done")).await;
    let other = written(log, "other", up_to_started("redis", "other")).await;
    let turn = Claim::turn(&done.state);
    assert_eq!(forward(log, &turn, &done).await, Taken::Held);
    let wanted_back = [
        Body::Baselined(job::Baseline::default()),
        pushing(),
        Body::Pushed { commit: "c".into() },
        Body::CiAbsent,
        applied(),
        Body::Succeeded {
            report: String::new(),
        },
        rollback(),
    ];
    let undo = told(log, &done, wanted_back).await;
    assert!(job::needs(&turn, 1, &undo.state));
    assert_eq!(holder(log, &turn).await.unwrap(), None);
    assert_eq!(forward(log, &turn, &other).await, Taken::Held);
    let behind_the_other = Taken::Waiting {
        ahead: 0,
        by: Some(other.id.clone()),
        retry: log.settings().claim_head,
    };
    let taken = take(log, &turn, &undo, Class::Undo).await.unwrap();
    assert_eq!(taken, behind_the_other);
}

async fn told(log: &dyn Log, history: &History, bodies: impl IntoIterator<Item = Body>) -> History {
    let mut history = history.clone();
    for body in bodies {
        history = log.append(&history.id, Some(&history), body).await.unwrap();
    }
    history
}

async fn opened(log: &dyn Log, tag: &str) -> UpgradeId {
    written(log, tag, vec![requested(tag)]).await.id
}

async fn phase(log: &dyn Log, id: &UpgradeId) -> Phase {
    log.read(id).await.unwrap().unwrap().state.phase
}

pub(in crate::tests) async fn a_full_window_holds_until_it_expires(bench: &dyn Bench) {
    let log = &*bench.log();
    let began = log.now_ms();
    for tag in ["1", "2", "3", "4", "5"] {
        let id = opened(log, tag).await;
        admit(log, "infra", FIVE, Some(&id)).await.unwrap();
        assert_eq!(phase(log, &id).await, Phase::Admitted);
    }
    let sixth = opened(log, "6").await;
    let admission = admit(log, "infra", FIVE, Some(&sixth)).await.unwrap();
    assert_eq!(
        (admission.admitted.len(), admission.held),
        (5, vec![sixth.clone()])
    );
    assert_eq!(phase(log, &sixth).await, Phase::Held);
    // Again, as after a crash; and another repository has its own window.
    assert_eq!(
        admit(log, "infra", FIVE, Some(&sixth))
            .await
            .unwrap()
            .held
            .len(),
        1
    );
    assert_eq!(
        admit(log, "other repo.git", FIVE, None)
            .await
            .unwrap()
            .held
            .len(),
        0
    );

    until("the sixth is admitted", || async {
        admit(log, "infra", FIVE, None).await.unwrap();
        phase(log, &sixth).await == Phase::Admitted
    })
    .await;
    let waited = log.now_ms() - began;
    assert!(
        waited >= i64::try_from(LENGTH.as_millis()).unwrap(),
        "after {waited} ms already"
    );
}

pub(in crate::tests) async fn many_newcomers_at_once_get_exactly_the_places_there_are(
    bench: &dyn Bench,
) {
    let settings = WindowSettings {
        length: Duration::from_secs(3_600),
        ..FIVE
    };
    let log = &*bench.log();
    stream::iter(0..10)
        .for_each_concurrent(10, |number| async move {
            let id = opened(log, &number.to_string()).await;
            admit(log, "infra", settings, Some(&id)).await.unwrap();
        })
        .await;
    let admission = admit(log, "infra", settings, None).await.unwrap();
    assert_eq!((admission.admitted.len(), admission.held.len()), (5, 5));
    for id in &admission.admitted {
        assert_eq!(phase(log, id).await, Phase::Admitted);
    }
    for id in &admission.held {
        assert_eq!(phase(log, id).await, Phase::Held);
    }

    // One that ends without having started gives its place to the head of the queue.
    let ended = log.read(&admission.admitted[2]).await.unwrap().unwrap();
    let end = Body::Skipped(SkipReason::AlreadyThere);
    log.append(&ended.id, Some(&ended), end).await.unwrap();
    let next = admit(log, "infra", settings, None).await.unwrap();
    assert_eq!(next.admitted.last(), admission.held.first());
    assert_eq!(next.held, admission.held[1..]);
}
