//! What a run of CI and the live image say together.

use job::CiRun;

use crate::applied::Live;
use crate::ports::{Pipeline, RunState, Unknown};
use crate::verdict::{self, Says, Time};

/// Our commit's run, read for the gating workflow alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    /// There is none.
    Absent,
    /// Not over; the text says how it stands.
    Open(String),
    /// The gating workflow was green.
    Passed(CiRun),
    /// It was red, or did not run although the pipeline is over.
    Failed(String),
    /// It was stopped.
    Killed {
        /// Its number.
        number: u64,
        /// When, in milliseconds since the Unix epoch; 0 if unknown.
        at_ms: i64,
        /// The newer run that took its place, if the server says so.
        by: Option<u64>,
    },
}

/// How long we have been waiting, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waited {
    /// Now, since the Unix epoch.
    pub(crate) now_ms: i64,
    /// When the waiting began, since the Unix epoch.
    pub(crate) since_ms: i64,
    /// A run must appear within this time.
    pub(crate) appear_ms: i64,
    /// A run may take this long.
    pub(crate) patience_ms: i64,
    /// What is unknown for so much longer is given up.
    pub(crate) unknown_ms: i64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ask again later.
    Poll,
    /// Green.
    Passed(CiRun),
    /// No run counts; the live image decides.
    Absent,
    /// Undo; the text is the evidence.
    Undo(String),
    /// A person is needed.
    Stuck(String),
}

/// The rows of our commit, the newest of which counts.
pub(crate) fn ours<'a>(rows: &'a [Pipeline], commit: &str) -> Option<&'a Pipeline> {
    rows.iter()
        .filter(|row| row.commit == commit)
        .max_by_key(|row| row.number)
}

/// The run that took the place of `number`: the one the server names, else the next on the branch.
pub(crate) fn successor(rows: &[Pipeline], number: u64, by: Option<u64>) -> Option<u64> {
    by.filter(|by| *by > number).or_else(|| {
        rows.iter()
            .map(|row| row.number)
            .filter(|row| *row > number)
            .min()
    })
}

/// Whether no push after `number` changed anything below the folders; not known is no.
pub(crate) fn untouched_since(rows: &[Pipeline], number: u64, folders: &[&str]) -> bool {
    let inside = |path: &String| {
        let below = |folder: &&str| {
            path.strip_prefix(*folder)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        folders.iter().any(below)
    };
    rows.iter().filter(|row| row.number > number).all(|row| {
        let changed = row.changed.as_ref();
        changed.is_some_and(|paths| !paths.is_empty() && !paths.iter().any(inside))
    })
}

/// Reads a pipeline for its gating workflow; the pipeline's own status says little.
pub(crate) fn read(pipeline: &Pipeline, workflow: &str) -> Run {
    let gating: Vec<_> = pipeline
        .workflows
        .iter()
        .filter(|one| one.name == workflow)
        .collect();
    let number = pipeline.number;
    let failed = |why: String| Run::Failed(format!("pipeline #{number}: {why} ({})", pipeline.url));
    let run = || CiRun {
        number,
        workflow: workflow.to_owned(),
        url: pipeline.url.clone(),
    };
    let killed = || Run::Killed {
        number,
        at_ms: pipeline.finished_s.saturating_mul(1000),
        by: pipeline.superseded_by,
    };
    let any = |state| gating.iter().any(|one| one.state == state);
    // A stopped pipeline's workflow runs on until its agent obeys: it may still be applying.
    if any(RunState::Running) {
        return Run::Open(format!("pipeline #{number}: `{workflow}` runs"));
    }
    if let Some(red) = gating.iter().find(|one| one.state == RunState::Failure) {
        let step = red
            .failed_step
            .as_deref()
            .map_or(String::new(), |step| format!(" in {step}"));
        return failed(format!("`{workflow}` failed{step}"));
    }
    if any(RunState::Killed) || (pipeline.status == RunState::Killed && any(RunState::Waiting)) {
        return killed();
    }
    if any(RunState::Waiting) {
        return Run::Open(format!("pipeline #{number}: `{workflow}` waits"));
    }
    if any(RunState::Skipped) && pipeline.status.is_over() {
        return failed(format!("`{workflow}` was skipped"));
    }
    if !gating.is_empty() && gating.iter().all(|one| one.state == RunState::Success) {
        return Run::Passed(run());
    }
    // No such workflow, or one part of a matrix was skipped in a pipeline that still runs.
    match pipeline.status {
        RunState::Waiting | RunState::Running => {
            Run::Open(format!("pipeline #{number} is not over"))
        }
        RunState::Killed => killed(),
        RunState::Failure if !pipeline.errors.is_empty() => failed(pipeline.errors.join("; ")),
        RunState::Success | RunState::Failure | RunState::Skipped => {
            failed(format!("it has no workflow `{workflow}`"))
        }
    }
}

/// Whether [`decide`] needs the live image for this run.
pub(crate) fn needs_live(run: &Result<Run, Unknown>, waited: Waited) -> bool {
    match run {
        Ok(Run::Failed(_)) => true,
        Ok(Run::Open(_)) | Err(_) => waited.over(waited.patience_ms),
        Ok(Run::Absent | Run::Passed(_) | Run::Killed { .. }) => false,
    }
}

/// What follows from the run, with what is live where [`needs_live`] asks for it.
pub(crate) fn decide(
    run: &Result<Run, Unknown>,
    live: &Live,
    waited: Waited,
    undo: bool,
) -> Verdict {
    let time = Time::of(
        waited.now_ms,
        waited.since_ms.saturating_add(waited.patience_ms),
        waited.unknown_ms,
    );
    let verdict = match run {
        Ok(Run::Passed(run)) => return Verdict::Passed(run.clone()),
        Ok(Run::Absent) if waited.over(waited.appear_ms) => return Verdict::Absent,
        // The newer run gets the same time to appear, counted from the end of the older one.
        Ok(Run::Killed { at_ms, .. })
            if Waited {
                since_ms: waited.since_ms.max(*at_ms),
                ..waited
            }
            .over(waited.appear_ms) =>
        {
            return Verdict::Absent;
        }
        Ok(Run::Absent | Run::Killed { .. }) => return Verdict::Poll,
        Ok(Run::Failed(why)) => verdict::verdict(Says::Red(why), live, time, undo),
        Ok(Run::Open(how)) | Err(Unknown(how)) => {
            let patience = waited.patience_ms / 1000;
            let how = format!("CI did not report in {patience} s: {how}");
            verdict::verdict(Says::Nothing(&how), live, time, undo)
        }
    };
    match verdict {
        verdict::Verdict::Wait => Verdict::Poll,
        verdict::Verdict::Live(_) => Verdict::Absent,
        // Only a green run is started again, and none was seen here.
        verdict::Verdict::Restart => Verdict::Poll,
        verdict::Verdict::Undo(evidence) => Verdict::Undo(evidence),
        verdict::Verdict::Stuck(why) => Verdict::Stuck(why),
    }
}

impl Waited {
    fn over(self, limit_ms: i64) -> bool {
        self.now_ms.saturating_sub(self.since_ms) >= limit_ms
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ports::Workflow;

    fn pipeline(status: &str, workflows: &[(&str, &str)]) -> Pipeline {
        Pipeline {
            number: 12,
            commit: "c".to_owned(),
            branch: "master".to_owned(),
            event: "push".to_owned(),
            status: RunState::parse(status),
            url: "http://ci/12".to_owned(),
            created_s: 1,
            finished_s: 0,
            superseded_by: None,
            changed: None,
            errors: Vec::new(),
            workflows: workflows
                .iter()
                .map(|(name, state)| Workflow {
                    name: (*name).to_owned(),
                    state: RunState::parse(state),
                    failed_step: (*state == "failure").then(|| "step `apply`".to_owned()),
                })
                .collect(),
        }
    }

    fn kind(run: &Run) -> &'static str {
        match run {
            Run::Absent => "absent",
            Run::Open(_) => "open",
            Run::Passed(_) => "passed",
            Run::Failed(_) => "failed",
            Run::Killed { .. } => "killed",
        }
    }

    #[test]
    fn the_gating_workflow_decides_and_not_the_pipeline() {
        for (status, workflows, expected) in [
            ("created", &[][..], "open"),
            ("pending", &[("default", "pending")], "open"),
            ("blocked", &[("default", "blocked")], "open"),
            ("running", &[("default", "running")], "open"),
            (
                "running",
                &[("default", "success"), ("lint", "running")],
                "passed",
            ),
            (
                "failure",
                &[("default", "success"), ("lint", "failure")],
                "passed",
            ),
            ("success", &[("default", "success")], "passed"),
            (
                "failure",
                &[("default", "failure"), ("lint", "success")],
                "failed",
            ),
            (
                "running",
                &[("default", "failure"), ("lint", "running")],
                "failed",
            ),
            ("error", &[("default", "error")], "failed"),
            ("error", &[], "failed"),
            ("declined", &[("default", "declined")], "failed"),
            (
                "success",
                &[("default", "skipped"), ("lint", "success")],
                "failed",
            ),
            ("success", &[("lint", "success")], "failed"),
            ("running", &[("lint", "running")], "open"),
            (
                "running",
                &[("default", "skipped"), ("lint", "running")],
                "open",
            ),
            ("killed", &[("default", "running")], "open"),
            ("killed", &[("default", "killed")], "killed"),
            ("killed", &[("default", "pending")], "killed"),
            ("canceled", &[("default", "canceled")], "killed"),
            ("canceled", &[], "killed"),
            (
                "killed",
                &[("default", "success"), ("lint", "killed")],
                "passed",
            ),
            (
                "killed",
                &[("default", "failure"), ("lint", "killed")],
                "failed",
            ),
            (
                "success",
                &[("default", "success"), ("default", "failure")],
                "failed",
            ),
            (
                "running",
                &[("default", "success"), ("default", "running")],
                "open",
            ),
            ("levitating", &[("default", "levitating")], "open"),
        ] {
            let run = read(&pipeline(status, workflows), "default");
            assert_eq!(kind(&run), expected, "{status} {workflows:?}: {run:?}");
        }
    }

    #[test]
    fn a_failure_names_the_step_and_the_address() {
        let run = read(&pipeline("failure", &[("default", "failure")]), "default");
        let expected = "pipeline #12: `default` failed in step `apply` (http://ci/12)";
        assert_eq!(run, Run::Failed(expected.to_owned()));
    }

    #[test]
    fn the_successor_is_the_named_one_or_the_next_on_the_branch() {
        let rows: Vec<Pipeline> = [15, 14, 12]
            .map(|number| Pipeline {
                number,
                ..pipeline("success", &[])
            })
            .into();
        assert_eq!(successor(&rows, 12, Some(15)), Some(15));
        assert_eq!(successor(&rows, 12, None), Some(14));
        assert_eq!(successor(&rows, 15, None), None);
        assert_eq!(ours(&rows, "c").map(|row| row.number), Some(15));
        assert_eq!(ours(&rows, "d"), None);
    }

    #[test]
    fn a_later_push_touches_a_folder_or_does_not_or_does_not_say() {
        let row = |number, changed: Option<&[&str]>| Pipeline {
            number,
            changed: changed.map(|paths| paths.iter().map(|&path| path.to_owned()).collect()),
            ..pipeline("success", &[])
        };
        let ours = row(12, Some(&["stacks/app/main.tf"]));
        for (changed, expected) in [
            (Some(&["README.md"][..]), true),
            (Some(&["stacks/apps/main.tf"]), true),
            (Some(&["README.md", "stacks/app/state.json"]), false),
            (Some(&[]), false),
            (None, false),
        ] {
            let rows = [row(13, changed), ours.clone()];
            let found = untouched_since(&rows, 12, &["stacks/app"]);
            assert_eq!(found, expected, "{changed:?}");
        }
    }

    #[test]
    fn ci_result_times_live_image() {
        let new = Live::Wanted {
            images: BTreeMap::new(),
            healthy: true,
        };
        let sick = Live::Wanted {
            images: BTreeMap::new(),
            healthy: false,
        };
        let old = Live::Other("old".to_owned());
        let away = Live::Unknown("away".to_owned());
        let passed = CiRun {
            number: 1,
            workflow: "default".to_owned(),
            url: String::new(),
        };
        let passed = Ok(Run::Passed(passed));
        let failed = Ok(Run::Failed("red".to_owned()));
        let open = Ok(Run::Open("runs".to_owned()));
        let killed = |at_ms| {
            Ok(Run::Killed {
                number: 1,
                at_ms,
                by: None,
            })
        };
        let unasked = Err(Unknown("CI away".to_owned()));
        // (run, live, seconds waited, undo) → verdict; appear 300 s, patience 1000 s, unknown 500 s.
        for (run, live, seconds, undo, expected) in [
            (&passed, &old, 10, false, "passed"),
            (&passed, &old, 10, true, "passed"),
            (&failed, &old, 10, false, "undo"),
            (&failed, &sick, 10, false, "undo"),
            (&failed, &new, 10, false, "stuck"),
            (&failed, &old, 10, true, "stuck"),
            (&failed, &sick, 10, true, "stuck"),
            (&failed, &away, 10, false, "poll"),
            (&failed, &away, 1499, false, "poll"),
            (&failed, &away, 1500, false, "stuck"),
            (&open, &old, 999, false, "poll"),
            (&open, &old, 1000, false, "stuck"),
            (&open, &new, 1000, false, "absent"),
            (&open, &away, 1000, false, "poll"),
            (&unasked, &old, 999, false, "poll"),
            (&unasked, &old, 1000, false, "stuck"),
            (&unasked, &new, 1000, true, "absent"),
            (&Ok(Run::Absent), &old, 299, false, "poll"),
            (&Ok(Run::Absent), &old, 300, false, "absent"),
            (&Ok(Run::Absent), &old, 300, true, "absent"),
            (&killed(0), &old, 299, false, "poll"),
            (&killed(0), &old, 300, false, "absent"),
            (&killed(100_000), &old, 399, false, "poll"),
            (&killed(100_000), &old, 400, false, "absent"),
        ] {
            let waited = Waited {
                now_ms: seconds * 1000,
                since_ms: 0,
                appear_ms: 300_000,
                patience_ms: 1_000_000,
                unknown_ms: 500_000,
            };
            let verdict = decide(run, live, waited, undo);
            let name = match &verdict {
                Verdict::Poll => "poll",
                Verdict::Passed(_) => "passed",
                Verdict::Absent => "absent",
                Verdict::Undo(_) => "undo",
                Verdict::Stuck(_) => "stuck",
            };
            assert_eq!(
                name, expected,
                "{run:?} {live:?} {seconds} undo={undo}: {verdict:?}"
            );
        }
    }
}
