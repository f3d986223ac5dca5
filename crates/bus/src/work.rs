use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use job::{Body, Command, Owner, Phase, UpgradeId};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::fault;
use crate::hands::Hands;
use crate::metrics::Nak;
use crate::suspects::Suspects;
use crate::trouble::Trouble;
use crate::{AppendError, Delivery, History, Inbox, Log, Settings, Unavailable, metrics, trace};

/// How long a delivery waits for the one before it of the same upgrade.
const SAME_UPGRADE: Duration = Duration::from_millis(100);
/// The first pause before a read that is behind is repeated; doubled each time.
const BEHIND: Duration = Duration::from_millis(5);
const BEHIND_READS: usize = 6;
/// How often an append is tried while the driver stays the last fact.
const APPENDS: usize = 5;
/// An answer that may not follow is given so often in one state before a person is called: it comes
/// from what the service sees, and that may change.
const ILLEGAL_ANSWERS: u32 = 5;
/// A log may not outgrow one read (1,024 facts): from here on it is set aside between steps,
const PARK_BETWEEN_STEPS: usize = 900;
/// and from here on anywhere.
const PARK_ANYWHERE: usize = 1_000;

/// What came of a command.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "outcomes are few and short-lived"
)]
pub enum Outcome {
    /// This is the answer: append it.
    Append(Body),
    /// The answer is in the log already.
    Appended,
    /// Nothing to say yet: look again after so long. No worker is held meanwhile.
    Wait(Duration),
    /// The same, and people may want to know why; no failure, as it is known when to look again.
    Delayed {
        /// So long.
        pause: Duration,
        /// What it is delayed by.
        why: String,
    },
}

/// Why a command was not carried out; it is tried again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct WorkError {
    /// When it can succeed at the earliest, if that is known.
    pub retry_after: Option<Duration>,
    /// What was tried and why it failed, for the log.
    pub message: String,
}

impl From<Unavailable> for WorkError {
    fn from(error: Unavailable) -> WorkError {
        WorkError {
            retry_after: None,
            message: chain(&error),
        }
    }
}

/// What an owner does.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// Carries out the command that the history leads to, or sees that it was carried out before.
    ///
    /// May be called twice with the same history, also at the same time in two processes.
    async fn carry_out(&self, history: &History, command: Command) -> Result<Outcome, WorkError>;
}

/// Carries on everything that is addressed to `owner`, with at most `workers` commands at a time.
///
/// Returns when `stop` is cancelled and what was in hand is finished.
pub async fn run_owner(
    log: Arc<dyn Log>,
    owner: Owner,
    workers: usize,
    work: Arc<dyn Work>,
    stop: CancellationToken,
) {
    let suspects = Suspects::open(log.settings().in_hand.as_deref(), owner);
    metrics::serves(owner);
    let counting = count_backlog(Arc::clone(&log), owner);
    let shared = Arc::new(Shared {
        log,
        owner,
        work,
        hands: Hands::default(),
        failures: Failures::default(),
        illegal: Failures::default(),
        latest: Latest::default(),
        suspects,
    });
    tokio::select! {
        () = receive(&shared, workers, &stop) => {}
        never = counting => never,
    }
}

/// Tells `/metrics` what the owner has before it, for as long as it is polled.
async fn count_backlog(log: Arc<dyn Log>, owner: Owner) -> ! {
    let mut ticks = interval(log.settings().backlog_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match log.backlog(owner).await {
            Ok(Some(backlog)) => {
                metrics::waiting(owner, backlog.undelivered, backlog.unanswered);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(error = chain(&error), "the backlog is unknown"),
        }
    }
}

/// Opens the inbox again and again; returns when what was in hand at the stop is finished.
async fn receive(shared: &Arc<Shared>, workers: usize, stop: &CancellationToken) {
    let owner = shared.owner;
    let mut tasks = JoinSet::new();
    let mut failed = 0;
    while !stop.is_cancelled() {
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            opened = shared.log.inbox(owner) => opened,
        };
        let error = match opened {
            Ok(mut inbox) => {
                let ended = serve(shared, &mut *inbox, workers.max(1), &mut tasks, stop).await;
                inbox.close().await;
                match ended {
                    Ended::Stopped => break,
                    Ended::Lost { served, error } => {
                        if served {
                            failed = 0;
                        }
                        error
                    }
                }
            }
            Err(error) => error,
        };
        failed += 1;
        tracing::warn!(
            owner = owner.as_str(),
            error = chain(&error),
            "the inbox is lost"
        );
        let pause = backoff(shared.log.settings(), failed);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = sleep(pause) => {}
        }
    }
    while let Some(ended) = tasks.join_next().await {
        seen(ended);
    }
}

enum Ended {
    Stopped,
    Lost { served: bool, error: Unavailable },
}

async fn serve(
    shared: &Arc<Shared>,
    inbox: &mut dyn Inbox,
    workers: usize,
    tasks: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> Ended {
    let mut served = false;
    loop {
        let free = workers.saturating_sub(tasks.len());
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ended::Stopped,
            Some(ended) = tasks.join_next() => seen(ended),
            delivered = inbox.next(free), if free > 0 => match delivered {
                Ok(delivery) => {
                    served = true;
                    let shared = Arc::clone(shared);
                    // Named as in `trace::DELIVERY`.
                    let span = tracing::info_span!(
                        "delivery", owner = shared.owner.as_str(), upgrade.id = %delivery.id,
                        fact.n = delivery.n,
                    );
                    trace::adopt(&span, delivery.traceparent.as_deref());
                    tasks.spawn(async move { shared.handle(&delivery).await }.instrument(span));
                }
                Err(error) => return Ended::Lost { served, error },
            },
        }
    }
}

fn seen(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        // Not acknowledged: it comes again after `ack_wait`.
        tracing::error!(%error, "a command died");
    }
}

struct Shared {
    log: Arc<dyn Log>,
    owner: Owner,
    work: Arc<dyn Work>,
    hands: Hands,
    failures: Failures,
    /// Only of answers that may not follow.
    illegal: Failures,
    latest: Latest,
    suspects: Suspects,
}

/// How a delivery is answered.
enum Answer {
    Ack,
    Nak {
        pause: Duration,
        reason: Nak,
        /// What keeps it from going on, for people.
        why: Option<String>,
    },
}

impl Answer {
    fn nak(pause: Duration, reason: Nak) -> Answer {
        let why = None;
        Answer::Nak { pause, reason, why }
    }
}

impl Shared {
    async fn handle(&self, delivery: &Delivery) {
        metrics::delivered(self.owner);
        let answer = match self.hands.take(&delivery.id, SAME_UPGRADE).await {
            Some(_in_hand) => self.answer(delivery).await,
            None => Answer::nak(self.log.settings().retry_first, Nak::Busy),
        };
        let answered = match answer {
            Answer::Ack => {
                self.failures.forget(delivery);
                self.illegal.forget(delivery);
                delivery.ack().await
            }
            Answer::Nak { pause, reason, why } => {
                metrics::handed_back(self.owner, reason);
                let answered = delivery.nak(pause).await;
                if let Some(why) = why {
                    self.tell(delivery, &why, pause).await;
                }
                answered
            }
        };
        if let Err(error) = answered {
            // It comes again, and is judged by the log then.
            tracing::debug!(error = chain(&error), "an answer was not confirmed");
        }
    }

    async fn answer(&self, delivery: &Delivery) -> Answer {
        let alive = async {
            let mut ticks = interval(self.log.settings().progress);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                delivery.progress().await;
            }
        };
        let result: Result<Answer, WorkError> = tokio::select! {
            biased;
            result = self.carry_on(delivery) => result,
            never = alive => never,
        };
        result.unwrap_or_else(|error| {
            let failures = self.failures.count(delivery);
            let pause = backoff(self.log.settings(), failures);
            let pause = error.retry_after.map_or(pause, |least| least.max(pause));
            tracing::warn!(%error, failures, ?pause, "a command failed");
            Answer::Nak {
                pause,
                reason: Nak::Failure,
                why: Some(error.message),
            }
        })
    }

    /// Leaves a note for people who ask what an upgrade waits for.
    async fn tell(&self, delivery: &Delivery, why: &str, pause: Duration) {
        let trouble = Trouble::new(delivery.n, why, self.log.now_ms(), pause);
        let noted = trouble.note(self.log.as_ref(), &delivery.id, pause);
        if let Err(error) = noted.await {
            tracing::debug!(error = chain(&error), "a trouble was not noted");
        }
    }

    async fn carry_on(&self, delivery: &Delivery) -> Result<Answer, WorkError> {
        let Some(history) = self.read(delivery).await? else {
            self.suspects.clear(&delivery.id);
            return Ok(Answer::Ack);
        };
        let (next, command) = (history.state.next(), history.state.command());
        let Some(command) = command.filter(|_| next == self.owner) else {
            // Addressed to us by another version; one of us is wrong, and guessing is worse.
            return Err(WorkError {
                retry_after: Some(self.log.settings().retry_cap),
                message: format!(
                    "the log addresses {}, the fold {next:?}",
                    self.owner.as_str()
                ),
            });
        };
        let now_ms = self.log.now_ms();
        let span = trace::command(self.owner, delivery, &history, command, now_ms);
        let began = Instant::now();
        let carrying = self.carry_out(delivery, history, command);
        let result = carrying.instrument(span.clone()).await;
        let outcome = match &result {
            Ok(Answer::Nak { .. }) => {
                trace::waits(&span);
                "waits"
            }
            Ok(Answer::Ack) => "answered",
            Err(error) => {
                trace::gave_up(&span, error);
                "failed"
            }
        };
        metrics::carried_out(self.owner, command, outcome, began.elapsed());
        result
    }

    /// In the command's span.
    async fn carry_out(
        &self,
        delivery: &Delivery,
        history: History,
        command: Command,
    ) -> Result<Answer, WorkError> {
        if let Some(why) = too_long(&history) {
            return self.append(delivery, history, Body::Parked(why)).await;
        }
        if let Some(body) = self.suspects.answer(delivery, &history.state, command) {
            let answer = self.append(delivery, history, body).await?;
            self.suspects.clear(&delivery.id);
            return Ok(answer);
        }
        let _alone = match self.suspects.alone() {
            _ if history.state.tried == 0 => None,
            Some(alone) => Some(alone),
            None => return Ok(Answer::nak(self.log.settings().retry_first, Nak::Wait)),
        };
        let _in_hand = self.suspects.hold(delivery);
        match fault::carry_out(self.work.as_ref(), &history, command).await? {
            Outcome::Append(body) => {
                let answer = self.append(delivery, history, body).await?;
                fault::appended(command);
                Ok(answer)
            }
            Outcome::Wait(delay) => {
                self.failures.forget(delivery);
                Ok(Answer::nak(delay, Nak::Wait))
            }
            Outcome::Delayed { pause, why } => {
                self.failures.forget(delivery);
                Ok(Answer::Nak {
                    pause,
                    reason: Nak::Wait,
                    why: Some(why),
                })
            }
            Outcome::Appended => match self.read(delivery).await? {
                None => {
                    trace::ended_as("appended");
                    Ok(Answer::Ack)
                }
                Some(_) => Err(WorkError {
                    retry_after: None,
                    message: format!("{command:?} left no answer in the log"),
                }),
            },
        }
    }

    /// Reads the delivered fact's log; none if the fact is not its last one.
    async fn read(&self, delivery: &Delivery) -> Result<Option<History>, WorkError> {
        if self.latest.is_beyond(delivery) {
            return Ok(None);
        }
        let mut pause = BEHIND;
        for _ in 0..BEHIND_READS {
            if let Some(history) = self.log.read(&delivery.id).await? {
                self.latest.note(&history);
                match history.sequence().cmp(&delivery.sequence) {
                    std::cmp::Ordering::Equal => return Ok(Some(history)),
                    std::cmp::Ordering::Greater => return Ok(None),
                    std::cmp::Ordering::Less => {}
                }
            }
            // A copy that is behind has answered.
            sleep(pause).await;
            pause *= 2;
        }
        Err(WorkError {
            retry_after: None,
            message: "the log read lacks the delivered fact".into(),
        })
    }

    async fn append(
        &self,
        delivery: &Delivery,
        mut history: History,
        mut body: Body,
    ) -> Result<Answer, WorkError> {
        for _ in 0..APPENDS {
            match self
                .log
                .append(&delivery.id, Some(&history), body.clone())
                .await
            {
                Ok(history) => {
                    self.latest.note(&history);
                    tracing::info!(fact = body.name(), "appended");
                    trace::answered(&history);
                    return Ok(Answer::Ack);
                }
                Err(AppendError::Conflict) => match self.read(delivery).await? {
                    Some(again) => history = again,
                    None => {
                        trace::ended_as("overtaken");
                        return Ok(Answer::Ack);
                    }
                },
                Err(AppendError::Illegal(illegal)) => {
                    let times = self.illegal.count(delivery);
                    tracing::error!(%illegal, times, "an answer may not follow");
                    if times < ILLEGAL_ANSWERS || matches!(body, Body::Parked(_)) {
                        return Err(WorkError {
                            retry_after: None,
                            message: illegal.to_string(),
                        });
                    }
                    body = Body::Parked(format!(
                        "{illegal}, and that was the {}'s answer {times} times; this is a fault of \
                         Bowline: report it with that service's log, then retry or resolve it",
                        self.owner.as_str()
                    ));
                }
                Err(AppendError::Unavailable(error)) => return Err(error.into()),
            }
        }
        Err(WorkError {
            retry_after: None,
            message: "the append lost again and again".into(),
        })
    }
}

fn too_long(history: &History) -> Option<String> {
    let facts = history.entries.len();
    let between_steps = history.state.phase == Phase::Verified;
    let over = facts >= PARK_ANYWHERE || (facts >= PARK_BETWEEN_STEPS && between_steps);
    over.then(|| format!("its log has grown to {facts} facts, more than can be read safely"))
}

/// `failures` counts from 1.
fn backoff(settings: &Settings, failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
    settings
        .retry_first
        .saturating_mul(doubled)
        .min(settings.retry_cap)
}

/// An error with everything that led to it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Failures by driver; whoever starts anew counts anew, so memory is good enough.
#[derive(Debug, Default)]
struct Failures(Mutex<HashMap<UpgradeId, (u64, u32)>>);

impl Failures {
    fn count(&self, delivery: &Delivery) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts
            .entry(delivery.id.clone())
            .or_insert((delivery.sequence, 0));
        if count.0 != delivery.sequence {
            *count = (delivery.sequence, 0);
        }
        count.1 = count.1.saturating_add(1);
        count.1
    }

    fn forget(&self, delivery: &Delivery) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&delivery.id);
    }
}

/// The last sequences met by upgrade: a log only grows, so that a delivery from before them needs
/// no read. A consumer that was lost and comes back brings every old delivery at once.
#[derive(Debug, Default)]
struct Latest(Mutex<HashMap<UpgradeId, u64>>);

impl Latest {
    const CAPACITY: usize = 10_000;

    fn note(&self, history: &History) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() >= Latest::CAPACITY {
            latest.clear();
        }
        let sequence = latest.entry(history.id.clone()).or_default();
        *sequence = history.sequence().max(*sequence);
    }

    fn is_beyond(&self, delivery: &Delivery) -> bool {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest
            .get(&delivery.id)
            .is_some_and(|sequence| *sequence > delivery.sequence)
    }
}
