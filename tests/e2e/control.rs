//! What people want of an upgrade, down to the repository and the cluster.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_lab};
use testkit::lab::{Lab, Options, View};
use wire::v1::{ControlRequest, PauseRequest, ResolveRequest, UpgradeRequest};

use crate::EBOOKS;

const FILE: &str = "stacks/ebooks/main.tf";
const LINKWARDEN: &str = "ghcr.io/linkwarden/linkwarden";

fn wish(id: &str) -> ControlRequest {
    ControlRequest {
        id_or_prefix: id.to_owned(),
        by: "alice".to_owned(),
    }
}

fn of_service(service: &str) -> PauseRequest {
    PauseRequest {
        service: service.to_owned(),
        repository: false,
        by: "alice".to_owned(),
        why: "on holiday".to_owned(),
    }
}

async fn is(lab: &Lab, id: &str, phase: &str) -> anyhow::Result<View> {
    lab.wait(id, phase, |view| view.phase == phase, LIMIT).await
}

/// Somebody else writes another version.
fn write(lab: &Lab, from: &str, to: &str) -> anyhow::Result<()> {
    let bytes = lab.git.show("main", FILE).context("the stack's file")?;
    let text = String::from_utf8(bytes)?;
    let changed = text.replace(
        &format!("audiobookshelf:{from}"),
        &format!("audiobookshelf:{to}"),
    );
    ensure!(changed != text, "{from} does not stand in {FILE}");
    let message = format!("ebooks by hand to {to}");
    lab.git
        .commit_as_someone_else(FILE, changed.as_bytes(), &message);
    Ok(())
}

fn tree(lab: &Lab, rev: &str) -> anyhow::Result<Vec<u8>> {
    testkit::git::git(
        &lab.git.bare_path(),
        ["rev-parse", &format!("{rev}^{{tree}}")],
        b"",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_before_its_push_leaves_nothing() {
    in_lab(Options::default(), async |lab| {
        // The dump does not end by itself while the test runs.
        lab.cluster.job_delay(Duration::from_secs(600));
        let id = lab.upgrade(LINKWARDEN, "v2.9.2").await?;
        is(lab, &id, "BackingUp").await?;
        lab.until("the Job runs", || lab.cluster.jobs().len() == 1, LIMIT)
            .await?;
        let answer = lab.client().await?.cancel(wish(&id)).await?.into_inner();
        ensure!(answer.message.contains("nothing of the step"), "{answer:?}");
        let view = lab.ended(&id, "Cancelled", LIMIT).await?;
        assert_eq!(
            (view.live.as_str(), view.reason.as_str()),
            ("v2.9.1", "cancelled by alice")
        );
        assert!(lab.commits().is_empty(), "{:?}", lab.commits());
        lab.said(&["linkwarden", "starting", &id], LIMIT).await?;
        lab.said(
            &["linkwarden", "cancelled by alice, v2.9.1 is live", &id],
            LIMIT,
        )
        .await?;
        let again = lab.webhook(LINKWARDEN, "v2.9.2", "new").await?;
        assert_eq!(again.decision(), "refused", "{again:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_after_its_push_is_undone_and_watched() {
    in_lab(Options::default(), async |lab| {
        lab.applier.hold(true);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        is(lab, &id, "Pushed").await?;
        lab.client().await?.cancel(wish(&id)).await?;
        is(lab, &id, "Reverted").await?;
        lab.applier.hold(false);
        lab.ended(&id, "RolledBack", LIMIT).await?;
        let commits = lab.commits();
        ensure!(commits.len() == 2, "{commits:#?}");
        assert_eq!(
            tree(lab, &commits[1].sha)?,
            tree(lab, &format!("{}~1", commits[0].sha))?
        );
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "cancelled by a person", "2.32.1", &id], LIMIT)
            .await?;
        lab.said(&["ebooks", "rolled back, 2.32.1 is live", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_succeeded_in_steps_is_rolled_back_as_one_commit() {
    in_lab(Options::default(), async |lab| {
        let id = lab.upgrade(LINKWARDEN, "v2.10.1").await?;
        lab.ended(&id, "Succeeded", LIMIT * 2).await?;
        let forward = lab.commits();
        ensure!(forward.len() == 4, "{forward:#?}");
        let answer = lab.client().await?.rollback(wish(&id)).await?.into_inner();
        ensure!(
            answer.message.contains("taken back to v2.9.1"),
            "{answer:?}"
        );
        let over = |view: &View| view.phase == "Ended(RolledBack)" || view.phase == "Stuck";
        let view = lab.wait(&id, "is rolled back", over, LIMIT).await?;
        ensure!(
            view.phase == "Ended(RolledBack)",
            "{}",
            testkit::lab::told(&view)
        );
        assert_eq!(view.live, "v2.9.1");

        let commits = lab.commits();
        ensure!(commits.len() == 5, "{commits:#?}");
        let revert = &commits[4];
        assert_eq!(
            revert.subject,
            "Revert \"upgrade: linkwarden v2.9.1 -> v2.10.1\""
        );
        for commit in &forward {
            let words = format!("This reverts commit {}.", commit.sha);
            assert!(revert.message.contains(&words), "{}", revert.message);
        }
        assert!(
            revert.message.contains("asked for by alice"),
            "{}",
            revert.message
        );
        assert_eq!(
            tree(lab, &revert.sha)?,
            tree(lab, &format!("{}~1", forward[0].sha))?
        );
        assert_eq!(lab.live("linkwarden").as_deref(), Some("v2.9.1"));
        lab.said(&["linkwarden", "starting", &id], LIMIT).await?;
        lab.said(&["linkwarden", "done", &id], LIMIT).await?;
        lab.said(
            &["linkwarden", "not wanted, rolling back to v2.9.1", "alice"],
            LIMIT,
        )
        .await?;
        lab.said(&["linkwarden", "rolled back, v2.9.1 is live", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

/// An upgrade whose undo found a third value in the repository.
async fn stuck(lab: &Lab) -> anyhow::Result<String> {
    lab.applier.hold(true);
    let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
    is(lab, &id, "Pushed").await?;
    write(lab, EBOOKS.1, "2.33.0")?;
    lab.client().await?.cancel(wish(&id)).await?;
    is(lab, &id, "Stuck").await?;
    lab.said(&["ebooks", "starting", &id], LIMIT).await?;
    lab.said(&["ebooks", "cancelled by a person", &id], LIMIT)
        .await?;
    lab.said(
        &["CRITICAL", "ebooks", &format!("bowline retry {id}")],
        LIMIT,
    )
    .await?;
    Ok(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stuck_goes_on_when_a_person_has_mended_it() {
    in_lab(Options::default(), async |lab| {
        let id = stuck(lab).await?;
        write(lab, "2.33.0", EBOOKS.1)?;
        lab.client().await?.retry(wish(&id)).await?;
        is(lab, &id, "Reverted").await?;
        lab.applier.hold(false);
        lab.ended(&id, "RolledBack", LIMIT).await?;
        assert_eq!(lab.written("ebooks").as_deref(), Some("2.32.1"));
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));
        lab.said(
            &["ebooks", "goes on where it stopped, asked by alice"],
            LIMIT,
        )
        .await?;
        lab.said(&["ebooks", "rolled back, 2.32.1 is live", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_settled_opens_its_service_again() {
    in_lab(Options::default(), async |lab| {
        let id = stuck(lab).await?;
        lab.applier.hold(false);
        lab.until(
            "the third version is live",
            || lab.live("ebooks").as_deref() == Some("2.33.0"),
            LIMIT,
        )
        .await?;
        let mut client = lab.client().await?;
        let resolve = ResolveRequest {
            id_or_prefix: id.clone(),
            by: "alice".to_owned(),
            now_at: "2.33.0".to_owned(),
        };
        client.resolve(resolve).await?;
        lab.said(&["ebooks", "settled by alice", "2.33.0 is live"], LIMIT)
            .await?;
        let again = UpgradeRequest {
            image: EBOOKS.0.to_owned(),
            tag: EBOOKS.1.to_owned(),
            chart: false,
            by: "alice".to_owned(),
        };
        let again = client.upgrade(again).await?.into_inner();
        ensure!(again.decision == "accepted", "{again:?}");
        lab.ended(&again.id, "Succeeded", LIMIT).await?;
        assert_eq!(lab.live("ebooks").as_deref(), Some(EBOOKS.1));
        lab.said(&["ebooks", "starting", &again.id], LIMIT).await?;
        lab.said(&["ebooks", "done", &again.id], LIMIT).await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_keeps_its_service_from_starting_and_no_other() {
    in_lab(Options::default(), async |lab| {
        let mut client = lab.client().await?;
        client.pause(of_service("ebooks")).await?;
        let paused = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let waits = |view: &View| view.waiting_for == "paused by alice: on holiday";
        lab.wait(&paused, "waits", waits, LIMIT).await?;
        let other = lab
            .upgrade("ghcr.io/open-webui/open-webui", "v0.7.3")
            .await?;
        lab.ended(&other, "Succeeded", LIMIT).await?;
        let view = lab.view(&paused).await?;
        ensure!(view.phase == "Planned", "{}", testkit::lab::told(&view));
        assert_eq!(lab.commits().len(), 1);
        client.resume(of_service("ebooks")).await?;
        lab.ended(&paused, "Succeeded", LIMIT).await?;
        for (service, id) in [("open-webui", &other), ("ebooks", &paused)] {
            lab.said(&[service, "starting", id], LIMIT).await?;
            lab.said(&[service, "done", id], LIMIT).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_on_the_way_holds_the_push_and_not_the_turn() {
    in_lab(Options::default(), async |lab| {
        // While nobody can say how it was before, the turn is held and nothing is pushed.
        lab.cluster.unavailable(true);
        let paused = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        is(lab, &paused, "Ready").await?;
        let mut client = lab.client().await?;
        client.pause(of_service("ebooks")).await?;
        lab.cluster.unavailable(false);
        is(lab, &paused, "SteppedBack").await?;
        let other = lab
            .upgrade("ghcr.io/open-webui/open-webui", "v0.7.3")
            .await?;
        lab.ended(&other, "Succeeded", LIMIT).await?;
        assert_eq!(lab.commits().len(), 1, "{:?}", lab.commits());
        let view = lab.view(&paused).await?;
        ensure!(
            view.phase == "SteppedBack" && view.waiting_for.starts_with("paused by alice"),
            "{}",
            testkit::lab::told(&view)
        );
        client.resume(of_service("ebooks")).await?;
        lab.ended(&paused, "Succeeded", LIMIT).await?;
        assert_eq!(lab.live("ebooks").as_deref(), Some(EBOOKS.1));
        for (service, id) in [("open-webui", &other), ("ebooks", &paused)] {
            lab.said(&[service, "starting", id], LIMIT).await?;
            lab.said(&[service, "done", id], LIMIT).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_does_not_keep_an_undo() {
    in_lab(Options::default(), async |lab| {
        lab.applier.hold(true);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        is(lab, &id, "Pushed").await?;
        let mut client = lab.client().await?;
        client
            .pause(PauseRequest {
                service: String::new(),
                ..of_service("")
            })
            .await?;
        client.cancel(wish(&id)).await?;
        is(lab, &id, "Reverted").await?;
        lab.applier.hold(false);
        lab.ended(&id, "RolledBack", LIMIT).await?;
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "cancelled by a person", &id], LIMIT)
            .await?;
        lab.said(&["ebooks", "rolled back, 2.32.1 is live", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_waited_for_and_then_it_goes_on() {
    let options = Options {
        approval: vec!["ebooks"],
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        is(lab, &id, "AwaitingApproval").await?;
        lab.said(
            &[
                "ebooks",
                "awaits approval",
                &format!("bowline approve {id}"),
            ],
            LIMIT,
        )
        .await?;
        assert!(lab.commits().is_empty());
        lab.client().await?.approve(wish(&id)).await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;
        assert_eq!(lab.live("ebooks").as_deref(), Some(EBOOKS.1));
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "done", &id], LIMIT).await?;
        Ok(())
    })
    .await;
}
