use bus::{Class, History, Outcome, Taken};
use job::{Body, Claim, Phase};

use crate::ports::PortError;
use crate::work::Executor;

impl Executor {
    /// From before the push to the end of CI, one upgrade at a time per repository.
    pub(crate) async fn take_turn(&self, history: &History) -> Result<Outcome, PortError> {
        if let Some(wait) = self.wait_for_resume(history).await? {
            return Ok(wait);
        }
        Ok(match self.ask_for_turn(history, Class::Forward).await? {
            Taken::Held => Outcome::Append(Body::Ready),
            Taken::Waiting { retry, .. } => Outcome::Wait(retry),
        })
    }

    /// The wait of an undo, if somebody else has the turn. It waits for another's run of CI as long
    /// as `ci.undo_patience`; then its push takes the place of what that run applies.
    pub(crate) async fn wait_to_undo(
        &self,
        history: &History,
    ) -> Result<Option<Outcome>, PortError> {
        let (ahead, by, retry) = match self.ask_for_turn(history, Class::Undo).await? {
            Taken::Held => return Ok(None),
            Taken::Waiting { ahead, by, retry } => (ahead, by, retry),
        };
        let waited = self.log.now_ms().saturating_sub(history.state.since_ms);
        let patience = i64::try_from(self.config.undo_patience.as_millis()).unwrap_or(i64::MAX);
        if let Some(holder) = by.filter(|_| ahead == 0 && waited >= patience) {
            let log = self.log.as_ref();
            let other = log.read(&holder).await?;
            // What it had to push is pushed: all that is left to it is to look on.
            let only_looks_on = other
                .is_some_and(|other| matches!(other.state.phase, Phase::Pushed | Phase::Reverted));
            let claim = Claim::turn(&history.state);
            if only_looks_on && bus::take_over(log, &claim, history, &holder).await? {
                tracing::warn!(
                    upgrade = %history.id, %holder, waited_ms = waited,
                    "the undo takes the CI turn over"
                );
                return Ok(None);
            }
        }
        Ok(Some(Outcome::Wait(retry)))
    }

    async fn ask_for_turn(&self, history: &History, class: Class) -> Result<Taken, PortError> {
        if !self.config.serial {
            return Ok(Taken::Held);
        }
        let claim = Claim::turn(&history.state);
        Ok(bus::take(self.log.as_ref(), &claim, history, class).await?)
    }
}
