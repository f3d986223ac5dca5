//! The undo: find the sites again, put the old values back, and touch nothing else.

use bus::{Bucket, Class, History, Outcome};
use job::{Body, Plan, Site};

use crate::message;
use crate::ports::{Landed, PortError, Refound};
use crate::push::{current_step, intents};
use crate::work::Executor;

impl Executor {
    /// Takes the turn before everybody else, fences the version off and states the intent.
    pub(crate) async fn build_revert(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        if let Some(wait) = self.wait_for_slot(history, Class::Undo).await? {
            return Ok(wait);
        }
        if let Some(wait) = self.wait_for_turn(history, Class::Undo).await? {
            return Ok(wait);
        }
        self.locked(history, self.derive_revert(history, plan))
            .await
    }

    async fn derive_revert(&self, history: &History, plan: &Plan) -> Result<Outcome, PortError> {
        let head = self.repository.fetch().await?;
        let sites = inverse_sites(history, plan)?;
        Ok(match self.repository.refind(&head, &sites).await? {
            Refound::Ready => {
                self.fence(history, plan).await?;
                let commit_at = self.log.now_ms().div_euclid(1_000);
                let commit = self
                    .revert_commit(history, plan, &head, &sites, commit_at)
                    .await?;
                Outcome::Append(Body::Reverting {
                    base: head,
                    commit_at,
                    commit,
                })
            }
            Refound::AlreadyThere => {
                self.fence(history, plan).await?;
                Outcome::Append(Body::Reverted { commit: None })
            }
            Refound::Changed(how) => {
                Outcome::Append(Body::Stuck(format!("changed by someone else: {how}")))
            }
        })
    }

    async fn revert_commit(
        &self,
        history: &History,
        plan: &Plan,
        base: &str,
        sites: &[Site],
        commit_at: i64,
    ) -> Result<String, PortError> {
        let Some((commit, _)) = &history.state.pushed else {
            return Err(PortError::new("the log has no commit to revert"));
        };
        let subject = self.repository.subject(commit).await?;
        let text = message::revert(&history.state, plan, &subject, commit);
        self.repository.build(base, sites, &text, commit_at).await
    }

    /// Lands the intended revert, adopts it if it landed before, or intends another one.
    pub(crate) async fn finish_revert(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        self.locked(history, self.land_revert(history, plan)).await
    }

    async fn land_revert(&self, history: &History, plan: &Plan) -> Result<Outcome, PortError> {
        let (first, last) = intents(&history.state.reverts)?;
        let value = message::trailer_value(&history.state);
        let head = self.repository.fetch().await?;
        if let Some(commit) = self
            .repository
            .find_trailer(&first.base, &head, message::REVERT_TRAILER, &value)
            .await?
        {
            return Ok(Outcome::Append(Body::Reverted {
                commit: Some(commit),
            }));
        }
        if head != last.base {
            return self.derive_revert(history, plan).await;
        }
        let sites = inverse_sites(history, plan)?;
        let commit = self
            .revert_commit(history, plan, &last.base, &sites, last.commit_at)
            .await?;
        Ok(match self.repository.push(&commit, &last.base).await? {
            Landed::Yes => Outcome::Append(Body::Reverted {
                commit: Some(commit),
            }),
            Landed::Moved(_) => return self.derive_revert(history, plan).await,
            Landed::Refused(reason) => Outcome::Append(Body::Stuck(format!(
                "the git server refused the revert: {reason}"
            ))),
        })
    }

    /// Keeps the analyzer from planning this version again until a person lifts the fence.
    async fn fence(&self, history: &History, plan: &Plan) -> Result<(), PortError> {
        let version = &current_step(history, plan)?.to;
        let key = job::fence(plan, &history.state.request.image, version);
        let value = message::trailer_value(&history.state);
        // A conflict says that it is fenced off already.
        match self
            .log
            .put(Bucket::Fences, &key, 0, value.as_bytes())
            .await
        {
            Ok(_) | Err(bus::PutError::Conflict) => Ok(()),
            Err(bus::PutError::Unavailable(error)) => Err(error.into()),
        }
    }
}

/// The sites with before and after swapped; for a whole undo back to the first step's values.
fn inverse_sites(history: &History, plan: &Plan) -> Result<Vec<Site>, PortError> {
    let step = current_step(history, plan)?;
    let first = plan.step(1);
    let inverse = |site: &Site| {
        let oldest = first
            .filter(|_| history.state.whole)
            .and_then(|step| {
                step.sites
                    .iter()
                    .find(|other| other.path == site.path && other.address == site.address)
            })
            .unwrap_or(site);
        Site {
            path: site.path.clone(),
            address: site.address.clone(),
            before: site.after.clone(),
            after: oldest.before.clone(),
        }
    };
    Ok(step.sites.iter().map(inverse).collect())
}
