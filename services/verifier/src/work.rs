//! The verifier's commands: look, let the pure parts decide, answer with one fact or wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bus::{History, Outcome, Work, WorkError};
use futures::future::join_all;
use job::{Body, Cause, Command, Phase, Plan, State, UpgradeId};

use crate::applied::{self, Live, Look};
use crate::baseline;
use crate::ci::{self, Run};
use crate::health::Open;
use crate::look::{check, passed, report};
use crate::ports::{Ci, Cluster, Probe, Unknown};
use crate::watch::{self, Tick, Window};

/// So many runs that took each other's place are followed at most in one tick.
const MAX_SUCCESSORS: usize = 20;
/// Clocks may differ by so much, in seconds.
const CLOCK_MARGIN_S: i64 = 600;
/// What was not touched for so long is forgotten, in milliseconds.
const FORGET_MS: i64 = 24 * 3600 * 1000;

/// The intervals and limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How often CI is asked.
    pub ci_poll: Duration,
    /// A run of CI must appear within this time.
    pub ci_appear_within: Duration,
    /// How often health, and the live image, are looked at.
    pub interval: Duration,
    /// How often the observed time is recorded.
    pub observed_every: Duration,
    /// What is unknown for so long is given up.
    pub unknown_limit: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            ci_poll: Duration::from_secs(30),
            ci_appear_within: Duration::from_secs(300),
            interval: Duration::from_secs(15),
            observed_every: Duration::from_secs(60),
            unknown_limit: Duration::from_secs(3600),
        }
    }
}

/// What a process saw of a window; it can only make the judgement stricter, or the window longer.
#[derive(Debug, Default, Clone)]
struct Seen {
    touched_ms: i64,
    unknown_since_ms: Option<i64>,
    /// The restarts by pod UID when the window that began then was met first.
    restarts: Option<(i64, BTreeMap<String, u32>)>,
}

/// What this process remembers of the windows it watches.
#[derive(Debug, Default)]
struct Memory(Mutex<HashMap<UpgradeId, Seen>>);

impl Memory {
    fn get(&self, id: &UpgradeId) -> Option<Seen> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    fn put(&self, id: &UpgradeId, seen: Seen) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = seen.touched_ms;
        all.retain(|_, other| now_ms.saturating_sub(other.touched_ms) < FORGET_MS);
        all.insert(id.clone(), seen);
    }

    fn forget(&self, id: &UpgradeId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
    }
}

/// Carries out the verifier's commands.
pub struct Verifier {
    ci: Arc<dyn Ci>,
    cluster: Arc<dyn Cluster>,
    probe: Arc<dyn Probe>,
    now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    times: Times,
    memory: Memory,
}

impl Verifier {
    /// A verifier that sees the world through these; `now_ms` is wall time, in milliseconds since
    /// the Unix epoch.
    #[must_use]
    pub fn new(
        ci: Arc<dyn Ci>,
        cluster: Arc<dyn Cluster>,
        probe: Arc<dyn Probe>,
        now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
        times: Times,
    ) -> Verifier {
        Verifier {
            ci,
            cluster,
            probe,
            now_ms,
            times,
            memory: Memory::default(),
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Work for Verifier {
    async fn carry_out(&self, history: &History, command: Command) -> Result<Outcome, WorkError> {
        let state = &history.state;
        let body = match command {
            Command::Cancel => Ok(Body::Cancelled {
                at: state.live().to_owned(),
            }),
            Command::RequestUndo => Ok(Body::RollbackRequested {
                cause: Cause::Cancelled,
                evidence: cancelled_by(state),
            }),
            Command::TakeBaseline => self.take_baseline(state, plan(state)?).await,
            Command::FollowCi => self.follow_ci(state, plan(state)?).await,
            Command::CheckApplied => self.look_for_live(state, plan(state)?).await,
            Command::Watch => self.watch(history, plan(state)?).await,
            other => return Err(wrong(format!("{other:?} is not the verifier's command"))),
        };
        Ok(match body {
            Ok(body) => Outcome::Append(body),
            Err(wait) => Outcome::Wait(wait),
        })
    }
}

fn wrong(message: String) -> WorkError {
    WorkError {
        retry_after: None,
        message,
    }
}

fn plan(state: &State) -> Result<&Plan, WorkError> {
    state
        .plan
        .as_ref()
        .ok_or_else(|| wrong("the upgrade has no plan".to_owned()))
}

fn cancelled_by(state: &State) -> String {
    match &state.pending {
        Some(job::Pending::Cancel(by)) => format!("cancelled by {by} after the push"),
        None => "cancelled after the push".to_owned(),
    }
}

/// The tag that has to be live.
fn wanted<'a>(state: &'a State, plan: &'a Plan) -> &'a str {
    if state.phase.is_undo() {
        state.undo_to()
    } else {
        plan.step(state.step).map_or("", |step| step.to.as_str())
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn seconds(seconds: u32) -> i64 {
    i64::from(seconds) * 1000
}

/// One fact to append, or how long to wait.
type Answer = Result<Body, Duration>;

impl Verifier {
    async fn look<'a>(&self, plan: &'a Plan) -> Vec<Look<'a>> {
        join_all(plan.targets.iter().map(|target| async {
            Look {
                target,
                workload: self.cluster.workload(&plan.cluster, target).await,
            }
        }))
        .await
    }

    async fn probe(&self, plan: &Plan) -> BTreeMap<String, u32> {
        let addresses = plan.targets.iter().flat_map(|target| &target.http);
        let statuses =
            addresses.map(|address| async { (address.clone(), self.probe.status(address).await) });
        join_all(statuses).await.into_iter().collect()
    }

    async fn take_baseline(&self, state: &State, plan: &Plan) -> Answer {
        let (looks, http) = futures::join!(self.look(plan), self.probe(plan));
        baseline::decide(
            state.live(),
            &looks,
            &http,
            plan.policy.allow_unhealthy_before,
        )
        .or_else(|unknown| {
            // The CI turn is held meanwhile, and an undo may wait for it: others go first now.
            let waited_ms = (self.now_ms)().saturating_sub(state.since_ms);
            if waited_ms >= ms(self.times.ci_appear_within) {
                return Ok(Body::SteppedBack(format!(
                    "how it was before could not be seen: {unknown}"
                )));
            }
            tracing::warn!(upgrade = %state.id, %unknown, "the baseline has to wait");
            Err(self.times.interval)
        })
    }

    async fn follow_ci(&self, state: &State, plan: &Plan) -> Answer {
        let undo = state.phase.is_undo();
        let (commit, intents) = if undo {
            (
                state
                    .reverted
                    .as_ref()
                    .and_then(|(commit, _)| commit.as_deref()),
                &state.reverts,
            )
        } else {
            (
                state.pushed.as_ref().map(|(commit, _)| commit.as_str()),
                &state.pushes,
            )
        };
        let Some(commit) = commit else {
            return self.look_for_live(state, plan).await;
        };
        let since_s = intents.iter().map(|push| push.commit_at).min();
        let since_s = since_s
            .unwrap_or(state.since_ms / 1000)
            .saturating_sub(CLOCK_MARGIN_S);
        let run = self.run(&plan.repository, commit, since_s).await;
        if let Err(unknown) = &run {
            tracing::warn!(upgrade = %state.id, %unknown, "CI could not be asked");
        }
        let waited = ci::Waited {
            now_ms: (self.now_ms)(),
            since_ms: state.since_ms,
            appear_ms: ms(self.times.ci_appear_within),
            patience_ms: seconds(plan.limits.ci_patience_seconds),
            unknown_ms: ms(self.times.unknown_limit),
        };
        let live = if ci::needs_live(&run, waited) {
            applied::live(&self.look(plan).await, wanted(state, plan))
        } else {
            Live::Unknown("not asked".to_owned())
        };
        match ci::decide(&run, &live, waited, undo) {
            ci::Verdict::Poll => Err(self.times.ci_poll),
            ci::Verdict::Passed(run) => Ok(Body::CiPassed(run)),
            ci::Verdict::Absent => Ok(Body::CiAbsent),
            ci::Verdict::Undo(evidence) => Ok(Body::RollbackRequested {
                cause: Cause::CiFailed,
                evidence,
            }),
            ci::Verdict::Stuck(why) => Ok(Body::Stuck(why)),
        }
    }

    /// The run that speaks for the commit: its own, or the one that took its place.
    async fn run(&self, repository: &str, commit: &str, since_s: i64) -> Result<Run, Unknown> {
        let rows = self.ci.pipelines(repository, since_s).await?;
        let Some(ours) = ci::ours(&rows, commit) else {
            return Ok(Run::Absent);
        };
        let workflow = self.ci.workflow(repository);
        let mut number = ours.number;
        let mut run = Run::Absent;
        for _ in 0..MAX_SUCCESSORS {
            let row = rows.iter().find(|row| row.number == number);
            let detail = self.ci.pipeline(repository, number).await?;
            // A row may be deleted, and its number used again for another commit.
            let Some(detail) =
                detail.filter(|detail| row.is_none_or(|row| row.commit == detail.commit))
            else {
                return Ok(run);
            };
            run = ci::read(&detail, &workflow);
            let Run::Killed {
                number: killed, by, ..
            } = &run
            else {
                return Ok(run);
            };
            let Some(next) = ci::successor(&rows, *killed, *by) else {
                return Ok(run);
            };
            number = next;
        }
        Ok(run)
    }

    /// Looks whether the wanted version is live, after CI or after an undo with nothing to push.
    async fn look_for_live(&self, state: &State, plan: &Plan) -> Answer {
        let live = applied::live(&self.look(plan).await, wanted(state, plan));
        if let Live::Unknown(why) = &live {
            tracing::warn!(upgrade = %state.id, why, "the live image could not be read");
        }
        let absent = matches!(state.phase, Phase::CiAbsent | Phase::UndoCiAbsent);
        let settle_ms = seconds(plan.limits.settle_seconds);
        let deadline_ms = if absent {
            let pushed = if state.phase.is_undo() {
                state.reverted.as_ref().map(|(_, at_ms)| *at_ms)
            } else {
                state.pushed.as_ref().map(|(_, at_ms)| *at_ms)
            };
            let patience_ms = seconds(plan.limits.ci_patience_seconds);
            let patience = pushed
                .unwrap_or(state.ci_ended_ms)
                .saturating_add(patience_ms);
            patience.max(state.ci_ended_ms.saturating_add(settle_ms))
        } else {
            state.since_ms.saturating_add(settle_ms)
        };
        let mut wait = applied::Wait {
            now_ms: (self.now_ms)(),
            deadline_ms,
            unknown_ms: ms(self.times.unknown_limit),
            may_undo: state.phase == Phase::CiPassed,
        };
        let mut verdict = applied::decide(&live, wait);
        if matches!(verdict, applied::Verdict::NotApplied(_)) {
            // A newer run was green instead of ours: it is no proof that ours was tried.
            match self.was_ours(state, plan).await {
                Ok(true) => {}
                Ok(false) => {
                    wait.may_undo = false;
                    verdict = applied::decide(&live, wait);
                }
                Err(unknown) => {
                    tracing::warn!(upgrade = %state.id, %unknown, "CI could not be asked");
                    if wait.now_ms < wait.deadline_ms.saturating_add(wait.unknown_ms) {
                        return Err(self.times.ci_poll);
                    }
                    wait.may_undo = false;
                    verdict = applied::decide(&live, wait);
                }
            }
        }
        match verdict {
            applied::Verdict::Applied(images) => Ok(Body::Applied { images }),
            applied::Verdict::Poll => Err(self.times.interval),
            applied::Verdict::NotApplied(evidence) => Ok(Body::RollbackRequested {
                cause: Cause::NotApplied,
                evidence,
            }),
            applied::Verdict::Stuck(why) => Ok(Body::Stuck(why)),
        }
    }

    /// Whether the run that passed was of our own commit.
    async fn was_ours(&self, state: &State, plan: &Plan) -> Result<bool, Unknown> {
        let (Some(run), Some((commit, _))) = (&state.ci, &state.pushed) else {
            return Ok(true);
        };
        let pipeline = self.ci.pipeline(&plan.repository, run.number).await?;
        Ok(pipeline.is_some_and(|pipeline| pipeline.commit == *commit))
    }

    async fn watch(&self, history: &History, plan: &Plan) -> Answer {
        let state = &history.state;
        let undo = state.phase.is_undo();
        let tag = wanted(state, plan);
        let (looks, http) = futures::join!(self.look(plan), self.probe(plan));
        let now_ms = (self.now_ms)();
        let remembered = self.memory.get(&state.id);
        let known_here = remembered.is_some();
        let mut seen = remembered.unwrap_or_default();
        seen.touched_ms = now_ms;
        let open = state.healthy_since_ms.map(|since_ms| {
            if seen
                .restarts
                .as_ref()
                .is_none_or(|(at_ms, _)| *at_ms != since_ms)
            {
                seen.restarts = Some((since_ms, restarts(&looks)));
            }
            Open {
                since_ms,
                restarts: seen.restarts.as_ref().map(|(_, restarts)| restarts),
            }
        });
        let checked = check(&looks, &http, state, tag, open);
        let window = Window {
            now_ms,
            length_ms: seconds(if undo {
                plan.windows.undo_seconds
            } else {
                plan.windows.forward_seconds
            }),
            settle_ms: seconds(plan.limits.settle_seconds),
            interval_ms: ms(self.times.interval),
            observed_every_ms: ms(self.times.observed_every),
            unknown_limit_ms: ms(self.times.unknown_limit),
            healthy_since_ms: state.healthy_since_ms,
            failing_since_ms: state.failing_since.as_ref().map(|(since_ms, _)| *since_ms),
            observed_ms: seconds(state.observed_seconds),
            watched_ms: state.watched_ms,
            recoveries: recoveries(history),
            unknown_since_ms: seen.unknown_since_ms,
            known_here,
        };
        seen.unknown_since_ms = match &checked {
            Ok(_) => None,
            Err(unknown) => {
                tracing::warn!(upgrade = %state.id, %unknown, "health could not be seen");
                seen.unknown_since_ms.or(Some(now_ms))
            }
        };
        self.memory.put(&state.id, seen);
        let answer = match watch::decide(checked, &window) {
            Tick::Wait(wait) => return Err(wait),
            Tick::Healthy => return Ok(Body::HealthySince { since_ms: now_ms }),
            Tick::Failing(evidence) => {
                return Ok(Body::FailingSince {
                    since_ms: now_ms,
                    evidence,
                });
            }
            Tick::Observed(seconds) => return Ok(Body::Observed { seconds }),
            Tick::Passed => passed(state, plan, report(state, &looks, &http, &window)),
            Tick::Failed(evidence) if undo => {
                Body::Stuck(format!("the rollback did not become healthy: {evidence}"))
            }
            Tick::Failed(evidence) => Body::RollbackRequested {
                cause: Cause::Unhealthy,
                evidence,
            },
            Tick::Lost(why) => Body::Stuck(format!("could not be verified: {why}")),
        };
        self.memory.forget(&state.id);
        Ok(answer)
    }
}

fn restarts(looks: &[Look<'_>]) -> BTreeMap<String, u32> {
    let workloads = looks
        .iter()
        .filter_map(|look| look.workload.as_ref().ok()?.as_ref());
    workloads
        .flat_map(|workload| &workload.pods)
        .map(|pod| (pod.uid.clone(), pod.restarts))
        .collect()
}

/// How often it became healthy since the version is live.
fn recoveries(history: &History) -> usize {
    let facts = history.entries.iter().rev().map(|entry| &entry.fact.body);
    facts
        .take_while(|body| !matches!(body, Body::Applied { .. } | Body::RetryRequested { .. }))
        .filter(|body| matches!(body, Body::HealthySince { .. }))
        .count()
}
