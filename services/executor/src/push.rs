//! The edit and its commit: intent, push, adoption after a crash, and the second thoughts of a
//! person who cancels meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bus::{History, Lease, Outcome};
use job::{Body, Plan, PlanStep, Push, SkipReason, Transience};

use crate::message;
use crate::ports::{Landed, PortError, Refound};
use crate::work::{Executor, aborted, cancelled};

/// A lock that another holds is asked for again after this.
const LOCK_AGAIN: Duration = Duration::from_millis(500);

impl Executor {
    /// States the intent to push a commit on the current head.
    pub(crate) async fn build_commit(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        if let Some(renew) = self.renewed_backup(history, plan) {
            return Ok(renew);
        }
        self.locked(history, self.derive(history, plan)).await
    }

    /// Builds the step's commit on the newest head, or says why there is none.
    async fn derive(&self, history: &History, plan: &Plan) -> Result<Outcome, PortError> {
        let head = self.repository.fetch().await?;
        let step = current_step(history, plan)?;
        Ok(match self.repository.refind(&head, &step.sites).await? {
            Refound::Ready => {
                let commit_at = self.log.now_ms().div_euclid(1_000);
                let text = message::upgrade(&history.state, plan);
                let commit = self
                    .repository
                    .build(&head, &step.sites, &text, commit_at)
                    .await?;
                Outcome::Append(Body::Pushing {
                    base: head,
                    commit_at,
                    commit,
                })
            }
            Refound::AlreadyThere if history.state.step == plan.step_count() => {
                Outcome::Append(Body::Skipped(SkipReason::AlreadyThere))
            }
            Refound::AlreadyThere => replan(history, "the repository is ahead of the plan".into()),
            Refound::Changed(how) => replan(history, how),
        })
    }

    /// Lands the intended commit, adopts it if it landed before, or intends another one.
    pub(crate) async fn finish_push(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        self.locked(history, self.land(history, plan)).await
    }

    async fn land(&self, history: &History, plan: &Plan) -> Result<Outcome, PortError> {
        let (first, last) = intents(&history.state.pushes)?;
        let value = message::trailer_value(&history.state);
        let head = self.repository.fetch().await?;
        if let Some(commit) = self
            .repository
            .find_trailer(&first.base, &head, message::UPGRADE_TRAILER, &value)
            .await?
        {
            return Ok(Outcome::Append(Body::Pushed { commit }));
        }
        if head != last.base {
            // The branch moved past the base, so the old commit can never land: intend a new one.
            return self.derive(history, plan).await;
        }
        let step = current_step(history, plan)?;
        let text = message::upgrade(&history.state, plan);
        let commit = self
            .repository
            .build(&last.base, &step.sites, &text, last.commit_at)
            .await?;
        match self.repository.push(&commit, &last.base).await? {
            Landed::Yes => Ok(Outcome::Append(Body::Pushed { commit })),
            Landed::Moved(_) => self.derive(history, plan).await,
            Landed::Refused(reason) => Ok(aborted(
                history,
                format!(
                    "the git server refused the push: {reason}; allow Bowline's user to push to \
                     the branch, then retry"
                ),
                Transience::Lasting,
            )),
        }
    }

    /// Answers a cancel that came between intent and push.
    pub(crate) async fn cancel_push(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        let (first, last) = intents(&history.state.pushes)?;
        let value = message::trailer_value(&history.state);
        let head = self.repository.fetch().await?;
        let landed = self
            .repository
            .find_trailer(&first.base, &head, message::UPGRADE_TRAILER, &value)
            .await?;
        match landed {
            Some(commit) => Ok(Outcome::Append(Body::Pushed { commit })),
            None if head != last.base => Ok(cancelled(history)),
            // A push of ours may still be on its way: finish it, and let it be undone.
            None => self.finish_push(history, plan).await,
        }
    }

    /// Works under the per-repository lock: a courtesy that keeps replicas from racing each other.
    pub(crate) async fn locked(
        &self,
        history: &History,
        work: impl Future<Output = Result<Outcome, PortError>> + Send,
    ) -> Result<Outcome, PortError> {
        let lease = Lease::acquire(
            Arc::clone(&self.log),
            &job::key(&[&history.state.request.repository]),
            &message::trailer_value(&history.state),
            self.config.lock_ttl,
        )
        .await?;
        let Some(lease) = lease else {
            return Ok(Outcome::Wait(LOCK_AGAIN));
        };
        let outcome = work.await;
        if let Err(error) = lease.release().await {
            tracing::warn!("failed to give the repository lock back, it expires: {error}");
        }
        outcome
    }
}

/// A new plan, as often as that makes sense.
pub(crate) fn replan(history: &History, why: String) -> Outcome {
    if history.state.replans < 3 {
        Outcome::Append(Body::Replan(why))
    } else {
        aborted(
            history,
            format!("the sites kept changing under the plan, last: {why}"),
            Transience::Transient,
        )
    }
}

pub(crate) fn current_step<'a>(
    history: &History,
    plan: &'a Plan,
) -> Result<&'a PlanStep, PortError> {
    plan.step(history.state.step)
        .ok_or_else(|| PortError::new(format!("the plan has no step {}", history.state.step)))
}

pub(crate) fn intents(pushes: &[Push]) -> Result<(&Push, &Push), PortError> {
    pushes
        .first()
        .zip(pushes.last())
        .ok_or_else(|| PortError::new("the log has no intent"))
}
