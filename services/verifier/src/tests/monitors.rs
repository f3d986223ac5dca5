//! Windows in which Uptime Kuma is asked.

use std::time::Duration;

use job::{Body, MonitorState, Monitors, Plan};
use runtime::Secret;
use testkit::kuma::State;

use super::stage::Stage;
use super::window::{applied, healthy, observed, unhealthy};

const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// A plan that names the monitor `app`.
fn named(plan: &mut Plan) {
    plan.monitors = Some(Monitors {
        names: vec!["app".to_owned()],
        hosts: Vec::new(),
    });
}

/// The status page is read.
fn with_monitor() -> Stage {
    Stage::with(1, named)
}

/// `/metrics` is read.
fn by_metrics() -> Stage {
    Stage::read_by(1, named, |address, kuma| {
        address.status_page = None;
        address.api_key = Some(Secret::new(kuma.key()));
    })
}

/// The status page is read, and `/metrics` for what it does not tell.
fn by_both() -> Stage {
    Stage::read_by(1, named, |address, kuma| {
        address.api_key = Some(Secret::new(kuma.key()));
    })
}

/// The monitor, which has beaten as often as this tells its interval, and not for ten minutes.
fn beaten(stage: &Stage, every: Duration) -> u64 {
    let id = stage.kuma.add_silent("app", None);
    for earlier in (0..5).rev() {
        let ago = Duration::from_secs(600) + every * earlier;
        stage.kuma.beat(id, State::Up, ago);
    }
    id
}

/// Live and healthy; the monitor has beaten before it only, every thirty seconds.
async fn live(stage: &mut Stage) -> u64 {
    let id = beaten(stage, Duration::from_secs(30));
    applied(stage).await;
    healthy(stage).await;
    id
}

/// As above, with five minutes between the beats.
async fn seldom(stage: &mut Stage) -> u64 {
    let id = beaten(stage, FIVE_MINUTES);
    applied(stage).await;
    healthy(stage).await;
    // What it says first in the window.
    assert_eq!(stage.tick().await, None);
    id
}

/// Minutes in which nothing but time was observed.
async fn minutes(stage: &mut Stage, count: usize) {
    for minute in 1..=count {
        stage.advance(60);
        assert_eq!(stage.tick().await, Some(observed(60)), "minute {minute}");
    }
}

async fn failing(stage: &mut Stage) {
    let body = stage.tick().await;
    assert!(
        matches!(&body, Some(Body::FailingSince { evidence, .. }) if evidence.contains("app is DOWN")),
        "{body:?}"
    );
}

async fn ends(stage: &mut Stage) -> String {
    let body = stage
        .until("the end", |body| matches!(body, Body::Succeeded { .. }))
        .await;
    let Body::Succeeded { report } = body else {
        panic!("{body:?}")
    };
    report
}

#[tokio::test]
async fn a_beat_in_the_window_is_waited_for_and_reported() {
    let mut stage = with_monitor();
    let id = live(&mut stage).await;
    stage.advance(60);
    stage.tick().await;
    stage.advance(60);
    // The window is over, and the monitor has said nothing in it.
    let observed = stage.tick().await;
    assert!(
        matches!(observed, Some(Body::Observed { .. })),
        "{observed:?}"
    );
    assert_eq!(stage.tick().await, None);
    stage.kuma.beat(id, State::Up, Duration::ZERO);
    let report = ends(&mut stage).await;
    assert!(report.contains("\nUptime Kuma: app UP\n"), "{report}");
}

#[tokio::test]
async fn a_monitor_that_stays_silent_is_unknown_after_two_of_its_intervals() {
    let mut stage = with_monitor();
    live(&mut stage).await;
    stage.advance(60);
    stage.tick().await;
    stage.advance(60);
    stage.tick().await;
    stage.advance(59);
    assert_eq!(stage.tick().await, None);
    stage.advance(1);
    let report = ends(&mut stage).await;
    assert!(
        report.contains("Uptime Kuma: app unknown, no beat since"),
        "{report}"
    );
}

#[tokio::test]
async fn down_after_up_is_undone_although_everything_else_is_well() {
    let mut stage = with_monitor();
    let id = live(&mut stage).await;
    stage.kuma.beat(id, State::Pending, Duration::ZERO);
    assert_eq!(stage.tick().await, None);
    stage.kuma.beat(id, State::Down, Duration::ZERO);
    failing(&mut stage).await;
    stage.advance(99);
    assert_eq!(stage.tick().await, None);
    stage.advance(1);
    let body = stage.tick().await.unwrap();
    assert!(unhealthy(&body), "{body:?}");
}

#[tokio::test]
async fn down_before_as_well_is_not_held_against_the_upgrade() {
    let mut stage = with_monitor();
    let id = stage.kuma.add_silent("app", None);
    stage.kuma.beat(id, State::Down, Duration::from_secs(600));
    applied(&mut stage).await;
    let before = stage.history().state.baseline.unwrap().monitors;
    assert_eq!(before, [("app #1".to_owned(), MonitorState::Down)].into());
    healthy(&mut stage).await;
    stage.kuma.beat(id, State::Down, Duration::ZERO);
    stage.advance(60);
    stage.tick().await;
    stage.advance(60);
    let report = ends(&mut stage).await;
    assert!(
        report.contains("app unknown, it was DOWN before"),
        "{report}"
    );
}

#[tokio::test]
async fn a_kuma_that_is_away_changes_nothing() {
    let mut stage = with_monitor();
    stage.kuma.away(true);
    applied(&mut stage).await;
    healthy(&mut stage).await;
    stage.advance(60);
    stage.tick().await;
    stage.advance(60);
    let report = ends(&mut stage).await;
    assert!(
        report.contains("Uptime Kuma: unknown, it answered 502"),
        "{report}"
    );
}

#[tokio::test]
async fn a_monitor_whose_retries_are_left_is_reported_as_pending() {
    let mut stage = with_monitor();
    let id = live(&mut stage).await;
    stage.kuma.beat(id, State::Pending, Duration::ZERO);
    // The window, and two of its intervals.
    minutes(&mut stage, 2).await;
    stage.advance(60);
    let report = ends(&mut stage).await;
    assert!(
        report.contains("\nUptime Kuma: app PENDING, retries are left\n"),
        "{report}"
    );
}

#[tokio::test]
async fn one_down_of_a_slow_monitor_is_not_undone_before_its_next_beat() {
    for mut stage in [with_monitor(), by_metrics()] {
        let id = seldom(&mut stage).await;
        stage.kuma.beat(id, State::Down, Duration::ZERO);
        failing(&mut stage).await;
        stage.advance(330);
        assert_eq!(stage.tick().await, None);
        stage.kuma.beat(id, State::Up, Duration::ZERO);
        let body = stage.tick().await;
        assert!(matches!(body, Some(Body::HealthySince { .. })), "{body:?}");
        stage.kuma.beat(id, State::Down, Duration::ZERO);
        failing(&mut stage).await;
        stage.advance(374);
        assert_eq!(stage.tick().await, None);
        stage.advance(1);
        let body = stage.tick().await.unwrap();
        assert!(unhealthy(&body), "{body:?}");
    }
}

#[tokio::test]
async fn without_times_an_old_up_is_no_success_until_it_must_have_been_said_again() {
    let mut stage = by_metrics();
    seldom(&mut stage).await;
    minutes(&mut stage, 10).await;
    stage.advance(1);
    let report = ends(&mut stage).await;
    assert!(
        report.contains("\nUptime Kuma: app UP (/metrics)\n"),
        "{report}"
    );
}

#[tokio::test]
async fn without_times_a_beat_is_told_by_what_has_changed() {
    let mut stage = by_metrics();
    let id = beaten(&stage, FIVE_MINUTES);
    applied(&mut stage).await;
    // It fell in the rollout, and is not held against the version.
    stage.kuma.beat(id, State::Down, Duration::ZERO);
    healthy(&mut stage).await;
    assert_eq!(stage.tick().await, None);
    minutes(&mut stage, 5).await;
    stage.kuma.beat(id, State::Up, Duration::ZERO);
    let report = ends(&mut stage).await;
    assert!(report.contains("app UP (/metrics)"), "{report}");
}

#[tokio::test]
async fn without_times_a_down_that_stays_is_undone_in_the_end() {
    let mut stage = by_metrics();
    let id = beaten(&stage, FIVE_MINUTES);
    applied(&mut stage).await;
    stage.kuma.beat(id, State::Down, Duration::ZERO);
    healthy(&mut stage).await;
    assert_eq!(stage.tick().await, None);
    minutes(&mut stage, 10).await;
    stage.advance(1);
    failing(&mut stage).await;
    stage.advance(375);
    let body = stage.tick().await.unwrap();
    assert!(unhealthy(&body), "{body:?}");
}

#[tokio::test]
async fn a_monitor_that_is_not_on_the_status_page_is_read_from_metrics() {
    for (mut stage, line) in [
        (by_both(), "Uptime Kuma: app UP (/metrics)"),
        (
            with_monitor(),
            "Uptime Kuma: app unknown, it is not on the status page",
        ),
    ] {
        let id = beaten(&stage, FIVE_MINUTES);
        stage.kuma.hide(id);
        stage.kuma.beat(id, State::Pending, Duration::ZERO);
        applied(&mut stage).await;
        healthy(&mut stage).await;
        assert_eq!(stage.tick().await, None);
        stage.kuma.beat(id, State::Up, Duration::ZERO);
        minutes(&mut stage, 1).await;
        stage.advance(60);
        let report = ends(&mut stage).await;
        assert!(report.contains(line), "{report}");
    }
}

#[tokio::test]
async fn a_status_page_that_fails_is_replaced_by_metrics_and_the_report_says_so() {
    let mut stage = by_both();
    seldom(&mut stage).await;
    minutes(&mut stage, 10).await;
    stage.advance(1);
    stage.kuma.fail_next(503, "SQLITE_BUSY", 1);
    let report = ends(&mut stage).await;
    let expected = "\nUptime Kuma: the status page could not be read, so /metrics was: it answered \
                    503 Service Unavailable\nUptime Kuma: app UP (/metrics)\n";
    assert!(report.contains(expected), "{report}");
}
