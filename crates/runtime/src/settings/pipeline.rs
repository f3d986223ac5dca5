//! What the services themselves do: intake, rate, risk, backup, verification, and their loop.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::texts;

/// What comes in, and what of it is let through.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingest {
    /// Where webhooks are taken.
    pub listen: SocketAddr,
    /// Where gRPC is served.
    pub grpc_listen: SocketAddr,
    /// The file that holds the last part of the webhook's path; or `BOWLINE_SECRET_WEBHOOK`.
    pub secret_file: Option<PathBuf>,
    /// Which of DIUN's statuses mean an upgrade.
    pub statuses: Vec<Status>,
    /// Images that are never upgraded: patterns with `*`, over the name without tag.
    pub skip_images: Vec<String>,
    /// How long a webhook waits for NATS.
    #[serde(with = "humantime_serde")]
    pub nats_wait: Duration,
    /// The largest body that is read.
    pub max_body_bytes: usize,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            grpc_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            secret_file: None,
            statuses: vec![Status::New, Status::Update],
            skip_images: texts(&[
                // Databases.
                "*postgres*",
                "*mysql*",
                "*redis*",
                "*clickhouse*",
                "*etcd*",
                // Infrastructure.
                "registry.k8s.io/*",
                "quay.io/tigera/*",
                "quay.io/metallb/*",
                "nvcr.io/*",
                "reg.kyverno.io/*",
            ]),
            nats_wait: Duration::from_secs(5),
            max_body_bytes: 1024 * 1024,
        }
    }
}

/// What DIUN says about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A tag that DIUN had not seen.
    New,
    /// A known tag with another digest.
    Update,
}

/// How many upgrades may start in a while.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rate {
    /// As many in one window; more are held until it reopens.
    pub max_upgrades_per_window: u32,
    /// The window, from the first upgrade in it.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            max_upgrades_per_window: 5,
            window: Duration::from_secs(6 * 3600),
        }
    }
}

/// What makes an upgrade risky.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Risk {
    /// Words in release notes that call for caution.
    pub words: Vec<String>,
    /// Services that go through every version.
    pub always_step: Vec<String>,
}

impl Default for Risk {
    fn default() -> Self {
        Self {
            words: texts(&[
                "breaking",
                "migration required",
                "schema change",
                "database migration",
                "manual intervention",
                "action required",
                "removed",
                "deprecated",
                "renamed",
                "incompatible",
            ]),
            always_step: texts(&["authentik", "nextcloud", "immich"]),
        }
    }
}

/// How database backups are taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// How long one may take; longer is a failure.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How old one may be when the push comes.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// How often a running Job is asked for.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
    /// Two dumps of one `CronJob` begin at least so long apart: dump files are often named after
    /// the minute, and the second would overwrite the first.
    #[serde(with = "humantime_serde")]
    pub spacing: Duration,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30 * 60),
            max_age: Duration::from_secs(3600),
            poll: Duration::from_secs(5),
            spacing: Duration::from_secs(60),
        }
    }
}

/// How an upgrade is judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verify {
    /// How long a safe upgrade must stay healthy.
    #[serde(with = "humantime_serde")]
    pub safe: Duration,
    /// How long one that calls for caution must.
    #[serde(with = "humantime_serde")]
    pub caution: Duration,
    /// How long one without release notes must.
    #[serde(with = "humantime_serde")]
    pub unknown: Duration,
    /// How often health is looked at.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// How long the cluster may take to show what CI has applied.
    #[serde(with = "humantime_serde")]
    pub settle: Duration,
    /// How often the time that was observed is recorded; a longer silence does not count.
    #[serde(with = "humantime_serde")]
    pub observed_every: Duration,
}

impl Default for Verify {
    fn default() -> Self {
        Self {
            safe: Duration::from_secs(2 * 60),
            caution: Duration::from_secs(10 * 60),
            unknown: Duration::from_secs(2 * 60),
            interval: Duration::from_secs(15),
            settle: Duration::from_secs(2 * 60),
            observed_every: Duration::from_secs(60),
        }
    }
}

/// The intervals of the loop that all services share.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bus {
    /// How long a delivery may be in hand without a sign of life.
    #[serde(with = "humantime_serde")]
    pub ack_wait: Duration,
    /// How often such a sign is given.
    #[serde(with = "humantime_serde")]
    pub progress: Duration,
    /// How often the head of a queue looks again.
    #[serde(with = "humantime_serde")]
    pub head_retry: Duration,
    /// How often the others do.
    #[serde(with = "humantime_serde")]
    pub queue_retry: Duration,
    /// How long the lock of a repository outlives a holder that died.
    #[serde(with = "humantime_serde")]
    pub lock_ttl: Duration,
    /// How often forgotten upgrades are looked for.
    #[serde(with = "humantime_serde")]
    pub sweep: Duration,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            ack_wait: Duration::from_secs(30),
            progress: Duration::from_secs(10),
            head_retry: Duration::from_secs(5),
            queue_retry: Duration::from_secs(30),
            lock_ttl: Duration::from_secs(30),
            sweep: Duration::from_secs(60),
        }
    }
}
