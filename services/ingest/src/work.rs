use std::sync::Arc;

use async_trait::async_trait;
use bus::{History, Log, Outcome, WindowSettings, Work, WorkError};
use job::{Body, Command};

/// Carries ingest's own commands out: the rate window, and cancels in queue states.
pub struct Admission {
    log: Arc<dyn Log>,
    window: WindowSettings,
}

impl Admission {
    /// The rate window with these settings.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, window: WindowSettings) -> Admission {
        Admission { log, window }
    }
}

#[async_trait]
impl Work for Admission {
    async fn carry_out(&self, history: &History, command: Command) -> Result<Outcome, WorkError> {
        match command {
            Command::Admit => {
                let repository = &history.state.request.repository;
                bus::admit(
                    self.log.as_ref(),
                    repository,
                    self.window,
                    Some(&history.id),
                )
                .await?;
                Ok(Outcome::Appended)
            }
            Command::AnswerCancel => Ok(Outcome::Append(Body::Cancelled {
                at: history.state.live().to_owned(),
            })),
            other => Err(WorkError {
                retry_after: None,
                message: format!("{other:?} is not ingest's"),
            }),
        }
    }
}
