//! The sweep: what time alone moves on. Runs in every replica; each thing it does is idempotent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bus::{AppendError, Bucket, Log, PutError, Unavailable, WindowSettings, circuit};
use job::{Body, State, UpgradeId};
use tokio_util::sync::CancellationToken;

use crate::announcement;
use crate::archive::{self, Summary};
use crate::gate::{Answer, Gate};
use crate::projection::Projection;
use crate::slack::Slack;
use crate::view;

/// An open upgrade that says nothing for so long is brought back to its owner.
const SILENCE: Duration = Duration::from_secs(3_600);
/// What was aborted for a passing reason is tried again after these times, one per attempt.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(3_600),
    Duration::from_secs(6 * 3_600),
    Duration::from_secs(24 * 3_600),
];

/// So many are archived in one sweep.
const ARCHIVED: usize = 100;
/// What is stuck is called out again this often.
const REMIND: Duration = Duration::from_secs(3_600);

/// What the sweep works with.
pub(crate) struct Sweep {
    /// The log.
    pub(crate) log: Arc<dyn Log>,
    /// What is known of all upgrades.
    pub(crate) projection: Projection,
    /// The way in, for what is tried again.
    pub(crate) gate: Arc<Gate>,
    /// Where people are reminded of what is stuck.
    pub(crate) slack: Option<Arc<Slack>>,
    /// The repository whose window is looked at.
    pub(crate) repository: String,
    /// The rate window.
    pub(crate) window: WindowSettings,
    /// How often.
    pub(crate) every: Duration,
    /// An upgrade that is over for so long is archived.
    pub(crate) archive_after: Duration,
}

impl Sweep {
    /// Sweeps until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        while tokio::time::timeout(self.every, stop.cancelled())
            .await
            .is_err()
        {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.once() => {}
            }
        }
    }

    async fn once(&self) {
        if let Err(error) = bus::admit(self.log.as_ref(), &self.repository, self.window, None).await
        {
            tracing::warn!("failed to look at the rate window: {error}");
        }
        let now_ms = self.log.now_ms();
        self.nudge_the_silent(now_ms).await;
        if let Some(slack) = &self.slack {
            for (state, stuck_ms) in self.projection.stuck() {
                if now_ms.saturating_sub(stuck_ms) >= millis(REMIND) {
                    self.remind(slack, &state).await;
                }
            }
        }
        if let Err(error) = self.tell_of_circuits().await {
            tracing::warn!("failed to look at the circuits: {error}");
        }
        for (state, ended_ms) in self.projection.aborted() {
            let Some(pause) = pause_before_next(&state) else {
                continue;
            };
            if now_ms.saturating_sub(ended_ms) >= millis(pause)
                && let Answer::Unavailable { reason } =
                    self.gate.again(&state.id, &state.request).await
            {
                tracing::warn!(upgrade.id = %state.id, "not tried again yet: {reason}");
            }
        }
        self.tidy_up(now_ms).await;
    }

    /// Brings back what says nothing. Who waits for a pause to end is silent for a reason.
    async fn nudge_the_silent(&self, now_ms: i64) {
        let silent = self
            .projection
            .silent(now_ms.saturating_sub(millis(SILENCE)));
        if silent.is_empty() {
            return;
        }
        let pauses = match bus::pauses(self.log.as_ref()).await {
            Ok(pauses) => pauses,
            Err(error) => {
                tracing::warn!("nobody is nudged, because pauses cannot be read: {error}");
                return;
            }
        };
        for state in silent {
            if view::pause(&state, &pauses).is_none() {
                self.nudge(&state.id).await;
            }
        }
    }

    /// Archives what is over for long, a few at a time.
    async fn tidy_up(&self, now_ms: i64) {
        let after_ms = millis(self.archive_after);
        let tried_again: HashSet<UpgradeId> = self
            .projection
            .aborted()
            .into_iter()
            .filter(|(state, _)| pause_before_next(state).is_some())
            .map(|(state, _)| state.id)
            .collect();
        let may_go = |state: &State| {
            archive::may_go(state, tried_again.contains(&state.id), now_ms, after_ms)
        };
        for state in self.projection.states(may_go).into_iter().take(ARCHIVED) {
            if let Err(error) = self.archive(&state.id, may_go).await {
                tracing::warn!(upgrade.id = %state.id, "archived later: {error}");
                return;
            }
        }
    }

    /// Keeps the summary, lets the facts go, and forgets the upgrade. Safe to repeat.
    async fn archive(
        &self,
        id: &UpgradeId,
        may_go: impl Fn(&State) -> bool,
    ) -> Result<(), Unavailable> {
        // The log says whether something was added to it that is not known here yet.
        match self.log.read(id).await? {
            Some(history) if may_go(&history.state) => {
                let Some(summary) = Summary::of(&history) else {
                    return Ok(());
                };
                let bytes = serde_json::to_vec(&summary).map_err(|error| {
                    Unavailable::because(format!("the summary of {id} cannot be written"), error)
                })?;
                self.log.archive(id, &bytes).await?;
                tracing::info!(upgrade.id = %id, "archived");
            }
            Some(_) => return Ok(()),
            // Another replica was faster.
            None if self.log.archived(id).await?.is_some() => {}
            None => return Ok(()),
        }
        self.projection.forget(id);
        Ok(())
    }

    /// Calls out again what is stuck. Whichever replica takes the hour's mark does it; a mark that
    /// outlives its process costs one reminder of many.
    async fn remind(&self, slack: &Slack, state: &State) {
        let why = Body::Stuck(state.outcome.clone());
        let Some(text) = announcement::text(state, &why) else {
            return;
        };
        let key = format!("reminded/{}", state.id);
        let marked = self
            .log
            .put_expiring(Bucket::Cache, &key, 0, b"1", REMIND)
            .await;
        let revision = match marked {
            Ok(revision) => revision,
            Err(PutError::Conflict) => return,
            Err(PutError::Unavailable(error)) => {
                tracing::warn!(upgrade.id = %state.id, "failed to mark a reminder: {error}");
                return;
            }
        };
        if let Err(error) = slack.send(&format!("{text}, again")).await {
            tracing::warn!(upgrade.id = %state.id, "reminded later: {error}");
            if let Err(error) = self.log.delete(Bucket::Cache, &key, revision).await {
                tracing::warn!(upgrade.id = %state.id, "failed to unmark a reminder: {error}");
            }
        }
    }

    /// Calls a person when nothing starts in a cluster any more. Whichever replica takes the mark
    /// does it; a mark that outlives its process is taken again later.
    async fn tell_of_circuits(&self) -> Result<(), Unavailable> {
        let log = self.log.as_ref();
        for tripped in circuit::untold(log).await? {
            let Some(slack) = &self.slack else {
                tracing::error!("{}", announcement::circuit(&tripped));
                circuit::told(log, &tripped.cluster).await?;
                continue;
            };
            let key = format!("circuit/{}", job::key(&[&tripped.cluster]));
            let revision = match log.put_expiring(Bucket::Cache, &key, 0, b"1", REMIND).await {
                Ok(revision) => revision,
                Err(PutError::Conflict) => continue,
                Err(PutError::Unavailable(error)) => return Err(error),
            };
            // Another replica may have told of it just before the mark was free.
            if circuit::untold(log).await?.contains(&tripped) {
                match slack.send(&announcement::circuit(&tripped)).await {
                    Ok(()) => circuit::told(log, &tripped.cluster).await?,
                    Err(error) => tracing::warn!("told of the circuit later: {error}"),
                }
            }
            // The mark has done its part: the record says whether people were told.
            if let Err(error) = log.delete(Bucket::Cache, &key, revision).await {
                tracing::warn!("failed to unmark a circuit: {error}");
            }
        }
        Ok(())
    }

    async fn nudge(&self, id: &UpgradeId) {
        let history = match self.log.read(id).await {
            Ok(Some(history)) => history,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(upgrade.id = %id, "failed to read: {error}");
                return;
            }
        };
        match self.log.append(id, Some(&history), Body::Nudged).await {
            // It moved on by itself, or needs no nudge any more.
            Ok(_) | Err(AppendError::Conflict | AppendError::Illegal(_)) => {}
            Err(AppendError::Unavailable(error)) => {
                tracing::warn!(upgrade.id = %id, "failed to nudge: {error}");
            }
        }
    }
}

/// How long after its end an aborted attempt is followed by the next; none after the last.
fn pause_before_next(state: &State) -> Option<Duration> {
    let attempt = usize::try_from(state.request.attempt).unwrap_or(usize::MAX);
    AGAIN.get(attempt.saturating_sub(1)).copied()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use bus::{Clock, JetStream};
    use job::{Owner, Phase, Request, Source, Transience};
    use testkit::nats::NatsServer;
    use tokio::task::JoinSet;

    use super::*;
    use crate::filter::Filter;
    use crate::projection;
    use crate::wish::sample::plan;

    const MINUTE: Duration = Duration::from_secs(60);
    const LIMIT: Duration = Duration::from_secs(20);

    /// A clock that only moves by hand.
    struct Still(AtomicI64);

    impl Clock for Still {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
    }

    struct Swept {
        sweep: Sweep,
        clock: Arc<Still>,
        slack: testkit::slack::Slack,
        _projection: JoinSet<()>,
        _nats: NatsServer,
    }

    impl Swept {
        async fn start() -> Swept {
            runtime::tls::install();
            let (nats, slack) = (
                NatsServer::start().await.unwrap(),
                testkit::slack::Slack::start().unwrap(),
            );
            let clock = Arc::new(Still(AtomicI64::new(1_000_000)));
            let settings = bus::Settings {
                clock: Arc::<Still>::clone(&clock),
                ..bus::Settings::new("test")
            };
            let log = JetStream::connect(&nats.url(), settings).await.unwrap();
            log.set_up().await.unwrap();
            let log: Arc<dyn Log> = Arc::new(log);
            let filter = Filter {
                statuses: Vec::new(),
                skip_images: Vec::new(),
            };
            let gate = Gate::new(
                Arc::clone(&log),
                "test".to_owned(),
                "acme/infra".to_owned(),
                filter,
                LIMIT,
            );
            let projection = Projection::default();
            let mut tasks = JoinSet::new();
            tasks.spawn(projection::run(
                Arc::clone(&log),
                projection.clone(),
                CancellationToken::new(),
            ));
            let url = runtime::Secret::new(slack.url());
            let sweep = Sweep {
                log,
                projection,
                gate: Arc::new(gate),
                slack: Some(Arc::new(Slack::new(url, LIMIT).unwrap())),
                repository: "acme/infra".to_owned(),
                window: WindowSettings {
                    max: 5,
                    length: MINUTE,
                },
                every: MINUTE,
                archive_after: MINUTE * 60 * 24 * 365,
            };
            Swept {
                sweep,
                clock,
                slack,
                _projection: tasks,
                _nats: nats,
            }
        }

        /// Sweeps when so much time has passed.
        async fn after(&self, time: Duration) {
            self.clock.0.fetch_add(millis(time), Ordering::SeqCst);
            self.sweep.once().await;
        }

        /// The first attempt, opened.
        async fn open(&self) -> UpgradeId {
            let id = attempt(1);
            let requested = Body::Requested(requested());
            self.sweep.log.append(&id, None, requested).await.unwrap();
            id
        }

        /// Appends and waits until the projection has it.
        async fn tell(&self, id: &UpgradeId, facts: impl IntoIterator<Item = Body>) {
            let log = &self.sweep.log;
            let mut history = log.read(id).await.unwrap().unwrap();
            for fact in facts {
                history = log.append(id, Some(&history), fact).await.unwrap();
            }
            let known = async {
                while self
                    .sweep
                    .projection
                    .get(id)
                    .map_or(0, |known| known.state.facts)
                    < history.state.facts
                {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(LIMIT, known).await.unwrap();
        }

        async fn exists(&self, id: &UpgradeId) -> bool {
            self.sweep.log.read(id).await.unwrap().is_some()
        }
    }

    fn requested() -> Request {
        Request {
            repository: "acme/infra".to_owned(),
            image: "docker.io/a/b".to_owned(),
            tag: "1.0.1".to_owned(),
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
        }
    }

    fn attempt(number: u32) -> UpgradeId {
        UpgradeId::derive("test", "acme/infra", "docker.io/a/b", "1.0.1", number)
    }

    #[tokio::test]
    async fn what_was_aborted_in_passing_is_tried_again_after_longer_and_longer_pauses() {
        let swept = Swept::start().await;
        swept.open().await;
        for (number, hours) in [(1, 1), (2, 6), (3, 24)] {
            let aborted = Body::Aborted {
                at: String::new(),
                why: "the git host is away".to_owned(),
                transience: Transience::Transient,
            };
            swept.tell(&attempt(number), [aborted]).await;
            swept.after(MINUTE * (hours * 60 - 1)).await;
            assert!(!swept.exists(&attempt(number + 1)).await, "{number}");
            swept.after(MINUTE).await;
            assert!(swept.exists(&attempt(number + 1)).await, "{number}");
        }
        let aborted = Body::Aborted {
            at: String::new(),
            why: "the git host is away".to_owned(),
            transience: Transience::Transient,
        };
        swept.tell(&attempt(4), [aborted]).await;
        swept.after(MINUTE * 60 * 1_000).await;
        assert!(
            !swept.exists(&attempt(5)).await,
            "three more tries are enough"
        );
        let last = swept.sweep.log.read(&attempt(4)).await.unwrap().unwrap();
        let request = last.state.request;
        assert_eq!(request.retry_of, Some(attempt(3).to_string()));
        assert_eq!(request.source, Source::Bowline);
    }

    #[tokio::test]
    async fn an_hour_of_silence_is_ended_by_a_nudge_to_the_owner() {
        let swept = Swept::start().await;
        let id = swept.open().await;
        swept.tell(&id, [Body::Admitted]).await;
        swept.after(MINUTE * 60).await;
        let facts = |history: &bus::History| history.entries.len();
        let history = swept.sweep.log.read(&id).await.unwrap().unwrap();
        assert_eq!(facts(&history), 2);
        swept.after(MINUTE).await;
        let history = swept.sweep.log.read(&id).await.unwrap().unwrap();
        let last = history.entries.last().unwrap();
        assert_eq!(
            (last.fact.body.name(), last.next),
            ("nudged", Owner::Analyzer)
        );
        assert_eq!(history.state.phase, Phase::Admitted);
    }

    #[tokio::test]
    async fn who_waits_for_a_pause_to_end_is_silent_for_a_reason() {
        let swept = Swept::start().await;
        let id = swept.open().await;
        swept
            .tell(&id, [Body::Admitted, Body::Planned(plan())])
            .await;
        let log = &swept.sweep.log;
        let pause = bus::Pause {
            scope: bus::Scope::All,
            by: "alice".to_owned(),
            why: String::new(),
            at_ms: 1,
        };
        bus::pause(log.as_ref(), &pause).await.unwrap();
        swept.after(MINUTE * 61).await;
        let facts = async || log.read(&id).await.unwrap().unwrap().entries.len();
        assert_eq!(facts().await, 3);
        bus::resume(log.as_ref(), &pause.scope).await.unwrap();
        swept.after(MINUTE).await;
        assert_eq!(facts().await, 4, "a nudge");
    }

    #[tokio::test]
    async fn only_what_is_over_for_good_is_archived() {
        let swept = Swept::start().await;
        let year = MINUTE * 60 * 24 * 365;
        let end = |transience| Body::Aborted {
            at: String::new(),
            why: "the git host is away".to_owned(),
            transience,
        };
        let id = swept.open().await;
        swept.tell(&id, [end(Transience::Transient)]).await;
        // It is tried again, so its facts stay until the next attempt has come.
        let log = &swept.sweep.log;
        let gone = async |id: &UpgradeId| log.archived(id).await.unwrap().is_some();
        swept.sweep.tidy_up(log.now_ms() + millis(year)).await;
        assert!(!gone(&id).await);
        swept.after(MINUTE * 60).await;
        let second = attempt(2);
        swept.tell(&second, [end(Transience::Lasting)]).await;
        swept.after(year - MINUTE).await;
        assert!(gone(&id).await && !gone(&second).await);
        swept.after(MINUTE).await;
        assert!(gone(&second).await);
        assert!(!swept.exists(&id).await && !swept.exists(&second).await);
        let known = swept.sweep.projection.get(&second);
        assert!(known.is_none(), "{known:?}");
        // What is gone still says what it was.
        let decided = crate::accept::accept(log.as_ref(), "test", &requested(), None).await;
        assert!(
            matches!(decided, Ok(crate::accept::Decision::Refused(ref id, _)) if *id == second),
            "{decided:?}"
        );
    }

    #[tokio::test]
    async fn what_is_stuck_is_called_out_again_once_an_hour() {
        let swept = Swept::start().await;
        let id = swept.open().await;
        let state = State {
            phase: Phase::Stuck,
            outcome: "not applied".to_owned(),
            ..swept.sweep.log.read(&id).await.unwrap().unwrap().state
        };
        swept.slack.fail_next(500, "rollup_error", 1);
        let slack = swept.sweep.slack.as_ref().unwrap();
        // What fails is sent by the next sweep; within the hour nobody sends it again.
        for _ in 0..4 {
            swept.sweep.remind(slack, &state).await;
        }
        let told = swept.slack.drain();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("CRITICAL") && told[0].ends_with("fact 1, again"));
        assert_eq!(swept.slack.requests(), 2);
    }
}
