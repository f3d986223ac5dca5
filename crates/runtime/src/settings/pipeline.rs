//! What the services themselves do: intake, rate, risk, backup, verification, and their loop.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{Kuma, texts};

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
    /// So much of what comes while NATS is away is kept on disk; a request takes less than 1 KB.
    pub spool_max_bytes: u64,
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
            spool_max_bytes: 16 * 1024 * 1024,
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
    /// How notes are judged.
    pub rule: RiskRule,
    /// Which versions a risky upgrade goes through.
    pub steps: Granularity,
}

/// How release notes are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskRule {
    /// Any listed word, anywhere.
    #[default]
    Plain,
    /// What a line speaks about counts as well.
    Weighed,
}

/// Which versions a risky upgrade goes through. Versions that notes tell to upgrade to first are
/// steps in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// Every version in between.
    #[default]
    Every,
    /// The last patch of each minor version.
    Minor,
    /// The last version of each major one.
    Major,
    /// The versions whose notes raised the risk.
    Breaking,
}

impl Default for Risk {
    fn default() -> Self {
        Self {
            rule: RiskRule::default(),
            steps: Granularity::default(),
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

/// How many upgrades go on side by side, and what stops new ones.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Executor {
    /// So many upgrades may be in flight in the cluster; as many as come by default. An undo needs
    /// no place.
    pub max_in_flight: Option<u32>,
    /// So many undos within `circuit_within` stop all new starts in the cluster, until a person
    /// lets them go on.
    pub circuit_undos: u32,
    /// Within which time.
    #[serde(with = "humantime_serde")]
    pub circuit_within: Duration,
}

impl Default for Executor {
    fn default() -> Self {
        Self {
            max_in_flight: None,
            circuit_undos: 2,
            circuit_within: Duration::from_secs(30 * 60),
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
    /// How long what cannot be seen is waited for before a person is asked; and how long a window
    /// may stand still in all, because more than the service is away.
    #[serde(with = "humantime_serde")]
    pub unknown_limit: Duration,
    /// How long a service may take to answer an HTTP check; slower is no answer.
    #[serde(with = "humantime_serde")]
    pub http_timeout: Duration,
    /// HTTP checks accept a certificate that nobody vouches for.
    pub insecure_tls: bool,
    /// The monitors that are asked as well.
    pub kuma: Kuma,
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
            unknown_limit: Duration::from_secs(3600),
            http_timeout: Duration::from_secs(10),
            insecure_tls: false,
            kuma: Kuma::default(),
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
    /// An upgrade that is over for so long is archived: its summary stays, its facts go.
    #[serde(with = "humantime_serde")]
    pub archive_after: Duration,
    /// How often what waits for each owner is counted, for `/metrics`.
    #[serde(with = "humantime_serde")]
    pub backlog_every: Duration,
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
            archive_after: Duration::from_secs(30 * 24 * 3_600),
            backlog_every: Duration::from_secs(15),
        }
    }
}
