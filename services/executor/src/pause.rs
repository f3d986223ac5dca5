use bus::{History, Outcome};
use job::{Body, Claim};

use crate::ports::PortError;
use crate::work::Executor;

impl Executor {
    /// The wait, if a person has paused this upgrade. An undo never asks.
    ///
    /// A place in a slot's queue is kept; the turn is given up, so that the others of the
    /// repository go on meanwhile.
    pub(crate) async fn wait_for_resume(
        &self,
        history: &History,
    ) -> Result<Option<Outcome>, PortError> {
        let Some(pause) = bus::paused(self.log.as_ref(), &history.state).await? else {
            return Ok(None);
        };
        tracing::debug!(upgrade.id = %history.id, "{pause}");
        if history.state.started {
            let turn = Claim::turn(&history.state);
            bus::release(self.log.as_ref(), &turn, &history.id).await?;
        }
        Ok(Some(Outcome::Wait(self.log.settings().claim_head)))
    }

    /// The step back from the push, if a person has paused this upgrade since it took the turn.
    pub(crate) async fn step_back(&self, history: &History) -> Result<Option<Outcome>, PortError> {
        let pause = bus::paused(self.log.as_ref(), &history.state).await?;
        Ok(pause.map(|pause| Outcome::Append(Body::SteppedBack(pause.to_string()))))
    }
}
