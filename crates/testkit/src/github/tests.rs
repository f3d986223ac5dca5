//! GitHub's refusals, pages and limits, seen over HTTP.

use super::*;
use crate::server::probe::{Answer, send};

fn get(url: &str, extra: &[(&str, &str)]) -> Answer {
    let authorization = format!("Bearer {TOKEN}");
    let mut headers = vec![("User-Agent", "test"), ("Authorization", &authorization)];
    headers.extend(extra);
    send("GET", url, &headers, "")
}

fn stub(releases: usize) -> (GitHub, String) {
    let github = GitHub::start().unwrap();
    for n in 0..releases {
        github.add_release("Owner/app", &format!("v1.{n}.0"), "notes");
    }
    let url = format!("{}/repos/Owner/app/releases", github.url());
    (github, url)
}

#[test]
fn pages_are_linked_by_repository_id_newest_first() {
    let (github, url) = stub(45);
    let first = get(&url, &[]);
    assert_eq!(first.json().as_array().unwrap().len(), 30);
    assert_eq!(first.json()[0]["tag_name"], "v1.44.0");
    let link = first.headers["link"].clone();
    let next = link.split(['<', '>']).nth(1).unwrap();
    assert!(next.starts_with(&format!("{}/repositories/", github.url())));
    let second = get(next, &[]);
    assert_eq!(second.json().as_array().unwrap().len(), 15);
    assert!(!second.headers["link"].contains("rel=\"next\""));
    assert_eq!(get(&format!("{url}?page=9"), &[]).body, "[]");
}

#[test]
fn an_unchanged_list_costs_nothing_of_the_limit() {
    let (_github, url) = stub(1);
    let first = get(&url, &[]);
    let again = get(&url, &[("If-None-Match", &first.headers["etag"])]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let key = "x-ratelimit-remaining";
    assert_eq!(again.headers[key], first.headers[key]);
}

#[test]
fn strangers_are_refused_as_github_refuses_them() {
    let (_github, url) = stub(1);
    assert_eq!(send("GET", &url, &[], "").status, 403);
    let anonymous = send("GET", &url, &[("User-Agent", "x")], "");
    assert_eq!(
        (
            anonymous.status,
            anonymous.headers["x-ratelimit-limit"].as_str()
        ),
        (200, "60")
    );
    let bad = send(
        "GET",
        &url,
        &[("User-Agent", "x"), ("Authorization", "Bearer no")],
        "",
    );
    assert_eq!(
        (bad.status, bad.json()["message"].as_str()),
        (401, Some("Bad credentials"))
    );
    assert_eq!(get(&url.replace("app", "nope"), &[]).status, 404);
    assert_eq!(get(&format!("{url}/"), &[]).status, 404);
}

#[test]
fn limits_differ_in_what_remains() {
    let (github, url) = stub(1);
    github.secondary_limit(Duration::from_secs(5), None);
    let secondary = get(&url, &[]);
    assert_eq!(secondary.status, 403);
    assert!(secondary.body.contains("secondary rate limit"));
    assert_ne!(secondary.headers["x-ratelimit-remaining"], "0");
    assert!(!secondary.headers.contains_key("retry-after"));
    let (github, url) = stub(1);
    github.primary_limit(Duration::from_secs(60));
    let primary = get(&url, &[]);
    assert_eq!(
        (
            primary.status,
            primary.headers["x-ratelimit-remaining"].as_str()
        ),
        (403, "0")
    );
    let reset: i64 = primary.headers["x-ratelimit-reset"].parse().unwrap();
    assert!(reset > Timestamp::now().as_second() + 50);
}

#[test]
fn a_renamed_repository_redirects_to_its_id() {
    let (github, url) = stub(1);
    github.rename("Owner/app", "New/app");
    let moved = get(&format!("{url}?per_page=5"), &[]);
    assert_eq!(moved.status, 301);
    assert!(moved.headers["location"].ends_with("/releases?per_page=5"));
    assert_eq!(
        get(&moved.headers["location"], &[]).json()[0]["tag_name"],
        "v1.0.0"
    );
}

#[test]
fn drafts_are_hidden_and_empty_notes_are_null() {
    let (github, url) = stub(0);
    let release = |tag: &str, draft| Release {
        tag: tag.into(),
        draft,
        ..Release::default()
    };
    github.publish("Owner/app", release("v1", false));
    github.publish("Owner/app", release("v2", true));
    let list = get(&url, &[]).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert!(list[0]["body"].is_null() && list[0]["name"].is_null());
    github.fail_next(502, "<h1>Unicorn!</h1>", 1);
    assert_eq!(get(&url, &[]).status, 502);
    assert_eq!(get(&url, &[]).status, 200);
}
