//! Records: values that are written only over what was read.

use std::time::Duration;

use crate::store::{Fate, Kept, Store, Value};
use crate::{Bucket, PutError, Unavailable};

/// A deletion is a marker that goes away by itself.
const MARKER_TTL: Duration = Duration::from_secs(60);

/// As [`crate::Log::get`].
pub(crate) async fn get(
    store: &impl Store,
    bucket: Bucket,
    key: &str,
) -> Result<Option<(u64, Vec<u8>)>, Unavailable> {
    let kept = store.last(bucket, checked(key)?).await?;
    Ok(kept
        .filter(|kept| !kept.marker)
        .map(|kept| (kept.revision, kept.bytes.to_vec())))
}

/// As [`crate::Log::put`] and [`crate::Log::put_expiring`].
pub(crate) async fn put(
    store: &impl Store,
    bucket: Bucket,
    key: &str,
    expected: u64,
    bytes: &[u8],
    ttl: Option<Duration>,
) -> Result<u64, PutError> {
    let value = Value {
        bytes,
        ttl,
        marker: false,
    };
    match write(store, bucket, key, expected, value).await {
        // A deleted value is absent, yet its marker is still the last message.
        Err(PutError::Conflict) if expected == 0 => match store.last(bucket, key).await? {
            Some(Kept {
                revision,
                marker: true,
                ..
            }) => write(store, bucket, key, revision, value).await,
            Some(_) | None => Err(PutError::Conflict),
        },
        result => result,
    }
}

/// As [`crate::Log::delete`].
pub(crate) async fn delete(
    store: &impl Store,
    bucket: Bucket,
    key: &str,
    expected: u64,
) -> Result<(), PutError> {
    let marker = Value {
        bytes: &[],
        ttl: Some(MARKER_TTL),
        marker: true,
    };
    write(store, bucket, key, expected, marker)
        .await
        .map(|_revision| ())
}

async fn write(
    store: &impl Store,
    bucket: Bucket,
    key: &str,
    expected: u64,
    value: Value<'_>,
) -> Result<u64, PutError> {
    match store.write(bucket, checked(key)?, expected, value).await {
        Ok(Fate::Stored(revision)) => Ok(revision),
        Ok(Fate::Conflict | Fate::Duplicate) => Err(PutError::Conflict),
        Ok(Fate::Refused(why)) => {
            Err(Unavailable::new(format!("failed to write {key}: {why}")).into())
        }
        Err(lost) => landed(store, bucket, key, expected, value, lost).await,
    }
}

/// The answer was lost: what is there now tells whether the write landed.
async fn landed(
    store: &impl Store,
    bucket: Bucket,
    key: &str,
    expected: u64,
    value: Value<'_>,
    lost: Unavailable,
) -> Result<u64, PutError> {
    match store.last(bucket, key).await? {
        Some(kept)
            if kept.revision > expected
                && kept.bytes == value.bytes
                && kept.marker == value.marker =>
        {
            Ok(kept.revision)
        }
        Some(kept) if kept.revision > expected => Err(PutError::Conflict),
        _ => Err(lost.into()),
    }
}

fn checked(key: &str) -> Result<&str, Unavailable> {
    let legal = !key.is_empty()
        && !key.starts_with('.')
        && !key.ends_with('.')
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-/_=.".contains(&byte));
    if legal {
        Ok(key)
    } else {
        Err(Unavailable::new(format!("`{key}` is no key of a bucket")))
    }
}
