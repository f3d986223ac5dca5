use std::collections::BTreeSet;

use bus::{Class, History, Outcome, Taken, circuit};
use job::{Body, Claim, Command, Plan, State, UpgradeId};

use crate::git::newer;
use crate::ports::{PortError, Refound};
use crate::push::{AHEAD, current_step};
use crate::work::Executor;

impl Executor {
    /// One upgrade at a time per service; whoever gets the slot reads the sites again. Whoever
    /// meets a newer upgrade of the same sites in the queue leaves it the way.
    pub(crate) async fn take_slots(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        // Whoever is paused keeps the place in the queue that it has, and takes none.
        if let Some(wait) = self.wait_for_resume(history).await? {
            return Ok(wait);
        }
        let wait = self.wait_for_slot(history, Class::Forward).await?;
        if let Some(by) = self.newer_in_queue(history, plan).await? {
            return Ok(Outcome::Append(Body::Superseded { by: by.to_string() }));
        }
        if let Some(wait) = wait {
            return Ok(wait);
        }
        if let Some(wait) = self.wait_for_place(history, plan).await? {
            // A person may want to take an earlier upgrade of the service back meanwhile.
            if let Some(claim) = Claim::slot(&history.state).filter(|_| !history.state.started) {
                bus::step_down(self.log.as_ref(), &claim, history).await?;
            }
            return Ok(wait);
        }
        self.start(history, plan).await
    }

    /// The wait, if nothing may start in the cluster or enough is in flight there. What was started
    /// before a new plan is in the middle of its way, and goes on while the circuit is open.
    async fn wait_for_place(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Option<Outcome>, PortError> {
        let log = self.log.as_ref();
        if !history.state.started && circuit::tripped(log, &plan.cluster).await?.is_some() {
            return Ok(Some(Outcome::Wait(log.settings().claim_others)));
        }
        let (max, alone) = (self.config.max_in_flight, plan.policy.critical);
        Ok(
            match bus::board(log, &plan.cluster, history, max, alone).await? {
                Taken::Held => None,
                Taken::Waiting { retry, .. } => Some(Outcome::Wait(retry)),
            },
        )
    }

    /// Starts with what the sites hold now.
    async fn start(&self, history: &History, plan: &Plan) -> Result<Outcome, PortError> {
        let step = current_step(history, plan)?;
        let head = self.repository.fetch().await?;
        match self.repository.refind(&head, &step.sites).await? {
            Refound::Ready => Ok(Outcome::Append(Body::Started)),
            Refound::AlreadyThere => self.moved_on(history, plan, &head, AHEAD.to_owned()).await,
            Refound::Changed(how) => self.moved_on(history, plan, &head, how).await,
        }
    }

    /// The newest planned upgrade of the same sites that waits for the same slot and leads further.
    /// Of two upgrades at most one is newer, so that they can never leave each other the way.
    async fn newer_in_queue(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Option<UpgradeId>, PortError> {
        let Some(claim) = Claim::slot(&history.state).filter(|_| !history.state.started) else {
            return Ok(None);
        };
        let mut newest: Option<(UpgradeId, String)> = None;
        for id in bus::queue(self.log.as_ref(), &claim).await? {
            if id == history.id {
                continue;
            }
            let Some(other) = self.log.read(&id).await? else {
                continue;
            };
            let Some(target) = same_sites_next(&other.state, &claim, plan) else {
                continue;
            };
            let than = newest.as_ref().map_or_else(|| plan.to(), |(_, tag)| tag);
            if newer(than, target) {
                newest = Some((id, target.to_owned()));
            }
        }
        Ok(newest.map(|(id, _)| id))
    }

    /// The wait, if somebody else holds the service's slot.
    pub(crate) async fn wait_for_slot(
        &self,
        history: &History,
        class: Class,
    ) -> Result<Option<Outcome>, PortError> {
        let Some(claim) = Claim::slot(&history.state) else {
            return Ok(None);
        };
        Ok(
            match bus::take(self.log.as_ref(), &claim, history, class).await? {
                Taken::Held => None,
                Taken::Waiting { retry, .. } => Some(Outcome::Wait(retry)),
            },
        )
    }
}

/// Where an upgrade leads that still waits for the slot, if it moves exactly the plan's sites.
fn same_sites_next<'a>(state: &'a State, slot: &Claim, plan: &Plan) -> Option<&'a str> {
    let waits = state.command() == Some(Command::TakeSlots) && !state.started;
    let other = state.plan.as_ref().filter(|_| waits)?;
    let same = Claim::slot(state).as_ref() == Some(slot) && places(other) == places(plan);
    same.then(|| other.to())
}

/// The sites of a plan, by name; every step has the same ones.
fn places(plan: &Plan) -> BTreeSet<(&str, &str)> {
    let sites = plan.steps.iter().flat_map(|step| &step.sites);
    sites
        .map(|site| (site.path.as_str(), site.address.as_str()))
        .collect()
}
