use std::sync::Arc;
use std::time::Duration;

use job::MonitorState;
use runtime::Secret;
use testkit::kuma::{Kuma as Stub, State};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;

use super::stage::TIMEOUT;
use crate::ports::{Monitoring as _, Reading, Source, Unknown};
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
async fn the_fallback_is_metrics_if_there_is_a_page_and_a_key() {
    let stub = Stub::start().unwrap();
    stub.add("app", None, LONG);
    let key = Secret::new(stub.key());
    let both = |address: &mut KumaAddress| address.api_key = Some(key.clone());
    let kuma = client(&stub, None, both);
    let page = kuma.read().await.unwrap();
    assert_eq!((page.monitors[0].source, page.all), (Source::Page, false));
    let metrics = kuma.fallback().await.unwrap().unwrap();
    let read = (metrics.monitors[0].source, metrics.all);
    assert_eq!(read, (Source::Metrics, true));
    for key in [None, Some(stub.key())] {
        let kuma = client(&stub, key, |_| ());
        assert_eq!(kuma.fallback().await, None, "{key:?}");
    }
}

#[tokio::test]
async fn the_status_page_is_not_shown_the_key() {
    crate::choose_cryptography();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = KumaAddress {
        url: format!("http://{}", listener.local_addr().unwrap()),
        status_page: Some("home".to_owned()),
        api_key: Some(Secret::new("uk1_key")),
        poll: Duration::ZERO,
        timeout: TIMEOUT,
    };
    let kuma = Kuma::new(address, Arc::new(|| 5)).unwrap();
    for (path, shown) in [("/api/status-page/home", false), ("/metrics", true)] {
        let asked = async {
            if shown {
                kuma.fallback().await.unwrap()
            } else {
                kuma.read().await
            }
        };
        let heard = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut lines = BufReader::new(stream).lines();
            let mut request = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.is_empty() {
                    break;
                }
                request.push(line.to_lowercase());
            }
            request
        };
        let (read, request) = futures::join!(asked, heard);
        assert!(read.is_err());
        assert!(
            request[0].starts_with(&format!("get {path} ")),
            "{request:?}"
        );
        let key = request
            .iter()
            .any(|line| line.starts_with("authorization:"));
        assert_eq!(key, shown, "{request:?}");
    }
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
