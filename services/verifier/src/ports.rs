//! What the verifier sees of the world, in its own words.
//!
//! Every answer may be [`Unknown`]; that is never read as a failure.

use std::collections::BTreeMap;

use async_trait::async_trait;
use job::Target;

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
    /// The name of the workflow that decides.
    fn workflow(&self, repository: &str) -> String;
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

/// A cluster.
#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// The target's workload and its pods; none if there is no such workload.
    async fn workload(&self, cluster: &str, target: &Target) -> Result<Option<Workload>, Unknown>;
}

/// The HTTP checks.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// The status that the address answers with; 0 if it does not answer.
    async fn status(&self, address: &str) -> u32;
}
