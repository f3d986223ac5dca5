//! The circuit of a cluster: when several upgrades had to be undone within a short time, something
//! larger is wrong, and nothing new starts there until a person says so.
//!
//! The record lies beside the pauses, under `circuit.<cluster>`; removing it closes the circuit.

use std::time::Duration;

use job::UpgradeId;
use serde::{Deserialize, Serialize};

use crate::{Bucket, History, Log, PutError, Unavailable};

/// How often a record that others change at the same time is read again.
const ATTEMPTS: usize = 50;
/// So many undos are remembered.
const MAX_UNDOS: usize = 50;
const PREFIX: &str = "circuit.";

/// When a circuit trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitSettings {
    /// So many undos trip it,
    pub undos: usize,
    /// if they begin within this time.
    pub within: Duration,
}

/// A circuit that has tripped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tripped {
    /// The cluster.
    pub cluster: String,
    /// The upgrades whose undos did it, oldest first.
    pub upgrades: Vec<UpgradeId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    cluster: String,
    undos: Vec<Undo>,
    /// Since when nothing starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tripped_ms: Option<i64>,
    /// People were told.
    #[serde(default)]
    told: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Undo {
    id: String,
    step: u32,
    at_ms: i64,
}

impl Record {
    /// With one more undo; the same one again changes nothing.
    fn with(mut self, undo: Undo, settings: CircuitSettings) -> Record {
        let known = |other: &Undo| other.id == undo.id && other.step == undo.step;
        if self.undos.iter().any(known) {
            return self;
        }
        if self.tripped_ms.is_none() {
            let within_ms = i64::try_from(settings.within.as_millis()).unwrap_or(i64::MAX);
            let now_ms = undo.at_ms;
            self.undos
                .retain(|other| now_ms.saturating_sub(other.at_ms) <= within_ms);
        }
        if self.undos.len() < MAX_UNDOS {
            self.undos.push(undo.clone());
        }
        if self.tripped_ms.is_none() && self.undos.len() >= settings.undos {
            self.tripped_ms = Some(undo.at_ms);
        }
        self
    }

    fn tripped(&self) -> Option<Tripped> {
        self.tripped_ms?;
        let ids = self.undos.iter().map(|undo| UpgradeId::parse(&undo.id));
        Some(Tripped {
            cluster: self.cluster.clone(),
            upgrades: ids.filter_map(Result::ok).collect(),
        })
    }
}

fn key(cluster: &str) -> String {
    format!("{PREFIX}{}", job::key(&[cluster]))
}

/// Counts the undo of the upgrade's current step. Safe to repeat.
///
/// # Errors
/// [`Unavailable`] if the record cannot be read or written.
pub async fn note_undo(
    log: &dyn Log,
    cluster: &str,
    history: &History,
    settings: CircuitSettings,
) -> Result<(), Unavailable> {
    change(log, cluster, |record| {
        let undo = Undo {
            id: history.id.as_str().to_owned(),
            step: history.state.step,
            at_ms: log.now_ms(),
        };
        record.with(undo, settings)
    })
    .await
}

/// The cluster's circuit, if it has tripped: nothing new may start.
///
/// # Errors
/// [`Unavailable`] if the record cannot be read.
pub async fn tripped(log: &dyn Log, cluster: &str) -> Result<Option<Tripped>, Unavailable> {
    let (_, record) = read(log, cluster).await?;
    Ok(record.tripped())
}

/// The circuits that have tripped and that people were not told of.
///
/// # Errors
/// [`Unavailable`] if the records cannot be read.
pub async fn untold(log: &dyn Log) -> Result<Vec<Tripped>, Unavailable> {
    let records = log.list(Bucket::Controls).await?;
    let records = records
        .iter()
        .filter(|(key, _)| key.starts_with(PREFIX))
        .filter_map(|(_, bytes)| serde_json::from_slice::<Record>(bytes).ok());
    Ok(records
        .filter(|record| !record.told)
        .filter_map(|record| record.tripped())
        .collect())
}

/// People were told of this circuit.
///
/// # Errors
/// [`Unavailable`] if the record cannot be read or written.
pub async fn told(log: &dyn Log, cluster: &str) -> Result<(), Unavailable> {
    change(log, cluster, |record| Record {
        told: record.tripped_ms.is_some(),
        ..record
    })
    .await
}

/// Closes every circuit: upgrades start again, and undos are counted from none. Says which clusters
/// nothing started in.
///
/// # Errors
/// [`Unavailable`] if a record cannot be read or removed; those before it are closed.
pub async fn close_all(log: &dyn Log) -> Result<Vec<String>, Unavailable> {
    let mut closed = Vec::new();
    for (key, _) in log.list(Bucket::Controls).await? {
        if !key.starts_with(PREFIX) {
            continue;
        }
        for _ in 0..ATTEMPTS {
            let Some((revision, bytes)) = log.get(Bucket::Controls, &key).await? else {
                break;
            };
            match log.delete(Bucket::Controls, &key, revision).await {
                Ok(()) => {
                    let record = serde_json::from_slice::<Record>(&bytes).unwrap_or_default();
                    closed.extend(record.tripped().map(|tripped| tripped.cluster));
                    break;
                }
                Err(PutError::Conflict) => {}
                Err(PutError::Unavailable(error)) => return Err(error),
            }
        }
    }
    Ok(closed)
}

async fn read(log: &dyn Log, cluster: &str) -> Result<(u64, Record), Unavailable> {
    let key = key(cluster);
    let Some((revision, bytes)) = log.get(Bucket::Controls, &key).await? else {
        let record = Record {
            cluster: cluster.to_owned(),
            ..Record::default()
        };
        return Ok((0, record));
    };
    let record = serde_json::from_slice(&bytes)
        .map_err(|error| Unavailable::because(format!("the record {key} cannot be read"), error))?;
    Ok((revision, record))
}

async fn change(
    log: &dyn Log,
    cluster: &str,
    change: impl Fn(Record) -> Record,
) -> Result<(), Unavailable> {
    let key = key(cluster);
    for _ in 0..ATTEMPTS {
        let (revision, record) = read(log, cluster).await?;
        let changed = change(record.clone());
        if changed == record {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&changed).map_err(|error| {
            Unavailable::because(format!("the record {key} cannot be written"), error)
        })?;
        match log.put(Bucket::Controls, &key, revision, &bytes).await {
            Ok(_revision) => return Ok(()),
            Err(PutError::Conflict) => {}
            Err(PutError::Unavailable(error)) => return Err(error),
        }
    }
    Err(Unavailable::new(format!(
        "the record {key} is changed too often"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: CircuitSettings = CircuitSettings {
        undos: 2,
        within: Duration::from_secs(1_800),
    };

    /// Undos as `upgrade` and minute; when it has tripped after them, by minute.
    #[track_caller]
    fn check(undos: &[(&str, i64)], expected: Option<i64>) {
        let mut record = Record::default();
        for (id, minute) in undos {
            let undo = Undo {
                id: id.repeat(16),
                step: 1,
                at_ms: minute * 60_000,
            };
            record = record.with(undo, SETTINGS);
        }
        assert_eq!(record.tripped_ms.map(|ms| ms / 60_000), expected);
    }

    #[test]
    fn the_second_undo_within_half_an_hour_trips_it() {
        check(&[("a", 0)], None);
        check(&[("a", 0), ("b", 30)], Some(30));
        check(&[("a", 0), ("b", 31)], None);
        check(&[("a", 0), ("b", 31), ("c", 45)], Some(45));
    }

    #[test]
    fn the_same_undo_counts_once() {
        check(&[("a", 0), ("a", 1)], None);
    }

    #[test]
    fn what_has_tripped_stays_so() {
        check(&[("a", 0), ("b", 1), ("c", 500)], Some(1));
    }
}
