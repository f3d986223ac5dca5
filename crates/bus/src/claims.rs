//! Claims: what only one upgrade may hold at a time, and who is next.
//!
//! A record is a hint about upgrades, never the truth: it holds only as far as the logs of the
//! upgrades it names agree, so that a lost release cannot leak.

mod decide;

use std::time::Duration;

use job::{Claim, UpgradeId};
use serde::{Deserialize, Serialize};

use self::decide::{Next, Party, Record, Verdict, Verdicts, Waiter};
use crate::{Bucket, History, Log, PutError, Unavailable};

/// How often a record that others change at the same time is read again.
const ATTEMPTS: usize = 50;

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// An undo: before every upgrade.
    Undo,
    /// An upgrade.
    Forward,
}

/// What came of asking for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is held, now or already before.
    Held,
    /// It is queued for.
    Waiting {
        /// How many go first.
        ahead: usize,
        /// Who holds it, or will take it next.
        by: Option<UpgradeId>,
        /// When to ask again.
        retry: Duration,
    },
}

/// Takes the claim for the upgrade's current step, or queues for it. Safe to repeat.
///
/// # Errors
/// [`Unavailable`] if the record or a log cannot be read or written.
pub async fn take(
    log: &dyn Log,
    claim: &Claim,
    history: &History,
    class: Class,
) -> Result<Taken, Unavailable> {
    let key = claim.key();
    let me = Waiter {
        party: Party {
            id: history.id.as_str().to_owned(),
            step: history.state.step,
            seq: history.sequence(),
        },
        class,
        since_ms: log.now_ms(),
    };
    for _ in 0..ATTEMPTS {
        let (revision, record) = read(log, &key).await?;
        let mut verdicts = Verdicts::new();
        let (changed, taken) = loop {
            match decide::decide(&record, &me, &verdicts) {
                Next::Judge(party) => {
                    let verdict = judge(log, claim, history, &party).await?;
                    verdicts.insert(party, verdict);
                }
                Next::Done { record, place } => break (record, place),
            }
        };
        if changed == record || write(log, &key, revision, &changed).await? {
            return Ok(told(log, taken));
        }
    }
    Err(Unavailable::new(format!(
        "the claim {key} is changed too often"
    )))
}

fn told(log: &dyn Log, place: decide::Place) -> Taken {
    match place {
        decide::Place::Held => Taken::Held,
        decide::Place::Queued { ahead, by } => {
            let settings = log.settings();
            let retry = if ahead == 0 {
                settings.claim_head
            } else {
                settings.claim_others
            };
            Taken::Waiting {
                ahead,
                by: by.and_then(|id| UpgradeId::parse(&id).ok()),
                retry,
            }
        }
    }
}

/// Who holds the claim, and for which step.
///
/// # Errors
/// [`Unavailable`] if the record or the holder's log cannot be read.
pub async fn holder(log: &dyn Log, claim: &Claim) -> Result<Option<(UpgradeId, u32)>, Unavailable> {
    let (_, record) = read(log, &claim.key()).await?;
    let Some(party) = record.holder else {
        return Ok(None);
    };
    let Ok(id) = UpgradeId::parse(&party.id) else {
        return Ok(None);
    };
    let verdict = verdict(log, claim, log.read(&id).await?.as_ref(), &id, &party).await?;
    Ok((verdict != Verdict::Invalid).then_some((id, party.step)))
}

/// Gives the claim or the place in its queue back. A courtesy to whoever waits: without it, they
/// find out from the log.
///
/// # Errors
/// [`Unavailable`] if the record cannot be read or written.
pub async fn release(log: &dyn Log, claim: &Claim, id: &UpgradeId) -> Result<(), Unavailable> {
    let key = claim.key();
    for _ in 0..ATTEMPTS {
        let (revision, record) = read(log, &key).await?;
        let changed = record.clone().without(id.as_str());
        if changed == record || write(log, &key, revision, &changed).await? {
            return Ok(());
        }
    }
    Err(Unavailable::new(format!(
        "the claim {key} is changed too often"
    )))
}

async fn read(log: &dyn Log, key: &str) -> Result<(u64, Record), Unavailable> {
    let Some((revision, bytes)) = log.get(Bucket::Claims, key).await? else {
        return Ok((0, Record::default()));
    };
    let record = serde_json::from_slice(&bytes)
        .map_err(|error| Unavailable::because(format!("the claim {key} cannot be read"), error))?;
    Ok((revision, record))
}

/// False if another was faster.
async fn write(
    log: &dyn Log,
    key: &str,
    revision: u64,
    record: &Record,
) -> Result<bool, Unavailable> {
    let bytes = serde_json::to_vec(record).map_err(|error| {
        Unavailable::because(format!("the claim {key} cannot be written"), error)
    })?;
    match log.put(Bucket::Claims, key, revision, &bytes).await {
        Ok(_revision) => Ok(true),
        Err(PutError::Conflict) => Ok(false),
        Err(PutError::Unavailable(error)) => Err(error),
    }
}

async fn judge(
    log: &dyn Log,
    claim: &Claim,
    mine: &History,
    party: &Party,
) -> Result<Verdict, Unavailable> {
    // Nothing that this code wrote, so nobody can stand up for it.
    let Ok(id) = UpgradeId::parse(&party.id) else {
        return Ok(Verdict::Invalid);
    };
    if id == mine.id {
        return verdict(log, claim, Some(mine), &id, party).await;
    }
    let history = log.read(&id).await?;
    verdict(log, claim, history.as_ref(), &id, party).await
}

async fn verdict(
    log: &dyn Log,
    claim: &Claim,
    history: Option<&History>,
    id: &UpgradeId,
    party: &Party,
) -> Result<Verdict, Unavailable> {
    Ok(match history {
        Some(history) if history.sequence() < party.seq => Verdict::Unknown,
        Some(history) if job::needs(claim, party.step, &history.state) => Verdict::Valid,
        Some(_) => Verdict::Invalid,
        None if log.archived(id).await?.is_some() => Verdict::Invalid,
        None => Verdict::Unknown,
    })
}
