//! What people read in Slack.

use std::time::{Duration, Instant};

use bus::Log as _;
use job::{Body, Cause, Level, Phase, SkipReason, Transience};

use crate::harness::{Ingest, LIMIT};
use crate::plans::{plan, pushed, reverted, watched};

const SAFE: Level = Level::Safe;

fn succeeded(report: &str) -> Body {
    Body::Succeeded {
        report: report.to_owned(),
    }
}

async fn unread(ingest: &Ingest, count: usize) -> anyhow::Result<Vec<String>> {
    ingest
        .slack
        .wait_for(|texts| texts.len() >= count, LIMIT)
        .await?;
    Ok(ingest.slack.drain())
}

#[tokio::test]
async fn a_start_and_its_success_are_told() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let planned = Body::Planned(plan(SAFE, "patch bump", &["1.0.1"]));
    ingest.tell(&id, [planned]).await?;
    ingest.tell(&id, pushed()).await?;
    ingest.tell(&id, watched()).await?;
    ingest.tell(&id, [succeeded("2 pods ready")]).await?;
    let expected = [
        format!(":arrow_up: *app* 1.0.0 → 1.0.1 starting, risk SAFE\n`{id}` fact 4"),
        format!(":white_check_mark: *app* 1.0.0 → 1.0.1 done\n2 pods ready\n`{id}` fact 11"),
    ];
    assert_eq!(unread(&ingest, 2).await?, expected);
    Ok(())
}

#[tokio::test]
async fn a_risky_start_tells_why_and_a_stepped_one_how_long() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let id = ingest.opened("docker.io/a/b", "3.0.0").await?;
    let mut plan = plan(Level::Caution, "major bump", &["1.5.0", "2.0.0", "3.0.0"]);
    plan.backup = Some(job::BackupTarget {
        namespace: "dbaas".to_owned(),
        cronjob: "postgresql-backup".to_owned(),
        engine: "postgresql".to_owned(),
        database: String::new(),
    });
    ingest
        .tell(&id, [Body::Planned(plan), Body::Started])
        .await?;
    let expected = format!(
        ":arrow_up: *app* 1.0.0 → 3.0.0 starting, risk CAUTION (major bump)\n\
         3 steps, at least 3 h 0 min\nbackup first: dbaas/postgresql-backup\n`{id}` fact 4"
    );
    assert_eq!(unread(&ingest, 1).await?, [expected]);
    Ok(())
}

#[tokio::test]
async fn a_failure_its_rollback_and_a_critical_end_are_told() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let rollback = |cause| Body::RollbackRequested {
        cause,
        evidence: "pod app-0: CrashLoopBackOff".to_owned(),
    };
    let rolled_back = Body::RolledBack {
        to: "1.0.0".to_owned(),
        report: "2 pods ready".to_owned(),
    };
    let planned = Body::Planned(plan(SAFE, "patch bump", &["1.0.1"]));

    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    ingest.tell(&id, [planned.clone()]).await?;
    for facts in [
        pushed(),
        watched(),
        vec![rollback(Cause::Unhealthy)],
        reverted(),
        watched(),
    ] {
        ingest.tell(&id, facts).await?;
    }
    ingest.tell(&id, [rolled_back]).await?;
    let told = unread(&ingest, 3).await?;
    let expected = [
        format!(":arrow_up: *app* 1.0.0 → 1.0.1 starting, risk SAFE\n`{id}` fact 4"),
        format!(
            ":warning: *app* 1.0.0 → 1.0.1 failed in step 1, rolling back to 1.0.0\n\
             pod app-0: CrashLoopBackOff\n`{id}` fact 11"
        ),
        format!(
            ":leftwards_arrow_with_hook: *app* rolled back, 1.0.0 is live and healthy\n\
             2 pods ready\n`{id}` fact 16"
        ),
    ];
    assert_eq!(told, expected);

    let id = ingest.opened("docker.io/c/d", "1.0.1").await?;
    ingest.tell(&id, [planned.clone()]).await?;
    ingest.tell(&id, pushed()).await?;
    ingest.tell(&id, [rollback(Cause::Cancelled)]).await?;
    ingest
        .tell(
            &id,
            [Body::Stuck(
                "the site was changed by someone else".to_owned(),
            )],
        )
        .await?;
    let told = unread(&ingest, 6).await?;
    let expected = [
        format!(":arrow_up: *app* 1.0.0 → 1.0.1 starting, risk SAFE\n`{id}` fact 4"),
        format!(
            ":warning: *app* 1.0.0 → 1.0.1 cancelled by a person in step 1, rolling back to 1.0.0\n\
             pod app-0: CrashLoopBackOff\n`{id}` fact 9"
        ),
        format!(
            ":rotating_light: *CRITICAL* *app* 1.0.0 → 1.0.1 needs a person\n\
             the site was changed by someone else\n\
             `bowline retry {id}` goes on, `bowline resolve {id} --now-at TAG` ends it\n\
             `{id}` fact 10"
        ),
    ];
    assert_eq!(told, expected);
    ingest.clock.on(Duration::from_secs(3_600))?;
    let again = format!("{}, again", expected.last().map_or("", String::as_str));
    assert_eq!(unread(&ingest, 7).await?, [again]);

    let id = ingest.opened("docker.io/e/f", "1.0.1").await?;
    let aborted = Body::Aborted {
        at: "1.0.0".to_owned(),
        why: "backup Job failed: disk full".to_owned(),
        transience: Transience::Lasting,
    };
    ingest.tell(&id, [planned, aborted]).await?;
    let expected = format!(
        ":no_entry: *app* to 1.0.1 aborted, 1.0.0 is unchanged\nbackup Job failed: disk full\n`{id}` fact 4"
    );
    assert_eq!(unread(&ingest, 8).await?, [expected]);
    Ok(())
}

#[tokio::test]
async fn foreign_text_pings_nobody_and_stays_within_bounds() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let id = ingest.opened("docker.io/a/b", "2.0.0").await?;
    let mut plan = plan(Level::Caution, "<!channel> & co", &["2.0.0"]);
    plan.service = "a<b>".to_owned();
    ingest.tell(&id, [Body::Planned(plan)]).await?;
    ingest.tell(&id, pushed()).await?;
    ingest.tell(&id, watched()).await?;
    ingest.tell(&id, [succeeded(&"<&ä".repeat(20_000))]).await?;
    let told = unread(&ingest, 2).await?;
    let start = told.first().map_or("", String::as_str);
    assert!(start.contains("*a&lt;b&gt;*"), "{start}");
    assert!(start.contains("(&lt;!channel&gt; &amp; co)"), "{start}");
    let end = told.last().map_or("", String::as_str);
    assert!(end.chars().count() < 4_000 && !end.contains('<'), "{end}");
    assert!(end.ends_with(&format!("…\n`{id}` fact 11")), "{end}");
    // No escape is cut in two.
    assert!(
        end.replace("&lt;", "")
            .replace("&amp;", "")
            .replace("&gt;", "")
            .find('&')
            .is_none()
    );
    Ok(())
}

#[tokio::test]
async fn a_busy_slack_is_obeyed_and_a_broken_one_asked_again_in_order() -> anyhow::Result<()> {
    // Signs of life keep the fact in hand for longer than a delivery lasts.
    let mut ingest = Ingest::with(|settings| {
        settings.bus.ack_wait = Duration::from_secs(1);
        settings.bus.progress = Duration::from_millis(200);
    })
    .await?;
    ingest.replica().await?;
    ingest.slack.rate_limit_next(1, Duration::from_secs(3));
    ingest.slack.fail_next(500, "rollup_error", 1);
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    ingest
        .tell(&id, [Body::Planned(plan(SAFE, "", &["1.0.1"]))])
        .await?;
    let began = Instant::now();
    ingest.tell(&id, [Body::Started]).await?;
    let mut told = unread(&ingest, 1).await?;
    assert!(
        began.elapsed() >= Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    ingest.tell(&id, pushed().into_iter().skip(1)).await?;
    ingest.tell(&id, watched()).await?;
    ingest.tell(&id, [succeeded("fine")]).await?;
    told.extend(unread(&ingest, 2).await?);
    let ends: Vec<_> = told
        .iter()
        .filter_map(|text| text.rsplit(' ').next())
        .collect();
    assert_eq!(ends, ["4", "11"], "{told:#?}");
    assert_eq!(ingest.slack.requests(), 4);
    Ok(())
}

#[tokio::test]
async fn what_slack_will_never_take_does_not_block_the_next() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    ingest.slack.fail_next(404, "no_service", 1);
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    ingest
        .tell(&id, [Body::Planned(plan(SAFE, "", &["1.0.1"]))])
        .await?;
    ingest.tell(&id, pushed()).await?;
    ingest.tell(&id, watched()).await?;
    ingest.tell(&id, [succeeded("fine")]).await?;
    let told = unread(&ingest, 1).await?;
    assert!(told.iter().all(|text| text.contains("done")), "{told:#?}");
    assert_eq!(ingest.slack.requests(), 2);
    Ok(())
}

#[tokio::test]
async fn what_happens_while_ingest_is_away_is_told_when_it_is_back() -> anyhow::Result<()> {
    let mut ingest =
        Ingest::with(|settings| settings.bus.ack_wait = Duration::from_secs(2)).await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let other = ingest.opened("docker.io/c/d", "1.0.1").await?;
    let planned = Body::Planned(plan(SAFE, "", &["1.0.1"]));
    ingest.tell(&id, [planned.clone()]).await?;
    ingest
        .tell(&other, [planned.clone(), Body::Started])
        .await?;
    unread(&ingest, 1).await?;

    // Stopped in the middle of a message that does not get through, and away for another one.
    ingest.slack.fail_next(500, "rollup_error", 1);
    let before = ingest.slack.requests();
    ingest.tell(&id, [Body::Started]).await?;
    crate::harness::eventually(async || {
        anyhow::ensure!(ingest.slack.requests() > before, "not asked");
        Ok(())
    })
    .await?;
    ingest.stop().await?;
    ingest.tell(&id, pushed().into_iter().skip(1)).await?;
    ingest.tell(&id, watched()).await?;
    ingest.tell(&id, [succeeded("fine")]).await?;
    assert!(ingest.slack.unread().is_empty());
    ingest.go().await?;
    let told = unread(&ingest, 3).await?;
    assert!(
        told.iter()
            .any(|text| text.ends_with(&format!("`{id}` fact 4"))),
        "{told:#?}"
    );
    let told = ingest
        .slack
        .wait_for(|all| all.iter().any(|text| text.contains("done")), LIMIT)
        .await?;
    assert!(
        told.iter()
            .any(|text| text.ends_with(&format!("`{id}` fact 11"))),
        "{told:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_observe_would_do_is_told() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let id = ingest.opened("docker.io/a/b", "1.0.1").await?;
    let mut plan = plan(SAFE, "", &["1.0.1"]);
    plan.policy.observe = true;
    let would = SkipReason::Observe("would bring app to 1.0.1".to_owned());
    ingest
        .tell(&id, [Body::Planned(plan), Body::Skipped(would)])
        .await?;
    let expected = format!(":eyes: observe: would bring app to 1.0.1\n`{id}` fact 4");
    assert_eq!(unread(&ingest, 1).await?, [expected]);
    ingest.reaches(&id, Phase::Ended(job::End::Skipped)).await?;
    assert!(ingest.log.read(&id).await?.is_some());
    Ok(())
}
