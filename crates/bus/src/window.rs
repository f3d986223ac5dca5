//! The rate window: so many upgrades of a repository may be admitted within a fixed time.

mod decide;

use std::collections::HashMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use job::{Body, Phase, State, UpgradeId};

use self::decide::{Record, Standing};
use crate::{AppendError, Bucket, History, Log, PutError, Unavailable, controls};

/// How often a record or a log that others change at the same time is read again.
const ATTEMPTS: usize = 50;
/// So many logs are read at the same time.
const READS: usize = 16;

/// How many upgrades a repository admits, and within which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSettings {
    /// Admitted in one window at most.
    pub max: usize,
    /// From the first admission to the window's end.
    pub length: Duration,
}

/// The window after [`admit`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admission {
    /// Who has a place.
    pub admitted: Vec<UpgradeId>,
    /// Who waits for one, in order.
    pub held: Vec<UpgradeId>,
}

/// A repository's rate window as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The limits in force.
    pub settings: WindowSettings,
    /// Whether a person has set one of them.
    pub overridden: bool,
    /// When it began, in milliseconds since the Unix epoch; none if no window is open.
    pub started_ms: Option<i64>,
    /// Who has a place, and who waits for one.
    pub admission: Admission,
}

/// Lets in whoever has a place, first the newcomer's forerunners, then the newcomer, and appends
/// `admitted` or `held` to whoever lacks it. Safe to repeat at any time. What people have set goes
/// before the configured limits.
///
/// # Errors
/// [`Unavailable`] if the record or a log cannot be read or written; what was decided stands, and
/// the next call finishes it.
pub async fn admit(
    log: &dyn Log,
    repository: &str,
    configured: WindowSettings,
    newcomer: Option<&UpgradeId>,
) -> Result<Admission, Unavailable> {
    change(log, repository, configured, newcomer, false).await
}

/// Begins a new window: whoever was admitted gives the place back, and those who wait move up.
///
/// # Errors
/// As [`admit`].
pub async fn reopen(
    log: &dyn Log,
    repository: &str,
    configured: WindowSettings,
) -> Result<Admission, Unavailable> {
    change(log, repository, configured, None, true).await
}

/// The window as it is, changing nothing.
///
/// # Errors
/// [`Unavailable`] if it cannot be read.
pub async fn window(
    log: &dyn Log,
    repository: &str,
    configured: WindowSettings,
) -> Result<Window, Unavailable> {
    let limits = controls::limits(log, repository).await?;
    let settings = limits.over(configured);
    let (_, record) = read(log, &key(repository)).await?;
    let open = !record.admitted.is_empty() && !decide::expired(&record, log.now_ms(), settings);
    Ok(Window {
        settings,
        overridden: settings != configured,
        started_ms: open.then_some(record.start_ms),
        admission: Admission {
            admitted: if open {
                parsed(&record.admitted)
            } else {
                Vec::new()
            },
            held: parsed(&record.held),
        },
    })
}

async fn read(log: &dyn Log, key: &str) -> Result<(u64, Record), Unavailable> {
    let Some((revision, bytes)) = log.get(Bucket::Windows, key).await? else {
        return Ok((0, Record::default()));
    };
    let record = serde_json::from_slice(&bytes)
        .map_err(|error| Unavailable::because(format!("the window {key} cannot be read"), error))?;
    Ok((revision, record))
}

async fn change(
    log: &dyn Log,
    repository: &str,
    configured: WindowSettings,
    newcomer: Option<&UpgradeId>,
    anew: bool,
) -> Result<Admission, Unavailable> {
    let key = key(repository);
    for _ in 0..ATTEMPTS {
        // Read each time: a limit that is set now counts for whoever loses the race.
        let settings = controls::limits(log, repository).await?.over(configured);
        let (revision, record) = read(log, &key).await?;
        let standings = look(log, &record, settings.max, newcomer).await?;
        let decided = decide::decide(&record, log.now_ms(), settings, newcomer, anew, &standings);
        if decided != record {
            let bytes = serde_json::to_vec(&decided).map_err(|error| {
                Unavailable::because(format!("the window {key} cannot be written"), error)
            })?;
            match log.put(Bucket::Windows, &key, revision, &bytes).await {
                Ok(_revision) => {}
                Err(PutError::Conflict) => continue,
                Err(PutError::Unavailable(error)) => return Err(error),
            }
        }
        let admission = Admission {
            admitted: parsed(&decided.admitted),
            held: parsed(&decided.held),
        };
        for id in &admission.admitted {
            if standings
                .get(id.as_str())
                .is_none_or(|standing| *standing == Standing::Waiting)
            {
                tell(log, id, Body::Admitted).await?;
            }
        }
        if let Some(id) = newcomer.filter(|id| admission.held.contains(id)) {
            tell(log, id, Body::Held).await?;
        }
        return Ok(admission);
    }
    Err(Unavailable::new(format!(
        "the window {key} is changed too often"
    )))
}

/// A repository's name as a key: every byte that a key cannot hold becomes `=` and its number.
fn key(repository: &str) -> String {
    let mut key = String::with_capacity(repository.len());
    for byte in repository.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_/".contains(&byte) {
            key.push(char::from(byte));
        } else {
            key.push_str(&format!("={byte:02x}"));
        }
    }
    key
}

fn parsed(ids: &[String]) -> Vec<UpgradeId> {
    ids.iter()
        .filter_map(|id| UpgradeId::parse(id).ok())
        .collect()
}

/// How everybody stands whom the decision can touch: who has a place, the newcomer, and as many
/// heads of the queue as there can be places.
async fn look(
    log: &dyn Log,
    record: &Record,
    max: usize,
    newcomer: Option<&UpgradeId>,
) -> Result<HashMap<String, Standing>, Unavailable> {
    let mut standings = HashMap::new();
    let newcomer = newcomer.map(|id| id.as_str().to_owned());
    // Many may have a place, and reading one after the other would be most of what admitting takes.
    let placed = record.admitted.iter().chain(&newcomer).cloned();
    // In boxes, because the compiler cannot tell else that these may go to another thread.
    let reads: Vec<BoxFuture<'_, _>> = placed.map(|id| named(log, id).boxed()).collect();
    let mut reads = stream::iter(reads).buffer_unordered(READS);
    while let Some((id, standing)) = reads.try_next().await? {
        standings.insert(id, standing);
    }
    let mut waiting = 0;
    for id in &record.held {
        if waiting >= max {
            break;
        }
        let standing = standing(log, id).await?;
        waiting += usize::from(standing == Standing::Waiting);
        standings.insert(id.clone(), standing);
    }
    Ok(standings)
}

async fn named(log: &dyn Log, id: String) -> Result<(String, Standing), Unavailable> {
    let standing = standing(log, &id).await?;
    Ok((id, standing))
}

async fn standing(log: &dyn Log, id: &str) -> Result<Standing, Unavailable> {
    let Ok(id) = UpgradeId::parse(id) else {
        return Ok(Standing::Over);
    };
    Ok(match log.read(&id).await? {
        Some(history) => of(&history.state),
        None if log.archived(&id).await?.is_some() => Standing::Over,
        None => Standing::Unknown,
    })
}

fn of(state: &State) -> Standing {
    match state.phase {
        Phase::Requested | Phase::Held => Standing::Waiting,
        phase if phase.is_end() && !state.started => Standing::Over,
        _ => Standing::Admitted,
    }
}

/// Appends the fact if the upgrade still waits for it.
async fn tell(log: &dyn Log, id: &UpgradeId, body: Body) -> Result<(), Unavailable> {
    for _ in 0..ATTEMPTS {
        let Some(history) = log.read(id).await? else {
            return Err(Unavailable::new(format!(
                "the log of {id} is not there yet"
            )));
        };
        if !lacks(&history, &body) {
            return Ok(());
        }
        match log.append(id, Some(&history), body.clone()).await {
            Ok(_history) => return Ok(()),
            Err(AppendError::Conflict) => {}
            Err(AppendError::Illegal(illegal)) => {
                tracing::error!(%illegal, upgrade.id = %id, "the window's answer may not follow");
                return Ok(());
            }
            Err(AppendError::Unavailable(error)) => return Err(error),
        }
    }
    Err(Unavailable::new(format!(
        "the log of {id} is changed too often"
    )))
}

fn lacks(history: &History, body: &Body) -> bool {
    match history.state.phase {
        Phase::Requested => true,
        Phase::Held => matches!(body, Body::Admitted),
        _ => false,
    }
}
