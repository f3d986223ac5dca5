//! CI: one run for each new head, one after the other, as scripted.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;
use verifier::ports::{Ci, Pipeline, Restarted, RunState, Unknown, Workflow};

use super::{Live, World, name};
use crate::ops::{CiScript, Health, Outside, SERVICES};

/// A run that hangs is ended by the server after this.
const HANGING: Duration = Duration::from_secs(4 * 3_600);

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) commit: String,
    pub(crate) state: RunState,
    pub(crate) created_ms: i64,
    pub(crate) finished_ms: i64,
    superseded_by: Option<u64>,
    script: CiScript,
}

impl World {
    /// A new head.
    pub(super) fn triggered(&self, commit: &str) {
        let now_ms = self.now_ms();
        let mut things = self.things();
        let script = things.ci_scripts.pop_front();
        let script = script.unwrap_or(CiScript::Passes(60));
        if script == CiScript::NeverAppears {
            return;
        }
        let place = things.runs.len();
        let number = u64::try_from(place + 1).expect("small");
        for run in &mut things.runs {
            if matches!(run.script, CiScript::Superseded(_)) && !run.state.is_over() {
                run.state = RunState::Killed;
                run.finished_ms = now_ms;
                // Not every server says which one took the place.
                run.superseded_by = place.is_multiple_of(2).then_some(number);
            }
        }
        things.runs.push(Run {
            commit: commit.to_owned(),
            state: RunState::Waiting,
            created_ms: now_ms + 5_000,
            finished_ms: 0,
            superseded_by: None,
            script,
        });
        things.queue.push_back(place);
        drop(things);
        self.pushed.notify_one();
    }

    /// The agent that carries the runs out, for ever.
    pub(crate) async fn agent(self) -> ! {
        loop {
            let next = self.things().queue.pop_front();
            match next {
                Some(place) => self.carry_out(place).await,
                None => self.pushed.notified().await,
            }
        }
    }

    async fn carry_out(&self, place: usize) {
        let run = self.things().runs[place].clone();
        sleep(Duration::from_secs(6)).await;
        if !self.enter(place, RunState::Running) {
            return;
        }
        let (seconds, end, applies) = match run.script {
            CiScript::Passes(seconds) | CiScript::Superseded(seconds) => {
                (seconds, RunState::Success, true)
            }
            CiScript::Fails(seconds) => (seconds, RunState::Failure, false),
            CiScript::FailsThoughApplied(seconds) => (seconds, RunState::Failure, true),
            CiScript::PassesWithoutEffect(seconds) => (seconds, RunState::Success, false),
            CiScript::Killed(seconds) => (seconds, RunState::Killed, false),
            CiScript::NeverAppears => return,
            CiScript::Hangs => {
                let world = self.clone();
                tokio::spawn(async move {
                    sleep(HANGING).await;
                    world.enter(place, RunState::Killed);
                });
                return;
            }
        };
        sleep(Duration::from_secs(seconds)).await;
        if self.things().runs[place].state.is_over() {
            return;
        }
        if applies {
            self.apply(&run.commit);
        }
        self.enter(place, end);
    }

    /// False if the run is over already.
    fn enter(&self, place: usize, state: RunState) -> bool {
        let now_ms = self.now_ms();
        let mut things = self.things();
        let run = &mut things.runs[place];
        if run.state.is_over() {
            return false;
        }
        run.state = state;
        if state.is_over() {
            run.finished_ms = now_ms;
        }
        let told = format!("run {} of {} is {state:?}", place + 1, run.commit);
        things.told.push((now_ms, told));
        true
    }

    /// Makes the cluster what the commit says.
    fn apply(&self, commit: &str) {
        let now_ms = self.now_ms();
        let mut things = self.things();
        let found = things.commits.iter().find(|known| known.id == commit);
        let found = found.expect("a run has a commit").clone();
        for service in 0..SERVICES {
            let version = found.version(service);
            let before = things.live[service].last().expect("something runs").clone();
            if before.version != version {
                let told = format!("{} runs {version}", name(service));
                things.told.push((now_ms, told));
                let key = (service, version.clone());
                let health = things.health.get(&key).copied().unwrap_or(Health::Good);
                things.live[service].push(Live {
                    health,
                    version,
                    since_ms: now_ms,
                    generation: before.generation + 1,
                });
            }
        }
    }
}

fn pipeline(place: usize, run: &Run) -> Pipeline {
    let number = u64::try_from(place + 1).expect("small");
    Pipeline {
        number,
        commit: run.commit.clone(),
        branch: "main".to_owned(),
        event: "push".to_owned(),
        status: run.state,
        url: format!("http://ci/{number}"),
        created_s: run.created_ms / 1_000,
        finished_s: run.finished_ms / 1_000,
        superseded_by: run.superseded_by,
        changed: None,
        errors: Vec::new(),
        workflows: vec![Workflow {
            name: "deploy".to_owned(),
            state: run.state,
            failed_step: (run.state == RunState::Failure).then(|| "apply".to_owned()),
        }],
    }
}

#[async_trait]
impl Ci for World {
    async fn pipelines(&self, _repository: &str, since_s: i64) -> Result<Vec<Pipeline>, Unknown> {
        self.call(Outside::Ci).await.map_err(Unknown)?;
        let now_ms = self.now_ms();
        let things = self.things();
        let rows = things.runs.iter().enumerate().rev();
        Ok(rows
            .filter(|(_, run)| run.created_ms <= now_ms && run.created_ms / 1_000 >= since_s)
            .map(|(place, run)| Pipeline {
                workflows: Vec::new(),
                ..pipeline(place, run)
            })
            .collect())
    }

    async fn pipeline(&self, _repository: &str, number: u64) -> Result<Option<Pipeline>, Unknown> {
        self.call(Outside::Ci).await.map_err(Unknown)?;
        let place = usize::try_from(number).expect("small").wrapping_sub(1);
        let things = self.things();
        Ok(things.runs.get(place).map(|run| pipeline(place, run)))
    }

    async fn restart(&self, _repository: &str, _number: u64) -> Result<Restarted, Unknown> {
        Ok(Restarted::No("it never starts a run again".to_owned()))
    }

    fn workflow(&self, _repository: &str) -> String {
        "deploy".to_owned()
    }

    fn may_restart(&self, _repository: &str) -> bool {
        false
    }
}
