//! One upgrade for each way that commands lie on, led through faults to its end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bowline_tests::LIMIT;
use bus::{JetStream, Log as _, Settings};
use job::{Body, Command, UpgradeId};
use testkit::kubernetes::Behaviour;
use testkit::lab::{Lab, Options, View, told};

use crate::matrix::{Cell, Column};

/// What an upgrade is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    service: &'static str,
    image: &'static str,
    from: &'static str,
    to: &'static str,
}

const fn target(
    service: &'static str,
    image: &'static str,
    from: &'static str,
    to: &'static str,
) -> Target {
    Target {
        service,
        image,
        from,
        to,
    }
}

const fn phpipam(to: &'static str) -> Target {
    target("phpipam", "docker.io/phpipam/phpipam-www", "v1.7.0", to)
}

const EBOOKS: Target = target(
    "ebooks",
    "ghcr.io/advplyr/audiobookshelf",
    "2.32.1",
    "2.33.1",
);
const WEBUI: Target = target(
    "open-webui",
    "ghcr.io/open-webui/open-webui",
    "v0.7.2",
    "v0.7.3",
);
const LINKWARDEN: Target = target(
    "linkwarden",
    "ghcr.io/linkwarden/linkwarden",
    "v2.9.1",
    "v2.9.2",
);

/// What becomes of an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It succeeds, with a backup before.
    Succeeds,
    /// Its pods crash, and it is undone.
    Undone,
    /// It is only planned.
    Observed,
    /// It is cancelled before the rate window was asked.
    CancelledAtOnce,
    /// It is cancelled while its backup runs.
    CancelledInBackup,
    /// It is cancelled between intent and push.
    CancelledInPush,
    /// As `Undone`; its faults are armed only when the undo begins.
    UndoneLate,
    /// It takes three steps, each with a backup; its faults are armed in the first window.
    Steps,
}

/// The versions on that way.
const STEPS: [&str; 4] = ["v2.9.1", "v2.9.2", "v2.9.3", "v2.10.0"];

/// An upgrade, and what it is led through.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) way: Way,
    pub(crate) target: Target,
    pub(crate) cells: Vec<Cell>,
    /// Faults beside those of the cells: each kills a process.
    pub(crate) more: Vec<String>,
}

/// What one lab goes through, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) passes: Vec<Pass>,
}

const FORWARD: [Command; 12] = [
    Command::Admit,
    Command::Plan,
    Command::TakeSlots,
    Command::BeginBackup,
    Command::FinishBackup,
    Command::TakeTurn,
    Command::TakeBaseline,
    Command::BuildCommit,
    Command::FinishPush,
    Command::FollowCi,
    Command::CheckApplied,
    Command::Watch,
];
const UNDO: [Command; 2] = [Command::BuildRevert, Command::FinishRevert];
const CANCEL_PUSH: [Command; 2] = [Command::CancelPush, Command::RequestUndo];

fn killed(commands: &[Command]) -> Vec<Cell> {
    commands
        .iter()
        .flat_map(|command| {
            [
                Cell(*command, Column::Before),
                Cell(*command, Column::After),
            ]
        })
        .collect()
}

fn twice(commands: &[Command]) -> Vec<Cell> {
    commands
        .iter()
        .map(|command| Cell(*command, Column::Twice))
        .collect()
}

fn pass(way: Way, target: Target, cells: Vec<Cell>) -> Pass {
    Pass {
        way,
        target,
        cells,
        more: Vec::new(),
    }
}

/// Everything on the way to success and to an undo, with the faults that stop a process there.
pub(crate) fn stale() -> [(Pass, Vec<String>); 2] {
    let at = |commands: &[Command]| -> Vec<String> {
        commands
            .iter()
            .flat_map(|command| ["paused", "late"].map(|point| format!("{command:?}.{point}")))
            .collect()
    };
    // The ingest that would stop at Admit is the one that is asked how things are.
    let (_, beyond_admit) = FORWARD.split_at(1);
    [
        (
            pass(Way::Succeeds, phpipam("v1.7.4"), Vec::new()),
            at(beyond_admit),
        ),
        (pass(Way::Undone, EBOOKS, Vec::new()), at(&UNDO)),
    ]
}

/// More than the table: killed when the answer is in the log and not acknowledged, in the undo's
/// own verification, and in the second of several steps.
pub(crate) fn more_runs() -> Vec<Run> {
    let deaths = |commands: &[Command], points: &[&str]| -> Vec<String> {
        commands
            .iter()
            .flat_map(|command| {
                points
                    .iter()
                    .map(move |point| format!("{command:?}.{point}"))
            })
            .collect()
    };
    let run = |name, passes: Vec<(Way, Target, Vec<String>)>| Run {
        name,
        passes: passes
            .into_iter()
            .map(|(way, target, more)| Pass {
                more,
                ..pass(way, target, Vec::new())
            })
            .collect(),
    };
    let to_caution = target("linkwarden", LINKWARDEN.image, STEPS[0], STEPS[3]);
    // Admit appends by itself, so that its answer cannot be told from its effect.
    let (_, beyond_admit) = FORWARD.split_at(1);
    let (_, from_backup) = FORWARD.split_at(3);
    let looks = [Command::FollowCi, Command::CheckApplied, Command::Watch];
    vec![
        run(
            "answered, on the way",
            vec![(
                Way::Succeeds,
                phpipam("v1.7.4"),
                deaths(beyond_admit, &["appended"]),
            )],
        ),
        run(
            "in the second step",
            vec![(
                Way::Steps,
                to_caution,
                deaths(from_backup, &["before", "answer", "appended"]),
            )],
        ),
        run(
            "in the undo's verification",
            vec![(
                Way::UndoneLate,
                EBOOKS,
                deaths(&looks, &["before", "carried", "answer", "appended"]),
            )],
        ),
        run(
            "answered, in the undo",
            vec![(Way::Undone, EBOOKS, deaths(&UNDO, &["appended"]))],
        ),
        run(
            "answered, when cancelled",
            vec![
                (
                    Way::CancelledAtOnce,
                    phpipam("v1.7.1"),
                    deaths(&[Command::AnswerCancel], &["appended"]),
                ),
                (
                    Way::CancelledInBackup,
                    phpipam("v1.7.4"),
                    deaths(&[Command::Cancel], &["appended"]),
                ),
                (
                    Way::CancelledInPush,
                    EBOOKS,
                    deaths(&CANCEL_PUSH, &["appended"]),
                ),
            ],
        ),
        run(
            "answered, when observed",
            vec![(
                Way::Observed,
                LINKWARDEN,
                deaths(&[Command::ReportObserve], &["appended"]),
            )],
        ),
    ]
}

/// Three upgrades at once: one that succeeds, one that is undone, one of several steps.
pub(crate) fn together() -> [Pass; 3] {
    let to_caution = target("linkwarden", LINKWARDEN.image, STEPS[0], STEPS[3]);
    [
        pass(Way::Succeeds, phpipam("v1.7.4"), Vec::new()),
        pass(Way::Undone, EBOOKS, Vec::new()),
        pass(Way::Steps, to_caution, Vec::new()),
    ]
}

/// The runs that fill the table, the longest first.
pub(crate) fn runs() -> Vec<Run> {
    let (first, second) = FORWARD.split_at(6);
    let run = |name, passes: &[Pass]| Run {
        name,
        passes: passes.to_vec(),
    };
    let (succeeds, undone, observed) = (Way::Succeeds, Way::Undone, Way::Observed);
    let (at_once, in_backup) = (Way::CancelledAtOnce, Way::CancelledInBackup);
    let in_push = Way::CancelledInPush;
    vec![
        run(
            "the way to the push",
            &[pass(succeeds, phpipam("v1.7.4"), killed(first))],
        ),
        run(
            "the way from the push",
            &[pass(succeeds, phpipam("v1.7.4"), killed(second))],
        ),
        run(
            "cancelled before and in the backup",
            &[
                pass(at_once, phpipam("v1.7.1"), killed(&[Command::AnswerCancel])),
                pass(at_once, phpipam("v1.7.3"), twice(&[Command::AnswerCancel])),
                pass(in_backup, phpipam("v1.7.4"), killed(&[Command::Cancel])),
                pass(in_backup, LINKWARDEN, twice(&[Command::Cancel])),
            ],
        ),
        run(
            "cancelled in the push",
            &[
                pass(in_push, EBOOKS, killed(&CANCEL_PUSH)),
                pass(in_push, WEBUI, twice(&CANCEL_PUSH)),
            ],
        ),
        run("undone", &[pass(undone, EBOOKS, killed(&UNDO))]),
        run(
            "everything twice",
            &[
                pass(succeeds, phpipam("v1.7.4"), twice(&FORWARD)),
                pass(undone, EBOOKS, twice(&UNDO)),
            ],
        ),
        run(
            "observed",
            &[
                pass(observed, LINKWARDEN, killed(&[Command::ReportObserve])),
                pass(
                    observed,
                    phpipam("v1.7.4"),
                    twice(&[Command::ReportObserve]),
                ),
            ],
        ),
    ]
}

impl Run {
    /// The lab for it: what is lost with a process comes again soon.
    pub(crate) fn options(&self) -> Options {
        let second = Duration::from_secs(1);
        Options {
            observe: self.passes.iter().any(|pass| pass.way == Way::Observed),
            windows: (second, second, second),
            ack_wait: second,
            ..Options::default()
        }
    }

    /// Leads its upgrades to their ends.
    pub(crate) async fn go(&self, lab: &Lab) -> anyhow::Result<()> {
        for pass in &self.passes {
            let Target { service, to, .. } = pass.target;
            pass.go(lab)
                .await
                .with_context(|| format!("{service} to {to}, {:?}", pass.way))?;
        }
        Ok(())
    }
}

impl Way {
    /// The fault that stops the upgrade where a person is to cancel it, or the others are armed.
    fn stop(self) -> Option<&'static str> {
        match self {
            Way::Succeeds | Way::Undone | Way::Observed => None,
            Way::UndoneLate => Some("BuildRevert.before"),
            Way::Steps => Some("Watch.before"),
            Way::CancelledAtOnce => Some("Admit.before"),
            Way::CancelledInBackup => Some("FinishBackup.carried"),
            Way::CancelledInPush => Some("FinishPush.before"),
        }
    }

    fn is_cancelled(self) -> bool {
        matches!(
            self,
            Way::CancelledAtOnce | Way::CancelledInBackup | Way::CancelledInPush
        )
    }

    fn crashes(self) -> bool {
        matches!(self, Way::Undone | Way::UndoneLate)
    }

    fn end(self) -> &'static str {
        match self {
            Way::Succeeds | Way::Steps => "Succeeded",
            Way::Undone | Way::UndoneLate | Way::CancelledInPush => "RolledBack",
            Way::Observed => "Skipped",
            Way::CancelledAtOnce | Way::CancelledInBackup => "Cancelled",
        }
    }
}

impl Pass {
    /// The upgrade. The process that would answer with its id may die before it does.
    pub(crate) fn id(&self) -> UpgradeId {
        let Target { image, to, .. } = self.target;
        UpgradeId::derive("lab", "owner/infra", image, to, 1)
    }

    /// Posts its webhook, and returns what was answered, for the report of a failure.
    pub(crate) async fn ask(&self, lab: &Lab) -> String {
        let Target { image, to, .. } = self.target;
        if self.way.crashes() {
            let image = image.trim_start_matches("docker.io/");
            lab.cluster
                .image_behaviour(&format!("{image}:{to}"), Behaviour::CrashLoop);
        }
        format!("{:?}", lab.webhook(image, to, "new").await)
    }

    async fn go(&self, lab: &Lab) -> anyhow::Result<()> {
        let id = self.id();
        let faults: Vec<String> = self
            .cells
            .iter()
            .flat_map(|cell| cell.faults())
            .chain(self.more.clone())
            .collect();
        let deaths: usize = self.cells.iter().map(|cell| cell.deaths()).sum();
        let deaths = deaths + self.more.len() + usize::from(self.way.stop().is_some());
        let arm = || faults.iter().try_for_each(|fault| lab.arm(fault));
        match self.way.stop() {
            None => arm()?,
            Some(stop) => lab.arm(stop)?,
        }
        let posted = self.ask(lab).await;
        if let Some(stop) = self.way.stop() {
            lab.killed_by(stop, LIMIT).await?;
            if self.way.is_cancelled() {
                cancel(lab, &id).await?;
            }
            arm()?;
        }
        let limit = LIMIT + Duration::from_secs(5) * u32::try_from(deaths)?;
        let (view, died) = over(lab, id.as_str(), limit)
            .await
            .with_context(|| format!("the webhook was answered with {posted}"))?;
        ensure!(view.phase.contains(self.way.end()), "{}", told(&view));
        for fault in &faults {
            ensure!(lab.fired(fault), "{fault} never happened\n{}", told(&view));
            if fault.ends_with(".twice") {
                lab.disarm(fault)?;
            }
        }
        ensure!(died == deaths, "{died} processes died, not {deaths}");
        let checked = async {
            self.check(lab)?;
            self.announced(lab).await?;
            // What was announced twice would be left.
            lab.nothing_left().await
        };
        checked.await.with_context(|| told(&view))
    }

    /// The end is the same as without faults.
    pub(crate) fn check(&self, lab: &Lab) -> anyhow::Result<()> {
        let id = self.id();
        let Target {
            service, from, to, ..
        } = self.target;
        let commits: Vec<_> = lab
            .commits()
            .into_iter()
            .filter(|commit| commit.message.contains(&format!(": {id}/")))
            .collect();
        let versions: &[&str] = if self.way == Way::Steps {
            &STEPS
        } else {
            &[from, to]
        };
        let mut expected: Vec<String> = versions
            .windows(2)
            .map(|step| format!("upgrade: {service} {} -> {}", step[0], step[1]))
            .collect();
        let steps = expected.len();
        let subjects: Vec<&str> = commits
            .iter()
            .map(|commit| commit.subject.as_str())
            .collect();
        let live = match self.way {
            Way::Succeeds | Way::Steps => to,
            Way::Undone | Way::UndoneLate | Way::CancelledInPush => {
                expected.push(format!("Revert \"{}\"", expected[0]));
                from
            }
            Way::Observed | Way::CancelledAtOnce | Way::CancelledInBackup => {
                expected.clear();
                from
            }
        };
        ensure!(subjects == expected, "{commits:#?}");
        for commit in &commits {
            let (paths, lines) = lab.changes(&commit.sha)?;
            ensure!(paths == [format!("stacks/{service}/main.tf")], "{paths:?}");
            ensure!(lines.len() == 2, "{lines:#?}");
            let applied = lab.applier.applied();
            let times = applied.iter().filter(|sha| **sha == commit.sha).count();
            // A revert may be pushed before CI has begun with what it takes back.
            let overtaken = self.way == Way::CancelledInPush && commit.subject == expected[0];
            ensure!(
                times == 1 || (overtaken && times == 0),
                "{} was applied {times} times",
                commit.sha
            );
        }
        ensure!(lab.live(service).as_deref() == Some(live));
        ensure!(lab.written(service).as_deref() == Some(live));
        let jobs = lab.cluster.jobs();
        let jobs: Vec<_> = jobs
            .iter()
            .filter(|job| job.name.contains(id.as_str()))
            .collect();
        let has_backup = !matches!(service, "ebooks" | "open-webui");
        let due = match self.way {
            Way::Observed | Way::CancelledAtOnce => 0,
            _ if has_backup => steps,
            _ => 0,
        };
        ensure!(jobs.len() == due, "{jobs:?}");
        Ok(())
    }

    /// People were told of it.
    pub(crate) async fn announced(&self, lab: &Lab) -> anyhow::Result<()> {
        let Target { from, to, .. } = self.target;
        let id = self.id();
        let starting = format!("{from} → {to} starting");
        let rolling_back = format!("rolling back to {from}");
        let announced: &[&str] = match self.way {
            Way::Succeeds | Way::Steps => &[&starting, "done"],
            Way::Undone | Way::UndoneLate | Way::CancelledInPush => {
                &[&starting, &rolling_back, "rolled back, "]
            }
            Way::Observed => &["observe: would upgrade"],
            Way::CancelledAtOnce => &["cancelled"],
            Way::CancelledInBackup => &[&starting, "cancelled"],
        };
        for words in announced {
            lab.said(&[words, id.as_str()], LIMIT).await?;
        }
        Ok(())
    }
}

/// As a person would, by the log itself: ingest may be the one that is down.
async fn cancel(lab: &Lab, id: &UpgradeId) -> anyhow::Result<()> {
    let log = JetStream::connect(&lab.nats.url(), Settings::new("lab")).await?;
    let history = log.read(id).await?.context("it has no log")?;
    let by = "alice".to_owned();
    log.append(id, Some(&history), Body::CancelRequested { by })
        .await?;
    Ok(())
}

/// Waits until the upgrade is over, starting again whatever dies, and counts that.
pub(crate) async fn over(lab: &Lab, id: &str, limit: Duration) -> anyhow::Result<(View, usize)> {
    let deadline = Instant::now() + limit;
    let mut died = 0;
    loop {
        died += lab.revive()?;
        let seen = lab.view(id).await;
        if let Ok(view) = &seen
            && (view.phase.starts_with("Ended") || view.phase == "Stuck")
        {
            return Ok((view.clone(), died));
        }
        if Instant::now() > deadline {
            let seen = seen.map_or_else(|error| format!("{error:#}"), |view| told(&view));
            bail!("it is not over after {died} deaths: {seen}");
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}
