//! From the push to the live image: what CI made of it, and what the cluster shows.

use bus::History;
use job::{Body, Cause, Phase, Plan, Push, State};

use crate::applied::{self, Live};
use crate::ci::{self, Run};
use crate::ports::{Restarted, Unknown};
use crate::verdict::{self, Says, Time, Verdict};
use crate::work::{Next, Verifier, ms, seconds, wanted};

/// So many runs that took each other's place are followed at most in one tick.
const MAX_SUCCESSORS: usize = 20;
/// Clocks may differ by so much, in seconds.
const CLOCK_MARGIN_S: i64 = 600;

impl Verifier {
    pub(crate) async fn follow_ci(&self, history: &History, plan: &Plan) -> Next {
        let state = &history.state;
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
        let since_s = began_s(intents, state);
        if let Some(number) = state.restarted.filter(|_| !undo) {
            match self.restart(history, plan, number, commit, since_s).await {
                Ok(None) => {}
                Ok(Some(next)) => return next,
                Err(unknown) => {
                    tracing::warn!(upgrade = %state.id, %unknown, "the run could not be started again");
                }
            }
        }
        let run = self.run(&plan.repository, commit, since_s).await;
        if let Err(unknown) = &run {
            tracing::warn!(upgrade = %state.id, %unknown, "CI could not be asked");
        }
        let waited = ci::Waited {
            now_ms: (self.eyes.now_ms)(),
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
        let rows = self.eyes.ci.pipelines(repository, since_s).await?;
        let Some(ours) = ci::ours(&rows, commit) else {
            return Ok(Run::Absent);
        };
        let workflow = self.eyes.ci.workflow(repository);
        let mut number = ours.number;
        let mut run = Run::Absent;
        for _ in 0..MAX_SUCCESSORS {
            let row = rows.iter().find(|row| row.number == number);
            let detail = self.eyes.ci.pipeline(repository, number).await?;
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
    pub(crate) async fn look_for_live(&self, state: &State, plan: &Plan) -> Next {
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
        let undo = state.phase.is_undo();
        let time = Time::of(
            (self.eyes.now_ms)(),
            deadline_ms,
            ms(self.times.unknown_limit),
        );
        let says = if absent || state.phase == Phase::Reverted {
            Says::Absent
        } else if matches!(live, Live::Other(_)) && time > Time::Early && !undo {
            match self.was_ours(state, plan).await {
                Ok(true) => Says::Green,
                Ok(false) => Says::NewerGreen {
                    restart: self.may_restart(state, plan).await.is_some(),
                },
                Err(unknown) if time == Time::Late => {
                    tracing::warn!(upgrade = %state.id, %unknown, "CI could not be asked");
                    return Err(self.times.ci_poll);
                }
                Err(_) => Says::NewerGreen { restart: false },
            }
        } else {
            Says::Green
        };
        match verdict::verdict(says, &live, time, undo) {
            Verdict::Live(images) => Ok(Body::Applied { images }),
            Verdict::Wait => Err(self.times.interval),
            Verdict::Restart => match self.may_restart(state, plan).await {
                Some(number) => Ok(Body::CiRestarting { number }),
                None => Err(self.times.ci_poll),
            },
            Verdict::Undo(evidence) => Ok(Body::RollbackRequested {
                cause: Cause::NotApplied,
                evidence,
            }),
            Verdict::Stuck(why) => Ok(Body::Stuck(why)),
        }
    }

    /// Our run, if it may be started again: once, and only while no later push touched the folders
    /// of the service.
    async fn may_restart(&self, state: &State, plan: &Plan) -> Option<u64> {
        let ci = self.eyes.ci.as_ref();
        if state.restarted.is_some() || !ci.may_restart(&plan.repository) {
            return None;
        }
        let (commit, _) = state.pushed.as_ref()?;
        let rows = ci
            .pipelines(&plan.repository, began_s(&state.pushes, state))
            .await;
        let rows = rows.ok()?;
        let number = ci::ours(&rows, commit)?.number;
        let sites = plan.step(state.step).map(|step| step.sites.as_slice());
        let paths = sites.unwrap_or_default().iter().map(|site| &site.path);
        let folders: Vec<&str> = paths
            .filter_map(|path| path.rsplit_once('/').map(|(folder, _)| folder))
            .collect();
        ci::untouched_since(&rows, number, &folders).then_some(number)
    }

    /// Starts our run again, under the turn; none once it was.
    async fn restart(
        &self,
        history: &History,
        plan: &Plan,
        number: u64,
        commit: &str,
        since_s: i64,
    ) -> Result<Option<Next>, Unknown> {
        let ci = self.eyes.ci.as_ref();
        let rows = ci.pipelines(&plan.repository, since_s).await?;
        if ci::ours(&rows, commit).is_some_and(|row| row.number > number) {
            return Ok(None);
        }
        if let Some(turns) = &self.eyes.turns
            && let Some(wait) = turns.take(history).await?
        {
            return Ok(Some(Err(wait)));
        }
        Ok(Some(match ci.restart(&plan.repository, number).await? {
            Restarted::Yes => Err(self.times.ci_poll),
            Restarted::No(why) => Ok(Body::Stuck(format!(
                "not applied: a newer run took the place of ours and changed nothing, and ours \
                 could not be started again: {why}"
            ))),
        }))
    }

    /// Whether the run that passed was of our own commit.
    async fn was_ours(&self, state: &State, plan: &Plan) -> Result<bool, Unknown> {
        let (Some(run), Some((commit, _))) = (&state.ci, &state.pushed) else {
            return Ok(true);
        };
        let pipeline = self.eyes.ci.pipeline(&plan.repository, run.number).await?;
        Ok(pipeline.is_some_and(|pipeline| pipeline.commit == *commit))
    }
}

/// Our run cannot be older than this, in seconds since the Unix epoch.
fn began_s(intents: &[Push], state: &State) -> i64 {
    let first = intents.iter().map(|push| push.commit_at).min();
    first
        .unwrap_or(state.since_ms / 1000)
        .saturating_sub(CLOCK_MARGIN_S)
}
