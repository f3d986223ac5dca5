//! Appends: publishing under the condition that nothing was appended since the read.

use std::time::Duration;

use bytes::Bytes;
use job::{Body, Fact, UpgradeId};
use tokio::time::sleep;
use uuid::Uuid;

use crate::store::{Fate, Outgoing, Store};
use crate::{AppendError, Entry, History, Unavailable, metrics, trace};

/// How often an append is sent before its fate is left open; each time with the same id.
const SENDS: usize = 3;
/// How often a read that must be old is repeated.
const READS: usize = 20;
/// The pause before.
const BEHIND: Duration = Duration::from_millis(10);

/// Judges and appends one fact.
pub(crate) async fn append(
    store: &impl Store,
    id: &UpgradeId,
    seen: Option<&History>,
    body: Body,
) -> Result<History, AppendError> {
    let (fact, step) = judge(id, seen, body, store.now_ms())?;
    send(store, id, seen, fact, step).await
}

/// Appends a fact that was judged.
async fn send(
    store: &impl Store,
    id: &UpgradeId,
    seen: Option<&History>,
    fact: Fact,
    step: job::Step,
) -> Result<History, AppendError> {
    let outgoing = Outgoing {
        id,
        expected: seen.map_or(0, History::sequence),
        n: step.state.facts,
        next: step.next,
        fact: &fact,
        payload: Bytes::from(wire::encode(&fact)),
        traceparent: trace::here(),
    };
    let mut unclear = None;
    for _ in 0..SENDS {
        match store.publish(&outgoing).await {
            Ok(Fate::Stored(sequence)) => {
                let before = seen.map(|seen| &seen.state);
                metrics::appended(before, &fact.body, &step.state, fact.at_ms);
                let mut entries = seen.map_or_else(Vec::new, |seen| seen.entries.clone());
                entries.push(Entry {
                    sequence,
                    n: outgoing.n,
                    next: step.next,
                    traceparent: outgoing.traceparent,
                    fact,
                });
                return Ok(History {
                    id: id.clone(),
                    entries,
                    state: step.state,
                });
            }
            Ok(fate @ (Fate::Conflict | Fate::Duplicate)) => {
                // Sent once and refused, it is not in the log, also where that cannot be seen yet.
                let surely_not = matches!(fate, Fate::Conflict) && unclear.is_none();
                let found = match found(store, id, outgoing.expected, &fact.id).await {
                    Some(found) => found,
                    None if surely_not => Err(AppendError::Conflict),
                    None => Err(Unavailable::new(format!(
                        "`{}` of {id} may be in the log, and nothing new of {id} is to be seen \
                         there yet",
                        fact.body.name()
                    ))
                    .into()),
                };
                match &found {
                    Ok(_) => {
                        let before = seen.map(|seen| &seen.state);
                        metrics::appended(before, &fact.body, &step.state, fact.at_ms);
                    }
                    Err(AppendError::Conflict) => metrics::lost_an_append(),
                    Err(_) => {}
                }
                return found;
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

/// Looks for our own fact after the server said that something else is last. None if all that was
/// read is as old as what was seen before.
async fn found(
    store: &impl Store,
    id: &UpgradeId,
    expected: u64,
    fact_id: &str,
) -> Option<Result<History, AppendError>> {
    for _ in 0..READS {
        match store.read(id).await {
            Ok(Some(history)) if history.contains(fact_id) => return Some(Ok(history)),
            Ok(Some(history)) if history.sequence() > expected => {
                return Some(Err(AppendError::Conflict));
            }
            Ok(_) => {}
            Err(error) => return Some(Err(error.into())),
        }
        // A copy that is behind answered, or the other message is still being stored.
        sleep(BEHIND).await;
    }
    None
}
