//! How long a host wants to be left alone, known to all analyzers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::cache::Cache;
use crate::http::LONGEST_WAIT;
use crate::ports::PortError;

/// A limit that names no time: GitHub asks for at least a minute, and for longer each time.
pub(crate) const UNNAMED: Duration = Duration::from_secs(60);
/// So long after its end a limit is remembered: what comes in this time is the next of a series.
const SERIES: Duration = Duration::from_secs(900);
/// A series grows this many times.
const MOST: u32 = 6;

/// Who has asked to be left alone, and until when. Asking on counts, and prolongs it.
pub(crate) struct Limits {
    own: Mutex<HashMap<String, Instant>>,
    cache: Arc<dyn Cache>,
}

/// What is known of one limit; times are in seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    began: i64,
    until: i64,
    /// How many without a time came before it, shortly after each other.
    nth: u32,
}

impl Limit {
    fn parse(told: &[u8]) -> Option<Limit> {
        let mut numbers = std::str::from_utf8(told).ok()?.split(' ');
        Some(Limit {
            began: numbers.next()?.parse().ok()?,
            until: numbers.next()?.parse().ok()?,
            nth: numbers.next()?.parse().ok()?,
        })
    }
}

impl Limits {
    pub(crate) fn new(cache: Arc<dyn Cache>) -> Limits {
        Limits {
            own: Mutex::default(),
            cache,
        }
    }

    /// Nobody asks a host that wants to be left alone.
    ///
    /// # Errors
    /// It does, for as long as the error says.
    pub(crate) async fn guard(&self, key: &str, host: &str) -> Result<(), PortError> {
        match self.left(key).await {
            None => Ok(()),
            Some(left) => Err(PortError {
                what: format!("{host} has limited us, and is not asked until that is over"),
                retry_after: Some(left),
                lasting: false,
            }),
        }
    }

    /// How long the host still wants to be left alone, as far as any analyzer knows. The key names
    /// the host and who asks, and no secret.
    async fn left(&self, key: &str) -> Option<Duration> {
        let own = {
            let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            own.get(key)
                .map(|until| until.saturating_duration_since(Instant::now()))
        };
        if let Some(left) = own.filter(|left| !left.is_zero()) {
            return Some(left);
        }
        let told = Limit::parse(&self.cache.get(key).await?)?;
        let left = told.until.saturating_sub(now());
        let left = u64::try_from(left.min(LONGEST_WAIT)).ok()?;
        (left > 0).then(|| Duration::from_secs(left))
    }

    /// The host has asked to be left alone: for so long, or, if it names no time, for longer each
    /// time. Several requests that were on their way meet a limit once; so when this one was `sent`
    /// has to be told, in seconds since the epoch.
    pub(crate) async fn begin(&self, key: &str, sent: i64, named: Option<Duration>) -> Duration {
        let before = self.cache.get(key).await;
        let before = before.as_deref().and_then(Limit::parse);
        let nth = before.map_or(0, |limit| limit.nth);
        let (wait, next) = match (named, before) {
            (Some(wait), _) => (wait, nth),
            (None, Some(limit)) if limit.began >= sent => {
                let left = limit.until.saturating_sub(now()).max(1);
                (Duration::from_secs(left.unsigned_abs()), nth)
            }
            (None, _) => (UNNAMED * 2_u32.pow(nth.min(MOST)), nth + 1),
        };
        let seconds = i64::try_from(wait.as_secs().max(1)).unwrap_or(LONGEST_WAIT);
        let wait = Duration::from_secs(seconds.min(LONGEST_WAIT).unsigned_abs());
        {
            let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            let until = own.entry(key.to_owned()).or_insert_with(Instant::now);
            *until = (*until).max(Instant::now() + wait);
        }
        let until = now() + i64::try_from(wait.as_secs()).unwrap_or(LONGEST_WAIT);
        // Another analyzer may have been told a later time.
        let until = before.map_or(until, |limit| limit.until.max(until));
        let told = format!("{} {until} {next}", now());
        let ttl = Some(wait + SERIES);
        self.cache.put(key, told.as_bytes(), ttl).await;
        wait
    }
}

/// Seconds since the epoch.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Own;

    #[tokio::test]
    async fn a_limit_without_a_time_grows_and_is_known_to_all() {
        let cache: Arc<dyn Cache> = Arc::new(Own::default());
        let limits = || Limits::new(Arc::clone(&cache));
        let (one, other) = (limits(), limits());
        assert_eq!(one.left("a").await, None);
        // Each is sent when the one before has ended.
        let later = |n: i64| now() + 1_000 * n;
        let waits = [
            one.begin("a", later(0), None).await,
            other.begin("a", later(1), None).await,
            one.begin("a", later(2), None).await,
        ];
        assert_eq!(waits.map(|wait| wait.as_secs()), [60, 120, 240]);
        let left = limits().left("a").await.unwrap().as_secs();
        assert!((230..=240).contains(&left), "{left}");
        assert_eq!(one.left("b").await, None);
        for n in 3..20 {
            one.begin("a", later(n), None).await;
        }
        assert_eq!(one.begin("a", later(20), None).await.as_secs(), 3_700);
    }

    #[tokio::test]
    async fn requests_that_are_on_their_way_meet_one_limit_once() {
        let cache: Arc<dyn Cache> = Arc::new(Own::default());
        let limits = Limits::new(Arc::clone(&cache));
        let sent = now();
        for _ in 0..16 {
            let wait = limits.begin("a", sent, None).await.as_secs();
            assert!((55..=60).contains(&wait), "{wait}");
        }
    }

    #[tokio::test]
    async fn a_shorter_time_does_not_end_a_longer_one() {
        let cache: Arc<dyn Cache> = Arc::new(Own::default());
        let limits = || Limits::new(Arc::clone(&cache));
        let named = |seconds| Some(Duration::from_secs(seconds));
        limits().begin("a", now(), named(600)).await;
        limits().begin("a", now(), named(5)).await;
        let left = limits().left("a").await.unwrap().as_secs();
        assert!((590..=600).contains(&left), "{left}");
    }
}
