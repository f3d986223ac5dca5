//! Uptime Kuma, whose monitors are asked about an upgrade.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Where the monitors are read. Without an address they are not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kuma {
    /// Its address.
    pub url: Option<String>,
    /// The slug of a status page that shows the monitors: it tells when they beat, and needs no
    /// key. Else `/metrics` is read, which does not tell.
    pub status_page: Option<String>,
    /// The file that holds the API key for `/metrics`; or `BOWLINE_SECRET_KUMA_API_KEY`. With a
    /// status page as well, `/metrics` is read for what that does not show.
    pub api_key_file: Option<PathBuf>,
    /// How often it is read at most, for all upgrades together.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
    /// How long one answer may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The time between two beats of a monitor, where it cannot be told from them: that of the
    /// slowest one, or an old UP is taken for a new one.
    #[serde(with = "humantime_serde")]
    pub monitor_interval: Duration,
    /// A window is never lengthened by more than this for a monitor that beats seldom.
    #[serde(with = "humantime_serde")]
    pub wait_at_most: Duration,
}

impl Default for Kuma {
    fn default() -> Self {
        Self {
            url: None,
            status_page: None,
            api_key_file: None,
            poll: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            monitor_interval: Duration::from_secs(5 * 60),
            wait_at_most: Duration::from_secs(15 * 60),
        }
    }
}
