//! What every upgrade is at, kept in memory from the log; each replica has its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Entry, Log};
use job::{Phase, State, UpgradeId};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metrics;

/// A follower that failed looks again after this.
const PAUSE: Duration = Duration::from_secs(1);
/// A log that says nothing for so long has told all: what cannot be read here does not count.
const QUIET: Duration = Duration::from_secs(10);

/// One upgrade with its facts.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Its facts, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// What they fold to.
    pub(crate) state: State,
}

/// One fact with the upgrade it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// The fact.
    pub(crate) entry: Entry,
    /// When the upgrade was asked for.
    pub(crate) started_ms: i64,
    /// The upgrade after the fact.
    pub(crate) state: State,
    /// Whether nothing has followed it yet.
    pub(crate) newest: bool,
}

#[derive(Default)]
struct All {
    upgrades: HashMap<UpgradeId, Known>,
    /// Whose fact each place of the log holds, and its number there.
    order: BTreeMap<u64, (UpgradeId, u64)>,
}

/// How far the projection has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Progress {
    /// The place of the newest fact in it.
    last: u64,
    /// It has what the log held when it began.
    caught_up: bool,
}

/// All upgrades.
#[derive(Clone)]
pub(crate) struct Projection {
    all: Arc<Mutex<All>>,
    progress: Arc<watch::Sender<Progress>>,
}

impl Default for Projection {
    fn default() -> Projection {
        Projection {
            all: Arc::default(),
            progress: Arc::new(watch::Sender::new(Progress::default())),
        }
    }
}

impl Projection {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has what the log held when it began; whether it has within `limit`.
    pub(crate) async fn caught_up(&self, limit: Duration) -> bool {
        let mut progress = self.progress.subscribe();
        let ready = progress.wait_for(|progress| progress.caught_up);
        matches!(timeout(limit, ready).await, Ok(Ok(_)))
    }

    /// The place of the newest fact in it.
    pub(crate) fn last(&self) -> u64 {
        self.progress.borrow().last
    }

    /// The first fact behind the place `after`, of one upgrade or of all; none if there is none yet.
    /// `before` is a state that may be the one that this fact follows, which saves folding it.
    pub(crate) fn event(
        &self,
        after: u64,
        of: Option<&UpgradeId>,
        before: Option<&State>,
    ) -> Option<Event> {
        let all = self.all();
        let (id, n) = match of {
            None => all.order.range(after + 1..).next()?.1.clone(),
            Some(id) => {
                let known = all.upgrades.get(id)?;
                let entries = &known.entries;
                let at = entries.partition_point(|entry| entry.sequence <= after);
                (id.clone(), entries.get(at)?.n)
            }
        };
        let known = all.upgrades.get(&id)?;
        let newest = known.state.facts == n;
        let count = usize::try_from(n).ok()?;
        let entries = known.entries.get(..count)?;
        let entry = entries.last()?;
        let before = before.filter(|before| before.id == id && before.facts + 1 == n);
        let state = if newest {
            known.state.clone()
        } else if before.is_some() {
            job::step(&id, before, &entry.fact).ok()?.state
        } else {
            job::fold(&id, entries.iter().map(|entry| &entry.fact)).ok()??
        };
        Some(Event {
            entry: entry.clone(),
            started_ms: began(known),
            state,
            newest,
        })
    }

    /// Waits until there is something behind the place `after`. Cancel-safe.
    pub(crate) async fn beyond(&self, after: u64) {
        let mut progress = self.progress.subscribe();
        // An error says that the projection is gone, and so are we then.
        let _progress = progress.wait_for(|progress| progress.last > after).await;
    }

    /// The one upgrade whose id begins so.
    ///
    /// # Errors
    /// How many fit, if not exactly one.
    pub(crate) fn find(&self, prefix: &str) -> Result<UpgradeId, usize> {
        let all = self.all();
        let mut fitting = all
            .upgrades
            .keys()
            .filter(|id| id.as_str().starts_with(prefix));
        match (fitting.next(), fitting.count()) {
            (Some(id), 0) => Ok(id.clone()),
            (None, _) => Err(0),
            (Some(_), more) => Err(more + 1),
        }
    }

    /// One upgrade.
    pub(crate) fn get(&self, id: &UpgradeId) -> Option<Known> {
        self.all().upgrades.get(id).cloned()
    }

    /// Upgrades that fit, the newest first, with the place of their first fact and its time; from
    /// before the place `before`, at most `limit`.
    pub(crate) fn newest(
        &self,
        before: u64,
        limit: usize,
        fits: impl Fn(&State, i64) -> bool,
    ) -> Vec<(u64, i64, State)> {
        let all = self.all();
        all.order
            .range(..before)
            .rev()
            .filter(|(_, (_, n))| *n == 1)
            .filter_map(|(place, (id, _))| Some((place, all.upgrades.get(id)?)))
            .map(|(place, known)| (*place, began(known), &known.state))
            .filter(|(_, began, state)| fits(state, *began))
            .take(limit)
            .map(|(place, began, state)| (place, began, state.clone()))
            .collect()
    }

    /// The upgrades that fit.
    pub(crate) fn states(&self, fits: impl Fn(&State) -> bool) -> Vec<State> {
        let all = self.all();
        let states = all.upgrades.values().map(|known| &known.state);
        states.filter(|state| fits(state)).cloned().collect()
    }

    /// Whether there is an upgrade that fits.
    pub(crate) fn any(&self, fits: impl Fn(&State) -> bool) -> bool {
        let all = self.all();
        all.upgrades.values().any(|known| fits(&known.state))
    }

    /// Forgets an upgrade whose facts are gone.
    pub(crate) fn forget(&self, id: &UpgradeId) {
        let mut all = self.all();
        if let Some(known) = all.upgrades.remove(id) {
            for entry in known.entries {
                all.order.remove(&entry.sequence);
            }
        }
    }

    /// Upgrades that are open and have an owner, silent since before `before_ms`.
    #[must_use]
    pub(crate) fn silent(&self, before_ms: i64) -> Vec<State> {
        let all = self.all();
        let mut silent: Vec<State> = all
            .upgrades
            .values()
            .filter(|known| known.state.next() != job::Owner::None)
            .filter(|known| last(known) < before_ms)
            .map(|known| known.state.clone())
            .collect();
        silent.sort_by(|left, right| left.id.cmp(&right.id));
        silent
    }

    /// Upgrades that were aborted for a passing reason and not tried again since, with the time of
    /// their end.
    #[must_use]
    pub(crate) fn aborted(&self) -> Vec<(State, i64)> {
        let all = self.all();
        let mut newest = HashMap::new();
        for known in all.upgrades.values() {
            let request = &known.state.request;
            let attempts = newest
                .entry((
                    &request.repository,
                    &request.image,
                    &request.tag,
                    &request.parent,
                    &request.service,
                ))
                .or_insert(known);
            if attempts.state.request.attempt < request.attempt {
                *attempts = known;
            }
        }
        let mut aborted: Vec<(State, i64)> = newest
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
            .collect();
        aborted.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        aborted
    }

    /// Upgrades that are stuck, with the time since when.
    #[must_use]
    pub(crate) fn stuck(&self) -> Vec<(State, i64)> {
        let all = self.all();
        all.upgrades
            .values()
            .filter(|known| known.state.phase == Phase::Stuck)
            .map(|known| (known.state.clone(), last(known)))
            .collect()
    }

    fn learn(&self, id: &UpgradeId, entry: Entry) {
        let mut all = self.all();
        let All { upgrades, order } = &mut *all;
        let state = upgrades.get(id).map(|known| &known.state);
        let n = state.map_or(0, |state| state.facts);
        if entry.n != n + 1 {
            return;
        }
        match job::step(id, state, &entry.fact) {
            Ok(step) => {
                metrics::moved(state, &step.state);
                let place = entry.sequence;
                order.insert(place, (id.clone(), entry.n));
                let known = upgrades.entry(id.clone()).or_insert_with(|| Known {
                    entries: Vec::new(),
                    state: step.state.clone(),
                });
                known.state = step.state;
                known.entries.push(entry);
                drop(all);
                self.progress
                    .send_modify(|progress| progress.last = progress.last.max(place));
            }
            Err(illegal) => tracing::error!(upgrade.id = %id, "the log does not fold: {illegal}"),
        }
    }

    fn has_caught_up(&self) {
        self.progress
            .send_if_modified(|progress| !std::mem::replace(&mut progress.caught_up, true));
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
                None => {
                    let follow = log.follow(None).await?;
                    if follow.backlog() == 0 {
                        projection.has_caught_up();
                    }
                    open.insert(follow)
                }
            };
            if let Ok(followed) = timeout(QUIET, follow.next()).await {
                followed.map(Some)
            } else {
                Ok(None)
            }
        };
        let followed = tokio::select! {
            () = stop.cancelled() => return,
            followed = next => followed,
        };
        match followed {
            Ok(Some(followed)) => {
                projection.learn(&followed.id, followed.entry);
                if followed.pending == 0 {
                    projection.has_caught_up();
                }
            }
            Ok(None) => projection.has_caught_up(),
            Err(error) => {
                // It goes on behind what it has seen.
                tracing::warn!("failed to follow the log: {error}");
                if timeout(PAUSE, stop.cancelled()).await.is_ok() {
                    return;
                }
            }
        }
    }
}
