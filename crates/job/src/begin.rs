//! How a log, a step and a watch begin: what the fold sets back.

use crate::{Phase, Plan, Request, State, StepRecord, UpgradeId};

/// The state after `requested`.
pub(crate) fn opened(id: &UpgradeId, request: Request, at_ms: i64) -> State {
    State {
        id: id.clone(),
        request,
        phase: Phase::Requested,
        facts: 1,
        step: 0,
        step_began_ms: at_ms,
        since_ms: at_ms,
        plan: None,
        pending: None,
        backup: None,
        baseline: None,
        pushes: Vec::new(),
        pushed: None,
        reverts: Vec::new(),
        reverted: None,
        ci: None,
        restarted: None,
        ci_ended_ms: 0,
        healthy_since_ms: None,
        failing_since: None,
        observed_seconds: 0,
        paused_seconds: 0,
        pausing: false,
        watched_ms: at_ms,
        rollback: None,
        whole: false,
        done: Vec::new(),
        stopped: None,
        outcome: String::new(),
        settled: None,
        replans: 0,
        started: false,
        raised: false,
        tried: 0,
    }
}

/// What is kept of a step that is over.
pub(crate) fn record(state: &State, report: &str) -> StepRecord {
    StepRecord {
        to: state
            .plan
            .as_ref()
            .and_then(|plan| plan.step(state.step))
            .map_or_else(String::new, |step| step.to.clone()),
        commit: state.pushed.as_ref().map(|(commit, _)| commit.clone()),
        backup_job: state.backup.as_ref().map(|backup| backup.job.clone()),
        report: report.to_owned(),
    }
}

/// A new plan speaks of what is left. The steps that are verified stay in front of it, so that they
/// are counted on, and an undo of the whole goes back to where the first plan began.
pub(crate) fn continued(state: &State, plan: &Plan) -> (Plan, u32) {
    let mut plan = plan.clone();
    let done = state.done.len();
    if let Some(first) = state.plan.as_ref().filter(|_| done > 0) {
        plan.from.clone_from(&first.from);
        plan.steps
            .splice(0..0, first.steps.iter().take(done).cloned());
    }
    (
        plan,
        u32::try_from(done).unwrap_or(u32::MAX).saturating_add(1),
    )
}

/// A step begins, and knows nothing of the one before.
pub(crate) fn reset_step(state: &mut State, at_ms: i64) {
    state.step_began_ms = at_ms;
    state.backup = None;
    state.baseline = None;
    state.pushes.clear();
    state.pushed = None;
    state.reverts.clear();
    state.reverted = None;
    state.ci = None;
    state.restarted = None;
    state.raised = false;
    reset_watch(state, at_ms);
}

/// Health is watched from here on.
pub(crate) fn reset_watch(state: &mut State, at_ms: i64) {
    state.healthy_since_ms = None;
    state.failing_since = None;
    state.observed_seconds = 0;
    state.paused_seconds = 0;
    state.pausing = false;
    state.watched_ms = at_ms;
}
