//! What was spooled goes into the log, and whether this replica can take requests meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bucket, Log};
use runtime::Health;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::metrics;
use crate::spool::{Record, Spool, SpoolError};

/// A log that did not take a request is asked again after this; the spool is looked at as often.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the log may take to show that it is there.
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// The part of the process that a spool of no use keeps from being ready.
const PART: &str = "spool";

/// Replays until `stop`: the oldest first, one at a time.
pub(crate) async fn run(spool: Spool, gate: Arc<Gate>, log: Arc<dyn Log>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        // What is cut off in the middle is replayed by the next start.
        () = replay(&spool, &gate, log.as_ref()) => {}
    }
}

/// Where the replay stands in the spool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cursor {
    /// So many of the oldest are passed over for now, so that none holds up those behind it.
    passed_over: usize,
    /// The one that is next was not taken just now. That may have been the end of an outage.
    doubted: bool,
}

/// What became of one attempt at a request.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    /// It is in the log, and the spool has forgotten it.
    Done,
    /// It is in the log, and the disk did not let it be forgotten.
    Kept,
    /// It is not in the log, which answers nothing else either.
    Away,
    /// It is not in the log, though that answers: why.
    Refused(String),
}

impl Cursor {
    /// Where it goes on after an attempt; `passed_before` says whether this request was passed over
    /// before. While the log is away nobody is: who came first goes first when it is back.
    fn after(self, attempt: &Attempt, passed_before: bool) -> Cursor {
        let Cursor {
            passed_over,
            doubted,
        } = self;
        let (passed_over, doubted) = match attempt {
            Attempt::Done => (passed_over, false),
            Attempt::Kept => (passed_over + 1, false),
            Attempt::Away => (0, false),
            Attempt::Refused(_) if doubted || passed_before => (passed_over + 1, false),
            Attempt::Refused(_) => (passed_over, true),
        };
        Cursor {
            passed_over,
            doubted,
        }
    }
}

#[expect(clippy::infinite_loop, reason = "its caller drops it")]
async fn replay(spool: &Spool, gate: &Gate, log: &dyn Log) {
    let mut cursor = Cursor::default();
    let mut passed: Vec<Record> = Vec::new();
    loop {
        let record = match spool.nth(cursor.passed_over).await {
            Ok(Some(record)) => record,
            Ok(None) if cursor.passed_over > 0 => {
                cursor = Cursor::default();
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Ok(None) => {
                spool.filled().await;
                continue;
            }
            Err(_told_by_readiness) => {
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let attempt = one(spool, gate, log, &record).await;
        let passed_before = passed.contains(&record);
        let next = cursor.after(&attempt, passed_before);
        let passes = next.passed_over > cursor.passed_over;
        cursor = next;
        match attempt {
            Attempt::Done => {
                passed.retain(|before| *before != record);
                continue;
            }
            Attempt::Refused(why) if passes && !passed_before => {
                tracing::warn!(
                    image = record.request.image,
                    tag = record.request.tag,
                    error = why,
                    "a spooled request is not taken, though NATS is there; mend what the error \
                     says: it is tried again after those behind it"
                );
                passed.push(record);
            }
            Attempt::Kept | Attempt::Away | Attempt::Refused(_) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Tries to replay one request.
async fn one(spool: &Spool, gate: &Gate, log: &dyn Log, record: &Record) -> Attempt {
    match gate.replayed(record).await {
        Ok(answer) => {
            if let Err(error) = spool.done(record.clone()).await {
                tracing::warn!("a request stays in the spool and is replayed again: {error}");
                return Attempt::Kept;
            }
            let waiting = spool.standing().records;
            tracing::info!(?answer, waiting, "a spooled request was replayed");
            Attempt::Done
        }
        Err(error) => {
            let why = chain(&error);
            tracing::debug!(error = why, "a spooled request has to wait");
            if is_there(log).await {
                Attempt::Refused(why)
            } else {
                Attempt::Away
            }
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Keeps `health` right until `stop`: while the log is away, this replica is ready as long as its
/// spool takes requests.
pub(crate) async fn readiness(
    spool: Spool,
    log: Arc<dyn Log>,
    health: Health,
    stop: CancellationToken,
) {
    let mut told = None;
    loop {
        let trouble = trouble(spool.check().await, log.as_ref()).await;
        match &trouble {
            None => health.ready(PART),
            Some((why, ready)) => {
                if told.as_ref() != Some(why) {
                    tracing::error!("{why}");
                }
                if *ready {
                    health.ready(PART);
                } else {
                    health.not_ready(PART, why.clone());
                }
            }
        }
        told = trouble.map(|(why, _)| why);
        metrics::spool(&spool.standing(), log.now_ms());
        health.started();
        if tokio::time::timeout(AGAIN, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

/// What is wrong with the spool, and whether requests can be taken all the same.
async fn trouble(checked: Result<(), SpoolError>, log: &dyn Log) -> Option<(String, bool)> {
    let error = checked.err()?;
    Some((error.to_string(), is_there(log).await))
}

/// Whether the log answers.
async fn is_there(log: &dyn Log) -> bool {
    let probe = log.get(Bucket::Controls, "spool");
    matches!(tokio::time::timeout(PROBE_WAIT, probe).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests;
