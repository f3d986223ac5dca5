//! The executor: slot, backup, CI turn, edit, commit and push; and its reserved workers for undo.
//!
//! Every command of [`job::Command`] that the executor owns is one file here. What it needs of the
//! outside stands in [`ports`]; the adapters are `git` and `kubernetes`.

mod backup;
mod git;
mod kubernetes;
mod message;
mod ports;
mod push;
mod slots;
mod turn;
mod undo;
mod work;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::Log;
use job::Owner;
use runtime::settings::{Settings, Turn};
use tokio_util::sync::CancellationToken;

pub use git::GitRepository;
pub use kubernetes::KubernetesBackups;
pub use ports::{
    Backups, CreateError, JobPhase, JobReport, Landed, NewJob, PortError, Refound, Repository,
    RunningJob,
};
pub use work::Executor;

/// What the executor reads of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The instance's name; part of Job labels and the lock's holder.
    pub instance: String,
    /// Who commits, as `Name <mail>` parts.
    pub author: (String, String),
    /// Upgrades take turns between push and the end of CI.
    pub serial: bool,
    /// How often a running backup Job is asked for.
    pub backup_poll: Duration,
    /// Two dumps of one `CronJob` start at least this long apart: their file names carry minutes.
    pub backup_spacing: Duration,
    /// The repository lock's time to live.
    pub lock_ttl: Duration,
    /// How many upgrades are worked on at the same time.
    pub workers: usize,
    /// How many undos are worked on at the same time; never used by upgrades.
    pub undo_workers: usize,
}

/// Runs the executor's two inboxes until `stop`.
///
/// # Errors
/// When an inbox cannot be opened or an adapter cannot be built.
pub async fn run(
    settings: &Settings,
    log: Arc<dyn Log>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let config = Config::from_settings(settings);
    let repository = Arc::new(GitRepository::open(settings).context("failed to open the mirror")?);
    let backups = Arc::new(KubernetesBackups::connect(settings).await?);
    let executor = Arc::new(Executor::new(
        config.clone(),
        Arc::clone(&log),
        repository,
        backups,
    ));
    let undo: Arc<dyn bus::Work> = Arc::clone(&executor) as Arc<dyn bus::Work>;
    let forward: Arc<dyn bus::Work> = executor;
    tokio::join!(
        bus::run_owner(
            Arc::clone(&log),
            Owner::Executor,
            config.workers,
            forward,
            stop.clone()
        ),
        bus::run_owner(log, Owner::Undo, config.undo_workers, undo, stop),
    );
    Ok(())
}

impl Config {
    /// Reads the shared settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Config {
        Config {
            instance: settings.instance.clone(),
            author: (
                settings.repository.author_name.clone(),
                settings.repository.author_email.clone(),
            ),
            serial: settings.ci.turn == Turn::Serial,
            backup_poll: settings.backup.poll,
            backup_spacing: settings.backup.spacing,
            lock_ttl: settings.bus.lock_ttl,
            workers: 8,
            undo_workers: 4,
        }
    }
}
