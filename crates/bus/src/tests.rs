//! One suite over every implementation of the log, and what only one of them can do wrong.

mod jetstream;
mod memory;
mod proxy;
pub(crate) mod sample;
mod suite;
mod until;

use std::time::Duration;

use crate::Settings;

/// Short intervals, so that what takes minutes in earnest takes moments here.
fn short_settings() -> Settings {
    Settings {
        ack_wait: Duration::from_secs(1),
        progress: Duration::from_millis(200),
        publish_timeout: Duration::from_secs(2),
        pull_expires: Duration::from_millis(500),
        retry_first: Duration::from_millis(50),
        retry_cap: Duration::from_millis(500),
        ..Settings::new("test")
    }
}
