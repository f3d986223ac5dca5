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
pub(crate) async fn run(spool: Spool, gate: Arc<Gate>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        // What is cut off in the middle is replayed by the next start.
        () = replay(&spool, &gate) => {}
    }
}

#[expect(clippy::infinite_loop, reason = "its caller drops it")]
async fn replay(spool: &Spool, gate: &Gate) {
    // So many of the oldest are passed over for now, so that none holds up those behind it.
    let mut passed_over = 0;
    loop {
        let record = match spool.nth(passed_over).await {
            Ok(Some(record)) => record,
            Ok(None) if passed_over > 0 => {
                passed_over = 0;
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
        passed_over = if one(spool, gate, record).await {
            0
        } else {
            tokio::time::sleep(AGAIN).await;
            passed_over + 1
        };
    }
}

/// Replays one request; whether it is in the log now.
async fn one(spool: &Spool, gate: &Gate, record: Record) -> bool {
    match gate.replayed(&record).await {
        Ok(answer) => {
            if let Err(error) = spool.done(record).await {
                tracing::warn!("a request stays in the spool and is replayed again: {error}");
                return false;
            }
            let waiting = spool.standing().records;
            tracing::info!(?answer, waiting, "a spooled request was replayed");
            true
        }
        Err(error) => {
            tracing::debug!(%error, "a spooled request has to wait");
            false
        }
    }
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
    let probe = log.get(Bucket::Controls, "spool");
    let there = matches!(tokio::time::timeout(PROBE_WAIT, probe).await, Ok(Ok(_)));
    Some((error.to_string(), there))
}
