//! A dump that is cancelled or takes too long ends before the next one begins, on a cluster where
//! a deleted Job's pod takes its time to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bus::{Clock, History, Log, Memory, Outcome, SystemClock, Work as _};
use executor::{Backups, JobPhase, KubernetesBackups};
use job::{Body, Command, Transience};
use testkit::kubernetes::Cluster;

use crate::common::{self, Branch};

/// The machine's clock, set forward by hand.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicI64>);

impl Clock for Ahead {
    fn now_ms(&self) -> i64 {
        SystemClock.now_ms() + self.0.load(Ordering::SeqCst)
    }
}

struct Bench {
    cluster: Cluster,
    backups: Arc<KubernetesBackups>,
    log: Arc<dyn Log>,
    clock: Ahead,
}

impl Bench {
    /// A cluster whose dumps take ten minutes, and as long to end when they are deleted.
    async fn start() -> Bench {
        runtime::tls::install();
        let cluster = Cluster::start().expect("a cluster");
        let target = common::target();
        cluster.add_cronjob(&target.namespace, &target.cronjob, "postgres:16.2");
        cluster.job_delay(Duration::from_secs(600));
        cluster.job_grace(Duration::from_secs(600));
        let mut settings = runtime::Settings::default();
        settings.kubernetes.url = Some(cluster.url());
        let backups = KubernetesBackups::connect(&settings).await;
        let clock = Ahead::default();
        let settings = bus::Settings {
            clock: Arc::new(clock.clone()),
            ..bus::Settings::new("test")
        };
        Bench {
            cluster,
            backups: Arc::new(backups.expect("a client")),
            log: Arc::new(Memory::new(settings, 1)),
            clock,
        }
    }

    fn set_forward(&self, seconds: i64) {
        self.clock.0.store(seconds * 1_000, Ordering::SeqCst);
    }

    /// An upgrade that is about to back the one database up, within a minute.
    async fn started(&self, tag: &str) -> History {
        let mut plan = common::plan("1.0.0", &[tag]);
        plan.backup = Some(common::target());
        let facts = vec![Body::Admitted, Body::Planned(plan), Body::Started];
        common::upgrade(&self.log, tag, facts).await
    }

    /// An upgrade whose dump runs.
    async fn dumping(&self, tag: &str) -> History {
        let history = self.started(tag).await;
        let intent = self.look(&history).await;
        let Outcome::Append(intent @ Body::BackingUp { .. }) = intent else {
            unreachable!("{intent:?}")
        };
        let history = common::append(&self.log, &history, intent).await;
        self.waits(&history).await;
        history
    }

    async fn cancelled(&self, history: &History) -> History {
        let by = "alice".to_owned();
        common::append(&self.log, history, Body::CancelRequested { by }).await
    }

    /// What a process that knows nothing but the log answers.
    async fn look(&self, history: &History) -> Outcome {
        let backups = Arc::<KubernetesBackups>::clone(&self.backups);
        let executor = common::executor_with(&self.log, Branch::default(), backups);
        let command = history.state.command().expect("somebody acts");
        executor.carry_out(history, command).await.expect("a look")
    }

    #[track_caller]
    fn waits<'a>(&'a self, history: &'a History) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let outcome = self.look(history).await;
            assert!(matches!(outcome, Outcome::Wait(_)), "{outcome:?} {caller}");
        }
    }

    async fn phases(&self) -> Vec<JobPhase> {
        let jobs = self.backups.jobs(&common::target()).await;
        let jobs = jobs.expect("the Jobs of the CronJob");
        jobs.into_iter().map(|job| job.phase).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_is_not_wanted_any_more_has_ended_before_the_next_begins() {
    for cancel in [true, false] {
        let bench = Bench::start().await;
        let other = bench.started("1.0.2").await;
        let mut unwanted = bench.dumping("1.0.1").await;
        // Past the time-out and the spacing.
        bench.set_forward(61);
        if cancel {
            unwanted = bench.cancelled(&unwanted).await;
        }
        for delivered in 1..=3 {
            bench.waits(&unwanted).await;
            bench.waits(&other).await;
            let phases = bench.phases().await;
            assert!(
                matches!(phases[..], [JobPhase::Ending { .. }]),
                "{phases:?} after {delivered}"
            );
            assert_eq!(bench.cluster.running_jobs(), 1);
        }

        bench.cluster.job_grace(Duration::ZERO);
        let Outcome::Append(end) = bench.look(&unwanted).await else {
            panic!("nothing dumps any more")
        };
        if let Body::Aborted {
            why, transience, ..
        } = &end
        {
            assert_eq!(*transience, Transience::Transient);
            assert!(why.contains("was not seen to finish within 60 s"), "{why}");
        }
        let expected = if cancel { "cancelled" } else { "aborted" };
        assert_eq!(end.name(), expected);
        // The answer was lost, and comes again.
        let again = bench.look(&unwanted).await;
        assert!(
            matches!(&again, Outcome::Append(body) if *body == end),
            "{again:?}"
        );
        common::append(&bench.log, &unwanted, end).await;
        assert_eq!(bench.cluster.jobs().len(), 1, "it is not made again");
        let Outcome::Append(intent) = bench.look(&other).await else {
            panic!("the next dump may begin")
        };
        let other = common::append(&bench.log, &other, intent).await;
        bench.waits(&other).await;
        assert_eq!(bench.cluster.jobs().len(), 2);
        assert_eq!(bench.cluster.running_jobs(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_dump_stays_until_the_next_one_may_begin() {
    let bench = Bench::start().await;
    bench.cluster.job_grace(Duration::ZERO);
    let other = bench.started("1.0.2").await;
    let unwanted = bench.dumping("1.0.1").await;
    let unwanted = bench.cancelled(&unwanted).await;
    for seconds in [0, 30] {
        bench.set_forward(seconds);
        bench.waits(&unwanted).await;
        bench.waits(&other).await;
        assert_eq!(bench.phases().await, [JobPhase::Running]);
    }
    bench.set_forward(61);
    bench.waits(&unwanted).await;
    assert_eq!(bench.phases().await, []);
    let outcome = bench.look(&unwanted).await;
    assert!(
        matches!(outcome, Outcome::Append(Body::Cancelled { .. })),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_was_complete_before_the_cancel_serves_the_others() {
    let bench = Bench::start().await;
    bench.cluster.job_delay(Duration::ZERO);
    bench.set_forward(-10);
    let other = bench.started("1.0.2").await;
    bench.set_forward(0);
    let unwanted = bench.dumping("1.0.1").await;
    let unwanted = bench.cancelled(&unwanted).await;
    // Until the cancel is answered nobody knows what becomes of the dump.
    bench.waits(&other).await;
    let outcome = bench.look(&unwanted).await;
    let Outcome::Append(answer @ Body::Cancelled { .. }) = outcome else {
        unreachable!("{outcome:?}")
    };
    common::append(&bench.log, &unwanted, answer).await;
    assert_eq!(bench.phases().await, [JobPhase::Complete]);
    assert_eq!(other.state.command(), Some(Command::BeginBackup));
    let outcome = bench.look(&other).await;
    assert!(
        matches!(
            outcome,
            Outcome::Append(Body::BackedUp { shared: true, .. })
        ),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_never_ends_keeps_the_next_dump_from_beginning_and_no_upgrade_waiting() {
    for cancel in [true, false] {
        let bench = Bench::start().await;
        let other = bench.started("1.0.2").await;
        let mut unwanted = bench.dumping("1.0.1").await;
        bench.set_forward(61);
        if cancel {
            unwanted = bench.cancelled(&unwanted).await;
        }
        bench.waits(&unwanted).await;
        bench.set_forward(61 + 1_800);
        let outcome = bench.look(&unwanted).await;
        match outcome {
            Outcome::Append(Body::Cancelled { .. }) => assert!(cancel),
            Outcome::Append(Body::Aborted {
                why, transience, ..
            }) => {
                assert!(!cancel);
                assert_eq!(transience, Transience::Lasting);
                assert!(why.contains("its pod does not end"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        bench.waits(&other).await;
        assert_eq!(bench.cluster.running_jobs(), 1);
    }
}
