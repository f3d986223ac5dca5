//! Trouble in the cluster and in what watches it.

use std::time::Duration;

use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab, stop_in_window};
use testkit::kuma::State;
use testkit::lab::{Lab, Options, told};

use crate::EBOOKS;

/// The announcements of an upgrade of ebooks that was rolled back for this evidence.
async fn told_of_rollback(lab: &Lab, id: &str, evidence: &str) -> anyhow::Result<()> {
    lab.said(&["ebooks", "2.33.1 starting", id], LIMIT).await?;
    let words = ["ebooks", "rolling back to 2.32.1", evidence, id];
    lab.said(&words, LIMIT).await?;
    let words = ["ebooks", "rolled back, 2.32.1 is live and healthy", id];
    lab.said(&words, LIMIT).await?;
    Ok(())
}

fn watched() -> Options {
    Options {
        monitors: Some(Duration::from_millis(400)),
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_and_http_are_well_but_the_monitor_goes_down_and_it_is_rolled_back() {
    in_lab(watched(), async |lab| {
        let monitor = lab.monitor("ebooks")?;
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        stop_in_window(lab, &id).await?;
        lab.kuma.set(monitor, State::Down);
        lab.wake()?;
        let undoing = || lab.commits().len() == 2;
        lab.until("the revert is pushed", undoing, LIMIT).await?;
        // All that Kubernetes and HTTP can tell was well.
        ensure!(lab.applier.applied().len() <= 2);
        lab.kuma.set(monitor, State::Up);
        lab.ended(&id, "RolledBack", LIMIT).await?;

        assert_eq!(lab.written("ebooks").as_deref(), Some("2.32.1"));
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));
        told_of_rollback(lab, &id, "ebooks is DOWN").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kuma_that_is_away_is_unknown_and_fails_nothing() {
    in_lab(watched(), async |lab| {
        lab.kuma.away(true);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;

        assert_eq!(lab.commits().len(), 1);
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.33.1"));
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "done", "Uptime Kuma: unknown", &id], LIMIT)
            .await?;
        ensure!(lab.kuma.requests() > 0, "it was never asked");
        Ok(())
    })
    .await;
}

/// One commit, live, and told of; nothing was undone.
async fn succeeded(lab: &Lab, id: &str) -> anyhow::Result<()> {
    assert_eq!(lab.commits().len(), 1);
    assert_eq!(lab.live("ebooks").as_deref(), Some("2.33.1"));
    lab.said(&["ebooks", "starting", id], LIMIT).await?;
    lab.said(&["ebooks", "done", id], LIMIT).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_for_a_while_is_waited_for() {
    in_lab(Options::default(), async |lab| {
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        stop_in_window(lab, &id).await?;
        lab.cluster.unavailable(true);
        let before = lab.cluster.requests();
        lab.wake()?;
        // Longer than the window and the settle time would take.
        let asked = || lab.cluster.requests() > before + 30;
        lab.until("it was asked in vain", asked, LIMIT).await?;
        let view = lab.view(&id).await?;
        ensure!(view.phase == "Watching", "{}", told(&view));
        lab.cluster.unavailable(false);
        lab.ended(&id, "Succeeded", LIMIT).await?;
        succeeded(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_reboots_in_the_window_rolls_nothing_back() {
    let options = Options {
        settle: Duration::from_secs(2),
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        stop_in_window(lab, &id).await?;
        // Longer than what a service that is ill for itself is given.
        lab.cluster.reboot(Duration::from_secs(5));
        lab.until("it is down", || lab.live("ebooks").is_none(), LIMIT)
            .await?;
        lab.wake()?;
        let view = lab.ended(&id, "Succeeded", LIMIT).await?;
        let still = |text: &str| text.contains("node node-1 is not ready");
        ensure!(
            view.facts.iter().any(|fact| still(&fact.text)),
            "{}",
            told(&view)
        );
        succeeded(lab, &id).await
    })
    .await;
}
