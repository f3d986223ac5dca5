//! What the verifier sees of the world, in its own words.
//!
//! Every answer may be [`Unknown`]; that is never read as a failure.

use std::collections::BTreeMap;

use std::sync::Arc;

use async_trait::async_trait;
use job::{MonitorState, Target};

/// Why something could not be known now, in a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(pub String);

/// The state of a pipeline, a workflow or a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Created, pending, blocked, or a word that is not known: may still go anywhere.
    Waiting,
    /// An agent works on it.
    Running,
    /// Ended well.
    Success,
    /// Failed, in error, or declined by a person.
    Failure,
    /// Stopped by a person or by a newer run.
    Killed,
    /// Its conditions did not match.
    Skipped,
}

impl RunState {
    /// Reads the word that the server uses.
    #[must_use]
    pub fn parse(word: &str) -> RunState {
        match word {
            "running" => RunState::Running,
            "success" => RunState::Success,
            "failure" | "error" | "declined" => RunState::Failure,
            "killed" | "canceled" | "cancelled" => RunState::Killed,
            "skipped" => RunState::Skipped,
            _ => RunState::Waiting,
        }
    }

    /// Whether it will not change any more by itself.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, RunState::Waiting | RunState::Running)
    }
}

/// One workflow of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// Its name; a matrix makes several of one name.
    pub name: String,
    /// How it stands.
    pub state: RunState,
    /// The first step that failed, with its exit code, for people.
    pub failed_step: Option<String>,
}

/// One run of CI; a list's row has no workflows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Its number; that of a deleted row is used again.
    pub number: u64,
    /// The commit it runs for.
    pub commit: String,
    /// The branch.
    pub branch: String,
    /// What started it, `push` for us.
    pub event: String,
    /// All workflows together; the gating one may say otherwise.
    pub status: RunState,
    /// Where people can look.
    pub url: String,
    /// When it was created, in seconds since the Unix epoch.
    pub created_s: i64,
    /// When it ended, in seconds since the Unix epoch; 0 if it has not.
    pub finished_s: i64,
    /// The newer run that took its place, if the server says so.
    pub superseded_by: Option<u64>,
    /// The paths its push changed; none if the server does not say.
    pub changed: Option<Vec<String>>,
    /// What the server says is wrong with its configuration.
    pub errors: Vec<String>,
    /// Its workflows.
    pub workflows: Vec<Workflow>,
}

/// The CI server.
#[async_trait]
pub trait Ci: Send + Sync + 'static {
    /// The rows of the repository's branch that were pushed at or after `since_s`, newest first.
    async fn pipelines(&self, repository: &str, since_s: i64) -> Result<Vec<Pipeline>, Unknown>;
    /// One pipeline with its workflows; none if there is no such row.
    async fn pipeline(&self, repository: &str, number: u64) -> Result<Option<Pipeline>, Unknown>;
    /// Starts a pipeline again, under a number of its own.
    async fn restart(&self, repository: &str, number: u64) -> Result<Restarted, Unknown>;
    /// The name of the workflow that decides.
    fn workflow(&self, repository: &str) -> String;
    /// Whether a pipeline of an older commit may be started again.
    fn may_restart(&self, repository: &str) -> bool;
}

/// What came of starting a pipeline again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restarted {
    /// It runs again.
    Yes,
    /// The server will not, and why.
    No(String),
}

/// The turn between a push and the end of CI.
#[async_trait]
pub trait Turns: Send + Sync + 'static {
    /// Takes the turn of the upgrade's repository; the wait, if another has it.
    async fn take(&self, history: &bus::History) -> Result<Option<std::time::Duration>, Unknown>;
}

/// How far a workload's rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// Every wanted pod runs the newest template.
    Done,
    /// Not yet, and why.
    Moving(String),
    /// The controller gave up, and why.
    GaveUp(String),
}

/// What is wrong with one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// It crashes again and again.
    CrashLoop,
    /// It was killed for using too much memory.
    OutOfMemory,
    /// Its image cannot be pulled, or it cannot be created.
    NotStarting,
}

/// One thing that is wrong with a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it is.
    pub ailment: Ailment,
    /// The container and the reason, for people.
    pub text: String,
}

/// One pod of a workload; completed, evicted and terminating ones and those of Jobs are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its UID.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// It runs the workload's newest template.
    pub newest: bool,
    /// It is ready.
    pub ready: bool,
    /// Restarts of all its containers together.
    pub restarts: u32,
    /// When one of its containers ended last, in milliseconds since the Unix epoch.
    pub last_end_ms: Option<i64>,
    /// What is wrong with it.
    pub troubles: Vec<Trouble>,
}

/// One workload as the cluster shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Counts the changes of its specification.
    pub generation: i64,
    /// Wanted pods.
    pub replicas: u32,
    /// The template's images by container name.
    pub images: BTreeMap<String, String>,
    /// The template's images by init container name.
    pub init_images: BTreeMap<String, String>,
    /// How far its rollout is.
    pub rollout: Rollout,
    /// Its pods.
    pub pods: Vec<Pod>,
}

/// One workload of a Helm release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The chart and its version, `name-version`, where a label tells.
    pub chart: Option<String>,
    /// The workload.
    pub workload: Workload,
}

/// A machine of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// It takes part.
    pub ready: bool,
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// A Deployment, whosever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Enough of its pods are ready.
    pub available: bool,
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// How the cluster is around the targets; what nobody may see is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Its machines.
    pub nodes: Vec<Node>,
    /// Its Deployments, the targets' included.
    pub deployments: Vec<Other>,
    /// Why some of it could not be seen this time.
    pub unknown: Option<Unknown>,
}

/// A cluster.
#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// The target's workload and its pods; none if there is no such workload.
    async fn workload(&self, cluster: &str, target: &Target) -> Result<Option<Workload>, Unknown>;
    /// Every workload of the Helm release that the target is; a cluster that cannot tell does not
    /// know.
    async fn release(&self, cluster: &str, target: &Target) -> Result<Vec<Member>, Unknown> {
        Err(Unknown(format!(
            "which workloads of cluster {cluster} belong to release {} cannot be told",
            target.name
        )))
    }
    /// How the rest of the cluster is.
    async fn surroundings(&self, cluster: &str) -> Surroundings;
}

/// One beat of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What it says.
    pub state: MonitorState,
}

/// Where a monitor was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The status page, which tells when it beat.
    Page,
    /// `/metrics`, which does not.
    Metrics,
}

/// One monitor of Uptime Kuma.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Its number, where the source tells it.
    pub id: Option<u64>,
    /// Its name; others may have the same.
    pub name: String,
    /// The host it looks at, where the source tells it.
    pub host: Option<String>,
    /// What it said last; none if it has not beaten, or in a word that is not known.
    pub last: Option<MonitorState>,
    /// Its beats, oldest first, where the source tells their times.
    pub beats: Vec<Beat>,
    /// Changes with most beats, where the source does not tell their times.
    pub mark: String,
    /// The source.
    pub source: Source,
}

/// All monitors at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When they were asked, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The monitors.
    pub monitors: Vec<Monitor>,
    /// There are no others; a status page may show some only.
    pub all: bool,
    /// What could not be read, and what was read instead, for people.
    pub note: Option<String>,
}

/// Uptime Kuma; an answer may be as old as the time between two readings.
#[async_trait]
pub trait Monitoring: Send + Sync + 'static {
    /// What the monitors say.
    async fn read(&self) -> Result<Arc<Reading>, Unknown>;
    /// What the second source says, for what the first does not tell; none without a second one.
    async fn fallback(&self) -> Option<Result<Arc<Reading>, Unknown>>;
}

/// What an address answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status; 0 if there was no answer.
    pub status: u32,
    /// Why there was none.
    pub why: String,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.status, self.why.as_str()) {
            (0, "") => f.write_str("no answer"),
            (0, why) => write!(f, "no answer ({why})"),
            (status, _) => write!(f, "{status}"),
        }
    }
}

/// The HTTP checks.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// What the address answers; `insecure` accepts a certificate that nobody vouches for.
    async fn ask(&self, address: &str, insecure: bool) -> Answer;
}
