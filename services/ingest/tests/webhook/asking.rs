//! What people ask over gRPC.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use tonic::Code;
use wire::v1::{GetRequest, ListRequest, UpgradeRequest, UpgradeView};

use crate::harness::{Ingest, eventually, native};

fn get(id_or_prefix: &str) -> GetRequest {
    GetRequest {
        id_or_prefix: id_or_prefix.to_owned(),
    }
}

fn upgrade(image: &str, tag: &str) -> UpgradeRequest {
    UpgradeRequest {
        image: image.to_owned(),
        tag: tag.to_owned(),
        chart: false,
        by: "alice".to_owned(),
    }
}

async fn listed(ingest: &Ingest, count: usize) -> anyhow::Result<Vec<UpgradeView>> {
    eventually(async || {
        let request = ListRequest {
            include_ended: true,
            limit: 0,
            ..ListRequest::default()
        };
        let upgrades = ingest
            .grpc()
            .await?
            .list(request)
            .await?
            .into_inner()
            .upgrades;
        ensure!(upgrades.len() == count, "{} of {count}", upgrades.len());
        Ok(upgrades)
    })
    .await
}

#[tokio::test]
async fn an_empty_log_has_nothing_to_list_or_get() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    assert!(listed(&ingest, 0).await?.is_empty());
    let mut grpc = ingest.grpc().await?;
    let status = grpc.get(get("0123")).await.err().context("found")?;
    assert_eq!(status.code(), Code::NotFound);
    for wrong in ["", "nope", "0123456789abcdef0", "ABCD", "a b"] {
        let status = grpc.get(get(wrong)).await.err().context("found")?;
        assert_eq!(status.code(), Code::InvalidArgument, "{wrong}: {status}");
    }
    Ok(())
}

#[tokio::test]
async fn an_upgrade_is_found_by_any_beginning_that_is_its_own() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    // Seventeen ids share a first digit somewhere.
    let mut ids = Vec::new();
    for number in 0..17 {
        let answer = ingest
            .post(&native("docker.io/a/b", &format!("1.0.{number}"), "new"))
            .await?;
        ids.push(answer.id()?.to_string());
    }
    let upgrades = listed(&ingest, 17).await?;
    assert_eq!(
        upgrades.first().map(|view| view.to.as_str()),
        Some("1.0.16")
    );
    assert!(upgrades.iter().all(|view| view.facts.is_empty()));
    let mut grpc = ingest.grpc().await?;
    let mut digits: BTreeMap<&str, usize> = BTreeMap::new();
    for id in &ids {
        *digits.entry(id.get(..1).context("a digit")?).or_default() += 1;
        let prefix = id.get(..12).context("a prefix")?;
        for asked in [id.as_str(), prefix] {
            let view = grpc.get(get(asked)).await?.into_inner();
            assert_eq!(&view.id, id);
            assert_eq!(
                view.facts.first().map(|fact| fact.name.as_str()),
                Some("requested")
            );
            assert!(view.started_ms > 0);
        }
    }
    let (digit, count) = digits
        .iter()
        .find(|(_, count)| **count > 1)
        .context("no pigeonhole")?;
    let status = grpc.get(get(digit)).await.err().context("found")?;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains(&count.to_string()), "{status}");
    let few = ListRequest {
        include_ended: true,
        limit: 3,
        ..ListRequest::default()
    };
    assert_eq!(grpc.list(few).await?.into_inner().upgrades.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_person_is_let_in_as_a_webhook_is() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut grpc = ingest.grpc().await?;
    let answer = grpc.upgrade(upgrade("a/b", "1.0.1")).await?.into_inner();
    assert_eq!(
        (answer.decision.as_str(), answer.id.len()),
        ("accepted", 16)
    );
    let again = ingest
        .post(&native("docker.io/a/b", "1.0.1", "new"))
        .await?;
    assert_eq!(
        (again.text("decision"), again.text("upgrade")),
        ("duplicate", answer.id.as_str())
    );
    let answer = grpc
        .upgrade(upgrade("postgres", "16.4"))
        .await?
        .into_inner();
    assert_eq!(
        (answer.decision.as_str(), answer.id.as_str()),
        ("skipped", "")
    );
    let answer = grpc.upgrade(upgrade("a/b", "latest")).await?.into_inner();
    assert_eq!(answer.decision, "skipped");
    for (image, tag) in [
        ("a/b", ""),
        ("", "1"),
        ("a/b", "1\"}"),
        ("a/b", "1\n2"),
        ("a/b:1", "2"),
        ("reg", "5000/x"),
        ("https://a/b", "1"),
    ] {
        let status = grpc
            .upgrade(upgrade(image, tag))
            .await
            .err()
            .context("let in")?;
        assert_eq!(
            status.code(),
            Code::InvalidArgument,
            "{image} {tag}: {status}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_chart_is_asked_for_by_its_name_and_its_own_version() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut grpc = ingest.grpc().await?;
    let chart = |name, version| UpgradeRequest {
        chart: true,
        ..upgrade(name, version)
    };
    // The lists of images and of words are not about charts.
    for (name, version) in [("mysql-operator", "2.2.3"), ("traefik", "v30.0.0+up1")] {
        let answered = grpc.upgrade(chart(name, version)).await?.into_inner();
        assert_eq!(answered.decision, "accepted", "{name} {version}");
    }
    for (name, version) in [
        ("traefik", ""),
        ("", "1.0.0"),
        ("a b", "1.0.0"),
        ("a", "1\"}"),
    ] {
        let refused = grpc.upgrade(chart(name, version)).await;
        let status = refused.err().context("let in")?;
        assert_eq!(status.code(), Code::InvalidArgument, "{name} {version}");
    }
    Ok(())
}

#[tokio::test]
async fn without_nats_and_disk_a_person_is_told_to_come_back() -> anyhow::Result<()> {
    let mut ingest = Ingest::with(|settings| {
        settings.ingest.nats_wait = std::time::Duration::from_secs(1);
        // No folder can be made in a file.
        settings.data_dir = settings.ingest.secret_file.clone().unwrap_or_default();
    })
    .await?;
    ingest.nats.kill().await?;
    let mut grpc = ingest.grpc().await?;
    let status = grpc
        .upgrade(upgrade("a/b", "1.0.1"))
        .await
        .err()
        .context("let in")?;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("NATS"), "{status}");
    assert!(status.message().contains("failed to open"), "{status}");
    Ok(())
}
