//! SIGTERM: each service stops with grace, idle or with work in hand.
//!
//! A service that outlives its grace says so with another exit code than 0, so none of this needs
//! a clock.

use std::time::Duration;

use anyhow::ensure;
use bowline_tests::{LIMIT, in_changing_lab, in_lab};
use job::UpgradeId;
use testkit::lab::{Lab, Options, SERVICES, View};

const EBOOKS: (&str, &str) = ("ghcr.io/advplyr/audiobookshelf", "2.33.1");
const SECOND: Duration = Duration::from_secs(1);

async fn stops(lab: &Lab, service: &str) -> anyhow::Result<()> {
    let code = lab.stopped(service, LIMIT).await?;
    ensure!(code == 0, "{service} ended with {code}");
    Ok(())
}

/// The upgrade of ebooks ends as if nothing had happened.
async fn succeeds(lab: &Lab, id: &str) -> anyhow::Result<()> {
    lab.ended(id, "Succeeded", LIMIT).await?;
    ensure!(lab.commits().len() == 1, "{:#?}", lab.commits());
    assert_eq!(lab.live("ebooks").as_deref(), Some("2.33.1"));
    lab.said(&["ebooks", "starting", id], LIMIT).await?;
    lab.said(&["ebooks", "done", id], LIMIT).await?;
    Ok(())
}

async fn has(lab: &Lab, id: &str, fact: &str) -> anyhow::Result<()> {
    let view = lab.view(id).await?;
    ensure!(
        view.facts.iter().any(|found| found.name == fact),
        "no `{fact}`: {}",
        testkit::lab::told(&view)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_service_stops_at_once_and_starts_again() {
    in_lab(Options::default(), async |lab| {
        for service in SERVICES {
            lab.ask_to_stop(service)?;
        }
        for service in SERVICES {
            stops(lab, service).await?;
            lab.spawn(service)?;
        }
        lab.listening().await?;
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        succeeds(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analyzer_finishes_its_plan() {
    in_lab(Options::default(), async |lab| {
        lab.github.latency(SECOND);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.until("GitHub is asked", || lab.github.requests() > 0, LIMIT)
            .await?;
        let view = lab.view(&id).await?;
        assert_eq!(view.phase, "Admitted", "the plan is not there yet");
        lab.ask_to_stop("analyzer")?;
        stops(lab, "analyzer").await?;
        has(lab, &id, "planned").await?;
        lab.spawn("analyzer")?;
        succeeds(lab, &id).await
    })
    .await;
}

/// Lets pushes land, and the answers to those whose subject begins so wait for a file.
fn hold_pushes(lab: &Lab, subject: &str) -> std::path::PathBuf {
    let gate = lab.folder().join("gate");
    let hook = format!(
        "#!/bin/sh\nread old new ref\n\
         git log -1 --format=%s \"$new\" | grep -q '^{subject}' || exit 0\n\
         while [ ! -e '{}' ]; do sleep 0.05; done\n",
        gate.display()
    );
    lab.git.set_hook("post-receive", &hook);
    gate
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_finishes_its_push() {
    in_lab(Options::default(), async |lab| {
        let gate = hold_pushes(lab, "upgrade: ");
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.until("the push lands", || lab.commits().len() == 1, LIMIT)
            .await?;
        lab.ask_to_stop("executor")?;
        std::fs::write(&gate, "")?;
        stops(lab, "executor").await?;
        has(lab, &id, "pushed").await?;
        // Nothing of it is left to do; what stops must not be needed to verify either.
        succeeds(lab, &id).await?;
        lab.spawn("executor")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_finishes_its_undo() {
    in_lab(Options::default(), async |lab| {
        let gate = hold_pushes(lab, "Revert ");
        lab.applier.red_next();
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.until("the revert lands", || lab.commits().len() == 2, LIMIT)
            .await?;
        let reverting = |view: &View| view.phase == "Reverting";
        lab.wait(&id, "has no answer to its push", reverting, LIMIT)
            .await?;
        lab.ask_to_stop("executor")?;
        std::fs::write(&gate, "")?;
        stops(lab, "executor").await?;
        has(lab, &id, "reverted").await?;
        // Nothing of it is left to do; what stops must not be needed to verify either.
        lab.ended(&id, "RolledBack", LIMIT).await?;
        ensure!(lab.commits().len() == 2, "{:#?}", lab.commits());
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));
        for words in ["starting", "rolling back to 2.32.1", "rolled back, 2.32.1"] {
            lab.said(&["ebooks", words, &id], LIMIT).await?;
        }
        lab.spawn("executor")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_executor_cannot_finish_in_time_is_taken_up_by_the_next() {
    in_lab(Options::default(), async |lab| {
        let gate = hold_pushes(lab, "upgrade: ");
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.until("the push lands", || lab.commits().len() == 1, LIMIT)
            .await?;
        lab.ask_to_stop("executor")?;
        let code = lab.stopped("executor", LIMIT).await?;
        assert_eq!(code, 1, "the grace was too short");
        lab.git.remove_hook("post-receive");
        std::fs::write(&gate, "")?;
        lab.spawn("executor")?;
        succeeds(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_hands_its_look_back() {
    in_lab(Options::default(), async |lab| {
        lab.applier.hold(true);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.wait(&id, "is pushed", |view| view.phase == "Pushed", LIMIT)
            .await?;
        lab.woodpecker.latency(SECOND);
        let asked = lab.woodpecker.requests();
        lab.until("CI is asked", || lab.woodpecker.requests() > asked, LIMIT)
            .await?;
        lab.ask_to_stop("verifier")?;
        stops(lab, "verifier").await?;
        lab.woodpecker.latency(Duration::ZERO);
        lab.applier.hold(false);
        lab.spawn("verifier")?;
        succeeds(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_answers_the_webhook_that_waits_for_nats() {
    in_changing_lab(Options::default(), async |lab| {
        lab.kill9("ingest")?;
        lab.spawn_with("ingest", &[("BOWLINE_INGEST__NATS_WAIT", "2s".to_owned())])?;
        lab.listening().await?;
        lab.nats.kill().await?;
        let begun = lab.begin_webhook(EBOOKS.0, EBOOKS.1, "new").await?;
        lab.ask_to_stop("ingest")?;
        let answer = begun.answer().await?;
        ensure!(answer.decision() == "spooled", "{answer:?}");
        stops(lab, "ingest").await?;
        lab.nats.restart().await?;
        lab.spawn("ingest")?;
        lab.listening().await?;
        let id = UpgradeId::derive("lab", "owner/infra", EBOOKS.0, EBOOKS.1, 1);
        succeeds(lab, id.as_str()).await
    })
    .await;
}
