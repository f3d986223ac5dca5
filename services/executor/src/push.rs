//! The edit and its commit: intent, push, adoption after a crash, and the second thoughts of a
//! person who cancels meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bus::{History, Lease, Outcome};
use job::{Body, Command, Plan, PlanStep, Push, SkipReason, Transience};

use crate::message;
use crate::ports::{Landed, PortError, Refound};
use crate::work::{Executor, aborted, cancelled};

/// A lock that another holds is asked for again after this.
const LOCK_AGAIN: Duration = Duration::from_millis(500);

/// Why a plan does not fit whose step somebody else has made.
pub(crate) const AHEAD: &str = "the repository is ahead of the plan";

/// What became of an intent after everything was tried to land it.
pub(crate) enum Settled {
    /// This commit is in the branch.
    Landed(String),
    /// None is, and none can land any more; the fetched head.
    TooLate(String),
    /// The server does not want it; its words.
    Refused(String),
}

impl Executor {
    /// States the intent to push a commit on the current head.
    pub(crate) async fn build_commit(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        if let Some(back) = self.step_back(history).await? {
            return Ok(back);
        }
        if let Some(renew) = self.renewed_backup(history, plan) {
            return Ok(renew);
        }
        let work = async {
            let head = self.repository.fetch().await?;
            self.derive(history, plan, head).await
        };
        self.locked(history, work).await
    }

    /// Builds the step's commit on the newest head, or says why there is none.
    async fn derive(
        &self,
        history: &History,
        plan: &Plan,
        head: String,
    ) -> Result<Outcome, PortError> {
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
            Refound::AlreadyThere => {
                self.moved_on(history, plan, &head, AHEAD.to_owned())
                    .await?
            }
            Refound::Changed(how) => self.moved_on(history, plan, &head, how).await?,
        })
    }

    /// The sites are not as planned: the wanted version or a newer one is there, and nothing is
    /// left to do, or a new plan is needed. Never a downgrade.
    pub(crate) async fn moved_on(
        &self,
        history: &History,
        plan: &Plan,
        head: &str,
        how: String,
    ) -> Result<Outcome, PortError> {
        let last = plan.steps.last().map_or(&[][..], |step| &step.sites);
        if self.repository.at_or_beyond(head, last).await? {
            return Ok(Outcome::Append(Body::Skipped(SkipReason::AlreadyThere)));
        }
        Ok(replan(history, how))
    }

    /// Lands the intended commit, adopts it if it landed before, or intends another one.
    ///
    /// A person who cancels in between gets `cancelled` as soon as the commit can never land. While
    /// the branch has not moved, a push of ours may still be on its way: it is finished, and undone.
    pub(crate) async fn finish_push(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        self.locked(history, self.land(history, plan)).await
    }

    async fn land(&self, history: &History, plan: &Plan) -> Result<Outcome, PortError> {
        let step = current_step(history, plan)?;
        let text = message::upgrade(&history.state, plan);
        let rebuild = async |last: &Push| {
            self.repository
                .build(&last.base, &step.sites, &text, last.commit_at)
                .await
        };
        let pushes = &history.state.pushes;
        match self
            .settle(history, pushes, message::UPGRADE_TRAILER, rebuild)
            .await?
        {
            Settled::Landed(commit) => Ok(Outcome::Append(Body::Pushed { commit })),
            // Neither can land any more.
            Settled::TooLate(_) | Settled::Refused(_) if given_up(history) => {
                Ok(cancelled(history))
            }
            Settled::TooLate(head) => self.derive(history, plan, head).await,
            Settled::Refused(reason) => Ok(aborted(
                history,
                format!(
                    "the git server refused the push: {reason}; allow Bowline's user to push to \
                     the branch, then `bowline retry {}`",
                    history.id
                ),
                Transience::Lasting,
            )),
        }
    }

    /// Our commit, if it is in this head: looked for by its trailer in all that came since the
    /// first intent.
    async fn landed(
        &self,
        history: &History,
        first: &Push,
        head: &str,
        trailer: &str,
    ) -> Result<Option<String>, PortError> {
        let value = message::trailer_value(&history.state);
        self.repository
            .find_trailer(&first.base, head, trailer, &value)
            .await
    }

    /// Lands the last intent, or adopts what landed of any.
    ///
    /// The push comes first: it is refused unless the branch stands at the base, and on a branch
    /// that others move all the time every look before it costs the race. The commit was built
    /// where the intent was stated; after a crash elsewhere it is fetched, adopted or built again.
    pub(crate) async fn settle(
        &self,
        history: &History,
        intents: &[Push],
        trailer: &str,
        rebuild: impl AsyncFnOnce(&Push) -> Result<String, PortError>,
    ) -> Result<Settled, PortError> {
        let (Some(first), Some(last)) = (intents.first(), intents.last()) else {
            return Err(PortError::new("the log has no intent"));
        };
        let mut commit = last.commit.clone();
        let outcome = match self.repository.push(&commit, &last.base).await {
            Err(PortError {
                transience: Transience::Lasting,
                ..
            }) => {
                let head = self.repository.fetch().await?;
                if let Some(commit) = self.landed(history, first, &head, trailer).await? {
                    return Ok(Settled::Landed(commit));
                }
                if head != last.base {
                    return Ok(Settled::TooLate(head));
                }
                commit = rebuild(last).await?;
                self.repository.push(&commit, &last.base).await?
            }
            pushed => pushed?,
        };
        let head = match outcome {
            Landed::Yes => return Ok(Settled::Landed(commit)),
            Landed::Refused(reason) => return Ok(Settled::Refused(reason)),
            Landed::Moved(head) => head,
        };
        let found = self.landed(history, first, &head, trailer).await?;
        Ok(found.map_or(Settled::TooLate(head), Settled::Landed))
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

/// Whether a person has cancelled what was not pushed yet.
fn given_up(history: &History) -> bool {
    history.state.command() == Some(Command::CancelPush)
}

/// A new plan, as often as that makes sense.
fn replan(history: &History, why: String) -> Outcome {
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
