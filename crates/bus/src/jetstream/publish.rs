//! Publishing: one message, stored only if its condition holds.

use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;

use super::{JetStream, kv};
use crate::store::{Fate, Kept, Outgoing, Store, Value};
use crate::{Bucket, Unavailable, trace};

const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Another message is the last one.
const WRONG_LAST_SEQUENCE: u64 = 10_071;
/// As above on several nodes: another message is being stored right now.
const WRONG_LAST_SEQUENCE_IN_FLIGHT: u64 = 10_164;

/// What the server says to a message that is to be stored.
#[derive(Debug, Deserialize)]
struct Answer {
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

#[async_trait]
impl Store for JetStream {
    async fn publish(&self, fact: &Outgoing<'_>) -> Result<Fate, Unavailable> {
        let mut headers = expecting(fact.expected);
        headers.insert(EXPECTED_SUBJECT, self.names.upgrade(fact.id));
        headers.insert(MESSAGE_ID, fact.fact.id.as_str());
        if let Some(traceparent) = &fact.traceparent {
            headers.insert(trace::HEADER, traceparent.as_str());
        }
        let subject = self.names.fact(fact.id, fact.n, fact.next, &fact.fact.body);
        store(self, subject, headers, fact.payload.clone()).await
    }

    async fn write(
        &self,
        bucket: Bucket,
        key: &str,
        expected: u64,
        value: Value<'_>,
    ) -> Result<Fate, Unavailable> {
        kv::write(self, bucket, key, expected, value).await
    }

    async fn last(&self, bucket: Bucket, key: &str) -> Result<Option<Kept>, Unavailable> {
        kv::last(self, bucket, key).await
    }
}
