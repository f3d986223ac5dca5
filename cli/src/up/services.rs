//! The four services as tasks of one process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bus::Log;
use runtime::{Health, Settings};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Ingest,
    Analyzer,
    Executor,
    Verifier,
}

impl Service {
    const ALL: [Service; 4] = [
        Service::Ingest,
        Service::Analyzer,
        Service::Executor,
        Service::Verifier,
    ];

    fn name(self) -> &'static str {
        match self {
            Service::Ingest => "ingest",
            Service::Analyzer => "analyzer",
            Service::Executor => "executor",
            Service::Verifier => "verifier",
        }
    }

    /// Whether it can be missed where nothing is carried out.
    fn only_carries_out(self) -> bool {
        matches!(self, Service::Executor | Service::Verifier)
    }

    /// As the service's own program does it.
    async fn run(
        self,
        settings: &Settings,
        log: Arc<dyn Log>,
        health: Health,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        match self {
            Service::Ingest => Box::pin(ingest::run(settings, log, health, stop)).await,
            Service::Analyzer => Box::pin(analyzer::run(settings, log, stop)).await,
            Service::Executor => Box::pin(executor::run(settings, log, stop)).await,
            Service::Verifier => {
                let config = verifier::Config::from_settings(settings)?;
                Box::pin(verifier::run(config, log, stop)).await
            }
        }
    }
}

/// Runs all services until `stop`. When one fails, the others are stopped, and the error names it.
/// The process is ready when ingest is.
///
/// # Errors
/// One failed, or did not stop within the grace.
pub(super) async fn run(
    settings: Settings,
    log: Arc<dyn Log>,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let missable = !settings.carries_out();
    let grace = settings.grace;
    let settings = Arc::new(settings);
    let mut group = Group::new(stop.clone());
    for service in Service::ALL {
        let (settings, log, stop) = (Arc::clone(&settings), Arc::clone(&log), stop.clone());
        let health = health.clone();
        group.spawn(service.name(), async move {
            let ended = service.run(&settings, log, health, stop.clone()).await;
            match ended {
                Err(error) if missable && service.only_carries_out() => {
                    let name = service.name();
                    tracing::warn!("{name} does not run, which mode `observe` allows: {error:#}");
                    stop.cancelled().await;
                    Ok(())
                }
                ended => ended,
            }
        });
    }
    drop(log);
    group.finish(grace).await
}

/// Named tasks that end together.
struct Group {
    tasks: JoinSet<anyhow::Result<()>>,
    names: BTreeMap<Id, &'static str>,
    stop: CancellationToken,
}

impl Group {
    fn new(stop: CancellationToken) -> Group {
        Group {
            tasks: JoinSet::new(),
            names: BTreeMap::new(),
            stop,
        }
    }

    fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// Waits for the end of all. The first failure stops the others and is returned.
    async fn finish(mut self, grace: Duration) -> anyhow::Result<()> {
        let mut failure = None;
        loop {
            let ended = tokio::select! {
                ended = self.tasks.join_next_with_id() => ended,
                () = overdue(&self.stop, grace) => {
                    let late: Vec<_> = self.names.into_values().collect();
                    let late = anyhow!(
                        "{} did not stop within {grace:?}; what was in hand is done again later",
                        late.join(" and ")
                    );
                    return Err(failure.unwrap_or(late));
                }
            };
            let Some(ended) = ended else {
                return failure.map_or(Ok(()), Err);
            };
            let outcome = self.outcome(ended);
            if outcome.is_err() {
                // Orderly: what the others have in hand is finished.
                self.stop.cancel();
            }
            failure = failure.or_else(|| outcome.err());
        }
    }

    fn outcome(
        &mut self,
        ended: Result<(Id, anyhow::Result<()>), JoinError>,
    ) -> anyhow::Result<()> {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(error).context("it broke down")),
        };
        let name = self.names.remove(&id).unwrap_or("a task");
        match outcome {
            Ok(()) if self.stop.is_cancelled() => Ok(()),
            Ok(()) => Err(anyhow!("{name} ended, though nobody asked it to")),
            Err(error) => Err(error.context(format!("{name} failed"))),
        }
    }
}

async fn overdue(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn obeys(stop: &CancellationToken) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            Ok(())
        }
    }

    async fn ended(group: Group) -> String {
        match group.finish(GRACE).await {
            Ok(()) => "well".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[tokio::test]
    async fn all_end_well_when_they_are_asked() {
        let stop = CancellationToken::new();
        let mut group = Group::new(stop.clone());
        group.spawn("one", obeys(&stop));
        group.spawn("two", obeys(&stop));
        stop.cancel();
        assert_eq!(ended(group).await, "well");
    }

    #[tokio::test]
    async fn a_failure_stops_the_others_and_is_named() {
        let stop = CancellationToken::new();
        let mut group = Group::new(stop.clone());
        group.spawn("one", obeys(&stop));
        group.spawn("two", async { anyhow::bail!("no secret") });
        assert_eq!(ended(group).await, "two failed: no secret");
        assert!(stop.is_cancelled());
    }

    #[tokio::test]
    async fn an_end_that_nobody_asked_for_is_a_failure() {
        let stop = CancellationToken::new();
        let mut group = Group::new(stop.clone());
        group.spawn("one", obeys(&stop));
        group.spawn("two", async { Ok(()) });
        assert_eq!(ended(group).await, "two ended, though nobody asked it to");
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_with_a_name() {
        let mut group = Group::new(CancellationToken::new());
        group.spawn("one", async { panic!("as it should") });
        let outcome = ended(group).await;
        assert!(
            outcome.starts_with("one failed: it broke down"),
            "{outcome}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_stop_is_named_after_the_grace() {
        let stop = CancellationToken::new();
        let mut group = Group::new(stop.clone());
        group.spawn("one", obeys(&stop));
        group.spawn("two", std::future::pending());
        stop.cancel();
        let outcome = ended(group).await;
        assert!(
            outcome.starts_with("two did not stop within 5s"),
            "{outcome}"
        );
    }
}
