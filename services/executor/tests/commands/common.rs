//! Requests, plans, facts and a log for the tests of the executor's commands.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{History, JetStream, Log};
use executor::{
    Backups, Config, CreateError, Executor, JobReport, Landed, NewJob, PortError, Refound,
    Repository, RunningJob,
};
use job::{
    BackupTarget, Body, Level, Limits, Plan, PlanStep, Policy, Request, Risk, Site, Source,
    UpgradeId, Windows,
};
use testkit::nats::NatsServer;

/// A log on a server of its own.
pub(crate) async fn log() -> (NatsServer, Arc<dyn Log>) {
    runtime::tls::install();
    let server = NatsServer::start().await.expect("a server");
    let log = JetStream::connect(&server.url(), bus::Settings::new("test"))
        .await
        .expect("a log");
    log.set_up().await.expect("set up");
    (server, Arc::new(log))
}

/// The upgrade of the one image here to this tag.
pub(crate) fn id(tag: &str) -> UpgradeId {
    UpgradeId::derive("test", "acme/infra", "docker.io/a/b", tag, 1)
}

/// A webhook's request for this tag.
pub(crate) fn request(tag: &str) -> Request {
    Request {
        repository: "acme/infra".to_owned(),
        image: "docker.io/a/b".to_owned(),
        tag: tag.to_owned(),
        chart: false,
        digest: None,
        status: "new".to_owned(),
        source: Source::Diun,
        hub_link: String::new(),
        attempt: 1,
        retry_of: None,
        lift_fence: false,
        parent: None,
        service: None,
        by: String::new(),
    }
}

/// A plan from one version through others, at one site and without a backup.
pub(crate) fn plan(from: &str, through: &[&str]) -> Plan {
    let mut before = from;
    let mut steps = Vec::new();
    for to in through {
        steps.push(PlanStep {
            to: (*to).to_owned(),
            app: None,
            sites: vec![Site {
                path: "stacks/app/main.tf".to_owned(),
                address: "local.image".to_owned(),
                before: before.to_owned(),
                after: (*to).to_owned(),
            }],
        });
        before = to;
    }
    Plan {
        service: "app".to_owned(),
        repository: "acme/infra".to_owned(),
        cluster: "home".to_owned(),
        from: from.to_owned(),
        from_app: None,
        head: "a".repeat(40),
        steps,
        targets: Vec::new(),
        monitors: None,
        risk: Risk {
            level: Level::Safe,
            reasons: Vec::new(),
            excerpts: Vec::new(),
        },
        backup: None,
        windows: Windows {
            forward_seconds: 120,
            undo_seconds: 120,
        },
        limits: Limits {
            ci_patience_seconds: 60,
            settle_seconds: 60,
            backup_seconds: 60,
            backup_max_age_seconds: 60,
        },
        policy: Policy::default(),
        summary: String::new(),
        releases: 1,
        source_url: String::new(),
    }
}

/// The one database of all services here.
pub(crate) fn target() -> BackupTarget {
    BackupTarget {
        namespace: "dbaas".to_owned(),
        cronjob: "postgresql-backup".to_owned(),
        engine: "postgresql".to_owned(),
        database: "app".to_owned(),
    }
}

/// A branch that stands still, and on which no commit can be built.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// How the sites of every plan look.
    pub(crate) sites: Refound,
    /// They hold the target or something newer.
    pub(crate) beyond: bool,
}

impl Default for Branch {
    fn default() -> Branch {
        Branch {
            sites: Refound::Ready,
            beyond: false,
        }
    }
}

#[async_trait]
impl Repository for Branch {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok("b".repeat(40))
    }
    async fn refind(&self, _: &str, _: &[Site]) -> Result<Refound, PortError> {
        Ok(self.sites.clone())
    }
    async fn at_or_beyond(&self, _: &str, _: &[Site]) -> Result<bool, PortError> {
        Ok(self.beyond)
    }
    async fn build(&self, _: &str, _: &[Site], _: &str, _: i64) -> Result<String, PortError> {
        Err(PortError::lasting("two sites overlap"))
    }
    async fn push(&self, _: &str, _: &str) -> Result<Landed, PortError> {
        Err(PortError::lasting("the commit is not in the mirror"))
    }
    async fn find_trailer(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: &str,
    ) -> Result<Option<String>, PortError> {
        Ok(None)
    }
    async fn subject(&self, _: &str) -> Result<String, PortError> {
        Ok("upgrade: app 1 -> 2".to_owned())
    }
}

struct NoBackups;

#[async_trait]
impl Backups for NoBackups {
    async fn jobs(&self, _: &BackupTarget) -> Result<Vec<RunningJob>, PortError> {
        Ok(Vec::new())
    }
    async fn job(&self, _: &BackupTarget, _: &str, _: &str) -> Result<JobReport, PortError> {
        Ok(JobReport::Absent)
    }
    async fn create(&self, _: &BackupTarget, _: &NewJob) -> Result<(), CreateError> {
        Ok(())
    }
    async fn delete(&self, _: &BackupTarget, _: &str, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}

/// An executor on the log, with this branch and a cluster without Jobs.
pub(crate) fn executor(log: &Arc<dyn Log>, branch: impl Repository) -> Executor {
    executor_with(log, branch, Arc::new(NoBackups))
}

/// An executor on the log, with this branch and these backups.
pub(crate) fn executor_with(
    log: &Arc<dyn Log>,
    branch: impl Repository,
    backups: Arc<dyn Backups>,
) -> Executor {
    let config = Config {
        lock_ttl: Duration::from_secs(1),
        ..Config::from_settings(&runtime::Settings::default())
    };
    Executor::new(config, Arc::clone(log), Arc::new(branch), backups)
}

/// The upgrade to this tag, of which these facts are in the log.
pub(crate) async fn upgrade(log: &Arc<dyn Log>, tag: &str, facts: Vec<Body>) -> History {
    let opened = Body::Requested(request(tag));
    let mut history = log.append(&id(tag), None, opened).await.expect("opened");
    for body in facts {
        history = append(log, &history, body).await;
    }
    history
}

/// One more fact.
pub(crate) async fn append(log: &Arc<dyn Log>, history: &History, body: Body) -> History {
    let name = body.name();
    log.append(&history.id, Some(history), body)
        .await
        .expect(name)
}
