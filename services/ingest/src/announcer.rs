//! The announcer: every fact that people are told of, in order, at least once.

use std::sync::Arc;
use std::time::Duration;

use bus::{Followed, History, Log};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::announcement;
use crate::metrics;
use crate::slack::{Slack, SlackError};

/// A follower that failed looks again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// Announces until `stop`.
pub(crate) async fn run(log: Arc<dyn Log>, slack: Option<Arc<Slack>>, stop: CancellationToken) {
    let Some(slack) = slack else {
        tracing::warn!("no Slack webhook is configured: nothing is announced");
        return;
    };
    let mut open = None;
    while !stop.is_cancelled() {
        let follow = match &mut open {
            Some(follow) => follow,
            None => match log.follow(Some(bus::ANNOUNCER)).await {
                Ok(follow) => open.insert(follow),
                Err(error) => {
                    tracing::warn!("failed to follow the log: {error}");
                    paused(&stop, PAUSE).await;
                    continue;
                }
            },
        };
        let followed = tokio::select! {
            () = stop.cancelled() => break,
            followed = follow.next() => followed,
        };
        match followed {
            Ok(followed) => {
                metrics::announcements_pending(followed.pending.saturating_add(1));
                announce(log.as_ref(), &slack, &followed, &stop).await;
                metrics::announcements_pending(followed.pending);
            }
            Err(error) => {
                tracing::warn!("failed to follow the log: {error}");
                paused(&stop, PAUSE).await;
            }
        }
    }
    if let Some(follow) = open {
        follow.close().await;
    }
}

/// Whether it was asked to stop within the pause.
async fn paused(stop: &CancellationToken, pause: Duration) -> bool {
    tokio::time::timeout(pause, stop.cancelled()).await.is_ok()
}

/// Sends one fact's text, however long Slack takes; acknowledges when it is through.
async fn announce(log: &dyn Log, slack: &Slack, followed: &Followed, stop: &CancellationToken) {
    let announced = loop {
        match log.read(&followed.id).await {
            Ok(history) => {
                break history.and_then(|history| Some((text_of(&history, followed)?, history)));
            }
            Err(error) => {
                tracing::warn!(upgrade.id = %followed.id, "failed to read: {error}");
                if paused(stop, PAUSE).await {
                    return;
                }
            }
        }
    };
    if let Some((text, history)) = announced {
        let span = tracing::info_span!("announce", upgrade.id = %followed.id);
        bus::trace::join(&span, &history, followed.entry.n);
        let delivered = deliver(log, slack, followed, &text).instrument(span);
        tokio::select! {
            () = stop.cancelled() => {
                // So that another replica, or the next start, need not wait for it.
                if let Err(error) = followed.handle.nak(Duration::ZERO).await {
                    tracing::debug!("failed to hand back an announcement: {error}");
                }
                return;
            }
            // While Slack makes us wait, no other replica may take the fact for abandoned.
            never = alive(followed, log.settings().progress) => never,
            () = delivered => {}
        }
    }
    if let Err(error) = followed.handle.ack().await {
        tracing::warn!(upgrade.id = %followed.id, "an announcement may come twice: {error}");
    }
}

/// Sends until it is through, or will never be.
async fn deliver(log: &dyn Log, slack: &Slack, followed: &Followed, text: &str) {
    let (mut pause, longest) = (log.settings().retry_first, log.settings().retry_cap);
    loop {
        match slack.send(text).await {
            Ok(()) => {
                metrics::announced("sent");
                return;
            }
            Err(SlackError::Never(why)) => {
                metrics::announced("refused");
                tracing::error!(upgrade.id = %followed.id, "not announced: {why}");
                return;
            }
            Err(SlackError::Later { why, after }) => {
                metrics::announced("put_off");
                tracing::warn!(upgrade.id = %followed.id, "announced later: {why}");
                tokio::time::sleep(after.unwrap_or(pause)).await;
                pause = pause.saturating_mul(2).min(longest);
            }
        }
    }
}

/// Shows signs of life for as long as it is polled.
async fn alive(followed: &Followed, every: Duration) -> ! {
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        followed.handle.progress().await;
    }
}

/// The text of the fact, told from the state that it led to.
fn text_of(history: &History, followed: &Followed) -> Option<String> {
    let facts = history
        .entries
        .iter()
        .take_while(|entry| entry.n <= followed.entry.n)
        .map(|entry| &entry.fact);
    let state = job::fold(&history.id, facts).ok().flatten()?;
    announcement::text(&state, &followed.entry.fact.body)
}
