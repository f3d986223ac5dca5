//! One pipeline and its workflows, and how they move.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Woodpecker's states, of pipelines (`status`) and of workflows and steps (`state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The row exists, its configuration is not read yet.
    Created,
    /// Waits for an agent.
    Pending,
    /// An agent works on it.
    Running,
    /// Waits for a person.
    Blocked,
    /// Ended well.
    Success,
    /// A command failed.
    Failure,
    /// The configuration or the agent failed.
    Error,
    /// Stopped while running.
    Killed,
    /// Stopped before it ran.
    Canceled,
    /// A person said no.
    Declined,
    /// Its conditions did not match.
    Skipped,
}

impl State {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Killed => "killed",
            Self::Canceled => "canceled",
            Self::Declined => "declined",
            Self::Skipped => "skipped",
        }
    }

    fn waits(self) -> bool {
        matches!(self, Self::Created | Self::Pending | Self::Blocked)
    }

    /// Whether it will not change any more by itself.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !self.waits() && self != Self::Running
    }
}

/// How a pipeline ends that is left to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every workflow succeeds.
    Success,
    /// `default` fails, the others succeed.
    Failure,
    /// `default` succeeds, the others fail.
    OthersFail,
    /// `default` is skipped by its conditions, the others succeed.
    DefaultSkipped,
    /// There is no `default` workflow, the others succeed.
    DefaultMissing,
    /// The configuration is wrong.
    Error,
}

/// What happens to a pipeline once the forge reported the push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Pending until the test moves it on.
    Manual,
    /// Runs at once and ends like this after a while.
    Auto {
        /// How it ends.
        outcome: Outcome,
        /// When, counted from its creation.
        after: Duration,
    },
    /// The webhook is lost: there never is a row.
    Lost,
    /// No workflow matches: the row shows as `created`, then is deleted after 100 ms.
    NoWorkflow,
    /// Waits for a person's approval.
    Blocked,
}

#[derive(Debug)]
pub(super) struct Workflow {
    name: String,
    pid: u64,
    state: State,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    /// When its agent obeys the cancellation.
    stops_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) parent: u64,
    pub(super) event: &'static str,
    pub(super) commit: String,
    pub(super) branch: String,
    pub(super) message: String,
    pub(super) status: State,
    pub(super) workflows: Vec<Workflow>,
    pub(super) created: Timestamp,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    pub(super) superseded_by: Option<u64>,
    pub(super) cancelled: bool,
    pub(super) hidden_polls: u32,
    pub(super) changed_files: Vec<String>,
    pub(super) policy: Policy,
}

impl Workflow {
    pub(super) fn new(name: &str, pid: u64) -> Self {
        let name = name.to_owned();
        Self {
            name,
            pid,
            state: State::Pending,
            started: None,
            finished: None,
            stops_at: None,
        }
    }

    fn end(&mut self, state: State, at: Timestamp) {
        self.state = state;
        self.finished = Some(at);
        self.stops_at = None;
    }
}

impl Pipeline {
    /// Gives a new row the state its policy starts it in.
    pub(super) fn settle(&mut self) {
        match self.policy {
            Policy::NoWorkflow | Policy::Lost => {}
            Policy::Manual => self.status = State::Pending,
            Policy::Blocked => {
                self.status = State::Blocked;
                self.workflows
                    .iter_mut()
                    .for_each(|workflow| workflow.state = State::Blocked);
            }
            Policy::Auto { .. } => {
                self.status = State::Pending;
                self.start(self.created);
            }
        }
    }

    /// Whether the row still exists after everything due by `now` has happened.
    pub(super) fn advance(&mut self, now: Timestamp) -> bool {
        if self.policy == Policy::NoWorkflow {
            return now < self.created + Duration::from_millis(100);
        }
        if let Policy::Auto { outcome, after } = self.policy
            && self.created + after <= now
        {
            self.conclude(outcome, self.created + after);
        }
        for workflow in &mut self.workflows {
            if let Some(at) = workflow.stops_at.filter(|at| *at <= now) {
                workflow.end(State::Killed, at);
            }
        }
        true
    }

    pub(super) fn start(&mut self, now: Timestamp) -> bool {
        if self.status != State::Pending {
            return false;
        }
        self.status = State::Running;
        self.started = Some(now);
        for workflow in &mut self.workflows {
            workflow.state = State::Running;
            workflow.started = Some(now);
        }
        true
    }

    pub(super) fn conclude(&mut self, outcome: Outcome, at: Timestamp) -> bool {
        if self.cancelled || self.finished.is_some() {
            return false;
        }
        if outcome == Outcome::DefaultMissing {
            self.workflows.retain(|workflow| workflow.name != "default");
        }
        let states: Vec<(String, State)> = self
            .workflows
            .iter()
            .map(|workflow| (workflow.name.clone(), outcome.of(&workflow.name)))
            .collect();
        let states: Vec<(&str, State)> = states
            .iter()
            .map(|(name, state)| (name.as_str(), *state))
            .collect();
        self.finish(&states, at)
    }

    pub(super) fn finish(&mut self, states: &[(&str, State)], at: Timestamp) -> bool {
        if self.cancelled {
            return false;
        }
        self.start(at);
        for workflow in &mut self.workflows {
            if let Some((_, state)) = states.iter().find(|(name, _)| *name == workflow.name) {
                workflow.state = *state;
                workflow.finished = state.is_terminal().then_some(at);
            }
        }
        self.status = merge(self.workflows.iter().map(|workflow| workflow.state));
        let ended = self
            .workflows
            .iter()
            .all(|workflow| workflow.state.is_terminal());
        self.finished = ended.then_some(at);
        true
    }

    /// Kills it if it has not ended; a running workflow goes on until its agent stops.
    pub(super) fn cancel(&mut self, by: Option<u64>, agent_stop: Duration, now: Timestamp) -> bool {
        if self.status.is_terminal() || self.status == State::Created {
            return false;
        }
        self.status = if self.status == State::Running {
            State::Killed
        } else {
            State::Canceled
        };
        self.finished = Some(now);
        self.superseded_by = by;
        self.cancelled = true;
        for workflow in &mut self.workflows {
            match workflow.state {
                State::Running => workflow.stops_at = Some(now + agent_stop),
                state if state.waits() => workflow.end(State::Canceled, now),
                _ => {}
            }
        }
        true
    }

    /// The row without its workflows, as the list shows it.
    pub(super) fn summary(&self) -> Value {
        let updated = self.finished.or(self.started).unwrap_or(self.created);
        let mut row = json!({
            "id": self.id, "number": self.number, "author": "committer", "parent": self.parent,
            "event": self.event, "event_reason": null, "status": self.status.as_str(),
            "errors": null, "created": self.created.as_second(), "updated": updated.as_second(),
            "started": seconds(self.started), "finished": seconds(self.finished),
            "deploy_to": "", "deploy_task": "", "commit": self.commit, "branch": self.branch,
            "ref": format!("refs/heads/{}", self.branch), "refspec": "", "author_avatar": "",
            "author_email": "", "forge_url": "", "reviewed_by": "", "reviewed": 0,
            "title": "", "message": self.message, "timestamp": self.created.as_second(),
            "sender": "committer", "version": 1,
        });
        if !self.changed_files.is_empty() {
            row["changed_files"] = json!(self.changed_files);
        }
        if self.cancelled {
            row["cancel_info"] = match self.superseded_by {
                Some(number) => json!({"superseded_by": number}),
                None => json!({"canceled_by_user": "committer"}),
            };
        }
        row
    }

    /// The row with its workflows and their steps.
    pub(super) fn detail(&self) -> Value {
        let mut row = self.summary();
        if self.workflows.is_empty() {
            return row;
        }
        row["workflows"] = self
            .workflows
            .iter()
            .map(|workflow| self.render(workflow))
            .collect();
        row
    }

    fn render(&self, workflow: &Workflow) -> Value {
        let id = self.id * 100 + workflow.pid;
        let step = |n: u64, name: &str, kind: &str| {
            let exit_code = u64::from(workflow.state == State::Failure);
            let mut step = json!({
                "id": id * 10 + n, "uuid": format!("{id:032x}"), "pipeline_id": self.id,
                "pid": workflow.pid * 10 + n, "ppid": workflow.pid, "name": name,
                "state": workflow.state.as_str(), "exit_code": exit_code, "type": kind,
            });
            times(&mut step, workflow);
            step
        };
        let mut row = json!({
            "id": id, "pipeline_id": self.id, "pid": workflow.pid, "name": workflow.name,
            "state": workflow.state.as_str(),
            "children": [step(1, "clone", "clone"), step(2, "apply", "commands")],
        });
        times(&mut row, workflow);
        row
    }
}

impl Outcome {
    fn of(self, workflow: &str) -> State {
        match (self, workflow) {
            (Self::Error, _) => State::Error,
            (Self::Failure, "default") => State::Failure,
            (Self::DefaultSkipped, "default") => State::Skipped,
            (Self::OthersFail, name) if name != "default" => State::Failure,
            _ => State::Success,
        }
    }
}

fn times(row: &mut Value, workflow: &Workflow) {
    for (key, at) in [
        ("started", workflow.started),
        ("finished", workflow.finished),
    ] {
        if let Some(at) = at {
            row[key] = json!(at.as_second());
        }
    }
}

fn seconds(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_second)
}

/// The pipeline's status out of its workflows' states; all skipped is a success.
fn merge(states: impl Iterator<Item = State>) -> State {
    const PRIORITY: [State; 7] = [
        State::Error,
        State::Killed,
        State::Canceled,
        State::Running,
        State::Pending,
        State::Failure,
        State::Success,
    ];
    let states: Vec<State> = states.collect();
    PRIORITY
        .into_iter()
        .find(|state| states.contains(state))
        .unwrap_or(State::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_shows_only_when_all_have_ended_but_an_error_at_once() {
        use State::{Error, Failure, Running, Skipped, Success};
        assert_eq!(merge([Failure, Running].into_iter()), Running);
        assert_eq!(merge([Error, Running].into_iter()), Error);
        assert_eq!(merge([Failure, Success].into_iter()), Failure);
        assert_eq!(merge([Skipped, Skipped].into_iter()), Success);
    }
}
