//! What the executor needs of the outside world.

use async_trait::async_trait;
use job::{BackupTarget, Site, Transience};

/// An outside call failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct PortError {
    /// What was tried on what, and what came back; never a secret.
    pub what: String,
    /// Transient: the same command is carried out again later. Lasting: the same call fails again
    /// however often it is made, so the upgrade must not wait for it with its claims held.
    pub transience: Transience,
}

impl PortError {
    /// An error that may pass, with its whole chain of causes in one line.
    pub fn new(what: impl std::fmt::Display) -> PortError {
        PortError {
            what: what.to_string(),
            transience: Transience::Transient,
        }
    }

    /// An error that the same arguments will always lead to.
    pub fn lasting(what: impl std::fmt::Display) -> PortError {
        PortError {
            transience: Transience::Lasting,
            ..PortError::new(what)
        }
    }
}

impl From<bus::Unavailable> for PortError {
    fn from(error: bus::Unavailable) -> PortError {
        PortError::new(error)
    }
}

/// How the planned sites look in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refound {
    /// Every site holds the value before the step.
    Ready,
    /// Every site holds the value after the step.
    AlreadyThere,
    /// A site is gone or holds a third value.
    Changed(String),
}

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed {
    /// The commit is the fetched head or its ancestor.
    Yes,
    /// The branch moved; the new head.
    Moved(String),
    /// The server refused it; its words.
    Refused(String),
}

/// The infrastructure repository's branch.
#[async_trait]
pub trait Repository: Send + Sync + 'static {
    /// Fetches and returns the branch's head.
    async fn fetch(&self) -> Result<String, PortError>;
    /// Looks the sites up in the tree of a fetched commit.
    async fn refind(&self, head: &str, sites: &[Site]) -> Result<Refound, PortError>;
    /// Whether every site holds the value after the step, or a newer one.
    async fn at_or_beyond(&self, head: &str, sites: &[Site]) -> Result<bool, PortError>;
    /// Builds the commit that moves exactly these sites; the same arguments give the same commit,
    /// or the same lasting error.
    async fn build(
        &self,
        head: &str,
        sites: &[Site],
        message: &str,
        commit_at: i64,
    ) -> Result<String, PortError>;
    /// Pushes a built commit as a fast-forward and confirms by fetching.
    async fn push(&self, commit: &str, base: &str) -> Result<Landed, PortError>;
    /// The commit in `base..head` that carries exactly this trailer.
    async fn find_trailer(
        &self,
        base: &str,
        head: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<String>, PortError>;
    /// The subject line of a fetched commit.
    async fn subject(&self, commit: &str) -> Result<String, PortError>;
}

/// The Job to make from a `CronJob`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its deterministic name.
    pub name: String,
    /// The upgrade, for its label.
    pub upgrade: String,
    /// It is killed after so many seconds.
    pub deadline_seconds: u32,
}

/// A Job that was made from a `CronJob`, by us or by its schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningJob {
    /// Its name.
    pub name: String,
    /// When it started, or was created, in milliseconds since the Unix epoch.
    pub started_ms: i64,
    /// Where it stands.
    pub phase: JobPhase,
}

/// Where a Job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobPhase {
    /// Not finished; interim conditions count as this, and pods that still have to end.
    Running,
    /// It was deleted before it had finished, and its pods have not ended yet: they may still dump.
    Ending {
        /// When it was deleted, in milliseconds since the Unix epoch.
        since_ms: i64,
    },
    /// Condition `Complete`.
    Complete,
    /// Condition `Failed`; its reason and message.
    Failed(String),
}

/// What is known of one Job by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobReport {
    /// It exists and is ours.
    Found(RunningJob),
    /// It exists and belongs to something else.
    Foreign,
    /// There is none.
    Absent,
}

/// Why a Job could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Trying again cannot help.
    #[error("{0}")]
    Lasting(String),
    /// Trying again may help.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The cluster's backup Jobs.
#[async_trait]
pub trait Backups: Send + Sync + 'static {
    /// Every Job that belongs to the `CronJob`, ours and its own.
    async fn jobs(&self, target: &BackupTarget) -> Result<Vec<RunningJob>, PortError>;
    /// One Job by name.
    async fn job(
        &self,
        target: &BackupTarget,
        name: &str,
        upgrade: &str,
    ) -> Result<JobReport, PortError>;
    /// Makes the Job; one that exists under this name is no error.
    async fn create(&self, target: &BackupTarget, job: &NewJob) -> Result<(), CreateError>;
    /// Begins to delete the upgrade's Job: its pods first, so that it is there for as long as they
    /// may dump. One that is gone is no error, and another's of this name is left alone.
    async fn delete(
        &self,
        target: &BackupTarget,
        name: &str,
        upgrade: &str,
    ) -> Result<(), PortError>;
}
