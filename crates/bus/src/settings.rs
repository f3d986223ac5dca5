use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Wall time, for what is written into facts and records.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or(0)
    }
}

/// How the log is reached and kept, and every interval of this crate.
#[derive(Clone)]
pub struct Settings {
    /// In front of every name, so that several installations can share a server.
    /// Letters, digits, `-` and `_`.
    pub instance: String,
    /// The seed of the nkey to log in with, if the server wants one.
    pub nkey_seed: Option<String>,
    /// The token that the server asks for, if it does. Kept out of the address, which gets logged.
    pub token: Option<String>,
    /// Copies of every stream and bucket: 1 or 3.
    pub replicas: usize,
    /// A delivery that shows no sign of life for so long is delivered again.
    pub ack_wait: Duration,
    /// Work in hand shows a sign of life this often; well below `ack_wait`.
    pub progress: Duration,
    /// The limit of one request to the server.
    pub publish_timeout: Duration,
    /// A pull waits so long for work; also how fast a lost pull is noticed.
    pub pull_expires: Duration,
    /// A fact sent twice within this time is stored once.
    pub duplicate_window: Duration,
    /// A first failure is tried again after this; each further one after twice as long.
    pub retry_first: Duration,
    /// No failure waits longer than this.
    pub retry_cap: Duration,
    /// The head of a claim's queue looks again after this.
    pub claim_head: Duration,
    /// The others in a claim's queue look again after this.
    pub claim_others: Duration,
    /// How long the bucket `CACHE` keeps a value.
    pub cache_age: Duration,
    /// How long received webhooks are kept.
    pub intake_age: Duration,
    /// A folder of this process where each owner notes what it has in hand. Without it, a message
    /// that kills its process does so for ever.
    pub in_hand: Option<PathBuf>,
    /// How often an owner's backlog is asked for, for `/metrics`.
    pub backlog_every: Duration,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
}

impl Settings {
    /// The defaults for the given instance.
    #[must_use]
    pub fn new(instance: impl Into<String>) -> Settings {
        Settings {
            instance: instance.into(),
            nkey_seed: None,
            token: None,
            replicas: 1,
            ack_wait: Duration::from_secs(30),
            progress: Duration::from_secs(10),
            publish_timeout: Duration::from_secs(5),
            pull_expires: Duration::from_secs(5),
            duplicate_window: Duration::from_secs(120),
            retry_first: Duration::from_secs(1),
            retry_cap: Duration::from_secs(60),
            claim_head: Duration::from_secs(5),
            claim_others: Duration::from_secs(30),
            cache_age: Duration::from_secs(24 * 3600),
            intake_age: Duration::from_secs(30 * 24 * 3600),
            in_hand: None,
            backlog_every: Duration::from_secs(15),
            clock: Arc::new(SystemClock),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("instance", &self.instance)
            .field("replicas", &self.replicas)
            .field("ack_wait", &self.ack_wait)
            .finish_non_exhaustive()
    }
}
