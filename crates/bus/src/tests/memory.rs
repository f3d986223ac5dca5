//! The suite over the log in memory, and the faults that only it can make.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use job::{Body, Owner, Phase};

use super::sample::{applied, id, requested, up_to_planned, up_to_rollback, written};
use super::short_settings;
use super::suite::looping::{all_skipped, analyzer, ingest, open};
use super::suite::{Bench, whole_suite};
use super::until::until;
use crate::{
    AppendError, Bucket, Class, Log, Memory, PutError, Rates, Settings, Taken, VirtualClock,
    step_down, take,
};

#[async_trait]
impl Bench for Memory {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.clone())
    }

    async fn unanswered(&self, owner: Owner) -> u64 {
        u64::try_from(Memory::unanswered(self, owner)).unwrap()
    }

    async fn forget_acks(&self, owner: Owner) {
        Memory::forget_acks(self, owner);
    }
}

async fn bench() -> Memory {
    let settings = Settings {
        clock: Arc::new(VirtualClock::starting_at(1_000_000)),
        ..short_settings()
    };
    Memory::new(settings, 1)
}

whole_suite!(super::bench, start_paused = true);

fn only(set: impl FnOnce(&mut Rates)) -> Rates {
    let mut rates = Rates::default();
    set(&mut rates);
    rates
}

#[tokio::test(start_paused = true)]
async fn an_append_whose_answers_are_all_lost_is_in_the_log_once() {
    let bench = bench().await;
    let history = written(&bench, "7", vec![requested("7")]).await;
    bench.faults().set(only(|rates| rates.lost_answers = 1_000));
    let unclear = bench
        .append(&history.id, Some(&history), Body::Admitted)
        .await;
    assert!(
        matches!(unclear, Err(AppendError::Unavailable(_))),
        "{unclear:?}"
    );
    bench.faults().end();
    let read = bench.read(&history.id).await.unwrap().unwrap();
    assert_eq!(read.entries.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_append_whose_answer_may_be_lost_says_what_is_in_the_log() {
    let bench = bench().await;
    let mut history = written(&bench, "7", vec![requested("7")]).await;
    bench.faults().set(Rates {
        lost_requests: 300,
        lost_answers: 300,
        stale_reads: 300,
        slow: 300,
        ..Rates::default()
    });
    let (mut told, mut unclear) = (0, 0);
    for _ in 0..200 {
        match bench
            .append(&history.id, Some(&history), Body::Nudged)
            .await
        {
            Ok(appended) => {
                told += 1;
                assert_eq!(appended.entries.len(), history.entries.len() + 1);
                history = appended;
            }
            Err(AppendError::Unavailable(_)) => {
                unclear += 1;
                bench.faults().set(Rates::default());
                history = bench.read(&history.id).await.unwrap().unwrap();
                bench.faults().set(only(|rates| rates.lost_answers = 500));
            }
            Err(error) => panic!("nobody else appends: {error}"),
        }
    }
    // Half of them would be told without sending again.
    assert!(told > 118 && unclear > 5, "{told} {unclear}");
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_answer_was_lost_is_known_again() {
    let bench = bench().await;
    let (mut revision, mut told) = (0, 0);
    for round in 0..100 {
        let value = round.to_string();
        let other = bench.put(Bucket::Claims, &value, 0, b"").await;
        other.unwrap();
        bench.faults().set(only(|rates| rates.lost_answers = 500));
        let put = bench
            .put(Bucket::Claims, "a", revision, value.as_bytes())
            .await;
        bench.faults().end();
        let (there, found) = bench.get(Bucket::Claims, "a").await.unwrap().unwrap();
        assert_eq!(found, value.as_bytes());
        match put {
            Ok(written) => assert_eq!(written, there),
            Err(PutError::Unavailable(_)) => {}
            Err(PutError::Conflict) => panic!("nobody else writes"),
        }
        told += usize::from(put.is_ok());
        revision = there;
    }
    // Half of them would be told without looking.
    assert!(told > 62, "{told}");
}

#[tokio::test(start_paused = true)]
async fn the_loop_ends_every_upgrade_whatever_goes_wrong_on_the_way() {
    const COUNT: usize = 60;
    let bench = bench().await;
    let log = bench.log();
    open(&log, COUNT).await;
    bench.faults().set(Rates {
        lost_requests: 50,
        lost_answers: 50,
        duplicates: 100,
        delays: 100,
        stale_reads: 200,
        slow: 300,
    });
    let (ingest, analyzer) = (ingest(&bench), analyzer(&bench));
    until("half of it is done", || async {
        analyzer.seen.total() >= COUNT / 2
    })
    .await;
    bench.faults().go_away(Duration::from_secs(10));
    until("all of it is done", || async {
        analyzer.seen.upgrades() == COUNT
    })
    .await;
    bench.faults().end();
    all_skipped(&log, COUNT).await;
    for owner in [Owner::Ingest, Owner::Analyzer] {
        until("all is acknowledged", || async {
            bench.unanswered(owner) == 0
        })
        .await;
    }
    ingest.stop().await;
    analyzer.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_it_is_away_nothing_is_answered_and_nothing_is_delivered() {
    let bench = bench().await;
    written(&bench, "7", vec![requested("7")]).await;
    let running = ingest(&bench);
    bench.faults().go_away(Duration::from_secs(30));
    bench.read(&id("7")).await.unwrap_err();
    assert_eq!(running.seen.total(), 0);
    until("it is done when it is back", || async {
        let read = bench.read(&id("7")).await;
        read.is_ok_and(|read| read.unwrap().state.phase == Phase::Admitted)
    })
    .await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_behind_lacks_the_newest_facts_and_records() {
    let bench = bench().await;
    let history = written(&bench, "7", vec![requested("7"), Body::Admitted]).await;
    bench.put(Bucket::Claims, "a", 0, b"new").await.unwrap();
    bench.faults().set(only(|rates| rates.stale_reads = 1_000));
    let read = bench.read(&history.id).await.unwrap();
    assert!(read.is_none_or(|read| read.entries.len() < 2));
    assert_eq!(bench.get(Bucket::Claims, "a").await.unwrap(), None);
}

/// What it held at the same fact before, and gave back, may be held by another one since.
#[tokio::test(start_paused = true)]
async fn a_claim_is_not_held_by_the_word_of_a_copy_that_is_behind() {
    let bench = bench().await;
    let first = written(&bench, "1", up_to_planned("redis", "1")).await;
    let second = written(&bench, "2", up_to_planned("redis", "2")).await;
    let slot = job::Claim::slot(&first.state).unwrap();
    for history in [&first, &second] {
        let taken = take(&bench, &slot, history, Class::Forward).await.unwrap();
        assert_eq!(taken == Taken::Held, history.id == first.id);
    }
    let undo = Class::Undo;
    step_down(&bench, &slot, &first).await.unwrap();
    assert_eq!(
        take(&bench, &slot, &second, undo).await.unwrap(),
        Taken::Held
    );

    bench.faults().set(only(|rates| rates.stale_reads = 1_000));
    for _ in 0..20 {
        let again = take(&bench, &slot, &first, Class::Forward).await;
        assert!(!matches!(again, Ok(Taken::Held)), "{again:?}");
    }
}

/// The copy shows it as it was when it had no need of the turn.
#[tokio::test(start_paused = true)]
async fn a_holder_is_not_judged_by_the_word_of_a_copy_that_is_behind() {
    let bench = bench().await;
    let mut bodies = up_to_rollback("web", "other");
    bodies.truncate(4);
    let other = written(&bench, "other", bodies).await;
    let mut bodies = up_to_rollback("redis", "holder");
    let rollback = bodies.pop().unwrap();
    bodies.extend([Body::CiAbsent, applied()]);
    let ready = written(&bench, "holder", bodies[..5].to_vec()).await;
    let turn = job::Claim::turn(&ready.state);
    let held = take(&bench, &turn, &ready, Class::Forward).await.unwrap();
    assert_eq!(held, Taken::Held);
    let mut undo = ready;
    for body in bodies.into_iter().skip(5).chain([rollback]) {
        undo = bench.append(&undo.id, Some(&undo), body).await.unwrap();
    }
    let held = take(&bench, &turn, &undo, Class::Undo).await.unwrap();
    assert_eq!(held, Taken::Held);

    bench.faults().set(only(|rates| rates.stale_reads = 500));
    for _ in 0..20 {
        let taken = take(&bench, &turn, &other, Class::Forward).await.unwrap();
        assert!(matches!(taken, Taken::Waiting { .. }), "{taken:?}");
    }
}

/// All that is heard of a fact is that it was stored before.
#[tokio::test(start_paused = true)]
async fn an_append_that_is_stored_and_not_to_be_seen_yet_is_no_conflict() {
    let bench = bench().await;
    let history = written(&bench, "7", vec![requested("7")]).await;
    bench.faults().set(only(|rates| rates.lost_answers = 1_000));
    let first_answer = bench.settings().publish_timeout;
    let behind = async {
        tokio::time::sleep(first_answer / 2).await;
        bench.faults().set(only(|rates| rates.stale_reads = 1_000));
    };
    let append = bench.append(&history.id, Some(&history), Body::Admitted);
    let (unclear, ()) = tokio::join!(append, behind);
    assert!(
        matches!(unclear, Err(AppendError::Unavailable(_))),
        "{unclear:?}"
    );
    bench.faults().end();
    let read = bench.read(&history.id).await.unwrap().unwrap();
    assert_eq!(read.entries.len(), 2);
}
