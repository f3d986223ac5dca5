//! Who goes on when several upgrades wait for one slot, and what whoever gets it finds.

use std::sync::Arc;

use bus::{Class, History, Log, Outcome, Work as _};
use executor::Refound;
use job::{Body, Claim, Command, Plan, SkipReason};

use crate::common::{self, Branch};

/// A planned upgrade from 1.0.0 to this tag.
async fn planned(log: &Arc<dyn Log>, tag: &str, change: impl FnOnce(&mut Plan)) -> History {
    let mut plan = common::plan("1.0.0", &[tag]);
    change(&mut plan);
    let mut history = None;
    for body in [
        Body::Requested(common::request(tag)),
        Body::Admitted,
        Body::Planned(plan),
    ] {
        let next = log.append(&common::id(tag), history.as_ref(), body).await;
        history = Some(next.expect("a legal fact"));
    }
    history.expect("facts")
}

/// Queues for the slot as the executor would.
async fn queue(log: &Arc<dyn Log>, history: &History) {
    let claim = Claim::slot(&history.state).expect("a plan");
    bus::take(log.as_ref(), &claim, history, Class::Forward)
        .await
        .expect("queued");
}

async fn answer(log: &Arc<dyn Log>, history: &History, branch: Branch) -> String {
    let executor = common::executor(log, branch);
    match executor.carry_out(history, Command::TakeSlots).await {
        Ok(Outcome::Append(Body::Superseded { by })) => format!("superseded by {by}"),
        Ok(Outcome::Append(body)) => body.name().to_owned(),
        Ok(Outcome::Wait(_)) => "waits".to_owned(),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn an_older_upgrade_leaves_the_newest_planned_one_of_its_sites_the_way() {
    let (_server, log) = common::log().await;
    let running = planned(&log, "1.1.0", |_| {}).await;
    queue(&log, &running).await;
    let running = log
        .append(&running.id, Some(&running), Body::Started)
        .await
        .expect("started");
    let old = planned(&log, "1.2.0", |_| {}).await;
    let elsewhere = planned(&log, "9.0.0", |plan| {
        plan.steps[0].sites[0].address = "local.other".to_owned();
    })
    .await;
    let approval = planned(&log, "9.1.0", |plan| plan.policy.approval = true).await;
    for history in [&old, &elsewhere] {
        queue(&log, history).await;
    }
    assert_eq!(approval.state.command(), None, "not in the queue");
    assert_eq!(answer(&log, &old, Branch::default()).await, "waits");

    let newer = planned(&log, "1.3.0", |_| {}).await;
    let newest = planned(&log, "1.4.0", |_| {}).await;
    queue(&log, &newer).await;
    queue(&log, &newest).await;
    let by = format!("superseded by {}", newest.id);
    assert_eq!(answer(&log, &old, Branch::default()).await, by);
    assert_eq!(answer(&log, &newer, Branch::default()).await, by);
    assert_eq!(answer(&log, &newest, Branch::default()).await, "waits");
    assert_eq!(answer(&log, &elsewhere, Branch::default()).await, "waits");

    // Whoever gets the slot looks as well, and the newest starts.
    let aborted = Body::Aborted {
        at: "1.0.0".to_owned(),
        why: String::new(),
        transience: job::Transience::Lasting,
    };
    log.append(&running.id, Some(&running), aborted)
        .await
        .expect("over");
    assert_eq!(answer(&log, &old, Branch::default()).await, by);
    for history in [&old, &newer] {
        let superseded = Body::Superseded {
            by: newest.id.to_string(),
        };
        log.append(&history.id, Some(history), superseded)
            .await
            .expect("over");
    }
    let cancelled = Body::CancelRequested { by: "a".to_owned() };
    log.append(&elsewhere.id, Some(&elsewhere), cancelled)
        .await
        .expect("asked");
    assert_eq!(answer(&log, &newest, Branch::default()).await, "started");
}

#[tokio::test]
async fn who_waits_for_a_place_in_the_cluster_keeps_no_undo_from_the_slot() {
    let (_server, log) = common::log().await;
    // Something flies alone in the same cluster.
    let other = planned(&log, "1.1.0", |plan| plan.service = "other".to_owned()).await;
    let taken = bus::board(log.as_ref(), "home", &other, None, true).await;
    assert_eq!(taken.expect("a place"), bus::Taken::Held);

    let history = planned(&log, "1.2.0", |_| {}).await;
    assert_eq!(answer(&log, &history, Branch::default()).await, "waits");
    let claim = Claim::slot(&history.state).expect("a plan");
    let holder = bus::holder(log.as_ref(), &claim).await.expect("a record");
    assert_eq!(holder, None);
    let queue = bus::queue(log.as_ref(), &claim).await.expect("a record");
    assert_eq!(queue, std::slice::from_ref(&history.id));

    let over = Body::Skipped(SkipReason::AlreadyThere);
    log.append(&other.id, Some(&other), over)
        .await
        .expect("over");
    assert_eq!(answer(&log, &history, Branch::default()).await, "started");
}

#[tokio::test]
async fn whoever_gets_the_slot_reads_the_sites_again() {
    let (_server, log) = common::log().await;
    let history = planned(&log, "1.2.0", |_| {}).await;
    let changed = || Refound::Changed("it holds 1.3.0".to_owned());
    for (sites, beyond, expected) in [
        (Refound::Ready, false, "started"),
        (Refound::AlreadyThere, true, "skipped"),
        (changed(), true, "skipped"),
        (changed(), false, "replan"),
    ] {
        let branch = Branch { sites, beyond };
        assert_eq!(answer(&log, &history, branch).await, expected);
    }
    let executor = common::executor(
        &log,
        Branch {
            sites: changed(),
            beyond: true,
        },
    );
    let skipped = executor.carry_out(&history, Command::TakeSlots).await;
    assert!(
        matches!(
            skipped,
            Ok(Outcome::Append(Body::Skipped(SkipReason::AlreadyThere)))
        ),
        "{skipped:?}"
    );
}
