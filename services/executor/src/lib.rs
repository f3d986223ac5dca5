//! The executor: slot, backup, CI turn, edit, commit and push; and its reserved workers for undo.
//!
//! Every command of [`job::Command`] that the executor owns is one file here. What it needs of the
//! outside stands in [`ports`]; the adapters are `git` and `kubernetes`.

mod backup;
mod edits;
mod git;
mod kubernetes;
mod message;
mod pause;
mod ports;
mod push;
mod slots;
mod turn;
mod undo;
mod work;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{CircuitSettings, Log};
use job::Owner;
use runtime::probe;
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
    /// How long an undo waits behind another upgrade's run of CI.
    pub undo_patience: Duration,
    /// How often a running backup Job is asked for.
    pub backup_poll: Duration,
    /// Two dumps of one `CronJob` start at least this long apart: their file names carry minutes.
    pub backup_spacing: Duration,
    /// So many upgrades may be in flight in a cluster; none: as many as come.
    pub max_in_flight: Option<usize>,
    /// When undos stop new starts.
    pub circuit: CircuitSettings,
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
/// When an adapter cannot be built, or the git host or the cluster refuses the credentials.
pub async fn run(
    settings: &Settings,
    log: Arc<dyn Log>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let config = Config::from_settings(settings);
    let repository = Arc::new(GitRepository::open(settings).context("failed to open the mirror")?);
    let git_unknown = probe::at_start(repository.look()).await?;
    let git = Arc::clone(&repository);
    let targets = configured_targets(settings);
    let backups = Arc::new(KubernetesBackups::connect(settings).await?);
    let cluster_unknown = probe::at_start(backups.look(&targets)).await?;
    let cluster = Arc::clone(&backups);
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
        bus::run_owner(log, Owner::Undo, config.undo_workers, undo, stop.clone()),
        async {
            if git_unknown {
                probe::until_granted(|| git.look(), stop.clone()).await;
            }
        },
        async {
            if cluster_unknown {
                probe::until_granted(|| cluster.look(&targets), stop.clone()).await;
            }
        },
    );
    Ok(())
}

/// The backup targets that are configured with their namespace, each once.
fn configured_targets(settings: &Settings) -> Vec<(String, String)> {
    let targets = settings.services.values().filter_map(|service| {
        let backup = service.backup.as_ref()?;
        Some((backup.namespace.clone()?, backup.cronjob_or_default()))
    });
    let mut targets: Vec<(String, String)> = targets.collect();
    targets.sort();
    targets.dedup();
    targets
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
            undo_patience: settings.ci.undo_patience,
            backup_poll: settings.backup.poll,
            backup_spacing: settings.backup.spacing,
            max_in_flight: settings
                .executor
                .max_in_flight
                .map(|max| usize::try_from(max).unwrap_or(usize::MAX)),
            circuit: CircuitSettings {
                undos: usize::try_from(settings.executor.circuit_undos).unwrap_or(usize::MAX),
                within: settings.executor.circuit_within,
            },
            lock_ttl: settings.bus.lock_ttl,
            workers: 8,
            undo_workers: 4,
        }
    }
}
