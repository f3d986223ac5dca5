//! Appends: publishing under the condition that nothing was appended since the read.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use job::{Body, Fact, UpgradeId};
use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use super::JetStream;
use crate::{AppendError, Entry, History, Unavailable};

const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Another message is the last one.
const WRONG_LAST_SEQUENCE: u64 = 10_071;
/// As above on several nodes: another message is being stored right now.
const WRONG_LAST_SEQUENCE_IN_FLIGHT: u64 = 10_164;

/// How often an append is sent before its fate is left open; each time with the same id.
const SENDS: usize = 3;
/// How often a read that must be old is repeated.
const READS: usize = 20;
/// The pause before.
const BEHIND: Duration = Duration::from_millis(10);

/// What the server says to a message that is to be stored.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// What became of a message.
#[derive(Debug)]
pub(super) enum Fate {
    /// Stored at this sequence.
    Stored(u64),
    /// Its id was stored before.
    Duplicate,
    /// The condition did not hold.
    Conflict,
    /// Refused for another reason.
    Refused(String),
}

impl Fate {
    /// For messages without a condition.
    pub(super) fn stored(self, what: &str) -> Result<(), Unavailable> {
        match self {
            Fate::Stored(_) | Fate::Duplicate => Ok(()),
            Fate::Conflict => Err(Unavailable::new(format!("failed to {what}: conflict"))),
            Fate::Refused(why) => Err(Unavailable::new(format!("failed to {what}: {why}"))),
        }
    }
}

/// Sends one message and reads what became of it. An error leaves its fate open.
pub(super) async fn store(
    bus: &JetStream,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<Fate, Unavailable> {
    let message = bus.request(subject, Some(headers), payload).await?;
    let answer: Answer = serde_json::from_slice(&message.payload)
        .map_err(|error| Unavailable::because("the answer to a publish cannot be read", error))?;
    Ok(match answer.error {
        None if answer.duplicate => Fate::Duplicate,
        None => Fate::Stored(answer.seq),
        Some(refusal)
            if [WRONG_LAST_SEQUENCE, WRONG_LAST_SEQUENCE_IN_FLIGHT].contains(&refusal.err_code) =>
        {
            Fate::Conflict
        }
        Some(refusal) => Fate::Refused(format!("{} ({})", refusal.description, refusal.err_code)),
    })
}

/// The condition that `sequence` is the last of the subject that is published to.
pub(super) fn expecting(sequence: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(EXPECTED, sequence.to_string());
    headers
}

/// Judges and appends one fact.
pub(super) async fn append(
    bus: &JetStream,
    id: &UpgradeId,
    seen: Option<&History>,
    body: Body,
) -> Result<History, AppendError> {
    let (fact, step) = judge(id, seen, body, bus.settings.clock.now_ms())?;
    send(bus, id, seen, fact, step).await
}

/// Appends a fact that was judged.
async fn send(
    bus: &JetStream,
    id: &UpgradeId,
    seen: Option<&History>,
    fact: Fact,
    step: job::Step,
) -> Result<History, AppendError> {
    let expected = seen.map_or(0, History::sequence);
    let n = step.state.facts;
    let mut headers = expecting(expected);
    headers.insert(EXPECTED_SUBJECT, bus.names.upgrade(id));
    headers.insert(MESSAGE_ID, fact.id.as_str());
    let subject = bus.names.fact(id, n, step.next, &fact.body);
    let payload = Bytes::from(wire::encode(&fact));

    let mut unclear = None;
    for _ in 0..SENDS {
        match store(bus, subject.clone(), headers.clone(), payload.clone()).await {
            Ok(Fate::Stored(sequence)) => {
                let mut entries = seen.map_or_else(Vec::new, |seen| seen.entries.clone());
                entries.push(Entry {
                    sequence,
                    n,
                    next: step.next,
                    fact,
                });
                return Ok(History {
                    id: id.clone(),
                    entries,
                    state: step.state,
                });
            }
            Ok(Fate::Conflict | Fate::Duplicate) => {
                return found(bus, id, expected, &fact.id).await;
            }
            Ok(Fate::Refused(why)) => {
                return Err(Unavailable::new(format!(
                    "`{}` of {id} was refused: {why}",
                    fact.body.name()
                ))
                .into());
            }
            // Sending it again is safe: the condition and the id let it in once at most, and the
            // answer then tells where it is.
            Err(error) => unclear = Some(error),
        }
    }
    Err(unclear
        .unwrap_or_else(|| Unavailable::new("nothing was sent"))
        .into())
}

/// Builds the fact and folds it.
fn judge(
    id: &UpgradeId,
    seen: Option<&History>,
    body: Body,
    at_ms: i64,
) -> Result<(Fact, job::Step), job::Illegal> {
    let state = seen.map(|seen| &seen.state);
    let step = match (&body, state) {
        (Body::Planned(_), _) => 1,
        (_, Some(state)) => state.step,
        (_, None) => 0,
    };
    let fact = Fact {
        id: Uuid::new_v4().simple().to_string(),
        step,
        at_ms,
        min_reader: 1,
        body,
    };
    let step = job::step(id, state, &fact)?;
    Ok((fact, step))
}

/// Looks for our own fact after the server said that something else is last.
async fn found(
    bus: &JetStream,
    id: &UpgradeId,
    expected: u64,
    fact_id: &str,
) -> Result<History, AppendError> {
    for _ in 0..READS {
        if let Some(history) = super::direct::read(bus, id).await? {
            if history.contains(fact_id) {
                return Ok(history);
            }
            if history.sequence() > expected {
                return Err(AppendError::Conflict);
            }
        }
        // A copy that is behind answered, or the other message is still being stored.
        sleep(BEHIND).await;
    }
    Err(AppendError::Conflict)
}
