//! What people want of one upgrade, over gRPC.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::Log as _;
use job::{Body, End, Level, Phase, Plan, Policy, Source, UpgradeId};
use tonic::{Code, Status};
use wire::v1::{ControlRequest, ControlResponse, GetRequest, ResolveRequest, UpgradeView};

use crate::harness::{Ingest, LIMIT, eventually, native};
use crate::plans::{plan, pushed, reverted, watched};

fn wish(id: impl ToString) -> ControlRequest {
    ControlRequest {
        id_or_prefix: id.to_string(),
        by: "alice".to_owned(),
    }
}

fn resolve(id: &UpgradeId, now_at: &str) -> ResolveRequest {
    ResolveRequest {
        id_or_prefix: id.to_string(),
        by: "alice".to_owned(),
        now_at: now_at.to_owned(),
    }
}

fn one_step() -> Plan {
    plan(Level::Safe, "patch bump", &["1.0.1"])
}

fn planned() -> Body {
    Body::Planned(one_step())
}

fn awaiting_approval() -> Body {
    Body::Planned(Plan {
        policy: Policy {
            approval: true,
            ..Policy::default()
        },
        ..one_step()
    })
}

fn succeeded() -> Body {
    Body::Succeeded {
        report: "2 pods ready".to_owned(),
    }
}

/// The refusal, and that nothing was appended for it.
async fn refused(
    ingest: &Ingest,
    id: &UpgradeId,
    asked: impl Future<Output = Result<tonic::Response<ControlResponse>, Status>>,
) -> anyhow::Result<String> {
    let before = ingest.log.read(id).await?.context("no log")?.sequence();
    let status = asked.await.err().context("it was granted")?;
    ensure!(status.code() == Code::FailedPrecondition, "{status}");
    let after = ingest.log.read(id).await?.context("no log")?.sequence();
    ensure!(before == after, "something was appended");
    Ok(status.message().to_owned())
}

async fn view(ingest: &Ingest, id: &UpgradeId) -> anyhow::Result<UpgradeView> {
    let request = GetRequest {
        id_or_prefix: id.to_string(),
    };
    Ok(ingest.grpc().await?.get(request).await?.into_inner())
}

fn names(history: &bus::History) -> Vec<&'static str> {
    let entries = history.entries.iter();
    entries.map(|entry| entry.fact.body.name()).collect()
}

#[tokio::test]
async fn an_approval_is_given_once_and_only_where_one_is_awaited() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut grpc = ingest.grpc().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let why = refused(&ingest, &id, grpc.approve(wish(&id))).await?;
    assert!(
        why.contains("being planned") && why.contains(&format!("`bowline cancel {id}`")),
        "{why}"
    );
    ingest.tell(&id, [awaiting_approval()]).await?;
    ingest
        .slack
        .wait_for(
            |texts| {
                texts
                    .iter()
                    .any(|text| text.contains(&format!("`bowline approve {id}` lets it go on")))
            },
            LIMIT,
        )
        .await?;
    // Only the log knows at once, and the beginning of an id is enough.
    let start = id.as_str().get(..10).context("ten digits")?;
    eventually(async || {
        let waits = view(&ingest, &id).await?.waiting_for;
        ensure!(waits == "approval", "{waits}");
        Ok(())
    })
    .await?;
    let granted = grpc.approve(wish(start)).await?.into_inner();
    let upgrade = granted.upgrade.context("no upgrade")?;
    assert_eq!(
        (upgrade.phase.as_str(), upgrade.owner.as_str()),
        ("Approved", "executor")
    );
    let why = refused(&ingest, &id, grpc.approve(wish(&id))).await?;
    assert!(why.contains("cannot be approved"), "{why}");
    let history = ingest.log.read(&id).await?.context("no log")?;
    let last = history.entries.last().map(|entry| &entry.fact.body);
    let by = "alice".to_owned();
    assert_eq!(last, Some(&Body::Approved { by }));
    Ok(())
}

#[tokio::test]
async fn of_many_who_approve_at_once_one_is_the_first() -> anyhow::Result<()> {
    let mut ingest = Ingest::start().await?;
    ingest.replica().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    ingest.tell(&id, [awaiting_approval()]).await?;
    let mut asked = Vec::new();
    for _ in 0..8 {
        let mut grpc = ingest.grpc().await?;
        let id = id.clone();
        asked.push(tokio::spawn(async move { grpc.approve(wish(id)).await }));
    }
    let mut granted = 0;
    for answer in asked {
        match answer.await? {
            Ok(_) => granted += 1,
            Err(status) => assert_eq!(status.code(), Code::FailedPrecondition, "{status}"),
        }
    }
    assert_eq!(granted, 1);
    let history = ingest.log.read(&id).await?.context("no log")?;
    let approvals = names(&history)
        .iter()
        .filter(|name| **name == "approved")
        .count();
    assert_eq!(approvals, 1);
    Ok(())
}

#[tokio::test]
async fn a_cancel_in_a_queue_is_answered_and_keeps_webhooks_away() -> anyhow::Result<()> {
    let ingest = Ingest::with(|settings| settings.rate.max_upgrades_per_window = 1).await?;
    let mut grpc = ingest.grpc().await?;
    let first = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let body = native("docker.io/c/d", "1.0.1", "new");
    let held = ingest.post(&body).await?.id()?;
    ingest.reaches(&held, Phase::Held).await?;
    ingest.tell(&first, [awaiting_approval()]).await?;
    for id in [&held, &first] {
        grpc.cancel(wish(id)).await?;
        let history = ingest.reaches(id, Phase::Ended(End::Cancelled)).await?;
        assert_eq!(history.state.outcome, "cancelled by alice");
    }
    let again = ingest.post(&body).await?;
    assert_eq!(again.decision(), (200, "refused"));
    assert!(
        again
            .text("reason")
            .contains(&format!("`bowline retry {held}`")),
        "{again:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_retry_opens_the_next_attempt_once() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    ingest.tell(&id, [planned()]).await?;
    for facts in [
        pushed(),
        watched(),
        vec![Body::RollbackRequested {
            cause: job::Cause::Unhealthy,
            evidence: "HTTP 503".to_owned(),
        }],
        reverted(),
        watched(),
        vec![Body::RolledBack {
            to: "1.0.0".to_owned(),
            report: String::new(),
        }],
    ] {
        ingest.tell(&id, facts).await?;
    }
    let mut asked = Vec::new();
    for _ in 0..4 {
        let mut grpc = ingest.grpc().await?;
        let id = id.clone();
        asked.push(tokio::spawn(async move { grpc.retry(wish(id)).await }));
    }
    let mut opened = Vec::new();
    for answer in asked {
        match answer.await? {
            Ok(answer) => opened.push(answer.into_inner().upgrade.context("no upgrade")?),
            Err(status) => {
                assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
                assert!(status.message().contains("tries again"), "{status}");
            }
        }
    }
    let [attempt] = opened.as_slice() else {
        anyhow::bail!("{} attempts were opened", opened.len());
    };
    assert_eq!(
        (attempt.requested_by.as_str(), attempt.retry_of.as_str()),
        ("alice", id.as_str())
    );
    let second = UpgradeId::parse(&attempt.id)?;
    let request = ingest
        .reaches(&second, Phase::Admitted)
        .await?
        .state
        .request;
    assert_eq!((request.attempt, request.source), (2, Source::Person));
    assert!(request.lift_fence, "a person's word goes before the fence");
    let told = format!("tried again by alice, after `{id}`");
    ingest
        .slack
        .wait_for(|texts| texts.iter().any(|text| text.contains(&told)), LIMIT)
        .await?;
    // Once the second is over, the first is not the one to retry.
    let aborted = Body::Aborted {
        at: "1.0.0".to_owned(),
        why: "disk full".to_owned(),
        transience: job::Transience::Lasting,
    };
    ingest.tell(&second, [aborted]).await?;
    let mut grpc = ingest.grpc().await?;
    let why = refused(&ingest, &id, grpc.retry(wish(&id))).await?;
    assert!(
        why.contains("retry that one") && why.contains(second.as_str()),
        "{why}"
    );
    let third = grpc.retry(wish(&second)).await?.into_inner();
    let third = third.upgrade.context("no upgrade")?;
    assert_eq!(third.retry_of, second.as_str());
    Ok(())
}

#[tokio::test]
async fn what_is_stuck_goes_on_or_is_settled() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut grpc = ingest.grpc().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    ingest.tell(&id, [planned()]).await?;
    ingest.tell(&id, pushed()).await?;
    let stuck = Body::Stuck("could not be verified".to_owned());
    ingest.tell(&id, [stuck.clone()]).await?;
    let why = refused(&ingest, &id, grpc.cancel(wish(&id))).await?;
    assert!(
        why.contains("could not be verified") && why.contains("`bowline resolve"),
        "{why}"
    );
    let on = grpc.retry(wish(&id)).await?.into_inner();
    let on = on.upgrade.context("no upgrade")?;
    assert_eq!(
        (on.phase.as_str(), on.owner.as_str()),
        ("Pushed", "verifier")
    );
    assert_eq!(on.reason, "", "it is not stuck any more");
    refused(&ingest, &id, grpc.resolve(resolve(&id, "1.0.1"))).await?;

    ingest.tell(&id, [stuck]).await?;
    let status = grpc.resolve(resolve(&id, "latest")).await.err();
    assert_eq!(status.context("settled")?.code(), Code::InvalidArgument);
    let settled = grpc.resolve(resolve(&id, "1.0.7")).await?.into_inner();
    let settled = settled.upgrade.context("no upgrade")?;
    assert_eq!(
        (settled.phase.as_str(), settled.live.as_str()),
        ("Ended(Resolved)", "1.0.7")
    );
    assert_eq!(settled.reason, "alice says that 1.0.7 is live");
    refused(&ingest, &id, grpc.retry(wish(&id))).await?;
    Ok(())
}

#[tokio::test]
async fn what_succeeded_is_undone_unless_something_newer_stands_on_it() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut grpc = ingest.grpc().await?;
    let done = async |tag: &str| -> anyhow::Result<UpgradeId> {
        let id = ingest.opened("docker.io/a/b", tag).await?;
        let plan = plan(Level::Safe, "patch bump", &[tag]);
        ingest.tell(&id, [Body::Planned(plan)]).await?;
        ingest.tell(&id, pushed()).await?;
        ingest.tell(&id, watched()).await?;
        Ok(id)
    };
    let first = done("1.0.1").await?;
    let why = refused(&ingest, &first, grpc.rollback(wish(&first))).await?;
    assert!(why.contains(&format!("`bowline cancel {first}`")), "{why}");
    ingest.tell(&first, [succeeded()]).await?;
    let second = done("1.0.2").await?;
    eventually(async || {
        ensure!(view(&ingest, &second).await?.service == "app");
        Ok(())
    })
    .await?;
    let why = refused(&ingest, &first, grpc.rollback(wish(&first))).await?;
    assert!(
        why.contains("is open") && why.contains(second.as_str()),
        "{why}"
    );
    ingest.tell(&second, [succeeded()]).await?;
    let over = "Ended(Succeeded)";
    eventually(async || {
        ensure!(view(&ingest, &second).await?.phase == over);
        Ok(())
    })
    .await?;
    let why = refused(&ingest, &first, grpc.rollback(wish(&first))).await?;
    assert!(why.contains("1.0.2 is live since"), "{why}");

    let undone = grpc.rollback(wish(&second)).await?.into_inner();
    assert!(undone.message.contains("taken back to 1.0.0"), "{undone:?}");
    let upgrade = undone.upgrade.context("no upgrade")?;
    assert_eq!(
        (upgrade.phase.as_str(), upgrade.owner.as_str()),
        ("RollbackRequested", "undo")
    );
    refused(&ingest, &second, grpc.rollback(wish(&second))).await?;
    refused(&ingest, &second, grpc.cancel(wish(&second))).await?;
    Ok(())
}

#[tokio::test]
async fn an_archived_upgrade_is_told_and_still_decides() -> anyhow::Result<()> {
    let mut ingest = Ingest::with(|settings| {
        settings.bus.archive_after = Duration::from_secs(24 * 3_600);
        settings.rate.window = Duration::from_secs(3_600);
    })
    .await?;
    let mut grpc = ingest.grpc().await?;
    let mut ids = BTreeMap::new();
    for (image, tag) in [
        ("docker.io/a/b", "1.0.1"),
        ("docker.io/c/d", "1.0.1"),
        ("docker.io/e/f", "1.0.1"),
    ] {
        let id = ingest.opened(image, tag).await?;
        ids.insert(image, id);
    }
    let (cancelled, open) = (&ids["docker.io/a/b"], &ids["docker.io/c/d"]);
    ingest.tell(cancelled, [awaiting_approval()]).await?;
    grpc.cancel(wish(cancelled)).await?;
    ingest
        .reaches(cancelled, Phase::Ended(End::Cancelled))
        .await?;
    ingest.tell(open, [planned()]).await?;
    ingest.tell(open, pushed()).await?;
    ingest
        .tell(open, [Body::Stuck("not applied".to_owned())])
        .await?;
    let split = &ids["docker.io/e/f"];
    let children = ["x", "y"].map(|service| UpgradeId::child(split.as_str(), service, 1));
    let children = children.map(|id| id.to_string()).to_vec();
    let parts = children.clone();
    ingest.tell(split, [Body::Split { children }]).await?;
    let before = view(&ingest, cancelled).await?;
    assert_eq!(view(&ingest, split).await?.split_into, parts);
    ingest.clock.on(Duration::from_secs(25 * 3_600))?;
    eventually(async || {
        ensure!(view(&ingest, cancelled).await?.archived);
        ensure!(view(&ingest, split).await?.archived);
        Ok(())
    })
    .await?;
    assert!(
        ingest.log.read(cancelled).await?.is_none(),
        "its facts are gone"
    );
    assert!(
        ingest.log.read(open).await?.is_some(),
        "what is stuck stays"
    );
    let same = UpgradeView {
        facts: Vec::new(),
        archived: true,
        ..before
    };
    // Also for an ingest that never saw its facts.
    ingest.stop().await?;
    ingest.go().await?;
    let mut grpc = ingest.grpc().await?;
    assert_eq!(view(&ingest, cancelled).await?, same);
    assert_eq!(view(&ingest, split).await?.split_into, parts);
    let again = ingest
        .post(&native("docker.io/a/b", "1.0.1", "new"))
        .await?;
    assert_eq!(again.decision(), (200, "refused"), "{again:?}");
    let status = grpc.retry(wish(cancelled)).await.err().context("retried")?;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("`bowline upgrade"), "{status}");
    Ok(())
}
