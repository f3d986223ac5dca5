//! What the log and the loop around it can do when everything outside answers at once, beside the
//! bare NATS client: a part of `cargo xtask bench pipeline`.
#![expect(clippy::print_stdout, reason = "it prints figures")]

#[path = "../src/tests/sample.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the facts of the tests, of which these are a few"
)]
mod sample;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::jetstream::{self, consumer::pull, stream};
use async_trait::async_trait;
use bus::{History, JetStream, Log, Outcome, Settings, Work, WorkError, run_owner};
use futures::{StreamExt as _, TryStreamExt as _, stream as streams};
use job::{Baseline, Body, CiRun, Command, Owner, UpgradeId};
use testkit::figures::Figures;
use testkit::nats::NatsServer;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// So many upgrades go through for the throughput, and so many, one by one, for the pauses.
const UPGRADES: u32 = 500;
const ALONE: u32 = 60;
/// Facts of each: one step, without a backup.
const FACTS: u32 = 12;
/// Each owner has so many hands, and so many requests arrive at once.
const WORKERS: usize = 8;
const OWNERS: [Owner; 4] = [
    Owner::Ingest,
    Owner::Analyzer,
    Owner::Executor,
    Owner::Verifier,
];
const LIMIT: Duration = Duration::from_secs(300);

/// Answers every command at once with what a good day brings.
#[derive(Default)]
struct Prompt {
    succeeded: AtomicU32,
    /// When an upgrade's last command ended.
    ended: Mutex<HashMap<UpgradeId, Instant>>,
    /// From the end of one command to the begin of the next, by the owner of the next.
    pauses: Mutex<BTreeMap<&'static str, Vec<Duration>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Work for Prompt {
    async fn carry_out(&self, history: &History, command: Command) -> Result<Outcome, WorkError> {
        let began = Instant::now();
        let ended = lock(&self.ended).remove(&history.id);
        if let Some(ended) = ended {
            let owner = history.state.next().as_str();
            let mut pauses = lock(&self.pauses);
            pauses.entry(owner).or_default().push(began - ended);
        }
        let body = self.answer(history, command)?;
        lock(&self.ended).insert(history.id.clone(), Instant::now());
        Ok(Outcome::Append(body))
    }
}

impl Prompt {
    fn answer(&self, history: &History, command: Command) -> Result<Body, WorkError> {
        let commit = || "c0ffee".repeat(6);
        Ok(match command {
            Command::Admit => Body::Admitted,
            Command::Plan => sample::planned("redis", &history.state.request.tag),
            Command::TakeSlots => Body::Started,
            Command::TakeTurn => Body::Ready,
            Command::TakeBaseline => Body::Baselined(Baseline::default()),
            Command::BuildCommit => Body::Pushing {
                base: commit(),
                commit_at: 1,
                commit: commit(),
            },
            Command::FinishPush => Body::Pushed { commit: commit() },
            Command::FollowCi => Body::CiPassed(CiRun {
                number: 1,
                workflow: "apply".into(),
                url: String::new(),
            }),
            Command::CheckApplied => sample::applied(),
            Command::Watch if history.state.healthy_since_ms.is_none() => {
                Body::HealthySince { since_ms: 1 }
            }
            Command::Watch => {
                self.succeeded.fetch_add(1, Ordering::Relaxed);
                Body::Succeeded {
                    report: "healthy".into(),
                }
            }
            other => {
                return Err(WorkError {
                    retry_after: None,
                    message: format!("{other:?} does not belong to a good day"),
                });
            }
        })
    }

    async fn until(&self, succeeded: u32) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.succeeded.load(Ordering::Relaxed) < succeeded {
            ensure!(began.elapsed() < LIMIT, "the upgrades do not end");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Ok(())
    }
}

/// Lets upgrades through four owners, each on a connection of its own: the seconds it took for many
/// at once, and the pauses of a few that went alone.
async fn pipeline(
    server: &NatsServer,
) -> anyhow::Result<(f64, BTreeMap<&'static str, Vec<Duration>>)> {
    let connect = async || {
        let log = JetStream::connect(&server.url(), Settings::new("bench")).await?;
        anyhow::Ok(Arc::new(log))
    };
    let log = connect().await?;
    log.set_up().await?;
    let (work, stop) = (Arc::new(Prompt::default()), CancellationToken::new());
    let mut owners = JoinSet::new();
    for owner in OWNERS {
        let (log, work) = (connect().await?, Arc::clone(&work));
        owners.spawn(run_owner(log, owner, WORKERS, work, stop.clone()));
    }
    let open = async |number: u32| {
        let tag = number.to_string();
        let id = sample::id(&tag);
        // As after a command: the pause before the first one holds the append of the request.
        lock(&work.ended).insert(id.clone(), Instant::now());
        let appended = log.append(&id, None, sample::requested(&tag)).await;
        appended.context("failed to open an upgrade")
    };
    // The first one waits for the owners to open their inboxes.
    open(0).await?;
    work.until(1).await?;
    lock(&work.pauses).clear();
    for number in 1..=ALONE {
        open(number).await?;
        work.until(number + 1).await?;
    }
    let pauses = std::mem::take(&mut *lock(&work.pauses));

    let began = Instant::now();
    let (first, last) = (ALONE + 1, ALONE + UPGRADES);
    let arriving = streams::iter(first..=last).map(open);
    let arriving = arriving.buffer_unordered(WORKERS);
    let opened = arriving.try_for_each(async |_| Ok(()));
    let (opened, ended) = tokio::join!(opened, work.until(last + 1));
    opened.and(ended)?;
    let took = began.elapsed().as_secs_f64();
    stop.cancel();
    while owners.join_next().await.is_some() {}
    let history = log.read(&sample::id(&last.to_string())).await?;
    let facts = history.map_or(0, |history| history.entries.len());
    ensure!(facts == usize::try_from(FACTS)?, "{facts} facts each");
    Ok((took, pauses))
}

/// The same number of messages through a stream and one consumer, by the bare client: every publish
/// and every acknowledgement confirmed, with as many of both under way as the owners have hands.
async fn raw(server: &NatsServer) -> anyhow::Result<f64> {
    const MESSAGES: u32 = UPGRADES * FACTS;
    let hands = WORKERS * OWNERS.len();
    let connect = async || async_nats::connect(server.url()).await;
    let context = jetstream::new(connect().await?);
    let config = stream::Config {
        name: "raw".into(),
        subjects: vec!["raw.>".into()],
        ..stream::Config::default()
    };
    context.create_stream(config).await?;
    let mut contexts = vec![context];
    for _ in 1..OWNERS.len() {
        contexts.push(jetstream::new(connect().await?));
    }
    let other = jetstream::new(connect().await?);
    let config = pull::Config {
        durable_name: Some("raw".into()),
        max_ack_pending: 50_000,
        ..pull::Config::default()
    };
    let consumer = other.create_consumer_on_stream(config, "raw").await?;
    let began = Instant::now();
    let publishing = streams::iter((0..MESSAGES).zip(contexts.iter().cycle()))
        .map(|(number, context)| {
            let context = context.clone();
            async move {
                let sent = context.publish(format!("raw.{number}"), vec![b'x'; 300].into());
                sent.await?.await?;
                anyhow::Ok(())
            }
        })
        .buffer_unordered(hands)
        .try_for_each(async |()| Ok(()));
    let messages = consumer.messages().await?.take(usize::try_from(MESSAGES)?);
    let consuming = messages
        .map(async |message| {
            let acknowledged = message?.double_ack().await;
            acknowledged.map_err(|error| anyhow::anyhow!(error))
        })
        .buffer_unordered(hands)
        .try_for_each(async |()| Ok(()));
    let (published, consumed) = tokio::join!(publishing, consuming);
    published.and(consumed)?;
    Ok(began.elapsed().as_secs_f64())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut figures = Figures::default();
    for (interval, name) in [("2m", "lazy sync"), ("always", "sync always")] {
        let server = NatsServer::start_syncing(interval).await?;
        let bare = f64::from(UPGRADES * FACTS) / raw(&server).await?;
        figures.add(&format!("{name}: bare client"), bare, "messages/s", "");
        let (took, mut pauses) = pipeline(&server).await?;
        let upgrades = f64::from(UPGRADES) / took;
        let facts = upgrades * f64::from(FACTS);
        let than = format!("{:.2} of the bare client's messages", facts / bare);
        figures.add(
            &format!("{name}: facts through the owners"),
            facts,
            "facts/s",
            &than,
        );
        let than = format!("{FACTS} facts each, {UPGRADES} upgrades");
        figures.add(
            &format!("{name}: upgrades through all stages"),
            upgrades,
            "upgrades/s",
            &than,
        );
        for owner in OWNERS {
            if let Some(times) = pauses.get_mut(owner.as_str()) {
                let name = format!("{name}: added before a command of {}", owner.as_str());
                let than = format!("{} pauses", times.len());
                figures.add_times(&name, times, &than);
            }
        }
    }
    print!("{figures}");
    Ok(())
}
