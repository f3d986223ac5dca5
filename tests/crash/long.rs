//! More kills than every change has time for: `cargo xtask full`.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_lab};
use testkit::lab::{Lab, Options, SERVICES, View, told};

use crate::matrix::play;
use crate::scenarios::{self, over};

/// So many processes are killed in one run, with these pauses in between.
const KILLS: u32 = 30;
const PAUSES: std::ops::Range<u64> = 100..1_300;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask full"]
async fn kills_at_rarer_places_change_no_end_either() {
    let (_, errors) = play(&scenarios::more_runs()).await;
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask full"]
async fn kills_at_any_time_leave_every_end_as_it_is_1() {
    killed_at_any_time(1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask full"]
async fn kills_at_any_time_leave_every_end_as_it_is_2() {
    killed_at_any_time(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask full"]
async fn kills_at_any_time_leave_every_end_as_it_is_3() {
    killed_at_any_time(3).await;
}

/// A process stops with a command in hand, a replica does it instead, and when all is over the first
/// one goes on with what it knew.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask full"]
async fn a_process_that_wakes_up_late_changes_nothing() {
    let options = Options {
        ack_wait: Duration::from_secs(1),
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let mut facts = Vec::new();
        for (pass, faults) in scenarios::stale() {
            faults.iter().try_for_each(|fault| lab.arm(fault))?;
            pass.ask(lab).await;
            let id = pass.id();
            let view = replaced(lab, id.as_str()).await?;
            pass.check(lab).with_context(|| told(&view))?;
            for fault in &faults {
                ensure!(lab.fired(fault), "{fault} never happened");
            }
            facts.push((pass, view.facts));
        }
        let paused = lab.paused();
        ensure!(paused.len() == 26, "{paused:?}");
        lab.wake()?;
        // Who is asked to stop finishes first what it has in hand.
        for (name, id) in &paused {
            lab.ask_process_to_stop(*id)?;
            let code = lab.gone(*id, LIMIT).await?;
            ensure!(code == 0, "{name} ended with {code}");
        }
        for (pass, before) in facts {
            let view = lab.view(pass.id().as_str()).await?;
            ensure!(view.facts == before, "{}", told(&view));
            pass.check(lab)?;
            pass.announced(lab).await?;
        }
        read_repeats(lab).await
    })
    .await;
}

/// Waits until the upgrade is over, with a new process for each that stops.
async fn replaced(lab: &Lab, id: &str) -> anyhow::Result<View> {
    let deadline = Instant::now() + 5 * LIMIT;
    let mut known = lab.paused();
    loop {
        for (service, process) in lab.paused() {
            if !known.contains(&(service.clone(), process)) {
                lab.replica(&service)?;
                known.push((service, process));
            }
        }
        let seen = lab.view(id).await;
        if let Ok(view) = &seen
            && view.phase.starts_with("Ended")
        {
            return Ok(view.clone());
        }
        ensure!(Instant::now() < deadline, "it is not over: {seen:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn killed_at_any_time(seed: u64) {
    let options = Options {
        ack_wait: Duration::from_secs(1),
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let passes = scenarios::together();
        for pass in &passes {
            let answered = pass.ask(lab).await;
            ensure!(answered.contains("accepted"), "{answered}");
        }
        let mut dice = Dice(seed);
        for _ in 0..KILLS {
            let pause = PAUSES.start + dice.throw(PAUSES.end - PAUSES.start);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let service = SERVICES[usize::try_from(dice.throw(4))?];
            lab.kill9(service)?;
            lab.spawn(service)?;
        }
        for pass in &passes {
            let (view, _) = over(lab, pass.id().as_str(), 3 * LIMIT).await?;
            let checked = pass.check(lab);
            ensure!(checked.is_ok(), "{checked:?}\n{}", told(&view));
            pass.announced(lab).await?;
        }
        read_repeats(lab).await
    })
    .await;
}

/// An announcer that dies between Slack's answer and its acknowledgement says it again.
async fn read_repeats(lab: &Lab) -> anyhow::Result<()> {
    lab.nothing_delivered_is_open().await?;
    for repeat in lab.unread() {
        let told = lab.slack.messages();
        let times = told.iter().filter(|message| message.visible() == repeat);
        ensure!(times.count() > 1, "nobody expected {repeat}");
        lab.said(&[&repeat], LIMIT).await?;
    }
    Ok(())
}

/// Numbers that look random and are the same for the same seed (a linear congruence).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}
