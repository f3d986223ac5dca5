//! The announcer: every fact that people are told of, in order, at least once.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Followed, History, Log, Unavailable};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::announcement;
use crate::metrics;
use crate::slack::{Slack, SlackError};

/// A follower that failed looks again after this.
const PAUSE: Duration = Duration::from_secs(1);
/// A fact that the log does not show yet is looked for again after this; doubled each time.
const BEHIND: Duration = Duration::from_millis(10);

/// Where announcements go.
#[async_trait]
trait Channel: Send + Sync {
    /// Sends one message.
    async fn send(&self, text: &str) -> Result<(), SlackError>;
}

#[async_trait]
impl Channel for Slack {
    async fn send(&self, text: &str) -> Result<(), SlackError> {
        Slack::send(self, text).await
    }
}

/// Announces until `stop`.
pub(crate) async fn run(log: Arc<dyn Log>, slack: Option<Arc<Slack>>, stop: CancellationToken) {
    match slack {
        Some(slack) => announcing(log.as_ref(), slack.as_ref(), stop).await,
        None => tracing::warn!("no Slack webhook is configured: nothing is announced"),
    }
}

async fn announcing(log: &dyn Log, channel: &dyn Channel, stop: CancellationToken) {
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
                announce(log, channel, &followed, &stop).await;
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

/// Sends one fact's text, however long log and Slack take; acknowledges when it is through.
async fn announce(
    log: &dyn Log,
    channel: &dyn Channel,
    followed: &Followed,
    stop: &CancellationToken,
) {
    let told = async {
        let Some(history) = led_to(log, followed).await else {
            return;
        };
        if let Some(text) = text_of(&history, followed) {
            let span = tracing::info_span!("announce", upgrade.id = %followed.id);
            bus::trace::join(&span, &history, followed.entry.n);
            let delivered = deliver(log, channel, followed, &text);
            delivered.instrument(span).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {
            // So that another replica, or the next start, need not wait for it.
            if let Err(error) = followed.handle.nak(Duration::ZERO).await {
                tracing::debug!("failed to hand back an announcement: {error}");
            }
            return;
        }
        // While log or Slack make us wait, no other replica may take the fact for abandoned.
        never = alive(followed, log.settings().progress) => never,
        () = told => {}
    }
    if let Err(error) = followed.handle.ack().await {
        tracing::warn!(upgrade.id = %followed.id, "an announcement may come twice: {error}");
    }
}

/// The log with the fact in it, however long it takes to be seen there; none if the upgrade is
/// archived, and so long past telling.
async fn led_to(log: &dyn Log, followed: &Followed) -> Option<History> {
    let (mut pause, longest) = (BEHIND, log.settings().retry_cap);
    loop {
        match look(log, followed).await {
            Ok(ControlFlow::Break(found)) => return found,
            Ok(ControlFlow::Continue(())) => {
                tracing::debug!(upgrade.id = %followed.id, "not to be read yet");
            }
            Err(error) => {
                tracing::warn!(upgrade.id = %followed.id, "failed to read: {error}");
            }
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(longest);
    }
}

/// One look for [`led_to`]: goes on if what has answered is behind.
async fn look(
    log: &dyn Log,
    followed: &Followed,
) -> Result<ControlFlow<Option<History>>, Unavailable> {
    Ok(match log.read(&followed.id).await? {
        Some(history) if history.sequence() >= followed.entry.sequence => {
            ControlFlow::Break(Some(history))
        }
        None if log.archived(&followed.id).await?.is_some() => ControlFlow::Break(None),
        Some(_) | None => ControlFlow::Continue(()),
    })
}

/// Sends until it is through, or will never be.
async fn deliver(log: &dyn Log, channel: &dyn Channel, followed: &Followed, text: &str) {
    let (mut pause, longest) = (log.settings().retry_first, log.settings().retry_cap);
    loop {
        match channel.send(text).await {
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
    ticks.tick().await;
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bus::{Memory, Rates, VirtualClock};
    use job::{Body, Request, Source, UpgradeId};
    use tokio::time::{sleep, timeout};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    /// Remembers what was said.
    #[derive(Default)]
    struct Said(Mutex<Vec<String>>);

    #[async_trait]
    impl Channel for Said {
        async fn send(&self, text: &str) -> Result<(), SlackError> {
            self.0.lock().unwrap().push(text.to_owned());
            Ok(())
        }
    }

    impl Said {
        fn facts(&self) -> Vec<String> {
            let said = self.0.lock().unwrap();
            let number = |text: &String| text.rsplit(' ').next().unwrap().to_owned();
            said.iter().map(number).collect()
        }
    }

    fn log() -> Memory {
        let settings = bus::Settings {
            clock: Arc::new(VirtualClock::starting_at(1_790_000_000_000)),
            ..bus::Settings::new("test")
        };
        Memory::new(settings, 1)
    }

    /// Opens an upgrade that is set aside at once, a page, and tried again.
    async fn open(log: &Memory, tag: &str) -> UpgradeId {
        let image = "docker.io/a/b";
        let id = UpgradeId::derive("test", "acme/infra", image, tag, 1);
        let request = Request {
            repository: "acme/infra".to_owned(),
            image: image.to_owned(),
            tag: tag.to_owned(),
            chart: false,
            digest: None,
            status: "new".to_owned(),
            source: Source::Diun,
            hub_link: String::new(),
            attempt: 1,
            retry_of: None,
            lift_fence: false,
            parent: None,
            service: None,
            by: String::new(),
        };
        let by = "ada".to_owned();
        let facts = [
            Body::Requested(request),
            Body::Parked("it kills its process".to_owned()),
            Body::RetryRequested { by },
        ];
        let mut history = None;
        for body in facts {
            history = Some(log.append(&id, history.as_ref(), body).await.unwrap());
        }
        id
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_yet_is_announced_as_soon_as_it_can() {
        let (log, said) = (log(), Said::default());
        open(&log, "1.0.1").await;
        // Some copies know nothing of it, others not the newest facts.
        log.faults().set(Rates {
            stale_reads: 1_000,
            ..Rates::default()
        });
        let caught_up = async {
            sleep(PAUSE).await;
            assert!(!said.facts().contains(&"3".to_owned()), "no copy has it");
            log.faults().end();
            while said.facts().len() < 2 {
                sleep(PAUSE).await;
            }
        };
        let told = timeout(2 * LONG, async {
            tokio::select! {
                () = announcing(&log, &said, CancellationToken::new()) => {}
                () = caught_up => {}
            }
        });
        told.await.expect("it is told");
        assert_eq!(said.facts(), ["2", "3"]);
        let page = said.0.lock().unwrap()[0].clone();
        assert!(page.contains("*CRITICAL*"), "{page}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_archived_before_it_could_be_told_holds_up_nobody() {
        let (log, said, stop) = (log(), Said::default(), CancellationToken::new());
        let id = open(&log, "1.0.1").await;
        let mut follow = log.follow(Some(bus::ANNOUNCER)).await.unwrap();
        let followed = follow.next().await.unwrap();
        log.archive(&id, b"{}").await.unwrap();
        let announced = timeout(LONG, announce(&log, &said, &followed, &stop));
        announced.await.expect("the next one has its turn");
        assert_eq!(said.facts(), [""; 0]);
    }
}
