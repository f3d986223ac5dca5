//! A watcher's stream: read from the projection by cursor, one event at a time.
//!
//! A cursor is a fact's place in the log, the same on every replica. A slow reader holds nothing
//! up: there is no queue of its own, and what it has not read yet stays in the projection.

use std::pin::Pin;
use std::sync::Arc;

use bus::Log;
use futures::Stream;
use futures::stream::unfold;
use job::{State, UpgradeId};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wire::v1::WatchEvent;

use crate::projection::{Event, Projection};
use crate::view;

/// What a watcher wants to see.
pub(crate) struct Wanted {
    /// One upgrade, or all.
    pub(crate) id: Option<UpgradeId>,
    /// A service's, or empty for all. An upgrade has its service from its plan on.
    pub(crate) service: String,
    /// Only what lies behind this place of the log.
    pub(crate) after: u64,
}

/// The stream of a watch.
pub(crate) type Events = Pin<Box<dyn Stream<Item = Result<WatchEvent, Status>> + Send>>;

struct Watcher {
    log: Arc<dyn Log>,
    projection: Projection,
    stop: CancellationToken,
    wanted: Wanted,
    /// After the newest event, so that a long log is folded once.
    seen: Option<State>,
    ended: bool,
}

/// What happens from now on, until `stop`.
pub(crate) fn events(
    log: Arc<dyn Log>,
    projection: Projection,
    stop: CancellationToken,
    wanted: Wanted,
) -> Events {
    let watcher = Watcher {
        log,
        projection,
        stop,
        wanted,
        seen: None,
        ended: false,
    };
    Box::pin(unfold(watcher, |mut watcher| async {
        let next = watcher.next().await?;
        Some((next, watcher))
    }))
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<WatchEvent, Status>> {
        loop {
            if self.ended {
                return None;
            }
            if self.stop.is_cancelled() {
                self.ended = true;
                return Some(Err(Status::unavailable(format!(
                    "this ingest stops; go on with another one after {}",
                    self.wanted.after
                ))));
            }
            let after = self.wanted.after;
            // Read before it is looked for: what comes in between ends the wait at once.
            let last = self.projection.last().max(after);
            let wanted = self.wanted.id.as_ref();
            if let Some(event) = self.projection.event(after, wanted, self.seen.as_ref()) {
                self.wanted.after = event.entry.sequence;
                self.seen = Some(event.state.clone());
                if self.wants(&event) {
                    return Some(Ok(self.shown(event).await));
                }
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.projection.beyond(last) => {}
            }
        }
    }

    fn wants(&self, event: &Event) -> bool {
        let plan = event.state.plan.as_ref();
        let service = &self.wanted.service;
        service.is_empty() || plan.is_some_and(|plan| plan.service == *service)
    }

    async fn shown(&self, event: Event) -> WatchEvent {
        // What it waits for matters where it stands now, not where it stood.
        let pauses = if event.newest && view::heeds_pauses(&event.state) {
            bus::pauses(self.log.as_ref())
                .await
                .unwrap_or_else(|error| {
                    tracing::warn!("pauses are not shown: {error}");
                    Vec::new()
                })
        } else {
            Vec::new()
        };
        WatchEvent {
            cursor: event.entry.sequence,
            fact: Some(view::fact(&event.entry)),
            upgrade: Some(view::of(&event.state, event.started_ms, &pauses)),
        }
    }
}
