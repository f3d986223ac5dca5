//! The undo: find the sites again, put the old values back, and touch nothing else.

use bus::{Bucket, Class, History, Outcome, circuit};
use job::{Body, Cause, Plan, PlanStep, Push, Site};

use crate::message;
use crate::ports::{PortError, Refound};
use crate::push::{Settled, current_step};
use crate::work::Executor;

impl Executor {
    /// Takes the turn before everybody else, fences the version off and states the intent.
    pub(crate) async fn build_revert(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        self.note(history, plan).await;
        if let Some(wait) = self.wait_for_slot(history, Class::Undo).await? {
            return Ok(wait);
        }
        if let Some(wait) = self.wait_to_undo(history).await? {
            return Ok(wait);
        }
        let work = async {
            let head = self.repository.fetch().await?;
            self.derive_revert(history, plan, head).await
        };
        self.locked(history, work).await
    }

    /// Several upgrades that fail soon after each other stop the next ones. What a person takes
    /// back says nothing about the cluster. No undo waits for this: what cannot be counted now is
    /// counted when the command is repeated, or not at all.
    async fn note(&self, history: &History, plan: &Plan) {
        match &history.state.rollback {
            Some((Cause::CiFailed | Cause::NotApplied | Cause::Unhealthy, _)) => {
                let circuit = self.config.circuit;
                let noted = circuit::note_undo(self.log.as_ref(), &plan.cluster, history, circuit);
                if let Err(error) = noted.await {
                    tracing::error!(
                        upgrade.id = %history.id,
                        "the undo goes on, but the circuit of {} does not count it: {error}",
                        plan.cluster
                    );
                }
            }
            Some((Cause::Cancelled | Cause::Person, _)) | None => {}
        }
    }

    async fn derive_revert(
        &self,
        history: &History,
        plan: &Plan,
        head: String,
    ) -> Result<Outcome, PortError> {
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
        let text = if history.state.whole {
            message::revert_whole(&history.state, plan)
        } else {
            message::revert(&history.state, plan, &subject, commit)
        };
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
        let sites = inverse_sites(history, plan)?;
        let rebuild = async |last: &Push| {
            self.revert_commit(history, plan, &last.base, &sites, last.commit_at)
                .await
        };
        let reverts = &history.state.reverts;
        let settled = self
            .settle(history, reverts, message::REVERT_TRAILER, rebuild)
            .await?;
        Ok(match settled {
            Settled::Landed(commit) => Outcome::Append(Body::Reverted {
                commit: Some(commit),
            }),
            Settled::TooLate(head) => return self.derive_revert(history, plan, head).await,
            Settled::Refused(reason) => Outcome::Append(Body::Stuck(format!(
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

/// The sites with before and after swapped; for a whole undo back to the first step's values, and
/// with the settings that went with an earlier step.
fn inverse_sites(history: &History, plan: &Plan) -> Result<Vec<Site>, PortError> {
    let step = current_step(history, plan)?;
    let first = plan.step(1).filter(|_| history.state.whole);
    let before = |site: &Site| match first {
        None => Ok(site.before.clone()),
        Some(_) if terraform::is_setting(&site.address) => Ok(earliest(plan, site).to_owned()),
        Some(first) => oldest(first, site).cloned(),
    };
    let mut sites = step.sites.clone();
    if first.is_some() {
        let current = usize::try_from(history.state.step).unwrap_or(usize::MAX);
        let earlier = plan.steps.iter().take(current.saturating_sub(1)).rev();
        for site in earlier.flat_map(|step| &step.sites) {
            let known = |other: &Site| other.path == site.path && other.address == site.address;
            if terraform::is_setting(&site.address) && !sites.iter().any(known) {
                sites.push(site.clone());
            }
        }
    }
    let inverse = |site: &Site| {
        Ok(Site {
            path: site.path.clone(),
            address: site.address.clone(),
            before: site.after.clone(),
            after: before(site)?,
        })
    };
    sites.iter().map(inverse).collect()
}

/// What stood at a setting's site before the first step that changed it.
fn earliest<'a>(plan: &'a Plan, site: &'a Site) -> &'a str {
    let mut sites = plan.steps.iter().flat_map(|step| &step.sites);
    let first = sites.find(|other| other.path == site.path && other.address == site.address);
    &first.unwrap_or(site).before
}

/// What stood at a site before the first step. Between two plans it may have moved to another
/// place; then it is what stood at all of the first ones, if that was the same.
fn oldest<'a>(first: &'a PlanStep, site: &Site) -> Result<&'a String, PortError> {
    let same = |other: &&Site| other.path == site.path && other.address == site.address;
    if let Some(there) = first.sites.iter().find(same) {
        return Ok(&there.before);
    }
    let mut values = first.sites.iter().map(|site| &site.before);
    match values.next() {
        Some(value) if values.all(|other| other == value) => Ok(value),
        _ => Err(PortError::lasting(format!(
            "{} in {} was not there when the upgrade began, so it is not known what to put back",
            site.address, site.path
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(address: &str, before: &str) -> Site {
        Site {
            path: "main.tf".to_owned(),
            address: address.to_owned(),
            before: before.to_owned(),
            after: "9".to_owned(),
        }
    }

    #[track_caller]
    fn check(first: &[(&str, &str)], expected: Option<&str>) {
        let first = PlanStep {
            to: "2".to_owned(),
            app: None,
            sites: first.iter().map(|(at, old)| site(at, old)).collect(),
        };
        let found = oldest(&first, &site("local.b", "8"));
        assert_eq!(found.ok().map(String::as_str), expected);
    }

    #[test]
    fn the_oldest_value_is_that_of_the_same_place_or_that_of_all_places() {
        check(
            &[("local.a", "1"), ("local.b", "1-alpine")],
            Some("1-alpine"),
        );
        check(&[("variable.v", "1"), ("local.a", "1")], Some("1"));
        check(&[("variable.v", "1"), ("local.a", "1-alpine")], None);
    }
}
