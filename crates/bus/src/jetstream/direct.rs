//! Direct gets: reads that any copy of a stream answers, in one round trip.

use std::time::Duration;

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use futures::StreamExt;
use job::UpgradeId;
use serde_json::json;
use tokio::time::timeout;

use super::{JetStream, UPGRADES};
use crate::{Entry, History, Unavailable, trace};

const SUBJECT: &str = "Nats-Subject";
const SEQUENCE: &str = "Nats-Sequence";
const LEFT: &str = "Nats-Num-Pending";

/// A message as it is stored.
pub(super) struct Stored {
    pub(super) subject: String,
    pub(super) sequence: u64,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

/// Reads the whole log of an upgrade.
pub(super) async fn read(bus: &JetStream, id: &UpgradeId) -> Result<Option<History>, Unavailable> {
    let request = json!({ "multi_last": [bus.names.upgrade(id)] });
    let stored = many(bus, &bus.names.stream(UPGRADES), &request).await?;
    let mut entries = Vec::with_capacity(stored.len());
    for message in stored {
        let Stored {
            subject,
            sequence,
            headers,
            payload,
        } = message;
        entries.push(entry(bus, &subject, sequence, Some(&headers), &payload)?.1);
    }
    History::fold(id, entries)
}

/// Reads one fact.
pub(super) fn entry(
    bus: &JetStream,
    subject: &str,
    sequence: u64,
    headers: Option<&HeaderMap>,
    payload: &[u8],
) -> Result<(UpgradeId, Entry), Unavailable> {
    let place = bus
        .names
        .place(subject)
        .ok_or_else(|| Unavailable::new(format!("`{subject}` is no subject of a fact")))?;
    let fact = wire::decode(payload).map_err(|error| {
        Unavailable::because(
            format!("fact {} of {} cannot be read here", place.n, place.id),
            error,
        )
    })?;
    Ok((
        place.id,
        Entry {
            sequence,
            n: place.n,
            next: place.next,
            fact,
            traceparent: traceparent(headers),
        },
    ))
}

/// The span that made a fact.
pub(super) fn traceparent(headers: Option<&HeaderMap>) -> Option<String> {
    headers?.get(trace::HEADER).map(ToString::to_string)
}

/// The newest messages of a stream, newest first.
pub(super) async fn newest(
    bus: &JetStream,
    name: &str,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Unavailable> {
    let name = bus.names.stream(name);
    let limit = limit.min(1_000);
    let stream = bus
        .context
        .get_stream(&name)
        .await
        .map_err(|error| Unavailable::because(format!("failed to ask for {name}"), error))?;
    let state = &stream.cached_info().state;
    if state.messages == 0 || limit == 0 {
        return Ok(Vec::new());
    }
    let back = u64::try_from(limit).unwrap_or(u64::MAX).saturating_sub(1);
    let first = state
        .last_sequence
        .saturating_sub(back)
        .max(state.first_sequence)
        .max(1);
    let stored = many(bus, &name, &json!({ "seq": first, "batch": limit })).await?;
    Ok(stored
        .into_iter()
        .rev()
        .map(|message| message.payload.to_vec())
        .collect())
}

/// The last message of one subject.
pub(super) async fn last(
    bus: &JetStream,
    stream: &str,
    subject: &str,
) -> Result<Option<Stored>, Unavailable> {
    let api = format!("$JS.API.DIRECT.GET.{stream}.{subject}");
    let answer = bus.request(api, None, Bytes::new()).await?;
    match answer.status.map(|status| status.as_u16()) {
        None => stored(answer).map(Some),
        Some(404) => Ok(None),
        Some(_) => Err(refused(stream, &answer)),
    }
}

/// Every message that a request with several answers selects; nothing found is no error.
pub(super) async fn many(
    bus: &JetStream,
    stream: &str,
    request: &serde_json::Value,
) -> Result<Vec<Stored>, Unavailable> {
    let limit = bus.settings.publish_timeout;
    match timeout(limit, collect(bus, stream, request)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(late(stream, limit)),
    }
}

fn late(stream: &str, limit: Duration) -> Unavailable {
    Unavailable::new(format!("no whole answer from {stream} within {limit:?}"))
}

async fn collect(
    bus: &JetStream,
    stream: &str,
    request: &serde_json::Value,
) -> Result<Vec<Stored>, Unavailable> {
    let failed = || format!("failed to read from {stream}");
    let inbox = bus.client.new_inbox();
    let mut answers = bus
        .client
        .subscribe(inbox.clone())
        .await
        .map_err(|error| Unavailable::because(failed(), error))?;
    let api = format!("$JS.API.DIRECT.GET.{stream}");
    bus.client
        .publish_with_reply(api, inbox, request.to_string().into())
        .await
        .map_err(|error| Unavailable::because(failed(), error))?;
    let mut found = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer.status.map(|status| status.as_u16()) {
            None => found.push(stored(answer)?),
            Some(404) => return Ok(Vec::new()),
            Some(204) => {
                // The server ends early when the answer outgrows its limit in bytes.
                let bounded = request.get("batch").is_some();
                return if bounded || number(answer.headers.as_ref(), LEFT).unwrap_or(0) == 0 {
                    Ok(found)
                } else {
                    Err(Unavailable::new(format!("an answer of {stream} was cut")))
                };
            }
            Some(_) => return Err(refused(stream, &answer)),
        }
    }
    Err(Unavailable::new(failed()))
}

fn stored(message: Message) -> Result<Stored, Unavailable> {
    let headers = message.headers.unwrap_or_default();
    let place = headers
        .get(SUBJECT)
        .map(ToString::to_string)
        .zip(number(Some(&headers), SEQUENCE))
        .ok_or_else(|| Unavailable::new("an answer of NATS lacks subject or sequence"))?;
    Ok(Stored {
        subject: place.0,
        sequence: place.1,
        headers,
        payload: message.payload,
    })
}

fn number(headers: Option<&HeaderMap>, name: &str) -> Option<u64> {
    headers?.get(name)?.as_str().parse().ok()
}

fn refused(stream: &str, answer: &Message) -> Unavailable {
    Unavailable::new(format!(
        "{stream} refused a read: {} {}",
        answer.status.map_or(0, |status| status.as_u16()),
        answer.description.as_deref().unwrap_or("")
    ))
}
