//! The verifier's commands: look, let the pure parts decide, answer with one fact or wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{History, Outcome, Work, WorkError};
use futures::future::join_all;
use job::{Body, Cause, Command, Plan, State, Transience};

use crate::applied::{Look, Wanted};
use crate::baseline;
use crate::memory::{Memory, Seen};
use crate::monitors;
use crate::ports::{Answer, Ci, Cluster, Monitoring, Probe, Reading, Turns, Unknown};
use crate::release;

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
    /// What is unknown for so long is given up, and so is a window that stood still for so long.
    pub unknown_limit: Duration,
    /// A monitor's interval where its beats do not tell.
    pub monitor_interval: Duration,
    /// A window is lengthened for a monitor by this at most.
    pub monitor_wait: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            ci_poll: Duration::from_secs(30),
            ci_appear_within: Duration::from_secs(300),
            interval: Duration::from_secs(15),
            observed_every: Duration::from_secs(60),
            unknown_limit: Duration::from_secs(3600),
            monitor_interval: Duration::from_secs(300),
            monitor_wait: Duration::from_secs(900),
        }
    }
}

/// Through what the verifier sees the world.
pub struct Eyes {
    /// CI.
    pub ci: Arc<dyn Ci>,
    /// The clusters.
    pub cluster: Arc<dyn Cluster>,
    /// The HTTP checks.
    pub probe: Arc<dyn Probe>,
    /// Uptime Kuma, if there is one.
    pub monitoring: Option<Arc<dyn Monitoring>>,
    /// The CI turn; none if upgrades take no turns.
    pub turns: Option<Arc<dyn Turns>>,
    /// Wall time, in milliseconds since the Unix epoch.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
}

/// Carries out the verifier's commands.
pub struct Verifier {
    pub(crate) eyes: Eyes,
    pub(crate) times: Times,
    pub(crate) memory: Memory,
}

impl Verifier {
    /// A verifier that sees through these.
    #[must_use]
    pub fn new(eyes: Eyes, times: Times) -> Verifier {
        Verifier {
            eyes,
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
            Command::FollowCi => self.follow_ci(history, plan(state)?).await,
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

/// What has to be live.
pub(crate) fn wanted<'a>(state: &'a State, plan: &'a Plan) -> Wanted<'a> {
    let stepped = plan.step(state.step).map_or("", |step| step.to.as_str());
    if state.phase.is_undo() {
        between(plan, stepped, state.undo_to())
    } else {
        between(plan, plan.before_step(state.step), stepped)
    }
}

/// What has to be live before the current step's push.
fn wanted_before<'a>(state: &'a State, plan: &'a Plan) -> Wanted<'a> {
    let stepped = plan.step(state.step).map_or("", |step| step.to.as_str());
    between(plan, stepped, state.live())
}

/// What `there` makes of the cluster. A chart's versions are told by what they deploy, and only if
/// that is the same at `other`, by their own number.
fn between<'a>(plan: &'a Plan, other: &str, there: &'a str) -> Wanted<'a> {
    let tag = plan.app_of(there);
    let same = plan.is_chart() && plan.app_of(other) == tag;
    Wanted {
        tag,
        chart: same.then_some(there),
    }
}

pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn seconds(seconds: u32) -> i64 {
    i64::from(seconds) * 1000
}

/// One fact to append, or how long to wait.
pub(crate) type Next = Result<Body, Duration>;

impl Verifier {
    pub(crate) async fn look<'a>(&self, plan: &'a Plan) -> Vec<Look<'a>> {
        let looks = plan.targets.iter().map(|target| async {
            if target.kind == "HelmRelease" {
                let members = self.eyes.cluster.release(&plan.cluster, target).await;
                return release::looks(target, members);
            }
            let workload = self.eyes.cluster.workload(&plan.cluster, target).await;
            vec![Look::at(target, workload)]
        });
        join_all(looks).await.into_iter().flatten().collect()
    }

    pub(crate) async fn probe(&self, plan: &Plan) -> BTreeMap<String, Answer> {
        let insecure = plan.policy.insecure_tls;
        let addresses = plan.targets.iter().flat_map(|target| &target.http);
        let answers = addresses.map(|address| async move {
            let answer = self.eyes.probe.ask(address, insecure).await;
            (address.clone(), answer)
        });
        join_all(answers).await.into_iter().collect()
    }

    /// What the monitors say; none if the plan or the configuration has none.
    pub(crate) async fn monitors(&self, plan: &Plan) -> Option<Result<Arc<Reading>, Unknown>> {
        let monitoring = self.eyes.monitoring.as_ref()?;
        let wanted = plan.monitors.as_ref()?;
        let reading = monitoring.read().await;
        if !monitors::lacks(&reading, wanted, &plan.service) {
            return Some(reading);
        }
        Some(match monitoring.fallback().await {
            Some(other) => monitors::complete(reading, &other, wanted, &plan.service),
            None => reading,
        })
    }

    async fn take_baseline(&self, state: &State, plan: &Plan) -> Next {
        let (looks, http, reading) =
            futures::join!(self.look(plan), self.probe(plan), self.monitors(plan));
        let allow_unhealthy = plan.policy.allow_unhealthy_before;
        let before = wanted_before(state, plan);
        let body = baseline::decide(state.live(), before, &looks, &http, allow_unhealthy).or_else(
            |unknown| {
                // The CI turn is held meanwhile, and an undo may wait for it: others go first now.
                let waited_ms = (self.eyes.now_ms)().saturating_sub(state.since_ms);
                if waited_ms >= ms(self.times.ci_appear_within) {
                    return Ok(Body::SteppedBack(format!(
                        "how it was before could not be seen: {unknown}"
                    )));
                }
                tracing::warn!(upgrade = %state.id, %unknown, "the baseline has to wait");
                Err(self.times.interval)
            },
        )?;
        match body {
            Body::Aborted {
                transience: Transience::Transient,
                why,
                ..
            } if self
                .memory
                .get(&state.id)
                .is_none_or(|seen| !seen.ill_before) =>
            {
                // One bad answer may be chance.
                tracing::info!(upgrade = %state.id, why, "the baseline is taken again");
                let seen = Seen {
                    touched_ms: (self.eyes.now_ms)(),
                    ill_before: true,
                    ..Seen::default()
                };
                self.memory.put(&state.id, seen);
                Err(self.times.interval)
            }
            Body::Baselined(mut before) => {
                self.memory.forget(&state.id);
                if let (Some(Ok(reading)), Some(wanted)) = (reading, &plan.monitors) {
                    before.monitors = monitors::baseline(&reading, wanted, &plan.service);
                }
                Ok(Body::Baselined(before))
            }
            other => {
                self.memory.forget(&state.id);
                Ok(other)
            }
        }
    }
}
