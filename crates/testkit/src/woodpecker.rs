//! A Woodpecker 3.14 server with one private repository: pipelines come, run, and are superseded.

mod api;
mod pipeline;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;

pub use self::pipeline::{Outcome, Policy, State};
use self::pipeline::{Pipeline, Workflow};
use crate::server::{Server, lock};

const TOKEN: &str = "stub-woodpecker-token";

/// A stub server; clones share it, and it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Woodpecker {
    state: Arc<Mutex<Ci>>,
    server: Arc<Server>,
}

/// What a test reads of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The pipeline's number in the repository.
    pub number: u64,
    /// The number this one is a restart of, or 0.
    pub parent: u64,
    /// The commit it runs for.
    pub commit: String,
    /// The pipeline's status.
    pub status: State,
}

#[derive(Debug)]
struct Ci {
    repo_id: u64,
    full_name: String,
    workflow_names: Vec<String>,
    pipelines: Vec<Pipeline>,
    next_row: u64,
    policy: Policy,
    next_policies: VecDeque<Policy>,
    hidden_polls: u32,
    agent_stop: Duration,
    cancel_previous: bool,
    filter_restarts: usize,
    old: bool,
    faults: VecDeque<(u16, &'static str, String)>,
    latency: Duration,
    requests: usize,
}

impl Woodpecker {
    /// Starts a server that knows `full_name` (`owner/name`), whose default branch is `master`.
    ///
    /// # Errors
    /// No loopback port could be bound.
    pub fn start(full_name: &str) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(Ci {
            repo_id: 17,
            full_name: full_name.to_owned(),
            workflow_names: vec!["default".to_owned(), "lint".to_owned()],
            pipelines: Vec::new(),
            next_row: 4_000,
            policy: Policy::Manual,
            next_policies: VecDeque::new(),
            hidden_polls: 0,
            agent_stop: Duration::from_millis(300),
            cancel_previous: true,
            filter_restarts: 0,
            old: false,
            faults: VecDeque::new(),
            latency: Duration::ZERO,
            requests: 0,
        }));
        let router = Router::new()
            .fallback(api::answer)
            .with_state(Arc::clone(&state));
        Ok(Self {
            state,
            server: Arc::new(Server::start("woodpecker", router)?),
        })
    }

    /// The server's address, without `/api`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// The only personal access token that is not treated as a guest's.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// The repository's numeric id.
    #[must_use]
    pub fn repo_id(&self) -> u64 {
        lock(&self.state).repo_id
    }

    /// The repository's `owner/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        lock(&self.state).full_name.clone()
    }

    /// The workflows that every new pipeline gets; `default` and `lint` at first.
    pub fn set_workflows(&self, names: &[&str]) {
        lock(&self.state).workflow_names = names.iter().map(|&name| name.to_owned()).collect();
    }

    /// What happens to pipelines from now on.
    pub fn set_policy(&self, policy: Policy) {
        lock(&self.state).policy = policy;
    }

    /// What happens to the next pipeline that has no policy queued before it.
    pub fn next_policy(&self, policy: Policy) {
        lock(&self.state).next_policies.push_back(policy);
    }

    /// Rows of pipelines that are pushed from now on stay out of the list for `n` list requests.
    pub fn appear_after_polls(&self, n: u32) {
        lock(&self.state).hidden_polls = n;
    }

    /// How long an agent needs to stop a workflow of a killed pipeline.
    pub fn agent_stop_takes(&self, delay: Duration) {
        lock(&self.state).agent_stop = delay;
    }

    /// Whether a newer push kills the older pipelines of its branch; it does at first.
    pub fn cancel_previous(&self, yes: bool) {
        lock(&self.state).cancel_previous = yes;
    }

    /// The next `n` restarts answer 204 with `Pipeline-Filtered: true`.
    pub fn filter_next_restarts(&self, n: usize) {
        lock(&self.state).filter_restarts = n;
    }

    /// Answers the next `n` requests with this status and an empty text.
    pub fn fail_next(&self, status: u16, n: usize) {
        let fault = || (status, "text/plain; charset=utf-8", String::new());
        lock(&self.state).faults.extend((0..n).map(|_| fault()));
    }

    /// Answers the next `n` requests with 200 and an HTML page, as a proxy's log-in page would.
    pub fn html_next(&self, n: usize) {
        lock(&self.state)
            .faults
            .extend((0..n).map(|_| (200, "text/html", api::INDEX.to_owned())));
    }

    /// Makes every answer wait.
    pub fn latency(&self, latency: Duration) {
        lock(&self.state).latency = latency;
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).requests
    }

    /// The forge's webhook for a push: creates the pipeline of the head commit and returns its
    /// number; `None` when the message says to skip CI, or the policy loses the webhook.
    pub fn push(&self, sha: &str, branch: &str, message: &str) -> Option<u64> {
        lock(&self.state).push(sha, branch, message, Timestamp::now())
    }

    /// The paths that the push of the commit's newest pipeline changed, as the forge told.
    pub fn changed(&self, sha: &str, files: &[&str]) {
        if let Some(pipeline) = lock(&self.state).newest(sha) {
            pipeline.changed_files = files.iter().map(|&file| file.to_owned()).collect();
        }
    }

    /// It behaves as a server of 2.x from now on: older field names, no filters, no word about what
    /// superseded a run.
    pub fn old(&self) {
        lock(&self.state).old = true;
    }

    /// An agent takes the commit's newest pipeline: it and all its workflows run.
    ///
    /// Returns whether it was still waiting for that.
    pub fn set_running(&self, sha: &str) -> bool {
        let mut ci = lock(&self.state);
        ci.newest(sha)
            .is_some_and(|pipeline| pipeline.start(Timestamp::now()))
    }

    /// Ends workflows of the commit's newest pipeline; one that is not named keeps its state.
    ///
    /// Returns false when there is no such pipeline, or it was cancelled before.
    pub fn finish(&self, sha: &str, states: &[(&str, State)]) -> bool {
        let mut ci = lock(&self.state);
        ci.newest(sha)
            .is_some_and(|pipeline| pipeline.finish(states, Timestamp::now()))
    }

    /// Adds a plain success of another commit and event, as noise.
    pub fn add_finished(&self, sha: &str, branch: &str, event: &'static str) -> u64 {
        let mut ci = lock(&self.state);
        let now = Timestamp::now();
        let policy = Policy::Auto {
            outcome: Outcome::Success,
            after: Duration::ZERO,
        };
        let number = ci.create(sha, branch, "noise", event, 0, policy, now);
        ci.advance(now);
        number
    }

    /// Every pipeline that has a row, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let mut ci = lock(&self.state);
        ci.advance(Timestamp::now());
        ci.pipelines
            .iter()
            .map(|pipeline| Run {
                number: pipeline.number,
                parent: pipeline.parent,
                commit: pipeline.commit.clone(),
                status: pipeline.status,
            })
            .collect()
    }

    /// Starts exactly this pipeline, if it still waits for an agent.
    pub(crate) fn start_number(&self, number: u64) -> bool {
        let mut ci = lock(&self.state);
        ci.number(number)
            .is_some_and(|pipeline| pipeline.start(Timestamp::now()))
    }

    /// Ends exactly this pipeline.
    pub(crate) fn finish_number(&self, number: u64, outcome: Outcome) -> bool {
        let mut ci = lock(&self.state);
        ci.number(number)
            .is_some_and(|pipeline| pipeline.conclude(outcome, Timestamp::now()))
    }
}

impl Ci {
    fn push(&mut self, sha: &str, branch: &str, message: &str, now: Timestamp) -> Option<u64> {
        self.advance(now);
        if skips(message) {
            return None;
        }
        let policy = self.next_policies.pop_front().unwrap_or(self.policy);
        if policy == Policy::Lost {
            return None;
        }
        let number = self.create(sha, branch, message, "push", 0, policy, now);
        if self.cancel_previous {
            let agent_stop = self.agent_stop;
            for older in &mut self.pipelines {
                let same = older.branch == branch && older.event == "push";
                if same && older.number < number {
                    older.cancel(Some(number), agent_stop, now);
                }
            }
        }
        Some(number)
    }

    #[expect(clippy::too_many_arguments, reason = "a row has that many columns")]
    fn create(
        &mut self,
        sha: &str,
        branch: &str,
        message: &str,
        event: &'static str,
        parent: u64,
        policy: Policy,
        now: Timestamp,
    ) -> u64 {
        // The highest number plus one: the number of a deleted row is used again.
        let number = self
            .pipelines
            .iter()
            .map(|row| row.number)
            .max()
            .unwrap_or(0)
            + 1;
        self.next_row += 1;
        let workflows = if policy == Policy::NoWorkflow {
            Vec::new()
        } else {
            let names = self.workflow_names.iter().zip(1..);
            names.map(|(name, pid)| Workflow::new(name, pid)).collect()
        };
        let mut pipeline = Pipeline {
            id: self.next_row,
            number,
            parent,
            event,
            commit: sha.to_owned(),
            branch: branch.to_owned(),
            message: message.to_owned(),
            status: State::Created,
            workflows,
            created: now,
            started: None,
            finished: None,
            superseded_by: None,
            cancelled: false,
            hidden_polls: if parent == 0 && event == "push" {
                self.hidden_polls
            } else {
                0
            },
            changed_files: Vec::new(),
            policy,
        };
        pipeline.settle();
        self.pipelines.push(pipeline);
        number
    }

    /// Lets everything happen that is due by `now`.
    fn advance(&mut self, now: Timestamp) {
        self.pipelines.retain_mut(|pipeline| pipeline.advance(now));
    }

    fn newest(&mut self, sha: &str) -> Option<&mut Pipeline> {
        self.advance(Timestamp::now());
        self.pipelines
            .iter_mut()
            .rev()
            .find(|pipeline| pipeline.commit == sha)
    }

    fn number(&mut self, number: u64) -> Option<&mut Pipeline> {
        self.advance(Timestamp::now());
        self.pipelines
            .iter_mut()
            .find(|pipeline| pipeline.number == number)
    }
}

/// Woodpecker's `\[(ci *skip|skip *ci)\]`, in any case, anywhere in the message.
fn skips(message: &str) -> bool {
    let message = message.to_lowercase();
    message
        .split('[')
        .skip(1)
        .filter_map(|part| part.split_once(']'))
        .any(|(inside, _)| {
            let spaced = |first: &str, second: &str| {
                let rest = inside
                    .strip_prefix(first)
                    .and_then(|rest| rest.strip_suffix(second));
                rest.is_some_and(|between| between.chars().all(|c| c == ' '))
            };
            spaced("ci", "skip") || spaced("skip", "ci")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_marker_counts_anywhere_and_in_any_case() {
        for skipped in [
            "x [CI SKIP]",
            "a\n\nquoted [skip  ci] here",
            "[ciskip]",
            "[[ci skip]]",
        ] {
            assert!(skips(skipped), "{skipped}");
        }
        for built in [
            "ci skip",
            "[ci-skip]",
            "[ci skip",
            "[ci skipped]",
            "(skip ci)",
        ] {
            assert!(!skips(built), "{built}");
        }
    }
}
