//! The nats-server that `bowline up` runs itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// The nats-server that `bowline up` runs itself when no other one is named.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Embedded {
    /// The program; else it is looked for, see the README. Also `BOWLINE_NATS_SERVER`.
    pub nats_server: Option<PathBuf>,
    /// How long it may take to read its store and answer.
    #[serde(with = "humantime_serde")]
    pub start_within: Duration,
    /// How long it may take to stop before it is killed.
    #[serde(with = "humantime_serde")]
    pub stop_within: Duration,
    /// The pause before it is started again when it has died; doubled each time.
    #[serde(with = "humantime_serde")]
    pub restart_first: Duration,
    /// No such pause is longer.
    #[serde(with = "humantime_serde")]
    pub restart_cap: Duration,
    /// How large the store may grow.
    pub max_store_bytes: u64,
    /// Where its own monitoring is served, without any login; nowhere by default.
    pub monitoring: Option<SocketAddr>,
}

impl Default for Embedded {
    fn default() -> Self {
        Self {
            nats_server: None,
            start_within: Duration::from_secs(60),
            stop_within: Duration::from_secs(10),
            restart_first: Duration::from_millis(200),
            restart_cap: Duration::from_secs(30),
            max_store_bytes: 4 * 1024 * 1024 * 1024,
            monitoring: None,
        }
    }
}
