use bus::{Class, History, Outcome, Taken};
use job::{Body, Claim};

use crate::ports::PortError;
use crate::work::Executor;

impl Executor {
    /// From before the push to the end of CI, one upgrade at a time per repository.
    pub(crate) async fn take_turn(&self, history: &History) -> Result<Outcome, PortError> {
        Ok(self
            .wait_for_turn(history, Class::Forward)
            .await?
            .unwrap_or(Outcome::Append(Body::Ready)))
    }

    /// The wait, if somebody else has the turn.
    pub(crate) async fn wait_for_turn(
        &self,
        history: &History,
        class: Class,
    ) -> Result<Option<Outcome>, PortError> {
        if !self.config.serial {
            return Ok(None);
        }
        let claim = Claim::turn(&history.state);
        Ok(
            match bus::take(self.log.as_ref(), &claim, history, class).await? {
                Taken::Held => None,
                Taken::Waiting { retry, .. } => Some(Outcome::Wait(retry)),
            },
        )
    }
}
