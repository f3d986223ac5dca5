//! Buckets, by hand: the client's own `update` drops the time to live.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use serde_json::json;

use super::JetStream;
use super::append::{Fate, expecting, store};
use super::direct::{self, Stored};
use crate::{Bucket, PutError, Unavailable};

const OPERATION: &str = "KV-Operation";
const MARKER: &str = "Nats-Marker-Reason";
const TTL: &str = "Nats-TTL";
/// A deletion is a marker that goes away by itself.
const MARKER_TTL: Duration = Duration::from_secs(60);

fn stream(bus: &JetStream, bucket: Bucket) -> String {
    format!("KV_{}", bus.names.bucket(bucket.as_str()))
}

fn prefix(bus: &JetStream, bucket: Bucket) -> String {
    format!("$KV.{}.", bus.names.bucket(bucket.as_str()))
}

fn subject(bus: &JetStream, bucket: Bucket, key: &str) -> Result<String, Unavailable> {
    let legal = !key.is_empty()
        && !key.starts_with('.')
        && !key.ends_with('.')
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-/_=.".contains(&byte));
    if legal {
        Ok(format!("{}{key}", prefix(bus, bucket)))
    } else {
        Err(Unavailable::new(format!("`{key}` is no key of a bucket")))
    }
}

fn is_marker(headers: &HeaderMap) -> bool {
    headers.get(MARKER).is_some()
        || headers
            .get(OPERATION)
            .is_some_and(|operation| operation.as_str() != "PUT")
}

async fn raw(bus: &JetStream, bucket: Bucket, key: &str) -> Result<Option<Stored>, Unavailable> {
    direct::last(bus, &stream(bus, bucket), &subject(bus, bucket, key)?).await
}

pub(super) async fn get(
    bus: &JetStream,
    bucket: Bucket,
    key: &str,
) -> Result<Option<(u64, Vec<u8>)>, Unavailable> {
    let stored = raw(bus, bucket, key)
        .await?
        .filter(|stored| !is_marker(&stored.headers));
    Ok(stored.map(|stored| (stored.sequence, stored.payload.to_vec())))
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

pub(super) async fn put(
    bus: &JetStream,
    bucket: Bucket,
    key: &str,
    expected: u64,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<u64, PutError> {
    match write(bus, bucket, key, expected, value, ttl, false).await {
        // A deleted value is absent, yet its marker is still the last message.
        Err(PutError::Conflict) if expected == 0 => {
            match raw(bus, bucket, key)
                .await?
                .filter(|stored| is_marker(&stored.headers))
            {
                Some(marker) => write(bus, bucket, key, marker.sequence, value, ttl, false).await,
                None => Err(PutError::Conflict),
            }
        }
        result => result,
    }
}

pub(super) async fn delete(
    bus: &JetStream,
    bucket: Bucket,
    key: &str,
    expected: u64,
) -> Result<(), PutError> {
    write(bus, bucket, key, expected, &[], Some(MARKER_TTL), true)
        .await
        .map(|_revision| ())
}

async fn write(
    bus: &JetStream,
    bucket: Bucket,
    key: &str,
    expected: u64,
    value: &[u8],
    ttl: Option<Duration>,
    marker: bool,
) -> Result<u64, PutError> {
    let mut headers = expecting(expected);
    if let Some(ttl) = ttl {
        // The server counts whole seconds, from one.
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        headers.insert(TTL, format!("{}s", seconds.max(1)));
    }
    if marker {
        headers.insert(OPERATION, "DEL");
    }
    let subject = subject(bus, bucket, key)?;
    match store(bus, subject, headers, Bytes::copy_from_slice(value)).await {
        Ok(Fate::Stored(revision)) => Ok(revision),
        Ok(Fate::Conflict | Fate::Duplicate) => Err(PutError::Conflict),
        Ok(Fate::Refused(why)) => {
            Err(Unavailable::new(format!("failed to write {key}: {why}")).into())
        }
        Err(lost) => landed(bus, bucket, key, expected, value, marker, lost).await,
    }
}

/// The answer was lost: what is there now tells whether the write landed.
async fn landed(
    bus: &JetStream,
    bucket: Bucket,
    key: &str,
    expected: u64,
    value: &[u8],
    marker: bool,
    lost: Unavailable,
) -> Result<u64, PutError> {
    match raw(bus, bucket, key).await? {
        Some(stored)
            if stored.sequence > expected
                && stored.payload == value
                && is_marker(&stored.headers) == marker =>
        {
            Ok(stored.sequence)
        }
        Some(stored) if stored.sequence > expected => Err(PutError::Conflict),
        _ => Err(lost.into()),
    }
}
