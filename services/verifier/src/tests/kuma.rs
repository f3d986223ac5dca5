use std::sync::Arc;
use std::time::Duration;

use job::{Body, MonitorState, Monitors};
use runtime::Secret;
use testkit::kuma::{Kuma as Stub, State};

use super::stage::{Stage, TIMEOUT};
use super::window::{applied, healthy, unhealthy};
use crate::ports::{Monitoring as _, Reading, Unknown};
use crate::{Kuma, KumaAddress};

const LONG: Duration = Duration::from_secs(3600);

/// A client that reads the status page, or with a key `/metrics`.
fn client(stub: &Stub, key: Option<&str>, change: impl FnOnce(&mut KumaAddress)) -> Kuma {
    crate::choose_cryptography();
    let mut address = KumaAddress {
        url: stub.url(),
        status_page: key.is_none().then(|| stub.slug().to_owned()),
        api_key: key.map(Secret::new),
        poll: Duration::ZERO,
        timeout: TIMEOUT,
    };
    change(&mut address);
    Kuma::new(address, Arc::new(|| 5)).unwrap()
}

async fn names(client: &Kuma) -> Vec<(String, Option<MonitorState>)> {
    let reading: Arc<Reading> = client.read().await.unwrap();
    let monitors = reading.monitors.iter();
    monitors.map(|one| (one.name.clone(), one.last)).collect()
}

#[tokio::test]
async fn both_sources_tell_the_same_monitors() {
    let stub = Stub::start().unwrap();
    let name = "a \"b\"\n\\c";
    stub.add(name, Some("https://app.example.org/x"), LONG);
    let down = stub.add("db", None, LONG);
    stub.port(down, "db.lan", 5432);
    stub.beat(down, State::Down, Duration::ZERO);
    stub.add_silent("new", None);
    for key in [None, Some(stub.key())] {
        let client = client(&stub, key, |_| ());
        let mut expected = vec![
            (name.to_owned(), Some(MonitorState::Up)),
            ("db".to_owned(), Some(MonitorState::Down)),
        ];
        if key.is_none() {
            // A monitor without a beat has no series.
            expected.push(("new".to_owned(), None));
        }
        assert_eq!(names(&client).await, expected, "{key:?}");
        let reading = client.read().await.unwrap();
        assert_eq!(reading.at_ms, 5);
        assert_eq!(reading.monitors[0].host.as_deref(), Some("app.example.org"));
        assert_eq!(reading.monitors[0].beats.is_empty(), key.is_some());
    }
    stub.old();
    assert_eq!(
        names(&client(&stub, Some(stub.key()), |_| ())).await.len(),
        2
    );
    stub.hide(down);
    assert_eq!(names(&client(&stub, None, |_| ())).await.len(), 2);
}

#[tokio::test]
async fn the_cache_of_the_status_page_is_bypassed() {
    let stub = Stub::start().unwrap();
    let id = stub.add_silent("app", None);
    let client = client(&stub, None, |_| ());
    for beats in 1..4 {
        stub.beat(id, State::Up, Duration::ZERO);
        let reading = client.read().await.unwrap();
        assert_eq!(reading.monitors[0].beats.len(), beats);
    }
}

#[tokio::test]
async fn all_upgrades_share_one_reading_and_one_failure() {
    let stub = Stub::start().unwrap();
    stub.add("app", None, LONG);
    let slow = |address: &mut KumaAddress| address.poll = LONG;
    let kuma = client(&stub, Some(stub.key()), slow);
    let reads = futures::future::join_all((0..20).map(|_| kuma.read())).await;
    assert!(reads.iter().all(Result::is_ok), "{reads:?}");
    assert_eq!(stub.key_requests(), 1);
    stub.expire_key();
    let kuma = client(&stub, Some(stub.key()), slow);
    for _ in 0..5 {
        assert!(kuma.read().await.is_err());
    }
    assert_eq!(stub.key_requests(), 2);
}

#[tokio::test]
async fn whatever_is_no_reading_is_unknown_and_says_why() {
    let stub = Stub::start().unwrap();
    stub.add("app", None, LONG);
    let why = async |key: Option<&str>, change: fn(&mut KumaAddress)| {
        let read = client(&stub, key, change).read().await;
        read.map(|_| ()).unwrap_err().0
    };
    let refused = why(Some("uk1_wrong"), |_| ()).await;
    assert!(
        refused.starts_with("it refused the API key (401)"),
        "{refused}"
    );
    assert!(!refused.contains("uk1_wrong"));
    let anonymous = why(Some(""), |address| address.api_key = None).await;
    assert!(anonymous.contains("(401)"), "{anonymous}");
    let missing = why(None, |address| {
        address.status_page = Some("other".to_owned());
    })
    .await;
    assert!(missing.contains("no such page (404)"), "{missing}");
    stub.fail_next(503, "SQLITE_BUSY", 1);
    assert_eq!(
        why(None, |_| ()).await,
        "it answered 503 Service Unavailable"
    );
    stub.away(true);
    assert_eq!(why(None, |_| ()).await, "it answered 502 Bad Gateway");
    stub.away(false);
    let page = why(Some(stub.key()), |address| {
        address.url.push_str("/elsewhere");
    })
    .await;
    assert!(page.starts_with("it answered with text/html"), "{page}");
    let nobody = why(None, |address| {
        address.url = "http://127.0.0.1:9".to_owned();
    })
    .await;
    assert!(nobody.starts_with("it did not answer"), "{nobody}");
}

#[tokio::test]
async fn over_the_limit_is_unknown_and_not_a_failure() {
    let stub = Stub::start().unwrap();
    stub.add("app", None, LONG);
    let client = client(&stub, Some(stub.key()), |_| ());
    for _ in 0..60 {
        client.read().await.unwrap();
    }
    let over = client.read().await;
    assert!(
        matches!(&over, Err(Unknown(why)) if why.contains("60 requests")),
        "{over:?}"
    );
}

/// An upgrade whose plan names the monitors `app`.
fn with_monitor() -> Stage {
    Stage::with(1, |plan| {
        plan.monitors = Some(Monitors {
            names: vec!["app".to_owned()],
            hosts: Vec::new(),
        });
    })
}

/// Live and healthy; the monitor has beaten before it only.
async fn live(stage: &mut Stage) -> u64 {
    let id = stage.kuma.add_silent("app", None);
    stage.kuma.beat(id, State::Up, Duration::from_secs(60));
    stage.kuma.beat(id, State::Up, Duration::from_secs(30));
    applied(stage).await;
    healthy(stage).await;
    id
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
    stage.advance(61);
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
    let failing = stage.tick().await;
    assert!(
        matches!(&failing, Some(Body::FailingSince { evidence, .. }) if evidence.contains("app is DOWN")),
        "{failing:?}"
    );
    stage.advance(99);
    assert_eq!(stage.tick().await, None);
    stage.advance(2);
    let body = stage.tick().await.unwrap();
    assert!(unhealthy(&body), "{body:?}");
}

#[tokio::test]
async fn down_before_as_well_is_not_held_against_the_upgrade() {
    let mut stage = with_monitor();
    let id = stage.kuma.add_silent("app", None);
    stage.kuma.beat(id, State::Down, Duration::from_secs(30));
    applied(&mut stage).await;
    let before = stage.history().state.baseline.unwrap().monitors;
    assert_eq!(before, [("app #1".to_owned(), MonitorState::Down)].into());
    healthy(&mut stage).await;
    stage.kuma.beat(id, State::Down, Duration::ZERO);
    stage.advance(60);
    stage.tick().await;
    stage.advance(61);
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
    stage.advance(61);
    let report = ends(&mut stage).await;
    assert!(
        report.contains("Uptime Kuma: unknown, it answered 502"),
        "{report}"
    );
}
