use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use job::{Body, Command, Owner, Phase, SkipReason};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Bench;
use crate::tests::sample::{id, requested, up_to_planned, up_to_rollback, up_to_started, written};
use crate::tests::until::until;
use crate::{History, Log, Outcome, Work, WorkError, run_owner};

const LATER: Duration = Duration::from_secs(3_600);

/// How often something was carried out, by upgrade.
#[derive(Default)]
pub(in crate::tests) struct Seen(Mutex<HashMap<String, usize>>);

impl Seen {
    fn note(&self, history: &History) -> usize {
        let mut seen = self.0.lock().unwrap();
        let count = seen.entry(history.id.to_string()).or_default();
        *count += 1;
        *count
    }

    pub(in crate::tests) fn total(&self) -> usize {
        self.0.lock().unwrap().values().sum()
    }

    pub(in crate::tests) fn upgrades(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Work that is a closure over the command and how often it was asked.
struct Doing<F>(Arc<Seen>, F);

/// Work that is a closure over the history.
struct Judging<F>(F);

#[async_trait]
impl<F> Work for Judging<F>
where
    F: Fn(&History) -> Result<Outcome, WorkError> + Send + Sync + 'static,
{
    async fn carry_out(&self, history: &History, _: Command) -> Result<Outcome, WorkError> {
        self.0(history)
    }
}

#[async_trait]
impl<F, A> Work for Doing<F>
where
    F: Fn(Command, usize) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Outcome, WorkError>> + Send,
{
    async fn carry_out(&self, history: &History, command: Command) -> Result<Outcome, WorkError> {
        let times = self.0.note(history);
        (self.1)(command, times).await
    }
}

/// A running owner.
pub(in crate::tests) struct Running {
    pub(in crate::tests) seen: Arc<Seen>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start<F, A>(bench: &dyn Bench, owner: Owner, workers: usize, work: F) -> Running
    where
        F: Fn(Command, usize) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Outcome, WorkError>> + Send + 'static,
    {
        let seen = Arc::new(Seen::default());
        let work = Arc::new(Doing(Arc::clone(&seen), work));
        Running::run(bench, owner, workers, seen, work)
    }

    fn judging<F>(bench: &dyn Bench, owner: Owner, workers: usize, work: F) -> Running
    where
        F: Fn(&History) -> Result<Outcome, WorkError> + Send + Sync + 'static,
    {
        Running::run(
            bench,
            owner,
            workers,
            Arc::default(),
            Arc::new(Judging(work)),
        )
    }

    fn run(
        bench: &dyn Bench,
        owner: Owner,
        workers: usize,
        seen: Arc<Seen>,
        work: Arc<dyn Work>,
    ) -> Running {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run_owner(bench.log(), owner, workers, work, stop.clone()));
        Running { seen, stop, task }
    }

    pub(in crate::tests) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Admits everything.
pub(in crate::tests) fn ingest(bench: &dyn Bench) -> Running {
    Running::start(bench, Owner::Ingest, 4, async |_, _| {
        Ok(Outcome::Append(Body::Admitted))
    })
}

/// Finds that nothing is to be done, always.
pub(in crate::tests) fn analyzer(bench: &dyn Bench) -> Running {
    Running::start(bench, Owner::Analyzer, 4, async |_, _| {
        Ok(Outcome::Append(Body::Skipped(SkipReason::AlreadyThere)))
    })
}

/// Opens `count` upgrades.
pub(in crate::tests) async fn open(log: &Arc<dyn Log>, count: usize) {
    stream::iter(0..count)
        .for_each_concurrent(32, |number| async move {
            written(
                &**log,
                &number.to_string(),
                vec![requested(&number.to_string())],
            )
            .await;
        })
        .await;
}

/// Waits until every one of `count` upgrades is over, and checks that nothing stands there twice.
pub(in crate::tests) async fn all_skipped(log: &Arc<dyn Log>, count: usize) {
    until("every upgrade is over", || async {
        stream::iter(0..count)
            .map(|number| async move { log.read(&id(&number.to_string())).await })
            .buffered(32)
            .try_all(|read| async move { read.is_some_and(|read| read.state.phase.is_end()) })
            .await
            .unwrap_or(false)
    })
    .await;
    for number in 0..count {
        let read = log.read(&id(&number.to_string())).await.unwrap().unwrap();
        let names: Vec<_> = read
            .entries
            .iter()
            .map(|entry| entry.fact.body.name())
            .collect();
        assert_eq!(names, ["requested", "admitted", "skipped"]);
    }
}

pub(in crate::tests) async fn work_that_died_before_its_ack_is_not_done_again(bench: &dyn Bench) {
    let log = bench.log();
    written(&*log, "7", vec![requested("7")]).await;
    let mut inbox = log.inbox(Owner::Ingest).await.unwrap();
    let delivery = inbox.next(1).await.unwrap();
    assert_eq!((delivery.n, delivery.redelivered), (1, 0));
    let history = log.read(&delivery.id).await.unwrap().unwrap();
    log.append(&delivery.id, Some(&history), Body::Admitted)
        .await
        .unwrap();
    drop((delivery, inbox));
    assert_eq!(bench.unanswered(Owner::Ingest).await, 1);

    let running = ingest(bench);
    until("the old delivery is acknowledged", || async {
        bench.unanswered(Owner::Ingest).await == 0
    })
    .await;
    assert_eq!(running.seen.total(), 0, "it was carried out again");
    assert_eq!(log.read(&id("7")).await.unwrap().unwrap().entries.len(), 2);
    running.stop().await;
}

pub(in crate::tests) async fn acknowledged_deliveries_that_come_again_have_no_effect(
    bench: &dyn Bench,
) {
    const COUNT: usize = 300;
    let log = bench.log();
    let (ingest, analyzer) = (ingest(bench), analyzer(bench));
    open(&log, COUNT).await;
    all_skipped(&log, COUNT).await;
    for owner in [Owner::Ingest, Owner::Analyzer] {
        until("all is acknowledged", || async {
            bench.unanswered(owner).await == 0
        })
        .await;
        bench.forget_acks(owner).await;
    }
    for owner in [Owner::Ingest, Owner::Analyzer] {
        until("all is acknowledged again", || async {
            bench.unanswered(owner).await == 0
        })
        .await;
    }
    assert_eq!((ingest.seen.total(), analyzer.seen.total()), (COUNT, COUNT));
    all_skipped(&log, COUNT).await;
    ingest.stop().await;
    analyzer.stop().await;
}

pub(in crate::tests) async fn two_thousand_waiting_upgrades_delay_nobody(bench: &dyn Bench) {
    const WAITING: usize = 2_000;
    let log = bench.log();
    let executor = Running::start(bench, Owner::Executor, 4, async |command, _| {
        Ok(match command {
            Command::TakeSlots => Outcome::Wait(LATER),
            _ => Outcome::Append(Body::Ready),
        })
    });
    let undo = Running::start(bench, Owner::Undo, 1, async |_, _| {
        Ok(Outcome::Append(Body::Reverted { commit: None }))
    });
    let shared = &log;
    stream::iter(0..WAITING)
        .for_each_concurrent(32, |number| async move {
            let tag = number.to_string();
            written(&**shared, &tag, up_to_planned("redis", &tag)).await;
        })
        .await;
    until("all of them wait", || async {
        executor.seen.upgrades() == WAITING
    })
    .await;

    let asked = executor.seen.total();
    written(&*log, "undo", up_to_rollback("redis", "undo")).await;
    written(&*log, "late", up_to_started("postgres", "late")).await;
    for (tag, phase) in [("undo", Phase::Reverted), ("late", Phase::Ready)] {
        until("it is handled", || async {
            log.read(&id(tag)).await.unwrap().unwrap().state.phase == phase
        })
        .await;
    }
    // Those that wait hold no place and are not asked again first.
    let asked = executor.seen.total() - asked;
    assert!(asked < WAITING / 10, "{asked} commands");
    executor.stop().await;
    undo.stop().await;
}

pub(in crate::tests) async fn long_work_is_not_delivered_twice(bench: &dyn Bench) {
    let log = bench.log();
    let long = log.settings().ack_wait * 3;
    let replica = || {
        Running::start(bench, Owner::Ingest, 1, move |_, _| async move {
            tokio::time::sleep(long).await;
            Ok(Outcome::Append(Body::Admitted))
        })
    };
    let (one, other) = (replica(), replica());
    written(&*log, "7", vec![requested("7")]).await;
    // Nothing is unanswered before the delivery, too.
    until("it is done", || async {
        log.read(&id("7")).await.unwrap().unwrap().state.phase == Phase::Admitted
    })
    .await;
    until("it is acknowledged", || async {
        bench.unanswered(Owner::Ingest).await == 0
    })
    .await;
    assert_eq!(one.seen.total() + other.seen.total(), 1);
    one.stop().await;
    other.stop().await;
}

pub(in crate::tests) async fn a_failing_command_is_tried_until_it_succeeds(bench: &dyn Bench) {
    let log = bench.log();
    let running = Running::start(bench, Owner::Ingest, 1, async |_, times| match times {
        1 => Err(WorkError {
            retry_after: None,
            message: "first".into(),
        }),
        // An answer that may not follow is a failure like any other.
        2 => Ok(Outcome::Append(Body::Started)),
        3 => panic!("third"),
        _ => Ok(Outcome::Append(Body::Admitted)),
    });
    written(&*log, "7", vec![requested("7")]).await;
    until("it is done", || async {
        log.read(&id("7")).await.unwrap().unwrap().state.phase == Phase::Admitted
    })
    .await;
    until("it is acknowledged", || async {
        bench.unanswered(Owner::Ingest).await == 0
    })
    .await;
    assert_eq!(running.seen.total(), 4);
    // What panicked is tried again with care.
    assert_eq!(names(&*log, "7").await, ["requested", "tried", "admitted"]);
    running.stop().await;
}

pub(in crate::tests) async fn what_is_tried_in_vain_is_told_until_it_goes_on(bench: &dyn Bench) {
    let log = bench.log();
    let running = Running::start(bench, Owner::Ingest, 1, async |_, _| {
        Err(WorkError {
            retry_after: Some(Duration::from_secs(2_400)),
            message: "it is limited".into(),
        })
    });
    let opened = written(&*log, "7", vec![requested("7")]).await;
    let told = async |n| crate::trouble(&*log, &opened.id, n).await.unwrap();
    until("it is told", || async { told(1).await.is_some() }).await;
    let trouble = told(1).await.unwrap();
    let left = (trouble.again_ms - log.now_ms()) / 1_000;
    assert_eq!((trouble.n, trouble.why.as_str()), (1, "it is limited"));
    assert!((2_300..=2_400).contains(&left), "{left}");
    running.stop().await;
    // Once it has gone on.
    assert_eq!(told(2).await, None);
}

pub(in crate::tests) async fn what_panics_again_and_again_is_parked_and_others_go_on(
    bench: &dyn Bench,
) {
    let log = bench.log();
    let guilty = id("guilty").to_string();
    let work = move |history: &History| {
        assert_ne!(history.id.as_str(), guilty, "as it does each time");
        Ok(Outcome::Append(Body::Admitted))
    };
    let running = Running::judging(bench, Owner::Ingest, 4, work);
    for tag in ["guilty", "1", "2", "3"] {
        written(&*log, tag, vec![requested(tag)]).await;
    }
    until("it is parked", || async {
        log.read(&id("guilty")).await.unwrap().unwrap().state.phase == Phase::Parked
    })
    .await;
    let told = ["requested", "tried", "tried", "tried", "tried", "parked"];
    assert_eq!(names(&*log, "guilty").await, told);
    for tag in ["1", "2", "3"] {
        assert_eq!(names(&*log, tag).await, ["requested", "admitted"]);
    }
    let history = log.read(&id("guilty")).await.unwrap().unwrap();
    assert!(
        history
            .state
            .outcome
            .starts_with("Admit was in hand each of the 5 times"),
        "{}",
        history.state.outcome
    );
    running.stop().await;
}

pub(in crate::tests) async fn what_is_answered_illegally_again_and_again_is_parked(
    bench: &dyn Bench,
) {
    let log = bench.log();
    let running = Running::start(bench, Owner::Ingest, 1, async |_, _| {
        Ok(Outcome::Append(Body::Started))
    });
    written(&*log, "7", vec![requested("7")]).await;
    until("it is parked", || async {
        log.read(&id("7")).await.unwrap().unwrap().state.phase == Phase::Parked
    })
    .await;
    until("it is acknowledged", || async {
        bench.unanswered(Owner::Ingest).await == 0
    })
    .await;
    assert_eq!(running.seen.total(), 5);
    let history = log.read(&id("7")).await.unwrap().unwrap();
    let why = &history.state.outcome;
    assert!(
        why.starts_with("`started` cannot follow") && why.contains("answer 5 times"),
        "{why}"
    );

    // Retried, it is tried as often again.
    let retry = Body::RetryRequested { by: "ada".into() };
    log.append(&history.id, Some(&history), retry)
        .await
        .unwrap();
    until("it is parked again", || async {
        names(&*log, "7").await.last() == Some(&"parked") && running.seen.total() == 10
    })
    .await;
    running.stop().await;
}

async fn names(log: &dyn Log, tag: &str) -> Vec<&'static str> {
    let history = log.read(&id(tag)).await.unwrap().unwrap();
    let bodies = history.entries.iter().map(|entry| entry.fact.body.name());
    bodies.collect()
}

pub(in crate::tests) async fn a_cancel_in_between_wins_and_the_old_answer_is_dropped(
    bench: &dyn Bench,
) {
    let log = bench.log();
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let running = Running::start(bench, Owner::Ingest, 2, move |command, _| {
        let held = Arc::clone(&held);
        async move {
            if command == Command::AnswerCancel {
                return Ok(Outcome::Append(Body::Cancelled { at: String::new() }));
            }
            held.acquire().await.unwrap().forget();
            Ok(Outcome::Append(Body::Admitted))
        }
    });
    let history = written(&*log, "7", vec![requested("7")]).await;
    until("it is in hand", || async { running.seen.total() == 1 }).await;
    let cancel = Body::CancelRequested { by: "ada".into() };
    log.append(&history.id, Some(&history), cancel)
        .await
        .unwrap();
    gate.add_permits(1);
    until("it is over", || async {
        bench.unanswered(Owner::Ingest).await == 0
    })
    .await;
    let read = log.read(&id("7")).await.unwrap().unwrap();
    let names: Vec<_> = read
        .entries
        .iter()
        .map(|entry| entry.fact.body.name())
        .collect();
    assert_eq!(names, ["requested", "cancel_requested", "cancelled"]);
    running.stop().await;
}

pub(in crate::tests) async fn an_overlong_log_is_parked(bench: &dyn Bench) {
    let log = bench.log();
    let mut history = written(&*log, "7", vec![requested("7")]).await;
    while history.entries.len() < 1_000 {
        history = log
            .append(&history.id, Some(&history), Body::Nudged)
            .await
            .unwrap();
    }
    let running = ingest(bench);
    until("it is parked", || async {
        log.read(&id("7")).await.unwrap().unwrap().state.phase == Phase::Parked
    })
    .await;
    assert_eq!(running.seen.total(), 0);
    running.stop().await;
}
