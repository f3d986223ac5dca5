//! Buckets, by hand: the client's own `update` drops the time to live.

use async_nats::HeaderMap;
use bytes::Bytes;
use serde_json::json;

use super::JetStream;
use super::direct;
use super::publish::{expecting, store};
use crate::store::{Fate, Kept, Value};
use crate::{Bucket, Unavailable};

const OPERATION: &str = "KV-Operation";
const MARKER: &str = "Nats-Marker-Reason";
const TTL: &str = "Nats-TTL";

fn stream(bus: &JetStream, bucket: Bucket) -> String {
    format!("KV_{}", bus.names.bucket(bucket.as_str()))
}

fn prefix(bus: &JetStream, bucket: Bucket) -> String {
    format!("$KV.{}.", bus.names.bucket(bucket.as_str()))
}

fn is_marker(headers: &HeaderMap) -> bool {
    headers.get(MARKER).is_some()
        || headers
            .get(OPERATION)
            .is_some_and(|operation| operation.as_str() != "PUT")
}

pub(super) async fn last(
    bus: &JetStream,
    bucket: Bucket,
    key: &str,
) -> Result<Option<Kept>, Unavailable> {
    let subject = format!("{}{key}", prefix(bus, bucket));
    let stored = direct::last(bus, &stream(bus, bucket), &subject).await?;
    Ok(stored.map(|stored| Kept {
        revision: stored.sequence,
        marker: is_marker(&stored.headers),
        bytes: stored.payload,
    }))
}

pub(super) async fn list(
    bus: &JetStream,
    bucket: Bucket,
) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
    let prefix = prefix(bus, bucket);
    let request = json!({ "multi_last": [format!("{prefix}>")] });
    let stored = direct::many(bus, &stream(bus, bucket), &request).await?;
    Ok(stored
        .into_iter()
        .filter(|stored| !is_marker(&stored.headers))
        .filter_map(|stored| {
            Some((
                stored.subject.strip_prefix(&prefix)?.to_owned(),
                stored.payload.to_vec(),
            ))
        })
        .collect())
}

pub(super) async fn write(
    bus: &JetStream,
    bucket: Bucket,
    key: &str,
    expected: u64,
    value: Value<'_>,
) -> Result<Fate, Unavailable> {
    let mut headers = expecting(expected);
    if let Some(ttl) = value.ttl {
        // The server counts whole seconds, from one.
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        headers.insert(TTL, format!("{}s", seconds.max(1)));
    }
    if value.marker {
        headers.insert(OPERATION, "DEL");
    }
    let subject = format!("{}{key}", prefix(bus, bucket));
    store(bus, subject, headers, Bytes::copy_from_slice(value.bytes)).await
}
