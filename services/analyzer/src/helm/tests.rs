//! Pages, tokens, limits and failures against the stubs.

use std::time::Duration;

use testkit::registry::Registry;

use super::*;

fn client() -> Helm {
    runtime::tls::install();
    let cache: Arc<dyn Cache> = Arc::new(crate::cache::Own::default());
    Helm::new(&Settings::default(), &cache).unwrap()
}

fn told(found: Option<Arc<Vec<ChartVersion>>>) -> Vec<String> {
    let one = |version: &ChartVersion| {
        let app = version.app.as_deref().unwrap_or("none");
        let deprecated = if version.deprecated { "!" } else { "" };
        format!("{}={app}{deprecated}", version.version)
    };
    found
        .expect("there is such a chart")
        .iter()
        .map(one)
        .collect()
}

fn index() -> testkit::charts::Charts {
    let charts = testkit::charts::Charts::start().unwrap();
    charts.add("app", "1.0.0", "2.10");
    charts.add_deprecated("app", "1.1.0", "v2.11.0");
    charts.add_without_app("app", "1.2.0");
    charts
}

#[tokio::test]
async fn an_index_tells_versions_app_versions_and_what_is_deprecated() {
    let charts = index();
    let found = client()
        .versions(&charts.url(), "app", "1.0.0")
        .await
        .unwrap();
    assert_eq!(told(found), ["1.2.0=none", "1.1.0=v2.11.0!", "1.0.0=2.10"]);
}

#[tokio::test]
async fn an_index_without_the_chart_says_so() {
    let charts = index();
    let found = client()
        .versions(&charts.url(), "gone", "1.0.0")
        .await
        .unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn an_index_that_did_not_change_is_not_sent_again() {
    let (charts, client) = (index(), client());
    for expected in [3, 3, 4] {
        let found = client
            .versions(&charts.url(), "app", "1.0.0")
            .await
            .unwrap();
        assert_eq!(told(found).len(), expected);
        if charts.unchanged() == 1 {
            charts.add("app", "1.3.0", "2.12.0");
        }
    }
    assert_eq!((charts.requests(), charts.unchanged()), (3, 1));
}

#[tokio::test]
async fn a_large_index_is_read() {
    let charts = index();
    // As many nodes as the reader takes by default, and some.
    charts.fill(3 * 1024 * 1024);
    let found = client()
        .versions(&charts.url(), "app", "1.0.0")
        .await
        .unwrap();
    assert_eq!(told(found).len(), 3);
}

#[tokio::test]
async fn a_repository_out_of_reach_is_not_one_without_versions() {
    let (charts, client) = (index(), client());
    for (status, expected) in [
        (401, "without a login"),
        (403, "without a login"),
        (404, "is the address right?"),
        (503, "answered 503"),
    ] {
        charts.fail_next(status, "<h1>no</h1>", 1);
        let error = client.versions(&charts.url(), "app", "1.0.0").await;
        let error = error.unwrap_err();
        assert!(error.what.contains(expected), "{error}");
    }
    charts.say_next("<html><body>sign in</body></html>");
    let error = client.versions(&charts.url(), "app", "1.0.0").await;
    assert!(error.unwrap_err().what.contains("is no index"));
    client
        .versions("http://127.0.0.1:1/charts", "app", "1.0.0")
        .await
        .unwrap_err();
    charts.limit_next(7);
    let limited = client.versions(&charts.url(), "app", "1.0.0").await;
    let wait = limited.unwrap_err().retry_after;
    assert_eq!(wait, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_registry_tells_by_pages_tokens_manifests_and_configs() {
    let registry = Registry::start().unwrap();
    for version in [
        "1.0.0",
        "1.1.0",
        "1.2.0+build.1",
        "1.10.0",
        "1.9.0",
        "0.9.0",
    ] {
        registry.push("app", version, &format!("v{version}"));
    }
    registry.push_other("app", "sha256-0123.sig");
    registry.push_other("app", "1.11.0");
    let client = client();
    let found = client
        .versions(&registry.url(), "app", "1.1.0")
        .await
        .unwrap();
    assert_eq!(
        told(found),
        [
            "1.1.0=v1.1.0",
            "1.2.0+build.1=v1.2.0+build.1",
            "1.9.0=v1.9.0",
            "1.10.0=v1.10.0",
        ]
    );
    let log = registry.request_log();
    let count = |part: &str| log.iter().filter(|asked| asked.contains(part)).count();
    // Three pages and the refused one, one token, and nothing of what is older.
    assert_eq!((count("/tags/list"), count("/token")), (4, 1), "{log:#?}");
    assert_eq!((count("/manifests/"), count("/blobs/")), (5, 4), "{log:#?}");
    client
        .versions(&registry.url(), "app", "1.1.0")
        .await
        .unwrap();
    let again = registry.request_log();
    assert_eq!(again.len(), log.len() + 3, "{again:#?}");
}

#[tokio::test]
async fn a_token_that_expired_is_renewed_once() {
    let (registry, client) = (Registry::start().unwrap(), client());
    registry.push("app", "1.0.0", "2");
    client
        .versions(&registry.url(), "app", "1.0.0")
        .await
        .unwrap();
    registry.expire_tokens();
    let found = client
        .versions(&registry.url(), "app", "1.0.0")
        .await
        .unwrap();
    assert_eq!(told(found), ["1.0.0=2"]);
}

#[tokio::test]
async fn a_registry_that_limits_is_left_alone_and_one_without_the_chart_says_so() {
    let (registry, asker) = (Registry::start().unwrap(), client());
    let gone = asker.versions(&registry.url(), "app", "1.0.0").await;
    assert_eq!(gone.unwrap(), None);
    registry.push("app", "1.0.0", "2");
    registry.fail_next(429, Some(9), 1);
    let limited = asker.versions(&registry.url(), "app", "1.0.0").await;
    let wait = limited.unwrap_err().retry_after;
    assert_eq!(wait, Some(Duration::from_secs(9)));
    let asked = registry.request_log().len();
    let still = asker.versions(&registry.url(), "app", "1.0.0").await;
    assert!(still.unwrap_err().what.contains("has limited us"));
    assert_eq!(registry.request_log().len(), asked);
    // Docker Hub's names no time.
    registry.fail_next(429, None, 1);
    let limited = client().versions(&registry.url(), "app", "1.0.0").await;
    let wait = limited.unwrap_err().retry_after;
    assert_eq!(wait, Some(crate::limits::UNNAMED));
    registry.anonymous();
    let found = client().versions(&registry.url(), "app", "1.0.0").await;
    assert_eq!(told(found.unwrap()), ["1.0.0=2"]);
}
