//! Requests that come while NATS is away.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bus::Log as _;
use job::{Body, Phase, SkipReason, UpgradeId};
use wire::v1::UpgradeRequest;

use crate::harness::{Answered, Ingest, eventually, native};

/// An ingest that soon gives NATS up.
async fn impatient() -> anyhow::Result<Ingest> {
    Ingest::with(|settings| settings.ingest.nats_wait = Duration::from_millis(300)).await
}

fn file(ingest: &Ingest) -> PathBuf {
    ingest.settings.data_dir.join("spool/requests")
}

/// Waits until everything that was spooled is replayed.
async fn drained(ingest: &Ingest) -> anyhow::Result<()> {
    eventually(async || {
        let left = fs::read_to_string(file(ingest))?;
        ensure!(left.is_empty(), "still spooled:\n{left}");
        Ok(())
    })
    .await
}

async fn readiness(ingest: &Ingest, ready: bool) -> anyhow::Result<()> {
    eventually(async || {
        let missing = ingest.health.reasons();
        ensure!(missing.is_empty() == ready, "{missing:?}");
        Ok(())
    })
    .await
}

async fn spooled(ingest: &Ingest, tag: &str) -> anyhow::Result<Answered> {
    let answer = ingest.post(&native("docker.io/a/b", tag, "new")).await?;
    ensure!(answer.decision() == (202, "spooled"), "{answer:?}");
    ensure!(answer.text("reason").contains("NATS"), "{answer:?}");
    Ok(answer)
}

fn attempt(tag: &str, number: u32) -> UpgradeId {
    UpgradeId::derive("test", "acme/infra", "docker.io/a/b", tag, number)
}

#[tokio::test]
async fn what_comes_without_nats_is_kept_and_becomes_one_upgrade_each() -> anyhow::Result<()> {
    let mut ingest = impatient().await?;
    ingest.nats.kill().await?;
    let began = Instant::now();
    for tag in ["1.0.0", "1.0.1", "1.0.0"] {
        spooled(&ingest, tag).await?;
    }
    ensure!(began.elapsed() < Duration::from_secs(9), "{began:?}");
    let asked = UpgradeRequest {
        image: "docker.io/a/b".to_owned(),
        tag: "1.0.2".to_owned(),
        chart: false,
        by: "alice".to_owned(),
    };
    let answer = ingest.grpc().await?.upgrade(asked).await?.into_inner();
    assert_eq!(
        (answer.decision.as_str(), answer.id.as_str()),
        ("spooled", "")
    );
    let lines = fs::read_to_string(file(&ingest))?.lines().count();
    assert_eq!(lines, 3, "the same request is kept once");

    ingest.nats.restart().await?;
    for tag in ["1.0.0", "1.0.1", "1.0.2"] {
        let history = eventually(async || {
            let history = ingest.log.read(&attempt(tag, 1)).await?;
            history.context("not there yet")
        })
        .await?;
        assert_eq!(history.state.request.tag, tag);
        ingest.reaches(&history.id, Phase::Admitted).await?;
    }
    drained(&ingest).await?;
    let decisions = ingest.decisions().await?;
    let words: Vec<_> = decisions.iter().map(|kept| &kept["decision"]).collect();
    assert_eq!(words, ["accepted"; 3], "{decisions:?}");
    // A direct one finds it as any other.
    let answer = ingest
        .post(&native("docker.io/a/b", "1.0.0", "new"))
        .await?;
    assert_eq!(answer.decision(), (200, "duplicate"));
    Ok(())
}

#[tokio::test]
async fn a_start_without_nats_is_ready_and_replays_what_is_on_the_disk() -> anyhow::Result<()> {
    let mut ingest = impatient().await?;
    ingest.nats.kill().await?;
    spooled(&ingest, "1.0.0").await?;
    ingest.stop().await?;
    // As a new process: not ready until it says so.
    ingest.health = runtime::Health::default();
    ingest.go().await?;
    readiness(&ingest, true).await?;
    spooled(&ingest, "1.0.1").await?;
    ingest.nats.restart().await?;
    drained(&ingest).await?;
    for tag in ["1.0.0", "1.0.1"] {
        ingest.reaches(&attempt(tag, 1), Phase::Admitted).await?;
    }
    Ok(())
}

/// A process that dies after the log took a request, and before the spool forgot it.
#[tokio::test]
async fn a_request_that_is_replayed_again_opens_nothing_whatever_became_of_it() -> anyhow::Result<()>
{
    let mut ingest = impatient().await?;
    ingest.nats.kill().await?;
    spooled(&ingest, "1.0.0").await?;
    let before = fs::read(file(&ingest))?;
    ingest.nats.restart().await?;
    drained(&ingest).await?;
    let id = attempt("1.0.0", 1);
    ingest.reaches(&id, Phase::Admitted).await?;
    // A new webhook would open another attempt after this end.
    ingest
        .tell(&id, [Body::Skipped(SkipReason::NotFound(String::new()))])
        .await?;
    ingest.stop().await?;
    fs::write(file(&ingest), before)?;
    ingest.go().await?;
    drained(&ingest).await?;
    assert!(ingest.log.read(&attempt("1.0.0", 2)).await?.is_none());
    let answer = ingest
        .post(&native("docker.io/a/b", "1.0.0", "new"))
        .await?;
    assert_eq!(answer.id()?, attempt("1.0.0", 2), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_spool_that_takes_no_more_says_so_and_is_not_ready_until_nats_is_back()
-> anyhow::Result<()> {
    let mut ingest = Ingest::with(|settings| {
        settings.ingest.nats_wait = Duration::from_millis(100);
        settings.ingest.spool_max_bytes = 5_000;
    })
    .await?;
    ingest.nats.kill().await?;
    let mut tags = Vec::new();
    let refused = loop {
        let tag = format!("1.0.{}", tags.len());
        let answer = ingest.post(&native("docker.io/a/b", &tag, "new")).await?;
        if answer.status != 202 {
            break answer;
        }
        tags.push(tag);
    };
    assert_eq!(refused.decision(), (503, "unavailable"));
    assert!(
        refused.text("reason").contains("ingest.spool_max_bytes"),
        "{refused:?}"
    );
    assert!(tags.len() > 3, "{tags:?}");
    readiness(&ingest, false).await?;
    ingest.nats.restart().await?;
    readiness(&ingest, true).await?;
    drained(&ingest).await?;
    for tag in &tags {
        ingest.reaches(&attempt(tag, 1), Phase::Admitted).await?;
    }
    assert!(
        ingest
            .log
            .read(&attempt(&format!("1.0.{}", tags.len()), 1))
            .await?
            .is_none()
    );
    Ok(())
}

#[tokio::test]
async fn two_processes_on_one_folder_do_not_touch_each_others_spool() -> anyhow::Result<()> {
    let mut ingest = impatient().await?;
    let folder = ingest.settings.data_dir.join("spool");
    readiness(&ingest, true).await?;
    // As another process would: until it ends, the folder is its own.
    ingest.stop().await?;
    let other = fs::File::open(folder.join("lock"))?;
    other.try_lock()?;
    ingest.health = runtime::Health::default();
    ingest.go().await?;
    readiness(&ingest, true).await?;
    // With NATS there, the webhook works.
    let answer = ingest
        .post(&native("docker.io/a/b", "1.0.0", "new"))
        .await?;
    assert_eq!(answer.decision(), (202, "accepted"));
    ingest.nats.kill().await?;
    let answer = ingest
        .post(&native("docker.io/a/b", "1.0.1", "new"))
        .await?;
    assert_eq!(answer.decision(), (503, "unavailable"));
    assert!(answer.text("reason").contains("data_dir"), "{answer:?}");
    readiness(&ingest, false).await?;
    drop(other);
    readiness(&ingest, true).await?;
    spooled(&ingest, "1.0.1").await?;
    ingest.nats.restart().await?;
    drained(&ingest).await
}
