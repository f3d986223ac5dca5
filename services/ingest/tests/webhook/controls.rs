//! Pauses and limits that people set.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use job::{Body, Level, Phase, UpgradeId};
use runtime::settings::Mode;
use tonic::Code;
use wire::v1::{
    GetLimitsRequest, GetRequest, LimitsView, ListPausesRequest, PauseRequest, ResetLimitsRequest,
    SetLimitsRequest,
};

use crate::harness::{Ingest, eventually, native};
use crate::plans::plan;

fn by() -> String {
    "alice".to_owned()
}

/// Asks for so many upgrades; the first ones are admitted.
async fn ask(ingest: &Ingest, count: usize, admitted: usize) -> anyhow::Result<Vec<UpgradeId>> {
    let mut ids = Vec::new();
    for number in 0..count {
        let body = native(&format!("docker.io/a/b{number}"), "1.0.1", "new");
        let id = ingest.post(&body).await?.id()?;
        let phase = if number < admitted {
            Phase::Admitted
        } else {
            Phase::Held
        };
        ingest.reaches(&id, phase).await?;
        ids.push(id);
    }
    Ok(ids)
}

async fn limits(ingest: &Ingest) -> anyhow::Result<LimitsView> {
    let asked = ingest.grpc().await?.get_limits(GetLimitsRequest {}).await?;
    Ok(asked.into_inner())
}

/// A sweep that never comes, so that only the call itself can admit.
async fn without_sweep(max: u32) -> anyhow::Result<Ingest> {
    Ingest::with(|settings| {
        settings.rate.max_upgrades_per_window = max;
        settings.rate.window = Duration::from_secs(6 * 3_600);
        settings.bus.sweep = Duration::from_secs(3_600);
    })
    .await
}

#[tokio::test]
async fn a_raised_limit_lets_twelve_in_at_once() -> anyhow::Result<()> {
    let ingest = without_sweep(2).await?;
    let ids = ask(&ingest, 14, 2).await?;
    let before = limits(&ingest).await?;
    assert_eq!((before.max, before.overridden), (2, false));
    assert_eq!((before.admitted.len(), before.held.len()), (2, 12));
    assert!(before.window_started_ms > 0);
    let raise = SetLimitsRequest {
        max: Some(14),
        by: by(),
        ..SetLimitsRequest::default()
    };
    let after = ingest.grpc().await?.set_limits(raise).await?.into_inner();
    assert_eq!((after.max, after.overridden), (14, true));
    assert_eq!((after.admitted.len(), after.held.len()), (14, 0));
    assert_eq!(after.window_started_ms, before.window_started_ms);
    let mut places = Vec::new();
    for id in &ids {
        places.push(ingest.reaches(id, Phase::Admitted).await?.sequence());
    }
    assert!(places.is_sorted(), "in the order of arrival: {places:?}");
    // Newcomers meet the new limit too, and the old one after it is taken back.
    let more = ingest
        .post(&native("docker.io/c/d", "1.0.1", "new"))
        .await?
        .id()?;
    ingest.reaches(&more, Phase::Held).await?;
    let configured = SetLimitsRequest {
        configured: true,
        by: by(),
        ..SetLimitsRequest::default()
    };
    let back = ingest
        .grpc()
        .await?
        .set_limits(configured)
        .await?
        .into_inner();
    assert_eq!((back.max, back.overridden, back.held.len()), (2, false, 1));
    Ok(())
}

#[tokio::test]
async fn a_reset_opens_a_new_window_for_twelve_at_once() -> anyhow::Result<()> {
    let ingest = without_sweep(12).await?;
    let ids = ask(&ingest, 24, 12).await?;
    ingest.clock.on(Duration::from_secs(60))?;
    let before = limits(&ingest).await?;
    let reset = ResetLimitsRequest { by: by() };
    let after = ingest.grpc().await?.reset_limits(reset).await?.into_inner();
    assert!(after.window_started_ms >= before.window_started_ms + 60_000);
    let waited: Vec<String> = ids.iter().skip(12).map(UpgradeId::to_string).collect();
    assert_eq!(after.admitted, waited);
    assert!(after.held.is_empty());
    for id in &ids {
        ingest.reaches(id, Phase::Admitted).await?;
    }
    Ok(())
}

#[tokio::test]
async fn limits_that_make_no_sense_are_refused() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut grpc = ingest.grpc().await?;
    let none = SetLimitsRequest::default;
    for wrong in [
        none(),
        SetLimitsRequest {
            max: Some(5),
            configured: true,
            ..none()
        },
        SetLimitsRequest {
            max: Some(1_000_000),
            ..none()
        },
        SetLimitsRequest {
            window_seconds: Some(0),
            ..none()
        },
        SetLimitsRequest {
            window_seconds: Some(u64::MAX),
            ..none()
        },
    ] {
        let status = grpc.set_limits(wrong.clone()).await.err();
        let status = status.with_context(|| format!("{wrong:?} was taken"))?;
        assert_eq!(status.code(), Code::InvalidArgument, "{wrong:?}");
    }
    assert!(!limits(&ingest).await?.overridden);
    // One key is set, and the other stays.
    let window = SetLimitsRequest {
        window_seconds: Some(60),
        ..none()
    };
    grpc.set_limits(window).await?;
    let max = SetLimitsRequest {
        max: Some(0),
        ..none()
    };
    let set = grpc.set_limits(max).await?.into_inner();
    assert_eq!((set.max, set.window_seconds), (0, 60));
    Ok(())
}

#[tokio::test]
async fn a_pause_of_a_service_that_nobody_has_heard_of_is_set_with_a_warning() -> anyhow::Result<()>
{
    let ingest = Ingest::with(|settings| {
        let service = runtime::settings::Service::default();
        settings.services.insert("configured".to_owned(), service);
    })
    .await?;
    let mut grpc = ingest.grpc().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let planned = Body::Planned(plan(Level::Safe, "patch bump", &["1.0.1"]));
    ingest.tell(&id, [planned]).await?;
    let mut warned = async |service: &str| -> anyhow::Result<bool> {
        let request = PauseRequest {
            service: service.to_owned(),
            by: by(),
            ..PauseRequest::default()
        };
        let answer = grpc.pause(request).await?.into_inner();
        let scope = format!("service {service}");
        ensure!(
            service.is_empty() || answer.pauses.iter().any(|pause| pause.scope == scope),
            "{answer:?}"
        );
        let warning = answer.warning;
        ensure!(
            warning.is_empty()
                || warning.contains(&format!("`bowline resume --service {service}`")),
            "{warning}"
        );
        Ok(!warning.is_empty())
    };
    // This replica may have to read of the plan first.
    eventually(async || {
        let request = GetRequest {
            id_or_prefix: id.to_string(),
        };
        let view = ingest.grpc().await?.get(request).await?.into_inner();
        ensure!(view.service == "app", "{view:?}");
        Ok(())
    })
    .await?;
    for (service, expected) in [
        ("app", false),
        ("configured", false),
        ("ap", true),
        ("", false),
    ] {
        assert_eq!(warned(service).await?, expected, "`{service}`");
    }
    Ok(())
}

#[tokio::test]
async fn the_shortest_health_window_is_told_where_anything_is_carried_out() -> anyhow::Result<()> {
    for (mode, expected) in [(Mode::Auto, Some(90)), (Mode::Observe, None)] {
        let ingest = Ingest::with(|settings| {
            settings.mode = mode;
            settings.verify.safe = Duration::from_secs(120);
            settings.verify.unknown = Duration::from_secs(90);
        })
        .await?;
        assert_eq!(
            limits(&ingest).await?.shortest_seconds,
            expected,
            "{mode:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_pause_of_each_scope_is_shown_where_it_holds() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut grpc = ingest.grpc().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let planned = Body::Planned(plan(Level::Safe, "patch bump", &["1.0.1"]));
    ingest.tell(&id, [planned]).await?;
    let scope = |service: &str, repository| PauseRequest {
        service: service.to_owned(),
        repository,
        by: by(),
        why: "a\nholiday".to_owned(),
    };
    let waits = async |expected: &str| {
        eventually(async || {
            let request = GetRequest {
                id_or_prefix: id.to_string(),
            };
            let view = ingest.grpc().await?.get(request).await?.into_inner();
            ensure!(view.waiting_for == expected, "{}", view.waiting_for);
            Ok(())
        })
        .await
    };
    let slot = "the service's slot";
    waits(slot).await?;
    for (request, name, holds) in [
        (scope("", false), "all", true),
        (scope("", true), "repository acme/infra", true),
        (scope("app", false), "service app", true),
        (scope("other", false), "service other", false),
    ] {
        let paused = grpc.pause(request.clone()).await?.into_inner().pauses;
        let names: Vec<&str> = paused.iter().map(|pause| pause.scope.as_str()).collect();
        assert_eq!(names, [name]);
        waits(if holds {
            "paused by alice: a holiday"
        } else {
            slot
        })
        .await?;
        let left = grpc.resume(request.clone()).await?.into_inner().pauses;
        assert!(left.is_empty(), "{left:?}");
        waits(slot).await?;
        let status = grpc.resume(request).await.err().context("resumed twice")?;
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains(name), "{status}");
    }
    grpc.pause(scope("app", false)).await?;
    grpc.pause(scope("", false)).await?;
    let all = grpc
        .list_pauses(ListPausesRequest {})
        .await?
        .into_inner()
        .pauses;
    let names: Vec<&str> = all.iter().map(|pause| pause.scope.as_str()).collect();
    assert_eq!(names, ["all", "service app"], "the widest first");
    let status = grpc.pause(scope("app", true)).await.err().context("both")?;
    assert_eq!(status.code(), Code::InvalidArgument);
    Ok(())
}
