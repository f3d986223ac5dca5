use std::sync::Arc;

use async_trait::async_trait;
use bus::{History, Log, Outcome, Work, WorkError};
use job::{Body, Command, Phase, Plan, Transience};

use crate::Config;
use crate::ports::{Backups, PortError, Repository};

/// Carries the executor's and the undo's commands out.
pub struct Executor {
    pub(crate) config: Config,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) backups: Arc<dyn Backups>,
}

impl Executor {
    /// An executor on these parts.
    #[must_use]
    pub fn new(
        config: Config,
        log: Arc<dyn Log>,
        repository: Arc<dyn Repository>,
        backups: Arc<dyn Backups>,
    ) -> Executor {
        Executor {
            config,
            log,
            repository,
            backups,
        }
    }

    async fn dispatch(&self, history: &History, command: Command) -> Result<Outcome, PortError> {
        let Some(plan) = &history.state.plan else {
            return if command == Command::Cancel {
                Ok(cancelled(history))
            } else {
                Err(PortError::new(format!(
                    "{command:?} needs a plan, and the log has none"
                )))
            };
        };
        match command {
            Command::TakeSlots => self.take_slots(history, plan).await,
            Command::BeginBackup => self.begin_backup(history, plan).await,
            Command::FinishBackup => self.finish_backup(history, plan).await,
            Command::TakeTurn => self.take_turn(history).await,
            Command::BuildCommit => self.build_commit(history, plan).await,
            Command::FinishPush | Command::CancelPush => self.finish_push(history, plan).await,
            Command::Cancel => self.cancel(history, plan).await,
            Command::BuildRevert => self.build_revert(history, plan).await,
            Command::FinishRevert => self.finish_revert(history, plan).await,
            Command::Admit
            | Command::AnswerCancel
            | Command::Plan
            | Command::ReportObserve
            | Command::TakeBaseline
            | Command::FollowCi
            | Command::CheckApplied
            | Command::Watch
            | Command::RequestUndo => {
                Err(PortError::new(format!("{command:?} is not the executor's")))
            }
        }
    }

    /// A person cancelled before anything of the step was pushed.
    async fn cancel(&self, history: &History, plan: &Plan) -> Result<Outcome, PortError> {
        match (history.state.phase, &plan.backup, &history.state.backup) {
            (Phase::BackingUp, Some(target), Some(backup)) => {
                self.cancel_backup(history, target, &backup.job).await
            }
            _ => Ok(cancelled(history)),
        }
    }
}

#[async_trait]
impl Work for Executor {
    async fn carry_out(&self, history: &History, command: Command) -> Result<Outcome, WorkError> {
        match self.dispatch(history, command).await {
            Ok(outcome) => Ok(outcome),
            Err(PortError {
                what,
                transience: Transience::Lasting,
            }) => Ok(given_up(history, what)),
            Err(PortError {
                what,
                transience: Transience::Transient,
            }) => Err(WorkError {
                retry_after: None,
                message: what,
            }),
        }
    }
}

/// What cannot succeed however often it is tried: the end, or a person's turn if something of the
/// step is in the branch.
fn given_up(history: &History, why: String) -> Outcome {
    let state = &history.state;
    if state.phase.is_undo() || state.pushed.is_some() {
        Outcome::Append(Body::Stuck(why))
    } else {
        aborted(history, why, Transience::Lasting)
    }
}

/// The end of a cancelled upgrade.
pub(crate) fn cancelled(history: &History) -> Outcome {
    Outcome::Append(Body::Cancelled {
        at: history.state.live().to_owned(),
    })
}

/// The end of a step of which nothing was changed.
pub(crate) fn aborted(history: &History, why: String, transience: Transience) -> Outcome {
    Outcome::Append(Body::Aborted {
        at: history.state.live().to_owned(),
        why,
        transience,
    })
}
