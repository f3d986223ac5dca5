use std::collections::BTreeMap;

use crate::{Plan, Request};

/// One thing that happened to one upgrade, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Drawn at random when the fact is built; tells our append from another's.
    pub id: String,
    /// The step it speaks of, from 1; 0 before the plan.
    pub step: u32,
    /// When it was stated, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The oldest reader that may fold it; an older replica hands it back.
    pub min_reader: u32,
    /// What happened.
    pub body: Body,
}

impl Fact {
    /// The newest `min_reader` that this build can fold.
    pub const READER: u32 = 1;
}

/// A reason in a sentence for people.
pub type Why = String;

/// Whether trying again by itself can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transience {
    /// The sweep tries again.
    Transient,
    /// Something has to change first.
    Lasting,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// The mode is `observe`; the text says what would be done.
    Observe(Why),
    /// The repository is at the target or beyond it.
    AlreadyThere,
    /// The deployed tag was pushed again with another digest.
    SameTagRebuilt,
    /// No site in the repository names the image; the text says what was searched.
    NotFound(Why),
    /// The sites belong to several services.
    SeveralServices(Vec<String>),
    /// The sites refuse the edit; the text says which and why.
    Refused(Why),
    /// The version was rolled back before, and nobody lifted the fence.
    Fenced(String),
}

/// What asked for an undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The gating workflow failed and the old version is live.
    CiFailed,
    /// CI was green, yet the new version did not become live.
    NotApplied,
    /// The new version is live and not healthy.
    Unhealthy,
    /// A person cancelled after the push.
    Cancelled,
    /// A person asked to undo an upgrade that had succeeded.
    Person,
}

/// The run of CI that an outcome was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiRun {
    /// The pipeline's number; 0 if there was none.
    pub number: u64,
    /// The gating workflow's name.
    pub workflow: String,
    /// Where people can look.
    pub url: String,
}

/// How one target was before the push.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetBaseline {
    /// `namespace/kind/name`.
    pub target: String,
    /// The live images by container name.
    pub images: BTreeMap<String, String>,
    /// The workload's generation.
    pub generation: i64,
    /// Restart counts by pod UID.
    pub restarts: BTreeMap<String, u32>,
    /// Wanted replicas; 0 makes the pod check vacuous.
    pub replicas: u32,
    /// HTTP status by address; 0 if it did not answer.
    pub http: BTreeMap<String, u32>,
}

/// What a monitor in Uptime Kuma says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorState {
    /// It failed, and so did its retries.
    Down,
    /// It passed.
    Up,
    /// It failed, and is tried again.
    Pending,
    /// Somebody works on it.
    Maintenance,
}

/// How everything was before the push.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    /// One entry per target.
    pub targets: Vec<TargetBaseline>,
    /// The last beat in Uptime Kuma by monitor; one that could not be known is missing.
    pub monitors: BTreeMap<String, MonitorState>,
}

/// What a fact says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "an upgrade has one plan, and few of its facts are in memory at once"
)]
pub enum Body {
    /// Ingest accepted a request; opens the log.
    Requested(Request),
    /// The rate window is full; the request waits in its queue.
    Held,
    /// The rate window let it through.
    Admitted,
    /// The analyzer made a plan.
    Planned(Plan),
    /// A person approved the plan.
    Approved {
        /// Who.
        by: String,
    },
    /// Every slot is held.
    Started,
    /// Intent: this Job will be created.
    BackingUp {
        /// Counts the backups of the step, from 1.
        attempt: u32,
        /// The Job's name.
        job: String,
        /// The CI turn stays held meanwhile.
        keeps_turn: bool,
    },
    /// A dump that counts exists.
    BackedUp {
        /// The Job that made it.
        job: String,
        /// When the dump started, in milliseconds since the Unix epoch.
        dump_started_ms: i64,
        /// It was made for another upgrade of the same database.
        shared: bool,
    },
    /// The CI turn is held.
    Ready,
    /// The turn was given back, because somebody paused.
    SteppedBack(Why),
    /// How everything was before the push.
    Baselined(Baseline),
    /// Intent: this commit will be pushed.
    Pushing {
        /// The head that the commit was built on.
        base: String,
        /// Author and committer date, in seconds since the Unix epoch.
        commit_at: i64,
        /// The commit.
        commit: String,
    },
    /// The commit is in the fetched branch.
    Pushed {
        /// The commit.
        commit: String,
    },
    /// The gating workflow of our commit, or of a later one, was green.
    CiPassed(CiRun),
    /// No run appeared in time.
    CiAbsent,
    /// Intent: our run will be started again. A newer one took its place, was green and did not
    /// bring the version.
    CiRestarting {
        /// The pipeline's number.
        number: u64,
    },
    /// The wanted version is live.
    Applied {
        /// The live images by `target/container`.
        images: BTreeMap<String, String>,
    },
    /// Every check passes since then.
    HealthySince {
        /// Milliseconds since the Unix epoch.
        since_ms: i64,
    },
    /// A check fails since then.
    FailingSince {
        /// Milliseconds since the Unix epoch.
        since_ms: i64,
        /// What was seen.
        evidence: Why,
    },
    /// So much of the window was really observed since the last such fact.
    Observed {
        /// Seconds.
        seconds: u32,
        /// So many seconds it stood still instead: what was wrong may not be the upgrade's doing.
        paused: u32,
        /// Why it stands still from now on; empty if it goes on.
        why: Why,
    },
    /// The step is verified, and another one follows.
    Verified {
        /// What was seen, for the report.
        report: Why,
    },
    /// The verifier raised a limit that was too small; the same step is pushed again.
    ResourceRaised {
        /// What was raised and why.
        what: Why,
    },
    /// The step, or the whole upgrade if it had succeeded, has to be undone.
    RollbackRequested {
        /// What asked for it.
        cause: Cause,
        /// What was seen.
        evidence: Why,
    },
    /// Intent: this revert will be pushed.
    Reverting {
        /// The head that the commit was built on.
        base: String,
        /// Author and committer date, in seconds since the Unix epoch.
        commit_at: i64,
        /// The commit.
        commit: String,
    },
    /// The revert is in the fetched branch, or there was nothing to revert.
    Reverted {
        /// The commit; none if the sites were back already.
        commit: Option<String>,
    },
    /// The executor found other sites or values than planned.
    Replan(Why),
    /// The sites belong to services with nothing in common; each got its own upgrade.
    Split {
        /// The children's ids.
        children: Vec<String>,
    },
    /// A person asked to cancel.
    CancelRequested {
        /// Who.
        by: String,
    },
    /// A person asked to try again from where it got stuck.
    RetryRequested {
        /// Who.
        by: String,
    },
    /// The sweep found it silent for too long.
    Nudged,
    /// Its owner is about to act on something that has killed a process before.
    Tried,
    /// End: verified in the last step.
    Succeeded {
        /// What was seen, for the report.
        report: Why,
    },
    /// End: nothing was done, on purpose.
    Skipped(SkipReason),
    /// End: nothing of the failed step was changed.
    Aborted {
        /// The version that is live.
        at: String,
        /// Why.
        why: Why,
        /// Whether the sweep tries again.
        transience: Transience,
    },
    /// End: undone, and verified so.
    RolledBack {
        /// The version that is live.
        to: String,
        /// What was seen, for the report.
        report: Why,
    },
    /// End: cancelled by a person before anything of the step was pushed.
    Cancelled {
        /// The version that is live.
        at: String,
    },
    /// End: a newer planned upgrade of the same sites took its place.
    Superseded {
        /// The newer upgrade's id.
        by: String,
    },
    /// End: a person settled a stuck or parked upgrade by hand.
    Resolved {
        /// The version that the person says is live.
        to: String,
        /// Who.
        by: String,
    },
    /// Not an end: a person is needed, and the service stays closed.
    Stuck(Why),
    /// Not an end: set aside, because acting on it kills the process or its log grew too long.
    Parked(Why),
}

macro_rules! names {
    ($($pattern:pat => $name:literal,)+) => {
        impl Body {
            /// The fact's name: the last token of its subject.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $($pattern => $name,)+ }
            }
        }

        /// The names of all facts.
        #[must_use]
        pub fn fact_names() -> &'static [&'static str] {
            &[$($name,)+]
        }
    };
}

names! {
    Body::Requested(_) => "requested",
    Body::Held => "held",
    Body::Admitted => "admitted",
    Body::Planned(_) => "planned",
    Body::Approved { .. } => "approved",
    Body::Started => "started",
    Body::BackingUp { .. } => "backing_up",
    Body::BackedUp { .. } => "backed_up",
    Body::Ready => "ready",
    Body::SteppedBack(_) => "stepped_back",
    Body::Baselined(_) => "baselined",
    Body::Pushing { .. } => "pushing",
    Body::Pushed { .. } => "pushed",
    Body::CiPassed(_) => "ci_passed",
    Body::CiAbsent => "ci_absent",
    Body::CiRestarting { .. } => "ci_restarting",
    Body::Applied { .. } => "applied",
    Body::HealthySince { .. } => "healthy_since",
    Body::FailingSince { .. } => "failing_since",
    Body::Observed { .. } => "observed",
    Body::Verified { .. } => "verified",
    Body::ResourceRaised { .. } => "resource_raised",
    Body::RollbackRequested { .. } => "rollback_requested",
    Body::Reverting { .. } => "reverting",
    Body::Reverted { .. } => "reverted",
    Body::Replan(_) => "replan",
    Body::Split { .. } => "split",
    Body::CancelRequested { .. } => "cancel_requested",
    Body::RetryRequested { .. } => "retry_requested",
    Body::Nudged => "nudged",
    Body::Tried => "tried",
    Body::Succeeded { .. } => "succeeded",
    Body::Skipped(_) => "skipped",
    Body::Aborted { .. } => "aborted",
    Body::RolledBack { .. } => "rolled_back",
    Body::Cancelled { .. } => "cancelled",
    Body::Superseded { .. } => "superseded",
    Body::Resolved { .. } => "resolved",
    Body::Stuck(_) => "stuck",
    Body::Parked(_) => "parked",
}
