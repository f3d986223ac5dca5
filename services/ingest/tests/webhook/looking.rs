//! Lists with filters and pages, streams that are taken up again, and why.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail, ensure};
use bus::Log as _;
use job::{Body, Level, UpgradeId};
use tonic::{Code, Streaming};
use wire::v1::{ListRequest, ListResponse, WatchEvent, WatchRequest, WhyRequest};

use crate::harness::{Ingest, LIMIT, eventually, native};
use crate::plans::{plan, pushed, watched};

async fn list(ingest: &Ingest, request: ListRequest) -> anyhow::Result<ListResponse> {
    Ok(ingest.grpc().await?.list(request).await?.into_inner())
}

fn ids(page: &ListResponse) -> Vec<String> {
    page.upgrades.iter().map(|view| view.id.clone()).collect()
}

/// Waits until the replica that answers knows so many upgrades.
async fn knows(ingest: &Ingest, count: usize) -> anyhow::Result<()> {
    eventually(async || {
        let all = ListRequest {
            include_ended: true,
            ..ListRequest::default()
        };
        let found = list(ingest, all).await?.upgrades.len();
        ensure!(found == count, "{found} of {count}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pages_neither_shift_nor_overlap_while_upgrades_arrive() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let open = async |number: usize| {
        let body = native("docker.io/a/b", &format!("1.0.{number}"), "new");
        ingest.post(&body).await?.id()
    };
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.insert(0, open(number).await?.to_string());
    }
    knows(&ingest, 7).await?;
    let mut found = Vec::new();
    let mut token = String::new();
    for (number, sizes) in [(7, 3), (8, 3), (9, 1)] {
        let page = ListRequest {
            limit: 3,
            page_token: token,
            ..ListRequest::default()
        };
        let page = list(&ingest, page).await?;
        assert_eq!(page.upgrades.len(), sizes);
        found.extend(ids(&page));
        token = page.next_page_token;
        // Between two pages another one comes in.
        open(number).await?;
        knows(&ingest, number + 1).await?;
    }
    assert_eq!(token, "", "there is no more");
    assert_eq!(found, expected);
    let wrong = ListRequest {
        page_token: "x".to_owned(),
        ..ListRequest::default()
    };
    let status = ingest.grpc().await?.list(wrong).await.err();
    assert_eq!(status.context("a page")?.code(), Code::InvalidArgument);
    Ok(())
}

#[tokio::test]
async fn a_list_is_narrowed_by_what_is_asked_for() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let app = ingest.opened("docker.io/a/app", "1.0.1").await?;
    let planned = Body::Planned(plan(Level::Safe, "patch bump", &["1.0.1"]));
    ingest.tell(&app, [planned.clone()]).await?;
    let web = ingest.opened("docker.io/a/web", "1.0.1").await?;
    ingest.tell(&web, [planned]).await?;
    ingest.tell(&web, pushed()).await?;
    ingest.tell(&web, watched()).await?;
    let report = "ready".to_owned();
    ingest.tell(&web, [Body::Succeeded { report }]).await?;
    let other = ingest.opened("docker.io/a/other", "1.0.1").await?;
    let all = ListRequest::default;
    let cases = [
        (all(), vec![&other, &app]),
        (
            ListRequest {
                include_ended: true,
                ..all()
            },
            vec![&other, &web, &app],
        ),
        (
            ListRequest {
                image: "we".to_owned(),
                include_ended: true,
                ..all()
            },
            vec![&web],
        ),
        (
            ListRequest {
                service: "app".to_owned(),
                ..all()
            },
            vec![&app],
        ),
        (
            ListRequest {
                phases: vec!["Admitted".to_owned()],
                ..all()
            },
            vec![&other],
        ),
        (
            ListRequest {
                phases: vec!["Planned".to_owned(), "Ended(Succeeded)".to_owned()],
                ..all()
            },
            vec![&web, &app],
        ),
        (
            ListRequest {
                since_ms: i64::MAX,
                ..all()
            },
            vec![],
        ),
    ];
    for (request, expected) in cases {
        let expected: Vec<String> = expected.into_iter().map(UpgradeId::to_string).collect();
        eventually(async || {
            let found = ids(&list(&ingest, request.clone()).await?);
            ensure!(found == expected, "{request:?}: {found:?}");
            Ok(())
        })
        .await?;
    }
    let wrong = ListRequest {
        phases: vec!["Done".to_owned()],
        ..all()
    };
    let status = ingest.grpc().await?.list(wrong).await.err();
    let status = status.context("a list")?;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("AwaitingApproval"), "{status}");
    Ok(())
}

async fn next(events: &mut Streaming<WatchEvent>) -> anyhow::Result<WatchEvent> {
    let event = tokio::time::timeout(LIMIT, events.message());
    event
        .await
        .context("no event")??
        .context("the stream ended")
}

async fn watch(ingest: &Ingest, request: WatchRequest) -> anyhow::Result<Streaming<WatchEvent>> {
    Ok(ingest.grpc().await?.watch(request).await?.into_inner())
}

/// Every place of the log, in order.
async fn places(ingest: &Ingest, ids: &[UpgradeId]) -> anyhow::Result<Vec<u64>> {
    let mut places = Vec::new();
    for id in ids {
        let history = ingest.log.read(id).await?.context("no log")?;
        places.extend(history.entries.iter().map(|entry| entry.sequence));
    }
    places.sort_unstable();
    Ok(places)
}

#[tokio::test]
async fn a_watch_goes_on_after_a_restart_without_a_gap_or_a_double() -> anyhow::Result<()> {
    let mut ingest = Ingest::start().await?;
    let mut opened = Vec::new();
    for number in 0..4 {
        let image = format!("docker.io/a/b{number}");
        opened.push(ingest.opened(&image, "1.0.1").await?);
    }
    let mut seen = Vec::new();
    let everything = WatchRequest {
        after: Some(0),
        ..WatchRequest::default()
    };
    let mut events = watch(&ingest, everything).await?;
    for _ in 0..5 {
        seen.push(next(&mut events).await?.cursor);
    }
    // It stops in time although somebody watches, and says so.
    ingest.stop().await?;
    let status = loop {
        match events.message().await {
            Ok(Some(event)) => seen.push(event.cursor),
            Ok(None) => bail!("the stream ended without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    // Something happens while nobody is there to see it.
    for id in &opened {
        let planned = Body::Planned(plan(Level::Safe, "patch bump", &["1.0.1"]));
        ingest.tell(id, [planned, Body::Started]).await?;
    }
    ingest.go().await?;
    let on = WatchRequest {
        after: seen.last().copied(),
        ..WatchRequest::default()
    };
    let mut events = watch(&ingest, on).await?;
    let expected = places(&ingest, &opened).await?;
    while seen.len() < expected.len() {
        seen.push(next(&mut events).await?.cursor);
    }
    assert_eq!(seen, expected);
    // And it is live: what comes now is seen too.
    let id = opened.first().context("an upgrade")?;
    ingest.tell(id, [Body::Ready]).await?;
    let event = next(&mut events).await?;
    assert_eq!(event.fact.context("a fact")?.name, "ready");
    assert_eq!(event.upgrade.context("an upgrade")?.phase, "Ready");
    Ok(())
}

#[tokio::test]
async fn a_watcher_that_does_not_read_misses_nothing_and_stops_nobody() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let one = WatchRequest {
        id_or_prefix: id.as_str().get(..8).context("digits")?.to_owned(),
        ..WatchRequest::default()
    };
    let mut slow = watch(&ingest, one).await?;
    let planned = Body::Planned(plan(Level::Safe, "patch bump", &["1.0.1"]));
    ingest.tell(&id, [planned]).await?;
    ingest.tell(&id, pushed()).await?;
    ingest.tell(&id, watched()).await?;
    let observed = Body::Observed {
        seconds: 60,
        paused: 0,
        why: String::new(),
    };
    ingest.tell(&id, vec![observed; 300]).await?;
    let expected = places(&ingest, std::slice::from_ref(&id)).await?;
    // The projection has gone on without waiting for it.
    eventually(async || {
        let request = wire::v1::GetRequest {
            id_or_prefix: id.to_string(),
        };
        let view = ingest.grpc().await?.get(request).await?.into_inner();
        let facts = view.facts.len();
        ensure!(facts == expected.len(), "{facts}");
        Ok(())
    })
    .await?;
    let mut seen = Vec::new();
    while seen.len() < expected.len() {
        seen.push(next(&mut slow).await?.cursor);
    }
    assert_eq!(seen, expected);
    Ok(())
}

#[tokio::test]
async fn a_watch_of_a_service_or_from_now_on_shows_only_that() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mine = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let other = ingest.opened("docker.io/c/d", "1.0.1").await?;
    knows(&ingest, 2).await?;
    let planned = |service: &str| {
        let mut plan = plan(Level::Safe, "patch bump", &["1.0.1"]);
        plan.service = service.to_owned();
        Body::Planned(plan)
    };
    let of_service = WatchRequest {
        service: "mine".to_owned(),
        after: Some(0),
        ..WatchRequest::default()
    };
    let mut of_service = watch(&ingest, of_service).await?;
    ingest.tell(&other, [planned("other")]).await?;
    ingest.tell(&mine, [planned("mine"), Body::Started]).await?;
    for expected in ["planned", "started"] {
        let event = next(&mut of_service).await?;
        assert_eq!(event.fact.context("a fact")?.name, expected);
        assert_eq!(event.upgrade.context("an upgrade")?.id, mine.as_str());
    }
    eventually(async || {
        let all = list(&ingest, ListRequest::default()).await?;
        let started = all.upgrades.iter().any(|view| view.phase == "Started");
        ensure!(started);
        Ok(())
    })
    .await?;
    let mut from_now = watch(&ingest, WatchRequest::default()).await?;
    ingest.tell(&other, [Body::Started]).await?;
    let event = next(&mut from_now).await?;
    assert_eq!(event.upgrade.context("an upgrade")?.id, other.as_str());
    let unknown = WatchRequest {
        id_or_prefix: "0123456789abcdef".to_owned(),
        ..WatchRequest::default()
    };
    let status = ingest.grpc().await?.watch(unknown).await.err();
    assert_eq!(status.context("watched")?.code(), Code::NotFound);
    Ok(())
}

#[tokio::test]
async fn what_became_of_a_webhook_is_told() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    ingest
        .post(&native("docker.io/a/b", "1.0.1", "new"))
        .await?;
    ingest
        .post(&native("docker.io/library/postgres", "17.0", "new"))
        .await?;
    ingest
        .post(&native("docker.io/a/b", "latest", "new"))
        .await?;
    let why = async |about: &str, limit| -> anyhow::Result<Vec<(String, String)>> {
        let about = about.to_owned();
        let answer = ingest
            .grpc()
            .await?
            .why(WhyRequest { about, limit })
            .await?;
        let intakes = answer.into_inner().intakes;
        let told = intakes
            .into_iter()
            .map(|intake| (intake.decision, intake.id));
        Ok(told.collect())
    };
    let pair = |decision: &str, id: &str| (decision.to_owned(), id.to_owned());
    let (accepted, duplicate) = (
        pair("accepted", id.as_str()),
        pair("duplicate", id.as_str()),
    );
    let skipped = pair("skipped", "");
    assert_eq!(
        why("", 0).await?,
        [
            skipped.clone(),
            skipped.clone(),
            duplicate.clone(),
            accepted.clone()
        ]
    );
    assert_eq!(why("postgres", 0).await?, [skipped]);
    assert_eq!(
        why(id.as_str().get(..6).context("digits")?, 0).await?,
        [duplicate.clone(), accepted]
    );
    assert_eq!(why(id.as_str(), 1).await?, [duplicate]);
    assert!(why("nothing like it", 0).await?.is_empty());
    let distinct: BTreeSet<_> = why("", 2).await?.into_iter().collect();
    assert!(!distinct.is_empty());
    Ok(())
}

#[tokio::test]
async fn why_says_since_when_it_has_looked() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let looked = async || -> anyhow::Result<(i64, u32)> {
        let about = "docker.io/a/b".to_owned();
        let mut grpc = ingest.grpc().await?;
        let answer = grpc.why(WhyRequest { about, limit: 0 }).await?.into_inner();
        ensure!(answer.intakes.is_empty(), "{answer:?}");
        Ok((answer.since_ms, answer.searched))
    };
    let kept = async |at_ms: i64| {
        let record = serde_json::json!({
            "at_ms": at_ms, "image": "docker.io/c/d:1.0.0", "status": "new",
            "decision": "skipped", "reason": "", "upgrade": null,
        });
        ingest.log.intake(record.to_string().as_bytes()).await
    };
    for at_ms in 1..=2 {
        kept(at_ms).await?;
    }
    // All that is kept, which is what came within the last month.
    let month = i64::try_from(ingest.log.settings().intake_age.as_millis())?;
    let from = ingest.log.now_ms() - month;
    let (since_ms, searched) = looked().await?;
    assert_eq!(searched, 2);
    let until = ingest.log.now_ms() - month;
    assert!((from..=until).contains(&since_ms), "{since_ms}");
    // More than are looked at: since the oldest of these.
    for at_ms in 3..=1_002 {
        kept(at_ms).await?;
    }
    assert_eq!(looked().await?, (3, 1_000));
    Ok(())
}
