use crate::begin::{continued, opened, record, reset_step, reset_watch};
use crate::{
    Backup, Body, Command, End, Fact, Owner, Pending, Phase, Push, State, Stopped, UpgradeId,
    describe,
};

/// A fact that may not follow the state it was judged against.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The first fact has to be `requested`, and only the first.
    #[error("`{0}` cannot open the log of an upgrade: only `requested` can, and only once")]
    Opening(&'static str),
    /// The state does not allow it.
    #[error("`{fact}` cannot follow while the upgrade is {phase:?}: {why}")]
    InPhase {
        /// The fact.
        fact: &'static str,
        /// The state.
        phase: Phase,
        /// Why not.
        why: &'static str,
    },
    /// It speaks of another step.
    #[error("`{fact}` speaks of step {found}, but the upgrade is at step {expected}")]
    OtherStep {
        /// The fact.
        fact: &'static str,
        /// The step it names.
        found: u32,
        /// The step the upgrade is at.
        expected: u32,
    },
}

/// The answer to a legal fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The state after the fact.
    pub state: State,
    /// Who acts now: the token in the fact's subject.
    pub next: Owner,
    /// What it has to do.
    pub command: Option<Command>,
}

/// Folds a whole log.
///
/// # Errors
/// The first [`Illegal`] fact; an empty log folds to nothing.
pub fn fold<'a>(
    id: &UpgradeId,
    facts: impl IntoIterator<Item = &'a Fact>,
) -> Result<Option<State>, Illegal> {
    let mut state = None;
    for fact in facts {
        state = Some(step(id, state.as_ref(), fact)?.state);
    }
    Ok(state)
}

/// Judges one fact against the state it follows, and folds it.
///
/// # Errors
/// [`Illegal`] if the fact may not follow; then nothing may be appended.
pub fn step(id: &UpgradeId, state: Option<&State>, fact: &Fact) -> Result<Step, Illegal> {
    let next_state = match (state, &fact.body) {
        (None, Body::Requested(request)) => opened(id, request.clone(), fact.at_ms),
        (None, _) | (Some(_), Body::Requested(_)) => {
            return Err(Illegal::Opening(fact.body.name()));
        }
        (Some(state), _) => {
            if fact.step != state.step && !matches!(fact.body, Body::Planned(_)) {
                return Err(Illegal::OtherStep {
                    fact: fact.body.name(),
                    found: fact.step,
                    expected: state.step,
                });
            }
            let mut next_state = follow(state, fact)?;
            next_state.facts += 1;
            next_state
        }
    };
    Ok(Step {
        next: next_state.next(),
        command: next_state.command(),
        state: next_state,
    })
}

/// The legal phases of each fact, and what it changes.
fn follow(state: &State, fact: &Fact) -> Result<State, Illegal> {
    let deny = |why| Illegal::InPhase {
        fact: fact.body.name(),
        phase: state.phase,
        why,
    };
    let from = |phases: &[Phase], why| {
        if phases.contains(&state.phase) {
            Ok(())
        } else {
            Err(deny(why))
        }
    };
    let open = |why| {
        if state.phase.is_end() {
            Err(deny(why))
        } else {
            Ok(())
        }
    };
    let mut new = state.clone();
    // Facts that leave the state as it is come first, because they do not touch `since` and `tried`.
    match &fact.body {
        Body::Nudged => {
            if state.next() == Owner::None {
                return Err(deny("nobody is waited for"));
            }
            return Ok(new);
        }
        Body::Tried => {
            if state.next() == Owner::None {
                return Err(deny("nobody acts here"));
            }
            new.tried += 1;
            return Ok(new);
        }
        Body::CancelRequested { by } => {
            if !can_cancel(state.phase) {
                return Err(deny(
                    "only what is neither over, undone nor stuck can be cancelled",
                ));
            }
            if state.pending.is_some() {
                return Err(deny("a cancel is waiting already"));
            }
            new.pending = Some(Pending::Cancel(by.clone()));
            return Ok(new);
        }
        _ => {}
    }
    new.since_ms = fact.at_ms;
    new.tried = 0;
    match &fact.body {
        Body::Requested(_) | Body::Nudged | Body::Tried | Body::CancelRequested { .. } => {}
        Body::Held => {
            from(&[Phase::Requested], "only a new request is held")?;
            new.phase = Phase::Held;
        }
        Body::Admitted => {
            from(&[Phase::Requested, Phase::Held], "it was admitted before")?;
            new.phase = Phase::Admitted;
        }
        Body::Planned(plan) => {
            from(
                &[Phase::Admitted, Phase::Replanning],
                "no plan was asked for",
            )?;
            if plan.steps.is_empty() {
                return Err(deny("a plan needs a step"));
            }
            new.phase = if plan.policy.approval && !plan.policy.observe {
                Phase::AwaitingApproval
            } else {
                Phase::Planned
            };
            let (plan, step) = continued(state, plan);
            new.step = step;
            new.plan = Some(plan);
            reset_step(&mut new, fact.at_ms);
        }
        Body::Approved { .. } => {
            from(&[Phase::AwaitingApproval], "no approval is awaited")?;
            new.phase = Phase::Approved;
        }
        Body::Started => {
            from(
                &[Phase::Planned, Phase::Approved],
                "the slots are taken once, after the plan",
            )?;
            if state.next() != Owner::Executor {
                return Err(deny("an observed plan is not started"));
            }
            new.phase = Phase::Started;
            new.started = true;
            new.step_began_ms = fact.at_ms;
        }
        Body::BackingUp {
            attempt,
            job,
            keeps_turn,
        } => {
            from(
                if *keeps_turn {
                    &[Phase::Baselined]
                } else {
                    &[Phase::Started, Phase::Verified]
                },
                "a backup begins before the turn, or renews an old one before the push",
            )?;
            if state.plan.as_ref().is_none_or(|plan| plan.backup.is_none()) {
                return Err(deny("the plan has no backup"));
            }
            new.phase = Phase::BackingUp;
            new.backup = Some(Backup {
                attempt: *attempt,
                job: job.clone(),
                dump_started_ms: None,
                keeps_turn: *keeps_turn,
                shared: false,
            });
        }
        Body::BackedUp {
            job,
            dump_started_ms,
            shared,
        } => {
            from(
                if *shared {
                    &[Phase::Started, Phase::Verified, Phase::BackingUp]
                } else {
                    &[Phase::BackingUp]
                },
                "no backup runs",
            )?;
            new.phase = Phase::BackedUp;
            let before = state.backup.as_ref();
            new.backup = Some(Backup {
                attempt: before.map_or(1, |backup| backup.attempt),
                job: job.clone(),
                dump_started_ms: Some(*dump_started_ms),
                keeps_turn: before.is_some_and(|backup| backup.keeps_turn),
                shared: *shared,
            });
        }
        Body::Ready => {
            from(
                &[
                    Phase::Started,
                    Phase::Verified,
                    Phase::BackedUp,
                    Phase::SteppedBack,
                ],
                "the turn is taken after the backup",
            )?;
            if state.backup_due() {
                return Err(deny("the backup is still due"));
            }
            new.phase = Phase::Ready;
        }
        Body::SteppedBack(_) => {
            from(
                &[Phase::Ready, Phase::Baselined],
                "no turn is held, or a push is under way",
            )?;
            new.phase = Phase::SteppedBack;
        }
        Body::Baselined(baseline) => {
            from(&[Phase::Ready], "the baseline is taken with the turn held")?;
            new.phase = Phase::Baselined;
            new.baseline = Some(baseline.clone());
        }
        Body::Pushing {
            base,
            commit_at,
            commit,
        } => {
            from(
                &[Phase::Baselined, Phase::Pushing],
                "nothing may be pushed here",
            )?;
            if state.backup_due() {
                return Err(deny("the backup is still due"));
            }
            new.phase = Phase::Pushing;
            new.pushes.push(Push {
                base: base.clone(),
                commit_at: *commit_at,
                commit: commit.clone(),
            });
        }
        Body::Pushed { commit } => {
            from(&[Phase::Pushing], "no push was intended")?;
            new.phase = Phase::Pushed;
            new.pushed = Some((commit.clone(), fact.at_ms));
            reset_watch(&mut new, fact.at_ms);
        }
        Body::CiPassed(run) => {
            from(
                &[Phase::Pushed, Phase::Reverted],
                "no run of CI is followed",
            )?;
            new.phase = forward_or_undo(state, Phase::CiPassed, Phase::UndoCiPassed);
            new.ci = Some(run.clone());
            new.ci_ended_ms = fact.at_ms;
        }
        Body::CiAbsent => {
            from(
                &[Phase::Pushed, Phase::Reverted],
                "no run of CI is followed",
            )?;
            new.phase = forward_or_undo(state, Phase::CiAbsent, Phase::UndoCiAbsent);
            new.ci = None;
            new.ci_ended_ms = fact.at_ms;
        }
        Body::CiRestarting { number } => {
            from(&[Phase::CiPassed], "no newer run of CI was green")?;
            if state.restarted.is_some() {
                return Err(deny("a run is started again once in a step"));
            }
            new.phase = Phase::Pushed;
            new.restarted = Some(*number);
            new.ci = None;
        }
        Body::Applied { .. } => {
            let nothing_to_push =
                state.phase == Phase::Reverted && matches!(state.reverted, Some((None, _)));
            if !nothing_to_push {
                from(
                    &[
                        Phase::CiPassed,
                        Phase::CiAbsent,
                        Phase::UndoCiPassed,
                        Phase::UndoCiAbsent,
                    ],
                    "the result of CI comes first",
                )?;
            }
            new.phase = forward_or_undo(state, Phase::Watching, Phase::UndoWatching);
            reset_watch(&mut new, fact.at_ms);
        }
        Body::HealthySince { since_ms } => {
            from(&[Phase::Watching, Phase::UndoWatching], "no window is open")?;
            new.healthy_since_ms = Some(*since_ms);
            new.pausing = false;
            new.failing_since = None;
            new.observed_seconds = 0;
            new.watched_ms = fact.at_ms;
        }
        Body::FailingSince { since_ms, evidence } => {
            from(&[Phase::Watching, Phase::UndoWatching], "no window is open")?;
            new.failing_since = Some((*since_ms, evidence.clone()));
            new.pausing = false;
            new.healthy_since_ms = None;
            new.observed_seconds = 0;
            new.watched_ms = fact.at_ms;
        }
        Body::Observed {
            seconds,
            paused,
            why,
        } => {
            from(&[Phase::Watching, Phase::UndoWatching], "no window is open")?;
            new.observed_seconds = state.observed_seconds.saturating_add(*seconds);
            new.paused_seconds = state.paused_seconds.saturating_add(*paused);
            new.pausing = !why.is_empty();
            if new.pausing {
                // What fails after the pause gets its whole patience.
                new.failing_since = None;
            }
            new.watched_ms = fact.at_ms;
        }
        Body::Verified { report } => {
            from(&[Phase::Watching], "no window of an upgrade is open")?;
            if is_last_step(state) {
                return Err(deny("the last step ends with `succeeded`"));
            }
            new.done.push(record(state, report));
            new.phase = Phase::Verified;
            new.step += 1;
            reset_step(&mut new, fact.at_ms);
        }
        Body::Succeeded { report } => {
            from(&[Phase::Watching], "no window of an upgrade is open")?;
            if !is_last_step(state) {
                return Err(deny("a step is left"));
            }
            new.done.push(record(state, report));
            new.phase = Phase::Ended(End::Succeeded);
            new.outcome.clone_from(report);
        }
        Body::ResourceRaised { .. } => {
            from(&[Phase::Watching], "no window of an upgrade is open")?;
            if state.raised {
                return Err(deny("a limit is raised once in a step"));
            }
            new.raised = true;
            new.phase = Phase::SteppedBack;
        }
        Body::RollbackRequested { cause, evidence } => {
            if state.phase == Phase::Ended(End::Succeeded) {
                new.whole = true;
            } else {
                let phases = if state.pushed.is_some() {
                    IN_BRANCH.as_slice()
                } else {
                    &[]
                };
                from(phases, "nothing of it is in the branch")?;
            }
            new.phase = Phase::RollbackRequested;
            new.rollback = Some((*cause, evidence.clone()));
            new.outcome.clear();
            new.pending = None;
        }
        Body::Reverting {
            base,
            commit_at,
            commit,
        } => {
            from(
                &[Phase::RollbackRequested, Phase::Reverting],
                "no undo was asked for",
            )?;
            new.phase = Phase::Reverting;
            new.reverts.push(Push {
                base: base.clone(),
                commit_at: *commit_at,
                commit: commit.clone(),
            });
        }
        Body::Reverted { commit } => {
            from(
                &[Phase::RollbackRequested, Phase::Reverting],
                "no undo was asked for",
            )?;
            if commit.is_some() && state.phase == Phase::RollbackRequested {
                return Err(deny("a revert is pushed after its intent"));
            }
            new.phase = Phase::Reverted;
            new.reverted = Some((commit.clone(), fact.at_ms));
            new.ci = None;
            reset_watch(&mut new, fact.at_ms);
        }
        Body::Replan(_) => {
            from(
                &[
                    Phase::Planned,
                    Phase::Approved,
                    Phase::Started,
                    Phase::Baselined,
                    Phase::Pushing,
                ],
                "a new plan is made before anything is in the branch",
            )?;
            if state.pushed.is_some() {
                return Err(deny("a commit of the step is in the branch"));
            }
            if state.replans >= 3 {
                return Err(deny("three new plans are enough"));
            }
            new.replans += 1;
            new.phase = Phase::Replanning;
        }
        Body::Split { .. } => {
            from(
                &[Phase::Admitted],
                "only a request that was not planned is split",
            )?;
            new.phase = Phase::Ended(End::Split);
            new.outcome = describe(&fact.body);
        }
        Body::RetryRequested { .. } => {
            let (Phase::Stuck | Phase::Parked, Some(stopped)) = (state.phase, &state.stopped)
            else {
                return Err(deny(
                    "only what is stuck or parked goes on; after an end open a new attempt",
                ));
            };
            new.phase = stopped.phase;
            new.stopped = None;
            new.outcome.clear();
            reset_watch(&mut new, fact.at_ms);
            new.ci_ended_ms = fact.at_ms;
        }
        Body::Skipped(_) => {
            from(
                &[
                    Phase::Admitted,
                    Phase::Replanning,
                    Phase::Planned,
                    Phase::Approved,
                    Phase::Started,
                    Phase::Baselined,
                    Phase::Pushing,
                ],
                "a skip is decided before anything is in the branch",
            )?;
            if state.pushed.is_some() {
                return Err(deny("a commit of the step is in the branch"));
            }
            new.phase = Phase::Ended(End::Skipped);
            new.outcome = describe(&fact.body);
        }
        Body::Aborted { why, .. } => {
            open("it is over")?;
            if may_be_in_branch(state)
                || matches!(
                    state.phase,
                    Phase::Held | Phase::AwaitingApproval | Phase::Stuck | Phase::Parked
                )
            {
                return Err(deny(
                    "something of the step may be in the branch, or nobody acts here",
                ));
            }
            new.phase = Phase::Ended(End::Aborted);
            new.outcome.clone_from(why);
        }
        Body::RolledBack { to, report } => {
            from(&[Phase::UndoWatching], "no window of an undo is open")?;
            new.phase = Phase::Ended(End::RolledBack);
            new.settled = Some(to.clone());
            new.outcome.clone_from(report);
        }
        Body::Cancelled { .. } => {
            let Some(Pending::Cancel(by)) = &state.pending else {
                return Err(deny("nobody asked to cancel"));
            };
            if may_be_in_branch(state) {
                return Err(deny("what is pushed is undone, not cancelled"));
            }
            if state.phase == Phase::Parked {
                return Err(deny("what is parked goes on or is resolved first"));
            }
            open("it is over")?;
            new.phase = Phase::Ended(End::Cancelled);
            new.outcome = format!("cancelled by {by}");
        }
        Body::Superseded { .. } => {
            from(
                &[Phase::Planned, Phase::Approved],
                "only what queues for a slot is superseded",
            )?;
            new.phase = Phase::Ended(End::Superseded);
            new.outcome = describe(&fact.body);
        }
        Body::Resolved { to, .. } => {
            from(
                &[Phase::Stuck, Phase::Parked],
                "only what is stuck or parked is resolved",
            )?;
            new.phase = Phase::Ended(End::Resolved);
            new.settled = Some(to.clone());
            new.outcome = describe(&fact.body);
        }
        Body::Stuck(why) => {
            if state.next() == Owner::None || !(state.phase.has_pushed() || state.pushed.is_some())
            {
                return Err(deny("before a push it aborts"));
            }
            new.stopped = Some(Stopped {
                phase: state.phase,
                why: why.clone(),
            });
            new.phase = Phase::Stuck;
            new.outcome.clone_from(why);
            new.pending = None;
        }
        Body::Parked(why) => {
            if state.next() == Owner::None {
                return Err(deny("nobody acts here"));
            }
            new.stopped = Some(Stopped {
                phase: state.phase,
                why: why.clone(),
            });
            new.phase = Phase::Parked;
            new.outcome.clone_from(why);
        }
    }
    if new.phase.is_end() {
        new.pending = None;
    }
    Ok(new)
}

fn can_cancel(phase: Phase) -> bool {
    !phase.is_end() && !phase.is_undo() && !matches!(phase, Phase::Stuck | Phase::Parked)
}

/// Where a landed commit of the step may be undone; after a raised limit also before the next push.
const IN_BRANCH: [Phase; 10] = [
    Phase::Pushed,
    Phase::CiPassed,
    Phase::CiAbsent,
    Phase::Watching,
    Phase::SteppedBack,
    Phase::BackingUp,
    Phase::BackedUp,
    Phase::Ready,
    Phase::Baselined,
    Phase::Pushing,
];

/// Whether the step has to be undone rather than dropped. At `pushing` the owner has shown that its
/// commit can never land; one that landed before a limit was raised stays in the branch.
fn may_be_in_branch(state: &State) -> bool {
    state.pushed.is_some() || (state.phase.has_pushed() && state.phase != Phase::Pushing)
}

fn forward_or_undo(state: &State, forward: Phase, undo: Phase) -> Phase {
    if state.phase.is_undo() { undo } else { forward }
}

fn is_last_step(state: &State) -> bool {
    state
        .plan
        .as_ref()
        .is_none_or(|plan| state.step >= plan.step_count())
}
