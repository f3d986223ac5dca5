use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_changing_lab};
use futures::future::try_join_all;
use testkit::lab::{Lab, Options};
use testkit::ports::Port;

use crate::EBOOKS;

/// DIUN's own limit for one webhook.
const DIUN: Duration = Duration::from_secs(10);

/// Waits until there are so many upgrades and all are over; their images, sorted.
async fn over(lab: &Lab, count: usize) -> anyhow::Result<Vec<String>> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let upgrades = lab.upgrades().await.unwrap_or_default();
        let open = upgrades
            .iter()
            .filter(|view| !view.phase.starts_with("Ended"));
        if upgrades.len() == count && open.count() == 0 {
            let mut images: Vec<_> = upgrades.into_iter().map(|view| view.image).collect();
            images.sort();
            return Ok(images);
        }
        ensure!(
            Instant::now() < deadline,
            "not {count} that are over: {upgrades:#?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_without_nats_survives_a_kill_and_becomes_one_upgrade_each() {
    let options = Options {
        max_upgrades: 100,
        ..Options::default()
    };
    in_changing_lab(options, async |lab| {
        let mut wanted: Vec<(String, &str)> = (1..20)
            .map(|number| (format!("docker.io/nowhere/app{number:02}"), "1.0.0"))
            .collect();
        wanted.push((EBOOKS.0.to_owned(), EBOOKS.1));
        lab.nats.kill().await?;
        let began = Instant::now();
        let posts = wanted
            .iter()
            .map(|(image, tag)| lab.webhook(image, tag, "new"));
        for answer in try_join_all(posts).await? {
            ensure!(
                (answer.status, answer.decision()) == (202, "spooled"),
                "{answer:?}"
            );
        }
        ensure!(began.elapsed() < DIUN, "it took {:?}", began.elapsed());

        lab.kill9("ingest")?;
        lab.nats.restart().await?;
        lab.spawn("ingest")?;
        lab.listening().await?;
        let mut images: Vec<_> = wanted.into_iter().map(|(image, _)| image).collect();
        images.sort();
        assert_eq!(over(lab, 20).await?, images);
        assert_eq!(lab.commits().len(), 1);
        assert_eq!(lab.live("ebooks").as_deref(), Some(EBOOKS.1));
        lab.said(&["ebooks", "starting"], LIMIT).await?;
        lab.said(&["ebooks", "done"], LIMIT).await?;
        Ok(())
    })
    .await;
}

/// Waits until the metrics say so.
async fn shows(lab: &Lab, health: SocketAddr, line: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let (_, text) = lab.get(health, "/metrics").await?;
        if text.contains(line) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "no {line} in\n{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingest_that_starts_without_nats_is_ready_and_takes_webhooks() {
    in_changing_lab(Options::default(), async |lab| {
        lab.kill9("ingest")?;
        lab.nats.kill().await?;
        let port = Port::reserve()?;
        let health = port.address();
        lab.spawn_with("ingest", &[("BOWLINE_HEALTH__LISTEN", health.to_string())])?;
        let deadline = Instant::now() + LIMIT;
        loop {
            let answer = lab.get(health, "/readyz").await;
            if answer.as_ref().is_ok_and(|(status, _)| *status == 200) {
                break;
            }
            ensure!(Instant::now() < deadline, "not ready: {answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let answer = lab.webhook(EBOOKS.0, EBOOKS.1, "new").await?;
        ensure!(answer.decision() == "spooled", "{answer:?}");
        let (status, body) = lab.get(health, "/readyz").await?;
        ensure!(status == 200, "{body}");
        shows(lab, health, "bowline_spool_records 1\n").await?;

        lab.nats.restart().await?;
        lab.listening().await?;
        over(lab, 1).await?;
        let upgrades = lab.upgrades().await?;
        let view = upgrades.first().context("one upgrade")?;
        lab.ended(&view.id, "Succeeded", LIMIT).await?;
        shows(lab, health, "bowline_spool_records 0\n").await?;
        lab.said(&["ebooks", "starting"], LIMIT).await?;
        lab.said(&["ebooks", "done"], LIMIT).await?;
        Ok(())
    })
    .await;
}
