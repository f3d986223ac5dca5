//! Claims: what only one upgrade may hold at a time, and who is next.
//!
//! A record is a hint about upgrades, never the truth: it holds only as far as the logs of the
//! upgrades it names agree, so that a lost release cannot leak.
//!
//! **Invariant:** an entry that was found to be a leftover is one for ever. Upgrades come to need
//! again what they had given up (the turn, for an undo); then they ask again.

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
    let me = me(log, history, class);
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
        // What is held is written in any case: a copy that is behind may show what was given back
        // since.
        let stands = changed == record && taken != decide::Place::Held;
        if stands || write(log, &key, revision, &changed).await? {
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

/// Takes the claim from a holder that still needs it, for the head of its queue. False if the record
/// says otherwise by now; safe to repeat. The caller says why the holder can do without it.
///
/// # Errors
/// [`Unavailable`] if the record cannot be read or written.
pub async fn take_over(
    log: &dyn Log,
    claim: &Claim,
    history: &History,
    holder: &UpgradeId,
) -> Result<bool, Unavailable> {
    let key = claim.key();
    let me = Party {
        id: history.id.as_str().to_owned(),
        step: history.state.step,
        seq: history.sequence(),
    };
    for _ in 0..ATTEMPTS {
        let (revision, record) = read(log, &key).await?;
        let Some(changed) = record.taken_over(holder.as_str(), &me) else {
            return Ok(false);
        };
        if write(log, &key, revision, &changed).await? {
            return Ok(true);
        }
    }
    Err(Unavailable::new(format!(
        "the claim {key} is changed too often"
    )))
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

/// Who queues for the claim, in the order in which it is served. Not judged: a leftover may be among
/// them, so read the log of whoever matters.
///
/// # Errors
/// [`Unavailable`] if the record cannot be read.
pub async fn queue(log: &dyn Log, claim: &Claim) -> Result<Vec<UpgradeId>, Unavailable> {
    let (_, record) = read(log, &claim.key()).await?;
    let ids = record.queue.iter().map(|waiter| &waiter.party.id);
    Ok(ids.filter_map(|id| UpgradeId::parse(id).ok()).collect())
}

/// Gives the claim back and stays in front of all other upgrades in its queue. For whoever holds it
/// and has to wait for something else, so that an undo need not wait with it.
///
/// # Errors
/// [`Unavailable`] if the record cannot be read or written.
pub async fn step_down(log: &dyn Log, claim: &Claim, history: &History) -> Result<(), Unavailable> {
    let key = claim.key();
    let me = me(log, history, Class::Forward);
    for _ in 0..ATTEMPTS {
        let (revision, record) = read(log, &key).await?;
        let changed = record.clone().stepped_down(&me);
        if changed == record || write(log, &key, revision, &changed).await? {
            return Ok(());
        }
    }
    Err(Unavailable::new(format!(
        "the claim {key} is changed too often"
    )))
}

/// The entry of an upgrade at its current step.
fn me(log: &dyn Log, history: &History, class: Class) -> Waiter {
    Waiter {
        party: Party {
            id: history.id.as_str().to_owned(),
            step: history.state.step,
            seq: history.sequence(),
        },
        class,
        since_ms: log.now_ms(),
    }
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
        Some(history) if needed_since(claim, party, history) => Verdict::Valid,
        Some(_) => Verdict::Invalid,
        None if log.archived(id).await?.is_some() => Verdict::Invalid,
        None => Verdict::Unknown,
    })
}

/// Whether the upgrade has needed the claim in every state since the entry was written. A need that
/// has passed and come back is another one: somebody may have taken the claim in between.
fn needed_since(claim: &Claim, party: &Party, history: &History) -> bool {
    if !job::needs(claim, party.step, &history.state) {
        return false;
    }
    let mut state = None;
    for entry in &history.entries {
        // It was folded before.
        let Ok(step) = job::step(&history.id, state.as_ref(), &entry.fact) else {
            return false;
        };
        if entry.sequence >= party.seq && !job::needs(claim, party.step, &step.state) {
            return false;
        }
        state = Some(step.state);
    }
    true
}
