use std::time::{Duration, Instant};

use job::{Body, Cause, Phase, Transience};
use testkit::kubernetes::Behaviour;
use testkit::woodpecker::{Outcome, Policy};

use super::stage::{Stage, TIMEOUT};

pub(super) async fn eventually(pass: impl Fn() -> bool) {
    let begun = Instant::now();
    while !pass() {
        assert!(begun.elapsed() < TIMEOUT, "never happened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Pushed, green and live; not healthy yet.
pub(super) async fn applied(stage: &mut Stage) {
    let after = Duration::ZERO;
    stage.ci.set_policy(Policy::Auto {
        outcome: Outcome::Success,
        after,
    });
    stage.push().await;
    assert!(matches!(stage.tick().await, Some(Body::CiPassed(_))));
    stage.apply("2");
    assert!(matches!(stage.tick().await, Some(Body::Applied { .. })));
}

pub(super) fn observed(seconds: u32) -> Body {
    Body::Observed {
        seconds,
        paused: 0,
        why: String::new(),
    }
}

pub(super) async fn healthy(stage: &mut Stage) {
    stage
        .until("healthy", |body| matches!(body, Body::HealthySince { .. }))
        .await;
}

pub(super) fn unhealthy(body: &Body) -> bool {
    matches!(
        body,
        Body::RollbackRequested {
            cause: Cause::Unhealthy,
            ..
        }
    )
}

#[tokio::test]
async fn a_healthy_upgrade_succeeds_after_its_window_and_reports_what_was_seen() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    assert_eq!(stage.tick().await, None);
    stage.advance(60);
    assert_eq!(stage.tick().await, Some(observed(60)));
    stage.advance(59);
    assert_eq!(stage.tick().await, None);
    stage.advance(1);
    let Some(Body::Succeeded { report }) = stage.tick().await else {
        panic!("no success")
    };
    let expected = format!(
        "CI: pipeline #1 default success\n\
         web/Deployment/app: pods: 1/1 ready on acme/app:2, no restarts\n\
         HTTP: {} 200\n\
         healthy for 120 s of observed time",
        stage.site.url()
    );
    assert_eq!(report, expected);
}

#[tokio::test]
async fn time_that_nobody_watched_does_not_count() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.advance(3600);
    assert_eq!(stage.tick().await, Some(observed(0)));
    stage.advance(60);
    assert_eq!(stage.tick().await, Some(observed(60)));
}

#[tokio::test]
async fn a_crash_loop_that_is_ready_in_between_is_undone() {
    for behaviour in [
        Behaviour::CrashLoop,
        Behaviour::OomKilled,
        Behaviour::CrashAfter(Duration::from_millis(300)),
    ] {
        let mut stage = Stage::new();
        stage.cluster.image_behaviour("acme/app:2", behaviour);
        applied(&mut stage).await;
        let body = stage.until("undone", unhealthy).await;
        let Body::RollbackRequested { evidence, .. } = &body else {
            panic!("{body:?}")
        };
        assert!(
            evidence.starts_with("web/Deployment/app: pod app-"),
            "{evidence}"
        );
    }
}

#[tokio::test]
async fn an_init_container_that_fails_is_undone() {
    let mut stage = Stage::new();
    stage
        .cluster
        .image_behaviour("acme/app:2", Behaviour::CrashLoop);
    applied(&mut stage).await;
    let body = stage.until("undone", unhealthy).await;
    let Body::RollbackRequested { evidence, .. } = &body else {
        panic!("{body:?}")
    };
    assert!(
        evidence.contains("`migrate`: CrashLoopBackOff"),
        "{evidence}"
    );
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_undone_after_the_patience() {
    let mut stage = Stage::new();
    stage
        .cluster
        .image_behaviour("acme/app:2", Behaviour::ImagePullBackOff);
    applied(&mut stage).await;
    let failing = |body: &Body| matches!(body, Body::FailingSince { .. });
    stage.until("failing", failing).await;
    stage.advance(99);
    assert_eq!(stage.tick().await, None);
    stage.advance(1);
    let body = stage.tick().await.unwrap();
    assert!(unhealthy(&body), "{body:?}");
}

#[tokio::test]
async fn a_broken_answer_is_tolerated_for_a_while_and_then_undone() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.site.answer(503);
    let Some(Body::FailingSince { evidence, .. }) = stage.tick().await else {
        panic!("healthy")
    };
    assert!(
        evidence.ends_with("503 (before the upgrade: 200)"),
        "{evidence}"
    );
    stage.site.answer(200);
    assert!(matches!(
        stage.tick().await,
        Some(Body::HealthySince { .. })
    ));
    stage.site.answer(503);
    assert!(matches!(
        stage.tick().await,
        Some(Body::FailingSince { .. })
    ));
    stage.advance(100);
    assert!(unhealthy(&stage.tick().await.unwrap()));
}

#[tokio::test]
async fn an_image_that_is_moved_back_is_not_healthy() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.apply("1");
    let Some(Body::FailingSince { evidence, .. }) = stage.tick().await else {
        panic!("healthy")
    };
    assert!(evidence.contains("runs acme/app:1 again"), "{evidence}");
}

#[tokio::test]
async fn an_unreachable_cluster_is_waited_for_and_after_an_hour_a_person_is_asked() {
    let mut stage = Stage::new();
    stage.cluster.unavailable(true);
    assert_eq!(stage.tick().await, None);
    assert_eq!(stage.phase(), Phase::Ready);
    stage.cluster.unavailable(false);
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.cluster.unavailable(true);
    stage.advance(15);
    assert_eq!(stage.tick().await, None);
    stage.advance(15);
    stage.cluster.unavailable(false);
    assert_eq!(stage.tick().await, Some(observed(15)));
    stage.cluster.unavailable(true);
    assert_eq!(stage.tick().await, None);
    stage.advance(3600);
    let body = stage.tick().await;
    let stuck = matches!(&body, Some(Body::Stuck(why)) if why.starts_with("could not be verified"));
    assert!(stuck, "{body:?}");
}

#[tokio::test]
async fn a_service_that_is_unhealthy_before_is_left_alone() {
    let mut stage = Stage::new();
    stage.site.answer(503);
    // One bad answer may be chance.
    assert_eq!(stage.tick().await, None);
    let Some(Body::Aborted {
        at,
        why,
        transience,
    }) = stage.tick().await
    else {
        panic!("begun")
    };
    let expected = format!(
        "unhealthy before: web/Deployment/app: HTTP {}: 503",
        stage.site.url()
    );
    assert_eq!(
        (at.as_str(), why, transience),
        ("1", expected, Transience::Transient)
    );

    let mut stage = Stage::with(1, |plan| plan.policy.allow_unhealthy_before = true);
    stage.site.answer(503);
    assert!(matches!(stage.tick().await, Some(Body::Baselined(_))));
}

#[tokio::test]
async fn one_bad_answer_before_the_push_is_asked_again() {
    let mut stage = Stage::new();
    stage.site.answer(503);
    assert_eq!(stage.tick().await, None);
    stage.site.answer(200);
    assert!(matches!(stage.tick().await, Some(Body::Baselined(_))));
}

#[tokio::test]
async fn a_workload_scaled_to_nothing_is_judged_by_its_image_alone() {
    let mut stage = Stage::with(0, |plan| plan.targets[0].http.clear());
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.advance(60);
    stage.tick().await;
    stage.advance(60);
    let Some(Body::Succeeded { report }) = stage.tick().await else {
        panic!("no success")
    };
    assert!(report.contains("pods: 0/0 ready on acme/app:2"), "{report}");
    assert!(report.contains("HTTP: not configured"), "{report}");
}

#[tokio::test]
async fn a_step_that_is_not_the_last_is_verified() {
    let mut stage = Stage::with(1, |plan| {
        let mut last = plan.steps[0].clone();
        last.to = "3".to_owned();
        plan.steps.push(last);
        plan.windows.forward_seconds = 10;
    });
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.advance(10);
    assert!(matches!(stage.tick().await, Some(Body::Verified { .. })));
}

#[tokio::test]
async fn an_undo_is_watched_until_the_old_version_is_healthy() {
    let mut stage = Stage::new();
    stage
        .cluster
        .image_behaviour("acme/app:2", Behaviour::CrashLoop);
    applied(&mut stage).await;
    stage.until("undone", unhealthy).await;
    stage.revert();
    assert!(matches!(stage.tick().await, Some(Body::CiPassed(_))));
    stage.apply("1");
    assert!(matches!(stage.tick().await, Some(Body::Applied { .. })));
    healthy(&mut stage).await;
    stage.advance(59);
    assert_eq!(stage.tick().await, None);
    stage.advance(1);
    let body = stage.tick().await;
    let Some(Body::RolledBack { to, report }) = &body else {
        panic!("{body:?}")
    };
    assert_eq!(to, "1");
    assert!(
        report.starts_with("CI: pipeline #2 default success\n"),
        "{report}"
    );
}

#[tokio::test]
async fn an_undo_that_does_not_become_healthy_needs_a_person() {
    let mut stage = Stage::new();
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.say(Body::CancelRequested {
        by: "kim".to_owned(),
    });
    assert!(matches!(
        stage.tick().await,
        Some(Body::RollbackRequested { .. })
    ));
    stage
        .cluster
        .image_behaviour("acme/app:1", Behaviour::CrashLoop);
    stage.revert();
    assert!(matches!(stage.tick().await, Some(Body::CiPassed(_))));
    stage.apply("1");
    assert!(matches!(stage.tick().await, Some(Body::Applied { .. })));
    let body = stage
        .until("stuck", |body| matches!(body, Body::Stuck(_)))
        .await;
    let Body::Stuck(why) = body else {
        panic!("{body:?}")
    };
    assert!(
        why.starts_with("the rollback did not become healthy: "),
        "{why}"
    );
}

#[tokio::test]
async fn an_undo_with_nothing_to_push_rests_on_the_live_image() {
    for live in [true, false] {
        let mut stage = Stage::new();
        applied(&mut stage).await;
        stage.say(Body::CancelRequested {
            by: "kim".to_owned(),
        });
        stage.tick().await;
        stage.say(Body::Reverted { commit: None });
        assert_eq!(stage.tick().await, None);
        if live {
            stage.apply("1");
            assert!(matches!(stage.tick().await, Some(Body::Applied { .. })));
            assert_eq!(stage.phase(), Phase::UndoWatching);
        } else {
            stage.advance(100);
            let body = stage.tick().await;
            assert!(matches!(&body, Some(Body::Stuck(_))), "{body:?}");
        }
    }
}

#[tokio::test]
async fn a_cancel_before_the_push_ends_it() {
    let mut stage = Stage::new();
    stage.say(Body::CancelRequested {
        by: "kim".to_owned(),
    });
    assert_eq!(
        stage.tick().await,
        Some(Body::Cancelled { at: "1".to_owned() })
    );
}
