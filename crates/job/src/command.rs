/// What the owner of an upgrade has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Ingest: ask the rate window → `admitted` or `held`.
    Admit,
    /// Ingest: answer a cancel request in a queue state → `cancelled`.
    AnswerCancel,
    /// Analyzer: find, read, judge → `planned`, `skipped`, `aborted` or `split`.
    Plan,
    /// Analyzer: say what would be done → `skipped(observe)`.
    ReportObserve,
    /// Executor: take every slot → `started`, `skipped` or `superseded`.
    TakeSlots,
    /// Executor: choose the Job → `backing_up`, or count a shared dump → `backed_up`.
    BeginBackup,
    /// Executor: run or adopt the Job → `backed_up` or `aborted`.
    FinishBackup,
    /// Executor: take the CI turn → `ready`.
    TakeTurn,
    /// Verifier: record how things are → `baselined` or `aborted`.
    TakeBaseline,
    /// Executor: re-find the sites and build the commit → `pushing`.
    BuildCommit,
    /// Executor: land or adopt the commit → `pushed`, or `pushing` on a new base.
    FinishPush,
    /// Executor: nothing of this step was pushed → `cancelled`.
    Cancel,
    /// Executor: land, or show that it cannot land → `pushed` or `cancelled`.
    CancelPush,
    /// Verifier: follow the gating workflow → `ci_passed`, `ci_absent`, `rollback_requested`, `stuck`.
    FollowCi,
    /// Verifier: is the new version live? → `applied`, `rollback_requested`, `stuck`.
    CheckApplied,
    /// Verifier: watch health → `healthy_since`, `failing_since`, `observed` and the verdict.
    Watch,
    /// Verifier: a person cancelled after the push → `rollback_requested(cancelled)`.
    RequestUndo,
    /// Undo: take the turn, re-find the sites, build the revert → `reverting`, `reverted`, `stuck`.
    BuildRevert,
    /// Undo: land or adopt the revert → `reverted`, or `reverting` on a new base.
    FinishRevert,
}

impl Command {
    /// Every command, for the tests that fail or kill at each of them.
    pub const ALL: [Command; 19] = [
        Command::Admit,
        Command::AnswerCancel,
        Command::Plan,
        Command::ReportObserve,
        Command::TakeSlots,
        Command::BeginBackup,
        Command::FinishBackup,
        Command::TakeTurn,
        Command::TakeBaseline,
        Command::BuildCommit,
        Command::FinishPush,
        Command::Cancel,
        Command::CancelPush,
        Command::FollowCi,
        Command::CheckApplied,
        Command::Watch,
        Command::RequestUndo,
        Command::BuildRevert,
        Command::FinishRevert,
    ];
}
