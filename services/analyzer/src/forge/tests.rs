//! Pages, limits, failures and what is remembered, against the stubs.

use testkit::forgejo::Forgejo;
use testkit::github::Release as Published;
use testkit::gitlab::GitLab;

use super::ask::MAX_BODY;
use super::*;
use crate::cache::Own;
use crate::limits::UNNAMED;

/// A client that asks GitHub alone.
struct GitHub(Forges);

impl GitHub {
    async fn all(&self, repository: &str) -> Result<Option<Vec<Release>>, PortError> {
        self.0.all(&Home::github(repository)).await
    }
}

const REPOSITORY: &str = "Owner/app";

fn client(stub: &testkit::github::GitHub, token: &str) -> GitHub {
    client_at(&stub.url(), token, Duration::from_secs(20))
}

fn client_at(url: &str, token: &str, timeout: Duration) -> GitHub {
    let cache: Arc<dyn Cache> = Arc::new(Own::default());
    sharing(url, token, timeout, &cache)
}

fn sharing(url: &str, token: &str, timeout: Duration, cache: &Arc<dyn Cache>) -> GitHub {
    runtime::tls::install();
    let token = Some(Secret::new(token));
    let host = Host::github(
        super::client(timeout).unwrap(),
        url,
        token,
        Arc::clone(cache),
    );
    let hosts = BTreeMap::from([("github.com".to_owned(), host)]);
    GitHub(Forges { hosts })
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
    assert_eq!(error.retry_after, Some(UNNAMED));
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

#[tokio::test]
async fn a_wrong_token_is_left_away_and_named_where_it_is_needed() {
    let (stub, _) = stub(1);
    let client = client(&stub, "ghp_wrong");
    assert_eq!(tags(&client, REPOSITORY).await.len(), 1);
    assert_eq!(tags(&client, REPOSITORY).await.len(), 1);
    assert_eq!(stub.requests(), 3, "to insist on it locks the account");

    let client = self::client(&stub, "ghp_wrong");
    let error = client.all("Owner/private").await.unwrap_err();
    assert!(
        error.what.contains("does not accept the token")
            && error.what.contains("Bad credentials")
            && error.what.contains("github.token_file"),
        "{error}"
    );
    assert!(!error.what.contains("ghp_wrong"), "{error}");
    assert!(error.lasting && error.retry_after.is_none());
    let again = client.all("Owner/private").await.unwrap_err();
    assert_eq!(
        again.what, error.what,
        "it is not absent because nobody may look"
    );
}

#[tokio::test]
async fn what_lacks_in_a_public_repository_lacks_also_without_a_good_token() {
    let (stub, _) = stub(1);
    stub.put_file(REPOSITORY, "NEWS", "1.0\n===\n");
    let home = Home::github(REPOSITORY);
    let client = client(&stub, "ghp_wrong");
    assert_eq!(tags(&client, REPOSITORY).await.len(), 1);
    assert_eq!(client.0.files(&home, "docs", None).await.unwrap(), [""; 0]);
    assert_eq!(client.0.text(&home, "CHANGES", None).await.unwrap(), None);
    let tag = Tagged {
        name: "v9".to_owned(),
        message: None,
    };
    assert_eq!(client.0.annotation(&home, &tag).await.unwrap(), None);
}

#[tokio::test]
async fn what_an_owner_refuses_to_the_token_is_read_without_it() {
    let (stub, client) = stub(1);
    stub.refuse_token("Owner");
    assert_eq!(tags(&client, REPOSITORY).await.len(), 1);
}

#[tokio::test]
async fn github_is_told_who_asks_as_it_refuses_strangers() {
    let (stub, client) = stub(1);
    let url = format!("{}/repos/{REPOSITORY}/releases", stub.url());
    let stranger = reqwest::Client::new().get(&url).send().await.unwrap();
    assert_eq!(stranger.status(), 403);
    assert_eq!(tags(&client, REPOSITORY).await.len(), 1);
}

#[tokio::test]
async fn what_gitlab_has_planned_is_not_released() {
    let stub = GitLab::start().unwrap();
    let (host, path) = ("gitlab.example.org", "group/app");
    stub.add_release(path, "v1.0.0", "notes");
    let planned = testkit::gitlab::Release {
        tag: "v2.0.0".to_owned(),
        upcoming: true,
        ..testkit::gitlab::Release::default()
    };
    stub.publish(path, planned);
    let forges = other(host, ForgeKind::GitLab, &stub.url(), None);
    let home = Home {
        host: host.to_owned(),
        path: path.to_owned(),
    };
    let all = forges.all(&home).await.unwrap().unwrap();
    let tags: Vec<&str> = all.iter().map(|release| release.tag.as_str()).collect();
    assert_eq!(tags, ["v1.0.0"]);
}

#[tokio::test]
async fn what_was_taken_down_is_not_there() {
    let (stub, client) = stub(1);
    stub.take_down(REPOSITORY);
    assert_eq!(client.all(REPOSITORY).await.unwrap(), None);
}

#[tokio::test]
async fn a_limit_told_by_429_is_one_all_the_same() {
    let (stub, client) = stub(1);
    stub.limit_by_429();
    stub.primary_limit(Duration::from_secs(600));
    let wait = failure(&client).await.retry_after.unwrap().as_secs();
    assert!((595..=602).contains(&wait), "{wait}");
    let (stub, client) = self::stub(1);
    stub.limit_by_429();
    let named = Some(Duration::from_secs(7));
    stub.secondary_limit(Duration::from_secs(600), named);
    assert_eq!(failure(&client).await.retry_after, named);
}

#[tokio::test]
async fn a_page_in_place_of_a_folder_or_a_file_is_no_absence() {
    let (stub, client) = stub(1);
    let home = Home::github(REPOSITORY);
    stub.put_file(REPOSITORY, "NEWS", "1.0\n===\n");
    stub.fail_next(200, "<h1>Welcome</h1>", 2);
    let error = client.0.files(&home, "", None).await.unwrap_err();
    assert!(error.what.contains("sent something else"), "{error}");
    let error = client.0.text(&home, "NEWS", None).await.unwrap_err();
    assert!(error.what.contains("a page in place of a file"), "{error}");
    assert_eq!(client.0.files(&home, "NEWS", None).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_page_that_is_too_much_is_asked_for_in_smaller_ones() {
    let (stub, client) = stub(25);
    stub.fail_next(502, "<h1>Server Error</h1>", 2);
    assert_eq!(tags(&client, REPOSITORY).await.len(), 25);
    let log = stub.request_log();
    let sizes = ["per_page=100", "per_page=30", "per_page=10"];
    for (request, size) in log.iter().zip(sizes) {
        assert!(request.ends_with(size), "{log:?}");
    }
    assert_eq!(log.len(), 5, "{log:?}");
}

#[tokio::test]
async fn an_outage_in_html_is_an_error_and_not_an_absence() {
    let (stub, client) = stub(1);
    stub.fail_next(502, "<h1>Unicorn!</h1>", 3);
    let error = failure(&client).await;
    assert_eq!(
        error.what,
        "GitHub answered 502 Bad Gateway: no readable reason"
    );
    stub.fail_next(200, "<h1>Welcome</h1>", 1);
    let error = failure(&client).await;
    assert!(error.what.contains("sent something else"), "{error}");
    assert_eq!(tags(&client, REPOSITORY).await.len(), 1);
}

#[tokio::test]
async fn what_lies_beyond_githubs_last_result_ends_the_list() {
    let (stub, client) = stub(250);
    stub.cap(200);
    let found = tags(&client, REPOSITORY).await;
    assert_eq!((found.len(), found[0].as_str()), (200, "v1.249.0"));
    stub.cap(50);
    let error = failure(&client).await;
    assert!(error.what.contains("422") && error.lasting, "{error}");
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
    stub.fail_next(200, &" ".repeat(MAX_BODY + 1), 3);
    let error = failure(&client).await;
    assert!(error.what.contains("larger than"), "{error}");
}

#[tokio::test]
async fn a_host_that_names_itself_otherwise_is_asked_on_where_it_was_asked() {
    for kind in [ForgeKind::Forgejo, ForgeKind::GitLab] {
        let (forgejo, gitlab) = (Forgejo::start().unwrap(), GitLab::start().unwrap());
        let path = "owner/app";
        for n in 0..130 {
            forgejo.add_release(path, &format!("v1.{n}.0"), "notes");
            gitlab.add_release(path, &format!("v1.{n}.0"), "notes");
        }
        // Nobody is there; the token would go to whoever is. It is below a folder, and we ask it
        // without.
        forgejo.call("http://127.0.0.1:9/git");
        gitlab.call("http://127.0.0.1:9/git");
        let url = match kind {
            ForgeKind::GitLab => gitlab.url(),
            _ => forgejo.url(),
        };
        let host = "git.example.org";
        let forges = other(
            host,
            kind,
            &url,
            Some(forgejo.token()).filter(|_| kind == ForgeKind::Forgejo),
        );
        let home = Home {
            host: host.to_owned(),
            path: path.to_owned(),
        };
        let all = forges.all(&home).await.unwrap().unwrap();
        assert_eq!(all.len(), 130, "{kind:?}");
    }
}

#[tokio::test]
async fn what_did_not_change_costs_nothing_also_for_another_analyzer() {
    let (stub, _) = stub(150);
    let cache: Arc<dyn Cache> = Arc::new(Own::default());
    let minute = Duration::from_secs(60);
    let first = sharing(&stub.url(), stub.token(), minute, &cache);
    let second = sharing(&stub.url(), stub.token(), minute, &cache);
    let before = tags(&first, REPOSITORY).await;
    let spent = stub.spent();
    assert_eq!(tags(&second, REPOSITORY).await, before);
    assert_eq!(
        (stub.requests(), stub.spent()),
        (4, spent),
        "304 does not count"
    );
    stub.add_release(REPOSITORY, "v2.0.0", "new");
    assert_eq!(tags(&second, REPOSITORY).await.len(), 151);
}

#[tokio::test]
async fn a_limit_that_one_analyzer_met_is_known_to_all() {
    let (stub, _) = stub(1);
    let cache: Arc<dyn Cache> = Arc::new(Own::default());
    let minute = Duration::from_secs(60);
    stub.primary_limit(Duration::from_secs(600));
    for _ in 0..20 {
        let analyzer = sharing(&stub.url(), stub.token(), minute, &cache);
        assert!(failure(&analyzer).await.retry_after.is_some());
    }
    assert_eq!(stub.requests(), 1);
    // Another token has a limit of its own.
    let other = sharing(&stub.url(), "ghp_other", minute, &cache);
    failure(&other).await;
    assert_eq!(stub.requests(), 3, "with it, and without any");
}

#[tokio::test]
async fn files_are_listed_and_read_whatever_their_size() {
    let (stub, client) = stub(1);
    let home = Home::github(REPOSITORY);
    let large = "## 1.0.0\n- text\n".repeat(90_000);
    stub.put_file(REPOSITORY, "CHANGELOG.md", &large);
    stub.put_file(REPOSITORY, "docs/history.rst", "1.0.0\n=====\n");
    stub.put_file_at(REPOSITORY, "v0.1", "NEWS", "old");
    let forges = &client.0;
    assert_eq!(
        forges.files(&home, "", None).await.unwrap(),
        ["CHANGELOG.md"]
    );
    assert_eq!(
        forges.files(&home, "docs", None).await.unwrap(),
        ["history.rst"]
    );
    assert_eq!(forges.files(&home, "doc", None).await.unwrap(), [""; 0]);
    let at = forges.files(&home, "", Some("v0.1")).await.unwrap();
    assert!(at.contains(&"NEWS".to_owned()), "{at:?}");
    let text = forges.text(&home, "CHANGELOG.md", None).await.unwrap();
    assert_eq!(text.map(|text| text.len()), Some(large.len()));
    assert_eq!(
        forges
            .text(&home, "NEWS", Some("v0.1"))
            .await
            .unwrap()
            .as_deref(),
        Some("old")
    );
    assert_eq!(forges.text(&home, "NOTHING", None).await.unwrap(), None);
}

#[tokio::test]
async fn only_annotated_tags_say_something() {
    let (stub, client) = stub(0);
    let home = Home::github(REPOSITORY);
    stub.add_repository(REPOSITORY);
    stub.tag(REPOSITORY, "v1.0.0", None);
    stub.tag(REPOSITORY, "release/1.1", Some("Fixes a leak."));
    let mut tags = client.0.tags(&home).await.unwrap();
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    let mut said = Vec::new();
    for tag in &tags {
        said.push((
            tag.name.as_str(),
            client.0.annotation(&home, tag).await.unwrap(),
        ));
    }
    let message = said[0].1.take();
    assert_eq!(said, [("release/1.1", None), ("v1.0.0", None)]);
    assert_eq!(message.as_deref().map(str::trim), Some("Fixes a leak."));
}

/// What the tag of this name says.
fn message<'a>(tags: &'a [Tagged], name: &str) -> Option<&'a str> {
    let tag = tags.iter().find(|tag| tag.name == name).unwrap();
    tag.message.as_deref().map(str::trim)
}

/// Another host, at the stub's address.
fn other(host: &str, kind: ForgeKind, url: &str, token: Option<&str>) -> Forges {
    runtime::tls::install();
    let cache: Arc<dyn Cache> = Arc::new(Own::default());
    let client = super::client(Duration::from_secs(20)).unwrap();
    let token = token.map(Secret::new);
    let asked = Host::other(client, host, kind, url, token, cache);
    let hosts = BTreeMap::from([(host.to_owned(), asked)]);
    Forges { hosts }
}

#[tokio::test]
async fn gitlab_is_asked_for_releases_files_and_tags() {
    let stub = GitLab::start().unwrap();
    let (path, host) = ("group/sub/app", "gitlab.example.org");
    for minor in 0..120 {
        stub.add_release(path, &format!("v1.{minor}.0"), "notes");
    }
    stub.add_release(path, "v2.0.0-rc1", "early");
    stub.put_file(path, "docs/CHANGELOG.md", "## 1.0.0\n");
    stub.tag(path, "v0.9.0", Some("Said in the tag."));
    stub.tag(path, "v0.8.0", None);
    let home = Home {
        host: host.to_owned(),
        path: path.to_owned(),
    };
    let forges = other(host, ForgeKind::GitLab, &stub.url(), Some(stub.token()));
    let all = forges.all(&home).await.unwrap().unwrap();
    assert_eq!(all.len(), 121);
    let early: Vec<&str> = all
        .iter()
        .filter(|release| release.prerelease)
        .map(|release| release.tag.as_str())
        .collect();
    assert_eq!(early, ["v2.0.0-rc1"]);
    assert_eq!(
        forges.files(&home, "docs", None).await.unwrap(),
        ["CHANGELOG.md"]
    );
    assert_eq!(forges.files(&home, "doc", None).await.unwrap(), [""; 0]);
    let text = forges.text(&home, "docs/CHANGELOG.md", None).await.unwrap();
    assert_eq!(text.as_deref(), Some("## 1.0.0\n"));
    let tags = forges.tags(&home).await.unwrap();
    let message = |name| message(&tags, name);
    assert_eq!(
        (message("v0.9.0"), message("v0.8.0")),
        (Some("Said in the tag."), None)
    );
    let absent = Home {
        path: "group/nothing".to_owned(),
        ..home.clone()
    };
    assert_eq!(forges.all(&absent).await.unwrap(), None);

    stub.limit_next(7);
    let error = forges.all(&home).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)), "{error}");
    let wrong = other(host, ForgeKind::GitLab, &stub.url(), Some("glpat-wrong"));
    assert!(wrong.all(&home).await.unwrap().is_some(), "it is public");
    let wrong = other(host, ForgeKind::GitLab, &stub.url(), Some("glpat-wrong"));
    let error = wrong.all(&absent).await.unwrap_err();
    assert!(
        error
            .what
            .contains("gitlab.example.org does not accept the token"),
        "{error}"
    );
    assert!(
        error
            .what
            .contains("forges.\"gitlab.example.org\".token_file"),
        "{error}"
    );
    assert!(!error.what.contains("glpat-wrong"), "{error}");
}

#[tokio::test]
async fn forgejo_is_asked_page_by_page_and_its_plain_tags_say_nothing() {
    let stub = Forgejo::start().unwrap();
    let (path, host) = ("owner/app", "code.example.org");
    for minor in 0..120 {
        stub.add_release(path, &format!("v1.{minor}.0"), "notes");
    }
    stub.put_file(path, "CHANGES", "1.0.0\n=====\n");
    stub.tag(path, "v0.9.0", Some("Said in the tag."));
    stub.tag(path, "v0.8.0", None);
    let home = Home {
        host: host.to_owned(),
        path: path.to_owned(),
    };
    let forges = other(host, ForgeKind::Forgejo, &stub.url(), Some(stub.token()));
    assert_eq!(forges.all(&home).await.unwrap().unwrap().len(), 120);
    assert_eq!(forges.files(&home, "", None).await.unwrap(), ["CHANGES"]);
    let text = forges.text(&home, "CHANGES", None).await.unwrap();
    assert_eq!(text.as_deref(), Some("1.0.0\n=====\n"));
    let tags = forges.tags(&home).await.unwrap();
    let message = |name| message(&tags, name);
    assert_eq!(
        (message("v0.9.0"), message("v0.8.0")),
        (Some("Said in the tag."), None)
    );
    stub.fail_next(502, "<h1>Bad Gateway</h1>", 1);
    let error = forges.all(&home).await.unwrap_err();
    assert_eq!(
        error.what,
        "code.example.org answered 502 Bad Gateway: no readable reason"
    );
}

#[tokio::test]
async fn a_host_that_nobody_knows_is_said_to_be_unknown() {
    let forges = other(
        "git.example.org",
        ForgeKind::Gitea,
        "http://127.0.0.1:9",
        None,
    );
    assert!(forges.knows("git.example.org") && !forges.knows("other.example.org"));
    let home = Home {
        host: "other.example.org".to_owned(),
        path: "a/b".to_owned(),
    };
    let error = forges.all(&home).await.unwrap_err();
    assert_eq!(error.what, "other.example.org is no git host that is known");
}
