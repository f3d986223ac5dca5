//! One tick of a health window: look, ask around if something is wrong, and say what follows.

use std::collections::BTreeMap;

use bus::History;
use job::{Body, Cause, Plan, Target};

use crate::applied::Look;
use crate::health::{Health, Open};
use crate::look::{check, passed, report};
use crate::monitors::{self, Mark, Said, Since};
use crate::ports::{Reading, Unknown};
use crate::surroundings;
use crate::watch::{self, Tick, Window};
use crate::work::{Next, Verifier, ms, seconds, wanted};

impl Verifier {
    pub(crate) async fn watch(&self, history: &History, plan: &Plan) -> Next {
        let state = &history.state;
        let undo = state.phase.is_undo();
        let wanted = wanted(state, plan);
        let (looks, http, reading) =
            futures::join!(self.look(plan), self.probe(plan), self.monitors(plan));
        let now_ms = (self.eyes.now_ms)();
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
        let said = reading.map(|reading| {
            let reading = reading.as_deref().map_err(Clone::clone);
            self.judge_monitors(history, plan, &reading, &seen.marks, &seen.down)
        });
        if let Some(said) = &said {
            (seen.marks, seen.down) = (said.marks.clone(), said.down.clone());
        }
        let all = |open| judged(check(&looks, &http, state, wanted, open), said.as_ref());
        let mut checked = all(open);
        let mut excuse = Ok(None);
        if checked.as_ref().is_ok_and(|health| !health.is_good()) {
            excuse = self.excuse(history, plan, &looks, now_ms).await;
        }
        if matches!(excuse, Ok(Some(_))) && all(None) == Ok(Health::Good) {
            // Only restarts are left of it: the window begins anew.
            if state.healthy_since_ms.is_some() {
                return Ok(Body::HealthySince { since_ms: now_ms });
            }
            excuse = Ok(None);
            checked = Ok(Health::Good);
        }
        let window = Window {
            now_ms,
            length_ms: seconds(if undo {
                plan.windows.undo_seconds
            } else {
                plan.windows.forward_seconds
            }),
            extra_ms: said.as_ref().map_or(0, |said| said.wait_ms),
            settle_ms: seconds(plan.limits.settle_seconds),
            interval_ms: ms(self.times.interval),
            observed_every_ms: ms(self.times.observed_every),
            unknown_limit_ms: ms(self.times.unknown_limit),
            healthy_since_ms: state.healthy_since_ms,
            failing_since_ms: state.failing_since.as_ref().map(|(since_ms, _)| *since_ms),
            observed_ms: seconds(state.observed_seconds),
            pausing: state.pausing,
            paused_ms: seconds(state.paused_seconds),
            watched_ms: state.watched_ms,
            recoveries: recoveries(history),
            unknown_since_ms: seen.unknown_since_ms,
            doubted_since_ms: seen.doubted_since_ms,
            known_here,
        };
        match (&checked, &excuse) {
            (Err(unknown), _) => {
                tracing::warn!(upgrade = %state.id, %unknown, "health could not be seen");
                seen.unknown_since_ms.get_or_insert(now_ms);
            }
            (Ok(_), Err(unknown)) => {
                tracing::warn!(upgrade = %state.id, %unknown, "the surroundings could not be seen");
                seen.doubted_since_ms.get_or_insert(now_ms);
            }
            (Ok(_), Ok(_)) => (seen.unknown_since_ms, seen.doubted_since_ms) = (None, None),
        }
        self.memory.put(&state.id, seen);
        let tick = match excuse {
            Ok(Some(why)) => {
                tracing::warn!(upgrade = %state.id, why, "the window stands still");
                watch::pause(why, &window)
            }
            Ok(None) => watch::decide(checked, &window),
            Err(unknown) => watch::decide(Err(doubted(checked, unknown)), &window),
        };
        let answer = match tick {
            Tick::Wait(wait) => return Err(wait),
            Tick::Healthy => return Ok(Body::HealthySince { since_ms: now_ms }),
            Tick::Failing(evidence) => {
                return Ok(Body::FailingSince {
                    since_ms: now_ms,
                    evidence,
                });
            }
            Tick::Observed(seconds) => return Ok(observed(seconds, 0, String::new())),
            Tick::Paused {
                seconds,
                paused,
                why,
            } => return Ok(observed(seconds, paused, why)),
            Tick::Passed => {
                let monitors = said.map(|said| said.lines).unwrap_or_default();
                passed(
                    state,
                    plan,
                    report(state, &looks, &http, &monitors, &window),
                )
            }
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

    fn judge_monitors(
        &self,
        history: &History,
        plan: &Plan,
        reading: &Result<&Reading, Unknown>,
        marks: &BTreeMap<String, Mark>,
        down: &BTreeMap<String, i64>,
    ) -> Said {
        let none = BTreeMap::new();
        let before = history.state.baseline.as_ref();
        let since = Since {
            live_ms: live_since(history),
            healthy_ms: history.state.healthy_since_ms,
            marks,
            down,
            interval_ms: ms(self.times.monitor_interval),
            wait_at_most_ms: ms(self.times.monitor_wait),
        };
        monitors::judge(
            reading,
            &plan.monitors.clone().unwrap_or_default(),
            &plan.service,
            before.map_or(&none, |before| &before.monitors),
            since,
        )
    }

    /// Why what is wrong may not be the upgrade's doing.
    async fn excuse(
        &self,
        history: &History,
        plan: &Plan,
        looks: &[Look<'_>],
        now_ms: i64,
    ) -> Result<Option<String>, Unknown> {
        let state = &history.state;
        let pushed = if state.phase.is_undo() {
            state.reverted.as_ref().map(|(_, at_ms)| *at_ms)
        } else {
            state.pushed.as_ref().map(|(_, at_ms)| *at_ms)
        };
        let Some(pushed_ms) = pushed else {
            return Ok(None);
        };
        let around = self.eyes.cluster.surroundings(&plan.cluster).await;
        let settle_ms = seconds(plan.limits.settle_seconds);
        let ours: Vec<&Target> = looks.iter().map(|look| look.target.as_ref()).collect();
        surroundings::excuse(&around, &ours, pushed_ms, now_ms, settle_ms)
    }
}

fn judged(health: Result<Health, Unknown>, said: Option<&Said>) -> Result<Health, Unknown> {
    match said {
        Some(said) => health.map(|health| health.and(said.health.clone())),
        None => health,
    }
}

/// Ill, and perhaps not by itself.
fn doubted(health: Result<Health, Unknown>, unknown: Unknown) -> Unknown {
    match health {
        Ok(Health::Moving(why) | Health::Down { why, .. } | Health::Bad { why, .. }) => Unknown(
            format!("{why}; whether more than the service is ill is not known: {unknown}"),
        ),
        Ok(Health::Good) | Err(_) => unknown,
    }
}

fn observed(seconds: u32, paused: u32, why: String) -> Body {
    Body::Observed {
        seconds,
        paused,
        why,
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

/// How often it became healthy by itself since the version is live: neither a pause nor a window
/// that began anew because pods restarted with their node is a relapse.
fn recoveries(history: &History) -> usize {
    let (mut count, mut ill) = (0, true);
    for entry in &history.entries {
        match &entry.fact.body {
            Body::Applied { .. } | Body::RetryRequested { .. } => (count, ill) = (0, true),
            Body::FailingSince { .. } => ill = true,
            Body::Observed { why, .. } if !why.is_empty() => ill = false,
            Body::HealthySince { .. } => {
                count += usize::from(ill);
                ill = false;
            }
            _ => {}
        }
    }
    count
}

/// When the version was healthy in the cluster for the first time, or stood still last after that:
/// what a monitor said before speaks of the rollout, or of the pause.
fn live_since(history: &History) -> Option<i64> {
    let watched = history.entries.iter().rev().map(|entry| &entry.fact);
    let mut since_ms = None;
    for fact in watched {
        match &fact.body {
            Body::Applied { .. } | Body::RetryRequested { .. } => break,
            Body::Observed { paused, why, .. } if *paused > 0 || !why.is_empty() => {
                return Some(fact.at_ms);
            }
            Body::HealthySince { since_ms: at_ms } => since_ms = Some(*at_ms),
            _ => {}
        }
    }
    since_ms
}
