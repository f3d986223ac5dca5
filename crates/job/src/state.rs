use crate::{Baseline, Cause, CiRun, Command, Owner, Plan, Request, UpgradeId};

/// How an upgrade ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The wanted version is live and was healthy for its window.
    Succeeded,
    /// Nothing was done, on purpose.
    Skipped,
    /// Nothing of the failed step was changed.
    Aborted,
    /// The failed step was undone and verified so.
    RolledBack,
    /// A person cancelled.
    Cancelled,
    /// A newer upgrade took its place.
    Superseded,
    /// It became several upgrades.
    Split,
    /// A person settled it.
    Resolved,
}

/// Where an upgrade stands. Each state's owner is named by [`State::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Ingest asks the rate window.
    Requested,
    /// Waits for the rate window; the sweep and every end admit from its queue.
    Held,
    /// The analyzer plans.
    Admitted,
    /// The executor queues for the slots (or the analyzer reports what it would do).
    Planned,
    /// A person has to approve.
    AwaitingApproval,
    /// The executor queues for the slots.
    Approved,
    /// The analyzer plans again; the slots stay held.
    Replanning,
    /// The executor begins the backup, or queues for the CI turn.
    Started,
    /// The executor runs the backup.
    BackingUp,
    /// The executor queues for the CI turn.
    BackedUp,
    /// The turn was given back; the executor queues for it again.
    SteppedBack,
    /// The verifier takes the baseline.
    Ready,
    /// The executor builds the commit.
    Baselined,
    /// The executor lands the commit.
    Pushing,
    /// The verifier follows CI.
    Pushed,
    /// The verifier looks whether the version is live.
    CiPassed,
    /// As `CiPassed`, with more patience: no run appeared.
    CiAbsent,
    /// The verifier watches health.
    Watching,
    /// The executor goes on with the next step.
    Verified,
    /// The undo builds the revert.
    RollbackRequested,
    /// The undo lands the revert.
    Reverting,
    /// The verifier follows CI of the revert.
    Reverted,
    /// The verifier looks whether the old version is live.
    UndoCiPassed,
    /// As `UndoCiPassed`, with more patience.
    UndoCiAbsent,
    /// The verifier watches the old version's health.
    UndoWatching,
    /// A person is needed; the service stays closed.
    Stuck,
    /// Set aside until a person looks.
    Parked,
    /// Over.
    Ended(End),
}

impl Phase {
    /// Every phase.
    pub const ALL: [Phase; 35] = [
        Phase::Requested,
        Phase::Held,
        Phase::Admitted,
        Phase::Planned,
        Phase::AwaitingApproval,
        Phase::Approved,
        Phase::Replanning,
        Phase::Started,
        Phase::BackingUp,
        Phase::BackedUp,
        Phase::SteppedBack,
        Phase::Ready,
        Phase::Baselined,
        Phase::Pushing,
        Phase::Pushed,
        Phase::CiPassed,
        Phase::CiAbsent,
        Phase::Watching,
        Phase::Verified,
        Phase::RollbackRequested,
        Phase::Reverting,
        Phase::Reverted,
        Phase::UndoCiPassed,
        Phase::UndoCiAbsent,
        Phase::UndoWatching,
        Phase::Stuck,
        Phase::Parked,
        Phase::Ended(End::Succeeded),
        Phase::Ended(End::Skipped),
        Phase::Ended(End::Aborted),
        Phase::Ended(End::RolledBack),
        Phase::Ended(End::Cancelled),
        Phase::Ended(End::Superseded),
        Phase::Ended(End::Split),
        Phase::Ended(End::Resolved),
    ];

    /// Whether the upgrade is over.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Phase::Ended(_))
    }

    /// Whether the failed step is being undone.
    #[must_use]
    pub fn is_undo(self) -> bool {
        matches!(
            self,
            Phase::RollbackRequested
                | Phase::Reverting
                | Phase::Reverted
                | Phase::UndoCiPassed
                | Phase::UndoCiAbsent
                | Phase::UndoWatching
        )
    }

    /// Whether a commit of the current step may be in the branch, not undone and not verified.
    #[must_use]
    pub fn has_pushed(self) -> bool {
        matches!(
            self,
            Phase::Pushing | Phase::Pushed | Phase::CiPassed | Phase::CiAbsent | Phase::Watching
        ) || self.is_undo()
    }
}

/// A person's request that the owner has to answer before its normal command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pending {
    /// Cancel, asked by that person.
    Cancel(String),
}

/// The newest backup of the current step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Counts the backups of the step, from 1.
    pub attempt: u32,
    /// The Job's name.
    pub job: String,
    /// When the dump started, in milliseconds since the Unix epoch; none while it runs.
    pub dump_started_ms: Option<i64>,
    /// The CI turn stays held meanwhile.
    pub keeps_turn: bool,
    /// It was made for another upgrade of the same database.
    pub shared: bool,
}

/// A commit that was, or will be, pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The head it was built on.
    pub base: String,
    /// Its date, in seconds since the Unix epoch.
    pub commit_at: i64,
    /// The commit.
    pub commit: String,
}

/// A step that is over and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    /// The version that became live.
    pub to: String,
    /// Its commit.
    pub commit: Option<String>,
    /// The backup Job that preceded it.
    pub backup_job: Option<String>,
    /// What was seen.
    pub report: String,
}

/// Why and where an upgrade waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Where it was; a retry goes on from there.
    pub phase: Phase,
    /// Why it stopped.
    pub why: String,
}

/// The fold of an upgrade's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The upgrade.
    pub id: UpgradeId,
    /// What was asked for.
    pub request: Request,
    /// Where it stands.
    pub phase: Phase,
    /// The number of facts folded; the next one is this plus one.
    pub facts: u64,
    /// The current step, from 1; 0 before the plan.
    pub step: u32,
    /// When the current step began, in milliseconds since the Unix epoch.
    pub step_began_ms: i64,
    /// When the last fact was stated that was neither nudge nor attempt.
    pub since_ms: i64,
    /// The plan.
    pub plan: Option<Plan>,
    /// A person's request that is not answered yet.
    pub pending: Option<Pending>,
    /// The newest backup of the current step.
    pub backup: Option<Backup>,
    /// How everything was before the push of the current step.
    pub baseline: Option<Baseline>,
    /// Every intent to push of the current step, oldest first.
    pub pushes: Vec<Push>,
    /// The commit of the current step that landed, and when that was stated.
    pub pushed: Option<(String, i64)>,
    /// Every intent to revert, oldest first.
    pub reverts: Vec<Push>,
    /// The revert that landed (none: there was nothing to revert), and when that was stated.
    pub reverted: Option<(Option<String>, i64)>,
    /// The run of CI that passed for what was pushed last.
    pub ci: Option<CiRun>,
    /// The run of the current step that is, or was, started again.
    pub restarted: Option<u64>,
    /// When CI ended, or was given up, in milliseconds since the Unix epoch.
    pub ci_ended_ms: i64,
    /// Every check passes since then, in milliseconds since the Unix epoch.
    pub healthy_since_ms: Option<i64>,
    /// A check fails since then, and what was seen.
    pub failing_since: Option<(i64, String)>,
    /// The seconds of the window that were really observed.
    pub observed_seconds: u32,
    /// The seconds that the watch stood still, since the version is live.
    pub paused_seconds: u32,
    /// The watch stands still.
    pub pausing: bool,
    /// When the last watch fact was stated, in milliseconds since the Unix epoch.
    pub watched_ms: i64,
    /// What asked for the undo, and what was seen.
    pub rollback: Option<(Cause, String)>,
    /// The undo covers every step: the upgrade had succeeded.
    pub whole: bool,
    /// The steps that are over and verified.
    pub done: Vec<StepRecord>,
    /// Why it waits for a person.
    pub stopped: Option<Stopped>,
    /// How it ended, in words for people.
    pub outcome: String,
    /// The version that is live by the word of a fact, after an undo or a person's settlement.
    pub settled: Option<String>,
    /// How often a plan was asked for again.
    pub replans: u32,
    /// Whether `started` is in the log: the upgrade keeps its place in the rate window.
    pub started: bool,
    /// Whether a limit was raised in the current step.
    pub raised: bool,
    /// How often its owner tried in the current state after a process died of it.
    pub tried: u32,
}

impl State {
    /// The version that is live as far as was verified: after the last verified step, before the
    /// first, or what an undo or a person left.
    #[must_use]
    pub fn live(&self) -> &str {
        self.settled
            .as_deref()
            .or_else(|| self.done.last().map(|step| step.to.as_str()))
            .or_else(|| self.plan.as_ref().map(|plan| plan.from.as_str()))
            .unwrap_or("")
    }

    /// The version an undo goes back to.
    #[must_use]
    pub fn undo_to(&self) -> &str {
        match &self.plan {
            Some(plan) if self.whole => plan.from.as_str(),
            Some(plan) => plan.before_step(self.step),
            None => "",
        }
    }

    /// Whether the current step has to be backed up before anything else.
    #[must_use]
    pub fn backup_due(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.backup.is_some())
            && self
                .backup
                .as_ref()
                .is_none_or(|backup| backup.dump_started_ms.is_none())
    }

    /// Whether a cancel has to undo: a commit of the step is in the branch.
    fn has_to_undo(&self) -> bool {
        self.pending.is_some() && self.pushed.is_some()
    }

    /// Who acts now.
    #[must_use]
    pub fn next(&self) -> Owner {
        let observe = self.plan.as_ref().is_some_and(|plan| plan.policy.observe);
        match self.phase {
            Phase::Requested => Owner::Ingest,
            Phase::Held | Phase::AwaitingApproval => {
                if self.pending.is_some() {
                    Owner::Ingest
                } else {
                    Owner::None
                }
            }
            Phase::Planned if observe => Owner::Analyzer,
            Phase::BackedUp | Phase::SteppedBack | Phase::Baselined if self.has_to_undo() => {
                Owner::Verifier
            }
            Phase::Admitted | Phase::Replanning => Owner::Analyzer,
            Phase::Planned
            | Phase::Approved
            | Phase::Started
            | Phase::BackingUp
            | Phase::BackedUp
            | Phase::SteppedBack
            | Phase::Baselined
            | Phase::Pushing
            | Phase::Verified => Owner::Executor,
            Phase::Ready
            | Phase::Pushed
            | Phase::CiPassed
            | Phase::CiAbsent
            | Phase::Watching
            | Phase::Reverted
            | Phase::UndoCiPassed
            | Phase::UndoCiAbsent
            | Phase::UndoWatching => Owner::Verifier,
            Phase::RollbackRequested | Phase::Reverting => Owner::Undo,
            Phase::Stuck | Phase::Parked | Phase::Ended(_) => Owner::None,
        }
    }

    /// What [`State::next`] has to do; none exactly when nobody is next.
    #[must_use]
    pub fn command(&self) -> Option<Command> {
        let cancel = self.pending.is_some();
        let command = match self.phase {
            Phase::Requested if cancel => Command::AnswerCancel,
            Phase::Requested => Command::Admit,
            Phase::Held | Phase::AwaitingApproval if cancel => Command::AnswerCancel,
            Phase::Held | Phase::AwaitingApproval => return None,
            Phase::BackedUp | Phase::SteppedBack | Phase::Ready | Phase::Baselined
                if self.has_to_undo() =>
            {
                Command::RequestUndo
            }
            // What was begun is finished first; the cancel is answered after it.
            Phase::BackingUp if self.has_to_undo() => Command::FinishBackup,
            Phase::Pushing if self.has_to_undo() => Command::FinishPush,
            Phase::Admitted
            | Phase::Replanning
            | Phase::Planned
            | Phase::Approved
            | Phase::Started
            | Phase::BackingUp
            | Phase::BackedUp
            | Phase::SteppedBack
            | Phase::Ready
            | Phase::Baselined
            | Phase::Verified
                if cancel =>
            {
                Command::Cancel
            }
            Phase::Admitted | Phase::Replanning => Command::Plan,
            Phase::Planned if self.next() == Owner::Analyzer => Command::ReportObserve,
            Phase::Planned | Phase::Approved => Command::TakeSlots,
            Phase::Started | Phase::Verified if self.backup_due() => Command::BeginBackup,
            Phase::Started | Phase::Verified | Phase::BackedUp | Phase::SteppedBack => {
                Command::TakeTurn
            }
            Phase::BackingUp => Command::FinishBackup,
            Phase::Ready => Command::TakeBaseline,
            Phase::Baselined => Command::BuildCommit,
            Phase::Pushing if cancel => Command::CancelPush,
            Phase::Pushing => Command::FinishPush,
            Phase::Pushed | Phase::CiPassed | Phase::CiAbsent | Phase::Watching if cancel => {
                Command::RequestUndo
            }
            Phase::Pushed | Phase::Reverted => Command::FollowCi,
            Phase::CiPassed | Phase::CiAbsent | Phase::UndoCiPassed | Phase::UndoCiAbsent => {
                Command::CheckApplied
            }
            Phase::Watching | Phase::UndoWatching => Command::Watch,
            Phase::RollbackRequested => Command::BuildRevert,
            Phase::Reverting => Command::FinishRevert,
            Phase::Stuck | Phase::Parked | Phase::Ended(_) => return None,
        };
        Some(command)
    }
}
