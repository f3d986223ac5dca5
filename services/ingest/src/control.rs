//! A person's wish, judged against the log itself and appended if nothing has happened since.

use std::sync::Arc;
use std::time::Duration;

use bus::{AppendError, History, Log, Pause, Unavailable};
use job::{Claim, UpgradeId};
use tokio::time::timeout;
use tonic::Status;
use wire::v1::{ControlResponse, Trouble, UpgradeView};

use crate::archive::{self, Summary};
use crate::gate::{Answer, Gate};
use crate::projection::{Known, Projection};
use crate::view;
use crate::wish::{self, Granted, Wish};

/// How often a log that others write to at the same time is judged again.
const ATTEMPTS: usize = 50;
/// A name is cut after so many characters.
const NAME: usize = 100;

/// Reads and changes single upgrades.
pub(crate) struct Control {
    /// The log.
    pub(crate) log: Arc<dyn Log>,
    /// What is known of all upgrades: only for where to look.
    pub(crate) projection: Projection,
    /// The way in, for new attempts.
    pub(crate) gate: Arc<Gate>,
    /// An upgrade that is over for so long is archived.
    pub(crate) archive_after: Duration,
    /// Nobody waits longer for the log.
    pub(crate) patience: Duration,
}

/// An upgrade that was asked for by its id or the beginning of it.
pub(crate) enum Asked {
    /// Its facts are there.
    Known(Box<Known>),
    /// Its summary is.
    Archived(Box<Summary>),
}

impl Control {
    /// The id that begins so.
    pub(crate) fn id(&self, prefix: &str) -> Result<UpgradeId, Status> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if prefix.is_empty() || prefix.len() > 16 || !prefix.bytes().all(digit) {
            return Err(Status::invalid_argument(
                "an upgrade's id, or its beginning, is 1 to 16 lower-case hexadecimal digits",
            ));
        }
        if let Ok(id) = UpgradeId::parse(prefix) {
            return Ok(id);
        }
        self.projection.find(prefix).map_err(|fitting| {
            if fitting == 0 {
                Status::not_found(format!(
                    "no upgrade's id begins with `{prefix}`; one that is archived needs all 16 \
                     digits"
                ))
            } else {
                Status::invalid_argument(format!(
                    "{fitting} upgrades' ids begin with `{prefix}`; give more of it"
                ))
            }
        })
    }

    /// What is known of an upgrade.
    pub(crate) async fn find(&self, prefix: &str) -> Result<Asked, Status> {
        let id = self.id(prefix)?;
        if let Some(known) = self.projection.get(&id) {
            return Ok(Asked::Known(Box::new(known)));
        }
        // Another replica may have opened it just now.
        if let Some(history) = self.in_time(self.log.read(&id)).await? {
            let History { entries, state, .. } = history;
            return Ok(Asked::Known(Box::new(Known { entries, state })));
        }
        let summary = self
            .in_time(archive::summary(self.log.as_ref(), &id))
            .await?;
        summary.map_or_else(
            || Err(unknown(&id)),
            |summary| Ok(Asked::Archived(Box::new(summary))),
        )
    }

    /// Does what a person wants of an upgrade, or says why not and what can be done instead.
    pub(crate) async fn ask(
        &self,
        prefix: &str,
        by: &str,
        wish: &Wish,
    ) -> Result<ControlResponse, Status> {
        let by = name(by);
        let id = self.id(prefix)?;
        let asked = timeout(self.patience, self.judged(&id, &by, wish));
        let history = asked.await.unwrap_or_else(|_elapsed| {
            Err(Status::unavailable(format!(
                "NATS did not answer within {:?}; `bowline status {id}` tells whether it came \
                 through",
                self.patience
            )))
        })?;
        tracing::info!(upgrade.id = %history.id, by, ?wish, "a person's wish is granted");
        let message = wish.answer(&history.state);
        Ok(ControlResponse {
            upgrade: Some(self.view(&history).await),
            message,
        })
    }

    async fn judged(&self, id: &UpgradeId, by: &str, wish: &Wish) -> Result<History, Status> {
        for _ in 0..ATTEMPTS {
            let Some(history) = self.log.read(id).await.map_err(unavailable)? else {
                let archived = archive::summary(self.log.as_ref(), id);
                return Err(match archived.await.map_err(unavailable)? {
                    Some(summary) => gone(&summary),
                    None => unknown(id),
                });
            };
            let granted = wish.judge(&history.state, by);
            let body = match granted.map_err(Status::failed_precondition)? {
                Granted::Fact(body) => *body,
                Granted::Attempt => return self.attempt(&history, by).await,
            };
            if *wish == Wish::Rollback {
                self.nothing_against_rollback(&history).await?;
            }
            match self.log.append(id, Some(&history), body).await {
                Ok(history) => return Ok(history),
                // Something has happened since: it may be another answer now.
                Err(AppendError::Conflict) => {}
                Err(AppendError::Illegal(illegal)) => {
                    return Err(Status::failed_precondition(illegal.to_string()));
                }
                Err(AppendError::Unavailable(error)) => return Err(unavailable(error)),
            }
        }
        Err(Status::aborted(format!(
            "upgrade {id} changes too fast; ask again"
        )))
    }

    async fn attempt(&self, history: &History, by: &str) -> Result<History, Status> {
        let request = &history.state.request;
        match self.gate.retried(&history.id, request, by).await {
            Answer::Opened { id } => {
                let opened = self.log.read(&id).await.map_err(unavailable)?;
                opened.ok_or_else(|| {
                    Status::unavailable(format!("upgrade {id} is open and not to be seen yet"))
                })
            }
            Answer::Duplicate { reason, .. }
            | Answer::Refused { reason, .. }
            | Answer::Skipped { reason }
            | Answer::BadRequest { reason } => Err(Status::failed_precondition(reason)),
            Answer::Spooled { reason } | Answer::Unavailable { reason } => {
                Err(Status::unavailable(reason))
            }
        }
    }

    /// Whoever has changed the service since, or is about to, stands against undoing this one.
    ///
    /// What begins after this look meets the undo in the service's slot, and an undo that finds
    /// other values than its own keeps its hands off.
    async fn nothing_against_rollback(&self, mine: &History) -> Result<(), Status> {
        let after_ms = i64::try_from(self.archive_after.as_millis()).unwrap_or(i64::MAX);
        if archive::is_sealed(&mine.state, self.log.now_ms(), after_ms) {
            return Err(Status::failed_precondition(format!(
                "upgrade {} is over for so long that it is about to be archived \
                 (bus.archive_after); move the version back by hand",
                mine.id
            )));
        }
        let log = self.log.as_ref();
        if let Some(claim) = Claim::slot(&mine.state)
            && let Some((holder, _)) = bus::holder(log, &claim).await.map_err(unavailable)?
            && holder != mine.id
        {
            return Err(Status::failed_precondition(format!(
                "upgrade {holder} holds the service; let it end, or stop it with `bowline cancel \
                 {holder}`, first"
            )));
        }
        let candidates = self
            .projection
            .states(|other| wish::against_rollback(&mine.state, other).is_some());
        for candidate in candidates {
            // The projection says where to look, the log what is there.
            let Some(other) = log.read(&candidate.id).await.map_err(unavailable)? else {
                continue;
            };
            if let Some(why) = wish::against_rollback(&mine.state, &other.state) {
                return Err(Status::failed_precondition(format!(
                    "upgrade {} cannot be rolled back: {why}",
                    mine.id
                )));
            }
        }
        Ok(())
    }

    /// What is shown beside an upgrade; a view without it is better than none.
    pub(crate) async fn pauses_or_none(&self) -> Vec<Pause> {
        match timeout(self.patience, bus::pauses(self.log.as_ref())).await {
            Ok(Ok(pauses)) => return pauses,
            Ok(Err(error)) => tracing::debug!("pauses are not shown: {error}"),
            Err(_elapsed) => tracing::debug!("pauses are not shown: NATS does not answer"),
        }
        Vec::new()
    }

    /// Why it has not got on, as [`Control::pauses_or_none`].
    pub(crate) async fn trouble_or_none(&self, known: &Known) -> Option<Trouble> {
        let last = known.entries.last()?;
        let asked = bus::trouble(self.log.as_ref(), &known.state.id, last.n);
        let told = timeout(self.patience, asked).await.ok()?.ok()??;
        Some(Trouble {
            why: told.why,
            again_ms: told.again_ms,
        })
    }

    async fn view(&self, history: &History) -> UpgradeView {
        let pauses = self.pauses_or_none().await;
        view::of(&history.state, view::began(&history.entries), &pauses)
    }

    /// An answer of the log, if it comes in time.
    pub(crate) async fn in_time<T>(
        &self,
        asked: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<T, Status> {
        match timeout(self.patience, asked).await {
            Ok(answer) => answer.map_err(unavailable),
            Err(_elapsed) => Err(Status::unavailable(format!(
                "NATS did not answer within {:?}; ask again later",
                self.patience
            ))),
        }
    }
}

/// Who asks, as it may stand in a log and a message.
pub(crate) fn name(by: &str) -> String {
    let name = one_line(by, NAME);
    if name.is_empty() {
        "a person".to_owned()
    } else {
        name
    }
}

/// A text without breaks and control characters, cut after so many characters.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.chars().filter(|character| !character.is_control());
    line.take(most).collect()
}

fn unknown(id: &UpgradeId) -> Status {
    Status::not_found(format!("there is no upgrade {id}"))
}

fn gone(summary: &Summary) -> Status {
    Status::failed_precondition(format!(
        "upgrade {} is over and archived; `bowline upgrade {} {}` asks for the version anew",
        summary.id, summary.image, summary.to
    ))
}

pub(crate) fn unavailable(error: Unavailable) -> Status {
    tracing::warn!("a person could not be answered: {error}");
    Status::unavailable(format!("{error}; ask again later"))
}
