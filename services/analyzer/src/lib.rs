//! The analyzer: where the version is written, what the notes say, how risky it is, and the plan.
//!
//! The way through: [`sites`] finds, [`notes`] reads, [`planning`] judges and puts the plan
//! together. The same parts answer `bowline plan` without any infrastructure.

mod cache;
pub mod changelog;
pub mod changes;
pub mod chart;
mod forge;
mod git;
mod helm;
mod http;
mod hub;
mod images;
mod limits;
mod little;
pub mod notes;
mod patience;
pub mod planning;
mod ports;
mod registry;
pub mod release;
pub mod sites;
mod source;
mod split;
pub mod steps;
mod targets;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::Log;
use job::{Limits, Owner, Policy};
use runtime::probe;
use runtime::settings::{Mode, RiskRule, Settings};
use terraform::Options;
use tokio_util::sync::CancellationToken;

pub use cache::{Cache, Own, Shared};
pub use forge::Forges;
pub use git::GitRepository;
pub use helm::Helm;
pub use images::Registered;
pub use planning::{Rules, ServicePolicy};
pub use ports::{
    Charts, Home, Images, PortError, Published, Release, Releases, Repository, Tagged,
};
pub use work::{Analyzer, entry};

/// How many upgrades one analyzer works on at the same time.
const WORKERS: usize = 4;

/// Runs the analyzer's inbox until `stop`.
///
/// # Errors
/// When an adapter cannot be built, or the git host refuses the credentials.
pub async fn run(
    settings: &Settings,
    log: Arc<dyn Log>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let repository = Arc::new(GitRepository::open(settings)?);
    let unknown = probe::at_start(repository.look()).await?;
    let looking = Arc::clone(&repository);
    let cache: Arc<dyn Cache> = Arc::new(Shared(Arc::clone(&log)));
    let forges = Forges::new(settings, &cache)?;
    let options = Options {
        stacks: settings.repository.stacks.clone(),
    };
    let helm = Helm::new(settings, &cache)?;
    let images = Registered::new(settings, &cache)?;
    let analyzer = Analyzer::new(
        rules(settings),
        options,
        Arc::clone(&log),
        repository,
        Arc::new(forges),
    );
    let analyzer = analyzer.with_charts(Arc::new(helm));
    let analyzer = Arc::new(analyzer.with_images(Arc::new(images)));
    let look_again = async {
        if unknown {
            probe::until_granted(|| looking.look(), stop.clone()).await;
        }
    };
    tokio::join!(
        bus::run_owner(log, Owner::Analyzer, WORKERS, analyzer, stop.clone()),
        look_again
    );
    Ok(())
}

/// The backup as configured; what is left out follows from the engine and the service.
fn backup(configured: &runtime::settings::BackupTarget) -> planning::Backup {
    planning::Backup {
        namespace: configured.namespace.clone(),
        cronjob: configured.cronjob_or_default(),
        engine: configured.engine.as_str().to_owned(),
        database: configured.database.clone(),
    }
}

/// What the configuration wants changed together with a version.
fn due(configured: &runtime::settings::Change) -> changes::Due {
    let renamed = configured.rename_env.iter();
    let renamed = renamed.map(|(from, to)| terraform::Change::RenameVariable {
        from: from.clone(),
        to: to.clone(),
    });
    let set = configured.set_env.iter();
    let set = set.map(|(name, value)| terraform::Change::SetVariable {
        name: name.clone(),
        value: value.clone(),
    });
    let raised = configured.memory.iter();
    let raised = raised.map(|limit| terraform::Change::RaiseMemory {
        limit: limit.clone(),
    });
    changes::Due {
        to: configured.to.clone(),
        from: configured.from.clone(),
        changes: renamed.chain(set).chain(raised).collect(),
    }
}

/// Reads the rules from the shared settings.
#[must_use]
pub fn rules(settings: &Settings) -> Rules {
    let seconds =
        |duration: std::time::Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    let observe_all = settings.mode == Mode::Observe;
    let mut services: BTreeMap<String, ServicePolicy> = settings
        .services
        .iter()
        .map(|(name, service)| {
            let policy = ServicePolicy {
                url: service.url.clone(),
                backup: service.backup.as_ref().map(backup),
                allow: service.allow,
                always_step: settings.always_steps(name),
                policy: Policy {
                    observe: settings.mode_of(name) == Mode::Observe,
                    approval: settings.needs_approval(name),
                    critical: settings.is_critical(name),
                    ..Policy::default()
                },
                monitors: service.monitors.clone(),
                insecure_tls: service.insecure_tls,
                settle_seconds: service.settle.map(seconds),
                changes: service.changes.iter().map(due).collect(),
            };
            (name.clone(), policy)
        })
        .collect();
    for name in &settings.risk.always_step {
        // Whatever is said about the service itself wins.
        services
            .entry(name.clone())
            .or_insert_with(|| ServicePolicy {
                always_step: true,
                ..ServicePolicy::plain(name, observe_all)
            });
    }
    Rules {
        words: settings.risk.words.clone(),
        windows: (
            seconds(settings.verify.safe),
            seconds(settings.verify.caution),
            seconds(settings.verify.unknown),
        ),
        limits: Limits {
            ci_patience_seconds: seconds(settings.ci.patience),
            settle_seconds: seconds(settings.verify.settle),
            backup_seconds: seconds(settings.backup.timeout),
            backup_max_age_seconds: seconds(settings.backup.max_age),
        },
        cluster: settings.repository.cluster.clone(),
        services,
        kuma: settings.verify.kuma.url.is_some(),
        insecure_tls: settings.verify.insecure_tls,
        observe: observe_all,
        sources: settings
            .sources
            .iter()
            .map(|(image, source)| (version::normalise(image), source.clone()))
            .collect(),
        charts: settings
            .charts
            .iter()
            .map(|(image, chart)| (version::normalise(image), chart.clone()))
            .collect(),
        bases: {
            let bases = settings.repository.allow_bases.iter();
            bases.map(|image| version::normalise(image)).collect()
        },
        rule: match settings.risk.rule {
            RiskRule::Plain => risk::Rule::Plain,
            RiskRule::Weighed => risk::Rule::Weighed,
        },
        granularity: settings.risk.steps,
    }
}
