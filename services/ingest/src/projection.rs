//! What every upgrade is at, kept in memory from the log; each replica has its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Entry, Log};
use job::{Phase, State, UpgradeId};
use tokio_util::sync::CancellationToken;

/// A follower that failed looks again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// One upgrade with its facts.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Its facts, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// What they fold to.
    pub(crate) state: State,
}

/// All upgrades.
#[derive(Clone, Default)]
pub(crate) struct Projection {
    all: Arc<Mutex<HashMap<UpgradeId, Known>>>,
}

impl Projection {
    /// One upgrade; by its id or an unambiguous beginning of it.
    ///
    /// # Errors
    /// How many fit, if not exactly one.
    pub(crate) fn get(&self, id_or_prefix: &str) -> Result<Known, usize> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fitting = all
            .iter()
            .filter(|(id, _)| id.as_str().starts_with(id_or_prefix));
        match (fitting.next(), fitting.count()) {
            (Some((_, known)), 0) => Ok(known.clone()),
            (None, _) => Err(0),
            (Some(_), more) => Err(more + 1),
        }
    }

    /// Every upgrade's state, the newest first.
    #[must_use]
    pub(crate) fn states(&self, include_ended: bool) -> Vec<State> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<(i64, State)> = all
            .values()
            .filter(|known| include_ended || !known.state.phase.is_end())
            .map(|known| (began(known), known.state.clone()))
            .collect();
        drop(all);
        found.sort_by(|(a, left), (b, right)| b.cmp(a).then_with(|| left.id.cmp(&right.id)));
        found.into_iter().map(|(_, state)| state).collect()
    }

    /// Upgrades that are open and have an owner, silent since before `before_ms`.
    #[must_use]
    pub(crate) fn silent(&self, before_ms: i64) -> Vec<UpgradeId> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .filter(|known| known.state.next() != job::Owner::None)
            .filter(|known| last(known) < before_ms)
            .map(|known| known.state.id.clone())
            .collect()
    }

    /// Upgrades that were aborted for a passing reason and not tried again since, with the time of
    /// their end.
    #[must_use]
    pub(crate) fn aborted(&self) -> Vec<(State, i64)> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest: HashMap<(&str, &str, &str), &Known> = HashMap::new();
        for known in all.values() {
            let request = &known.state.request;
            let attempts = newest
                .entry((&request.repository, &request.image, &request.tag))
                .or_insert(known);
            if attempts.state.request.attempt < request.attempt {
                *attempts = known;
            }
        }
        newest
            .into_values()
            .filter(|known| {
                matches!(
                    known.entries.last().map(|entry| &entry.fact.body),
                    Some(job::Body::Aborted {
                        transience: job::Transience::Transient,
                        ..
                    })
                )
            })
            .map(|known| (known.state.clone(), last(known)))
            .collect()
    }

    /// Upgrades that are stuck, with the time since when.
    #[must_use]
    pub(crate) fn stuck(&self) -> Vec<(State, i64)> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .filter(|known| known.state.phase == Phase::Stuck)
            .map(|known| (known.state.clone(), last(known)))
            .collect()
    }

    fn learn(&self, id: &UpgradeId, entry: Entry) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let state = all.get(id).map(|known| &known.state);
        let n = state.map_or(0, |state| state.facts);
        if entry.n != n + 1 {
            return;
        }
        match job::step(id, state, &entry.fact) {
            Ok(step) => {
                let known = all.entry(id.clone()).or_insert_with(|| Known {
                    entries: Vec::new(),
                    state: step.state.clone(),
                });
                known.state = step.state;
                known.entries.push(entry);
            }
            Err(illegal) => tracing::error!(upgrade.id = %id, "the log does not fold: {illegal}"),
        }
    }
}

fn began(known: &Known) -> i64 {
    known.entries.first().map_or(0, |entry| entry.fact.at_ms)
}

fn last(known: &Known) -> i64 {
    known.entries.last().map_or(0, |entry| entry.fact.at_ms)
}

/// Keeps the projection until `stop`.
pub(crate) async fn run(log: Arc<dyn Log>, projection: Projection, stop: CancellationToken) {
    let mut open = None;
    loop {
        let next = async {
            let follow = match &mut open {
                Some(follow) => follow,
                None => open.insert(log.follow(None).await?),
            };
            follow.next().await
        };
        let followed = tokio::select! {
            () = stop.cancelled() => return,
            followed = next => followed,
        };
        match followed {
            Ok(followed) => projection.learn(&followed.id, followed.entry),
            Err(error) => {
                // It goes on behind what it has seen.
                tracing::warn!("failed to follow the log: {error}");
                if tokio::time::timeout(PAUSE, stop.cancelled()).await.is_ok() {
                    return;
                }
            }
        }
    }
}
