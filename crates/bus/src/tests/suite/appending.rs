use job::{Body, Owner, Phase};
use tokio::join;

use super::Bench;
use crate::AppendError;
use crate::tests::sample::{id, planned, requested, up_to_planned, written};

pub(in crate::tests) async fn of_two_writers_one_wins(bench: &dyn Bench) {
    let log = bench.log();
    let mut history = written(&*log, "7", up_to_planned("redis", "7")).await;
    for _ in 0..20 {
        let nudge = || log.append(&history.id, Some(&history), Body::Nudged);
        let (one, other) = join!(nudge(), nudge());
        let (won, lost) = if one.is_ok() {
            (one, other)
        } else {
            (other, one)
        };
        assert!(matches!(lost, Err(AppendError::Conflict)), "{lost:?}");
        history = won.unwrap();
        let read = log.read(&history.id).await.unwrap().unwrap();
        assert_eq!(read.entries, history.entries);
    }
}

pub(in crate::tests) async fn two_openings_at_once_make_one_upgrade(bench: &dyn Bench) {
    let log = bench.log();
    for tag in ["1", "2", "3", "4", "5"] {
        let id = id(tag);
        let open = || log.append(&id, None, requested(tag));
        let (one, other) = join!(open(), open());
        assert!(one.is_ok() != other.is_ok());
        assert!(matches!(one.and(other), Err(AppendError::Conflict)));
        assert_eq!(log.read(&id).await.unwrap().unwrap().entries.len(), 1);
    }
}

pub(in crate::tests) async fn an_illegal_fact_is_not_appended(bench: &dyn Bench) {
    let log = bench.log();
    let refused = log.append(&id("7"), None, Body::Started).await;
    assert!(
        matches!(refused, Err(AppendError::Illegal(_))),
        "{refused:?}"
    );
    assert!(log.read(&id("7")).await.unwrap().is_none());
}

pub(in crate::tests) async fn a_log_is_read_as_it_was_written(bench: &dyn Bench) {
    let log = bench.log();
    let history = written(&*log, "7", up_to_planned("redis", "7")).await;
    written(&*log, "8", vec![requested("8")]).await;
    let read = log.read(&history.id).await.unwrap().unwrap();
    assert_eq!(read.entries, history.entries);
    assert_eq!(read.state, history.state);
    assert_eq!(read.state.phase, Phase::Planned);
    let facts: Vec<_> = read
        .entries
        .iter()
        .map(|entry| (entry.n, entry.next, entry.fact.step))
        .collect();
    assert_eq!(
        facts,
        [
            (1, Owner::Ingest, 0),
            (2, Owner::Analyzer, 0),
            (3, Owner::Executor, 1)
        ]
    );
    assert_eq!(read.entries[2].fact.body, planned("redis", "7"));
}

pub(in crate::tests) async fn followers_see_every_fact_in_order(bench: &dyn Bench) {
    let log = bench.log();
    let before = written(&*log, "7", vec![requested("7")]).await;
    let mut named = log.follow(Some("newcomer")).await.unwrap();
    let mut all = log.follow(None).await.unwrap();
    assert_eq!((named.backlog(), all.backlog()), (0, 1));
    // Made by the set-up: what happens before the first ingest follows is told as well.
    let told = log.follow(Some(crate::ANNOUNCER)).await.unwrap();
    assert_eq!(told.backlog(), 1);
    let after = log
        .append(&before.id, Some(&before), Body::Admitted)
        .await
        .unwrap();

    for entry in &after.entries {
        let found = all.next().await.unwrap();
        assert_eq!((&found.id, &found.entry), (&after.id, entry));
    }
    let found = named.next().await.unwrap();
    assert_eq!(
        found.entry, after.entries[1],
        "a new name starts at what comes next"
    );
    drop(named);

    // Not acknowledged, so the next one with that name gets it again.
    let mut named = log.follow(Some("newcomer")).await.unwrap();
    let again = named.next().await.unwrap();
    assert_eq!((again.entry.n, again.redelivered), (2, 1));
    again.handle.ack().await.unwrap();
    written(&*log, "8", vec![requested("8")]).await;
    assert_eq!(named.next().await.unwrap().id, id("8"));
}
