//! Pages, limits and failures against the stub of GitHub.

use std::ops::RangeInclusive;

use testkit::github::Release as Published;

use super::*;

const REPOSITORY: &str = "Owner/app";

fn client(stub: &testkit::github::GitHub, token: &str) -> GitHub {
    client_at(&stub.url(), token, Duration::from_secs(20))
}

fn client_at(url: &str, token: &str, timeout: Duration) -> GitHub {
    runtime::tls::install();
    GitHub::new(url, Some(Secret::new(token)), timeout).unwrap()
}

fn stub(releases: usize) -> (testkit::github::GitHub, GitHub) {
    let stub = testkit::github::GitHub::start().unwrap();
    for n in 0..releases {
        stub.add_release(REPOSITORY, &format!("v1.{n}.0"), "notes");
    }
    let client = client(&stub, stub.token());
    (stub, client)
}

async fn tags(client: &GitHub, repository: &str) -> Vec<String> {
    let all = client.all(repository).await.unwrap().unwrap();
    all.into_iter().map(|release| release.tag).collect()
}

async fn failure(client: &GitHub) -> PortError {
    client.all(REPOSITORY).await.unwrap_err()
}

#[tokio::test]
async fn every_page_is_read_by_following_the_links() {
    let (stub, client) = stub(250);
    let tags = tags(&client, REPOSITORY).await;
    assert_eq!(tags.len(), 250);
    assert_eq!(
        (tags[0].as_str(), tags[249].as_str()),
        ("v1.249.0", "v1.0.0")
    );
    let log = stub.request_log();
    assert_eq!(log.len(), 3, "{log:?}");
    assert!(log[1].starts_with("/repositories/"), "{log:?}");
}

#[tokio::test]
async fn a_renamed_repository_is_followed() {
    let (stub, client) = stub(150);
    stub.rename(REPOSITORY, "New/name");
    assert_eq!(tags(&client, REPOSITORY).await.len(), 150);
}

#[tokio::test]
async fn an_unknown_repository_is_none_and_one_without_releases_is_empty() {
    let (stub, client) = stub(0);
    assert_eq!(client.all("nobody/nothing").await.unwrap(), None);
    stub.add_repository(REPOSITORY);
    assert_eq!(client.all(REPOSITORY).await.unwrap(), Some(Vec::new()));
}

#[tokio::test]
async fn drafts_are_left_out_and_absent_texts_are_no_fault() {
    let (stub, client) = stub(0);
    for (tag, draft) in [("v1", false), ("v2", true)] {
        let release = Published {
            tag: tag.to_owned(),
            draft,
            ..Published::default()
        };
        stub.publish(REPOSITORY, release);
    }
    let all = client.all(REPOSITORY).await.unwrap().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        (&all[0].title, all[0].body.as_str(), all[0].prerelease),
        (&None, "", false)
    );
    assert_eq!(all[0].url, "https://github.com/Owner/app/releases/tag/v1");
    // The stub hides drafts itself; with push access GitHub shows them.
    let draft = r#"[{"tag_name":"v3","name":null,"body":null,"html_url":"x","draft":true}]"#;
    stub.fail_next(200, draft, 1);
    assert_eq!(client.all(REPOSITORY).await.unwrap(), Some(Vec::new()));
}

#[tokio::test]
async fn the_primary_limit_waits_until_the_reset() {
    let (stub, client) = stub(1);
    stub.primary_limit(Duration::from_secs(600));
    let error = failure(&client).await;
    let wait = error.retry_after.unwrap().as_secs();
    assert!((595..=605).contains(&wait), "{wait}");
    assert!(error.what.contains("API rate limit exceeded"), "{error}");
}

#[tokio::test]
async fn the_secondary_limit_waits_as_long_as_it_says_or_a_minute() {
    for (named, expected) in [(Some(Duration::from_secs(7)), 7), (None, 60)] {
        let (stub, client) = stub(1);
        stub.secondary_limit(Duration::from_secs(30), named);
        let error = failure(&client).await;
        assert_eq!(error.retry_after, Some(Duration::from_secs(expected)));
    }
}

#[tokio::test]
async fn too_many_requests_without_any_time_waits_a_minute() {
    let (stub, client) = stub(1);
    stub.fail_next(429, "<h1>Slow down</h1>", 1);
    let error = failure(&client).await;
    assert_eq!(error.retry_after, Some(SECONDARY_WAIT));
    let other = client_at(&stub.url(), stub.token(), Duration::from_secs(20));
    assert_eq!(tags(&other, REPOSITORY).await.len(), 1);
}

#[tokio::test]
async fn a_limited_client_asks_nobody_until_the_limit_is_over() {
    let (stub, client) = stub(1);
    stub.primary_limit(Duration::from_secs(2));
    let first = failure(&client).await.retry_after.unwrap();
    for _ in 0..20 {
        let left = client.all("some/other").await.unwrap_err().retry_after;
        assert!(left.unwrap() <= first, "{left:?}");
    }
    assert_eq!(stub.requests(), 1);
    let mut answer = client.all(REPOSITORY).await;
    while let Err(error) = answer {
        tokio::time::sleep(error.retry_after.unwrap()).await;
        answer = client.all(REPOSITORY).await;
    }
    assert_eq!(answer.unwrap().unwrap().len(), 1);
    assert_eq!(stub.requests(), 2);
}

#[test]
fn a_limit_is_read_from_the_headers_of_either_status() {
    let now = jiff::Timestamp::now().as_second();
    let soon = (now + 100).to_string();
    type Case<'a> = (
        u16,
        &'a [(&'static str, &'a str)],
        Option<RangeInclusive<u64>>,
    );
    let cases: [Case<'_>; 8] = [
        (429, &[("retry-after", "30")], Some(30..=30)),
        (403, &[("retry-after", "0")], Some(1..=1)),
        (403, &[("retry-after", "999999")], Some(3_700..=3_700)),
        (
            429,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &soon)],
            Some(98..=101),
        ),
        (
            403,
            &[
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "-9223372036854775808"),
            ],
            Some(1..=1),
        ),
        (
            403,
            &[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", &soon)],
            None,
        ),
        (403, &[], None),
        (500, &[("retry-after", "30")], None),
    ];
    for (status, headers, expected) in cases {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let wait = limit(StatusCode::from_u16(status).unwrap(), &map);
        match (wait, &expected) {
            (Some(wait), Some(range)) => assert!(range.contains(&wait.as_secs()), "{wait:?}"),
            (wait, expected) => assert_eq!(
                wait.is_none(),
                expected.is_none(),
                "{status} {headers:?}: {wait:?}"
            ),
        }
    }
}

#[tokio::test]
async fn a_wrong_token_is_named_as_the_cause() {
    let (stub, _) = stub(1);
    let error = failure(&client(&stub, "ghp_wrong")).await;
    assert!(
        error.what.contains("does not accept the token")
            && error.what.contains("Bad credentials")
            && error.what.contains("github.token_file"),
        "{error}"
    );
    assert!(!error.what.contains("ghp_wrong"), "{error}");
    assert_eq!(error.retry_after, None);
}

#[tokio::test]
async fn an_outage_in_html_is_an_error_and_not_an_absence() {
    let (stub, client) = stub(1);
    stub.fail_next(502, "<h1>Unicorn!</h1>", 1);
    let error = failure(&client).await;
    assert_eq!(
        error.what,
        "GitHub answered 502 Bad Gateway: no readable reason"
    );
    stub.fail_next(200, "<h1>Welcome</h1>", 1);
    let error = failure(&client).await;
    assert!(error.what.contains("no list of releases"), "{error}");
    assert_eq!(tags(&client, REPOSITORY).await.len(), 1);
}

#[tokio::test]
async fn what_lies_beyond_githubs_last_result_ends_the_list() {
    let (stub, client) = stub(1);
    let beyond = format!(
        "{}/repos/{REPOSITORY}/releases?per_page=100&page=101",
        stub.url()
    );
    let (releases, next) = client.page(&beyond).await.unwrap().unwrap();
    assert!(releases.is_empty() && next.is_none());
}

#[tokio::test]
async fn silence_ends_with_the_timeout() {
    let (stub, _) = stub(1);
    stub.latency(Duration::from_secs(3_600));
    let client = client_at(&stub.url(), stub.token(), Duration::from_millis(100));
    let error = failure(&client).await;
    assert!(error.what.contains("timed out"), "{error}");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let (stub, client) = stub(1);
    stub.fail_next(200, &" ".repeat(MAX_BODY + 1), 1);
    let error = failure(&client).await;
    assert!(error.what.contains("larger than"), "{error}");
}

#[tokio::test]
async fn the_token_is_not_carried_to_another_host() {
    let (stub, client) = stub(1);
    let (other, _) = self::stub(1);
    let elsewhere = format!("{}/repos/{REPOSITORY}/releases", other.url());
    let Err(error) = client.page(&elsewhere).await else {
        panic!("a page of another host was read");
    };
    assert!(error.what.contains("is not below"), "{error}");
    assert_eq!((stub.requests(), other.requests()), (0, 0));
}
