//! How many upgrades are in flight in a cluster: places that are taken in order, and upgrades that
//! fly alone. Undos need none.
//!
//! As with claims, a record is a hint: an entry holds only as far as its upgrade's log agrees.

mod decide;

use job::UpgradeId;

use self::decide::{Next, Passenger, Place, Record, Verdict, Verdicts};
use crate::{Bucket, History, Log, PutError, Taken, Unavailable};

/// How often a record that others change at the same time is read again.
const ATTEMPTS: usize = 50;

/// Takes a place in the cluster, or queues for one. Safe to repeat.
///
/// `max` is the number of places, none for as many as come; `alone` flies with nobody else.
///
/// # Errors
/// [`Unavailable`] if the record or a log cannot be read or written.
pub async fn board(
    log: &dyn Log,
    cluster: &str,
    history: &History,
    max: Option<usize>,
    alone: bool,
) -> Result<Taken, Unavailable> {
    let key = format!("flight.{}", job::key(&[cluster]));
    let me = Passenger {
        id: history.id.as_str().to_owned(),
        seq: history.sequence(),
        alone,
    };
    for _ in 0..ATTEMPTS {
        let (revision, record) = read(log, &key).await?;
        let mut verdicts = Verdicts::new();
        let (changed, place) = loop {
            match decide::decide(&record, &me, max, &verdicts) {
                Next::Judge(passenger) => {
                    let verdict = judge(log, history, &passenger).await?;
                    verdicts.insert(passenger, verdict);
                }
                Next::Done { record, place } => break (record, place),
            }
        };
        let stands = changed == record && place != Place::Aboard;
        if stands || write(log, &key, revision, &changed).await? {
            return Ok(told(log, place));
        }
    }
    Err(Unavailable::new(format!(
        "the record {key} is changed too often"
    )))
}

fn told(log: &dyn Log, place: Place) -> Taken {
    match place {
        Place::Aboard => Taken::Held,
        Place::Queued { ahead, by } => Taken::Waiting {
            ahead,
            by: by.and_then(|id| UpgradeId::parse(&id).ok()),
            retry: if ahead == 0 {
                log.settings().claim_head
            } else {
                log.settings().claim_others
            },
        },
    }
}

async fn read(log: &dyn Log, key: &str) -> Result<(u64, Record), Unavailable> {
    let Some((revision, bytes)) = log.get(Bucket::Claims, key).await? else {
        return Ok((0, Record::default()));
    };
    let record = serde_json::from_slice(&bytes)
        .map_err(|error| Unavailable::because(format!("the record {key} cannot be read"), error))?;
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
        Unavailable::because(format!("the record {key} cannot be written"), error)
    })?;
    match log.put(Bucket::Claims, key, revision, &bytes).await {
        Ok(_revision) => Ok(true),
        Err(PutError::Conflict) => Ok(false),
        Err(PutError::Unavailable(error)) => Err(error),
    }
}

async fn judge(
    log: &dyn Log,
    mine: &History,
    passenger: &Passenger,
) -> Result<Verdict, Unavailable> {
    let Ok(id) = UpgradeId::parse(&passenger.id) else {
        return Ok(Verdict::Invalid);
    };
    let read = if id == mine.id {
        Some(mine.clone())
    } else {
        log.read(&id).await?
    };
    Ok(match read {
        Some(history) if history.sequence() < passenger.seq => Verdict::Unknown,
        Some(history) if job::in_flight(&history.state) => Verdict::Valid,
        Some(_) => Verdict::Invalid,
        None if log.archived(&id).await?.is_some() => Verdict::Invalid,
        None => Verdict::Unknown,
    })
}
