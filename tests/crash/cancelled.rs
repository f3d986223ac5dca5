//! A person's cancel in each phase in which one is heard, over gRPC, of real processes: before the
//! push it leaves nothing, after it the commit is undone.
//!
//! An upgrade is held where it is by the death of whoever would lead it on, or by what it waits for
//! anyway; then it is cancelled and let go.

use std::collections::HashSet;

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_lab};
use job::{Command, Phase};
use testkit::lab::{Lab, Options, Stack, View, told};
use wire::v1::{ControlRequest, PauseRequest, SetLimitsRequest};

use crate::quick;

/// What holds an upgrade in its phase.
#[derive(Debug, Clone, Copy)]
enum Hold {
    /// Ingest answers gRPC itself and must live: NATS delivers nothing to it.
    Inbox,
    /// The rate window has no place.
    Window,
    /// Its owner dies before this command.
    Death(Command),
    /// Nobody approves it.
    Approval,
    /// It is approved, and its owner dies before this command.
    Approved(Command),
    /// Somebody else changes its site after the plan; its owner dies before this command, when it
    /// comes for the second time.
    OtherSite(Command),
    /// Its service is paused after it took the turn.
    Pause,
    /// Its owner dies before this command of the second step.
    SecondStep(Command),
    /// CI never hears of the push, and its owner dies before this command.
    NoRun(Command),
    /// Its owner dies before this command, and somebody else's commit comes first.
    Overtaken(Command),
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Cancelled, with nothing in the branch.
    Nothing,
    /// Cancelled, with the first of two steps verified.
    FirstStep,
    /// Its commit is undone and the old version verified.
    Undone,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
struct Cancel {
    phase: Phase,
    hold: Hold,
    service: &'static str,
    to: &'static str,
    end: End,
}

const fn cancel(
    phase: Phase,
    hold: Hold,
    (service, to): (&'static str, &'static str),
    end: End,
) -> Cancel {
    Cancel {
        phase,
        hold,
        service,
        to,
        end,
    }
}

/// Where nothing is pushed yet, or nothing of it can land any more.
#[rustfmt::skip]
const BEFORE: [Cancel; 14] = [
    cancel(Phase::Requested, Hold::Inbox, ("phpipam", "v1.7.1"), End::Nothing),
    cancel(Phase::Held, Hold::Window, ("phpipam", "v1.7.3"), End::Nothing),
    cancel(Phase::Admitted, Hold::Death(Command::Plan), ("coturn", "4.7.0-r1"), End::Nothing),
    cancel(Phase::AwaitingApproval, Hold::Approval, ("open-webui", "v0.7.3"), End::Nothing),
    cancel(Phase::Approved, Hold::Approved(Command::TakeSlots), ("open-webui", "v0.8.0"), End::Nothing),
    cancel(Phase::Planned, Hold::Death(Command::TakeSlots), ("ebooks", "2.33.0"), End::Nothing),
    cancel(Phase::Replanning, Hold::OtherSite(Command::Plan), ("ebooks", "2.33.1"), End::Nothing),
    cancel(Phase::Started, Hold::Death(Command::BeginBackup), ("phpipam", "v1.7.4"), End::Nothing),
    cancel(Phase::BackingUp, Hold::Death(Command::FinishBackup), ("linkwarden", "v2.9.2"), End::Nothing),
    cancel(Phase::BackedUp, Hold::Death(Command::TakeTurn), ("linkwarden", "v2.9.3"), End::Nothing),
    cancel(Phase::SteppedBack, Hold::Pause, ("paperless-ngx", "2.17.0"), End::Nothing),
    cancel(Phase::Ready, Hold::Death(Command::TakeBaseline), ("paperless-ngx", "2.18.0"), End::Nothing),
    cancel(Phase::Baselined, Hold::Death(Command::BuildCommit), ("matrix", "v1.126.0"), End::Nothing),
    cancel(Phase::Pushing, Hold::Overtaken(Command::FinishPush), ("url", "4.4.6"), End::Nothing),
];

/// Where a commit of it is in the branch, or comes there.
#[rustfmt::skip]
const AFTER: [Cancel; 6] = [
    cancel(Phase::Verified, Hold::SecondStep(Command::TakeTurn), ("owntracks", "1.0.1"), End::FirstStep),
    cancel(Phase::Pushing, Hold::Death(Command::FinishPush), ("ebooks", "2.33.1"), End::Undone),
    cancel(Phase::Pushed, Hold::Death(Command::FollowCi), ("open-webui", "v0.7.3"), End::Undone),
    cancel(Phase::CiPassed, Hold::Death(Command::CheckApplied), ("phpipam", "v1.7.4"), End::Undone),
    cancel(Phase::CiAbsent, Hold::NoRun(Command::CheckApplied), ("linkwarden", "v2.9.2"), End::Undone),
    cancel(Phase::Watching, Hold::Death(Command::Watch), ("paperless-ngx", "2.17.0"), End::Undone),
];

#[test]
fn the_table_has_every_phase_in_which_a_cancel_is_heard() {
    let heard = |phase: &Phase| {
        !phase.is_end() && !phase.is_undo() && !matches!(phase, Phase::Stuck | Phase::Parked)
    };
    let heard: HashSet<Phase> = Phase::ALL.into_iter().filter(heard).collect();
    let table: HashSet<Phase> = BEFORE.iter().chain(&AFTER).map(|row| row.phase).collect();
    assert_eq!(table, heard);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_before_the_push_leaves_nothing_whenever_it_comes() {
    let options = Options {
        approval: vec!["open-webui"],
        ..quick()
    };
    in_lab(options, async |lab| all(&BEFORE, lab).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_after_the_push_undoes_it_whenever_it_comes() {
    in_lab(quick(), async |lab| all(&AFTER, lab).await).await;
}

async fn all(rows: &[Cancel], lab: &Lab) -> anyhow::Result<()> {
    for row in rows {
        row.go(lab)
            .await
            .with_context(|| format!("{:?}, held by {:?}", row.phase, row.hold))?;
    }
    Ok(())
}

impl Cancel {
    async fn go(&self, lab: &Lab) -> anyhow::Result<()> {
        let from = lab.written(self.service).context("no version")?;
        let id = self.hold(lab).await?;
        let phase = format!("{:?}", self.phase);
        let there = |view: &View| view.phase == phase;
        let held = lab.wait(&id, &phase, there, LIMIT).await?;
        lab.client().await?.cancel(wish(&id)).await?;
        self.let_go(lab).await?;

        let (end, answer): (_, &[&str]) = match (self.end, self.phase) {
            (End::Nothing | End::FirstStep, _) => ("Cancelled", &["cancelled"]),
            // What was begun is finished.
            (End::Undone, Phase::Pushing) => ("RolledBack", &["pushed", "rollback_requested"]),
            (End::Undone, _) => ("RolledBack", &["rollback_requested"]),
        };
        let view = lab.ended(&id, end, LIMIT).await?;
        self.tidy_up(lab).await?;
        let since = view.facts.iter().skip(held.facts.len());
        let since: Vec<&str> = since.map(|fact| fact.name.as_str()).collect();
        let checked = async {
            let answered = since.strip_prefix(&["cancel_requested"]);
            ensure!(
                answered.is_some_and(|facts| facts.starts_with(answer)),
                "it was not cancelled in {phase}, or not at once"
            );
            self.check(lab, &view, &from)?;
            self.announced(lab, &view).await?;
            lab.nothing_left().await
        };
        checked.await.with_context(|| told(&view))
    }

    /// Asks for it and leads it to its phase, where it stays.
    async fn hold(&self, lab: &Lab) -> anyhow::Result<String> {
        match self.hold {
            Hold::Inbox => {
                lab.close_inbox("ingest").await?;
                self.ask(lab).await
            }
            Hold::Window => {
                let nobody = SetLimitsRequest {
                    max: Some(0),
                    ..SetLimitsRequest::default()
                };
                lab.client().await?.set_limits(nobody).await?;
                self.ask(lab).await
            }
            Hold::Death(command) => self.ask_and_die(lab, command).await,
            Hold::Approval => self.ask(lab).await,
            Hold::Approved(command) => {
                let id = self.ask(lab).await?;
                let waits = |view: &View| view.phase == "AwaitingApproval";
                lab.wait(&id, "awaits approval", waits, LIMIT).await?;
                lab.arm(&before(command))?;
                lab.client().await?.approve(wish(&id)).await?;
                lab.killed_by(&before(command), LIMIT).await?;
                Ok(id)
            }
            Hold::OtherSite(command) => {
                let id = self.ask_and_die(lab, Command::TakeSlots).await?;
                let stack = Stack::of(self.service).context("no stack")?;
                let text = lab.git.show("main", stack.path()).context("no file")?;
                let text = String::from_utf8(text)?.replace(":2.32.1\"", ":2.33.0\"");
                let stranger = lab.git.someone_else();
                stranger.commit(stack.path(), text.as_bytes(), "ebooks by hand to 2.33.0");
                let applied = || lab.live(self.service).as_deref() == Some("2.33.0");
                lab.until("the other version is live", applied, LIMIT)
                    .await?;
                self.die_again(lab, command).await?;
                Ok(id)
            }
            Hold::Pause => {
                let id = self.ask_and_die(lab, Command::TakeBaseline).await?;
                lab.client().await?.pause(self.pause()).await?;
                lab.revive()?;
                Ok(id)
            }
            Hold::SecondStep(command) => {
                let id = self.ask_and_die(lab, Command::Watch).await?;
                self.die_again(lab, command).await?;
                Ok(id)
            }
            Hold::NoRun(command) => {
                lab.applier.lost_next();
                self.ask_and_die(lab, command).await
            }
            Hold::Overtaken(command) => {
                let id = self.ask_and_die(lab, command).await?;
                let stranger = lab.git.someone_else();
                stranger.commit("README.md", b"# homelab, tidied\n", "tidy the README");
                Ok(id)
            }
        }
    }

    /// Lets those go on who have to answer.
    async fn let_go(&self, lab: &Lab) -> anyhow::Result<()> {
        match self.hold {
            Hold::Inbox => lab.open_inbox("ingest").await,
            // They are answered where they wait.
            Hold::Window | Hold::Approval | Hold::Pause => Ok(()),
            Hold::Death(_)
            | Hold::Approved(_)
            | Hold::OtherSite(_)
            | Hold::SecondStep(_)
            | Hold::NoRun(_)
            | Hold::Overtaken(_) => {
                let died = lab.revive()?;
                ensure!(died == 1, "{died} processes died");
                Ok(())
            }
        }
    }

    /// Takes back what held it and stayed.
    async fn tidy_up(&self, lab: &Lab) -> anyhow::Result<()> {
        let mut client = lab.client().await?;
        if matches!(self.hold, Hold::Window) {
            let as_configured = SetLimitsRequest {
                configured: true,
                ..SetLimitsRequest::default()
            };
            client.set_limits(as_configured).await?;
        }
        if matches!(self.hold, Hold::Pause) {
            client.resume(self.pause()).await?;
        }
        Ok(())
    }

    async fn ask(&self, lab: &Lab) -> anyhow::Result<String> {
        let stack = Stack::of(self.service).context("no stack")?;
        lab.upgrade(stack.image(), self.to).await
    }

    async fn ask_and_die(&self, lab: &Lab, command: Command) -> anyhow::Result<String> {
        lab.arm(&before(command))?;
        let id = self.ask(lab).await?;
        lab.killed_by(&before(command), LIMIT).await?;
        Ok(id)
    }

    /// Lets it go on to the next death.
    async fn die_again(&self, lab: &Lab, command: Command) -> anyhow::Result<()> {
        lab.arm(&before(command))?;
        lab.revive()?;
        lab.killed_by(&before(command), LIMIT).await
    }

    fn pause(&self) -> PauseRequest {
        PauseRequest {
            service: self.service.to_owned(),
            repository: false,
            by: "alice".to_owned(),
            why: "on holiday".to_owned(),
        }
    }

    /// What is in the branch and in the cluster.
    fn check(&self, lab: &Lab, view: &View, from: &str) -> anyhow::Result<()> {
        let commits = lab.commits();
        let mut subjects = commits
            .iter()
            .filter(|commit| commit.message.contains(&format!(": {}/", view.id)))
            .map(|commit| commit.subject.as_str());
        let subjects: Vec<&str> = subjects.by_ref().collect();
        let Cancel { service, to, .. } = self;
        let (expected, live) = match self.end {
            // The other version that was written by hand stays.
            End::Nothing if matches!(self.hold, Hold::OtherSite(_)) => (vec![], "2.33.0"),
            End::Nothing => (vec![], from),
            End::FirstStep => (
                vec!["upgrade: owntracks 0.9.9 -> 1.0.0".to_owned()],
                "1.0.0",
            ),
            End::Undone => {
                let forward = format!("upgrade: {service} {from} -> {to}");
                let revert = format!("Revert \"{forward}\"");
                (vec![forward, revert], from)
            }
        };
        ensure!(subjects == expected, "{commits:#?}");
        let (written, running) = (lab.written(service), lab.live(service));
        ensure!(
            written.as_deref() == Some(live) && running.as_deref() == Some(live),
            "written is {written:?}, live is {running:?}"
        );
        Ok(())
    }

    /// What people were told.
    async fn announced(&self, lab: &Lab, view: &View) -> anyhow::Result<()> {
        let id = view.id.as_str();
        if matches!(self.hold, Hold::Approval | Hold::Approved(_)) {
            lab.said(&["awaits approval", id], LIMIT).await?;
        }
        if view.facts.iter().any(|fact| fact.name == "started") {
            lab.said(&[self.service, "starting", id], LIMIT).await?;
        }
        if self.end == End::Undone {
            lab.said(&[self.service, "cancelled by a person", id], LIMIT)
                .await?;
            lab.said(&[self.service, "rolled back", id], LIMIT).await?;
        } else {
            lab.said(&["cancelled by alice", id], LIMIT).await?;
        }
        Ok(())
    }
}

fn before(command: Command) -> String {
    format!("{command:?}.before")
}

fn wish(id: &str) -> ControlRequest {
    ControlRequest {
        id_or_prefix: id.to_owned(),
        by: "alice".to_owned(),
    }
}
