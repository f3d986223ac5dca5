use bus::{Class, History, Outcome, Taken};
use job::{Body, Claim, Plan, SkipReason};

use crate::ports::{PortError, Refound};
use crate::push::replan;
use crate::work::Executor;

impl Executor {
    /// One upgrade at a time per service; whoever gets the slot reads the sites again.
    pub(crate) async fn take_slots(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        if let Some(wait) = self.wait_for_slot(history, Class::Forward).await? {
            return Ok(wait);
        }
        let Some(first) = plan.step(1) else {
            return Err(PortError::new("the plan has no step"));
        };
        let head = self.repository.fetch().await?;
        Ok(match self.repository.refind(&head, &first.sites).await? {
            Refound::Ready => Outcome::Append(Body::Started),
            Refound::AlreadyThere if plan.step_count() == 1 => {
                Outcome::Append(Body::Skipped(SkipReason::AlreadyThere))
            }
            Refound::AlreadyThere => replan(history, "the repository is ahead of the plan".into()),
            Refound::Changed(how) => replan(history, how),
        })
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
