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

const RAW: (&str, &str) = ("Accept", "application/vnd.github.raw+json");

fn repository() -> (GitHub, String) {
    let github = GitHub::start().unwrap();
    github.put_file("Owner/app", "CHANGELOG.md", "# 1.0.0\n");
    github.put_file("Owner/app", "docs/C++ notes.md", "*");
    let url = format!("{}/repos/Owner/app", github.url());
    (github, url)
}

#[test]
fn folders_are_lists_and_files_are_base64_or_as_they_are() {
    let (github, url) = repository();
    let long = "x".repeat(100);
    github.put_file("Owner/app", "long", &long);
    let root = get(&format!("{url}/contents"), &[]).json();
    let kinds = root.as_array().unwrap().iter();
    let kinds: Vec<_> = kinds
        .map(|entry| {
            (
                entry["name"].as_str().unwrap(),
                entry["type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [("CHANGELOG.md", "file"), ("docs", "dir"), ("long", "file")]
    );
    assert!(root[0].get("content").is_none() && root[1]["download_url"].is_null());
    let file = get(&format!("{url}/contents/long"), &[]).json();
    let content = file["content"].as_str().unwrap();
    assert_eq!(
        (content.lines().next().unwrap().len(), &file["encoding"]),
        (60, &json!("base64"))
    );
    assert!(content.ends_with('\n'));
    let inner = format!("{url}/contents/docs/C++%20notes.md");
    assert_eq!(get(&inner, &[]).json()["path"], "docs/C++ notes.md");
    let raw = get(&inner, &[RAW]);
    assert_eq!(raw.body, "*");
    assert_eq!(
        raw.headers["content-type"],
        "application/vnd.github.raw+json; charset=utf-8"
    );
    let again = get(&inner, &[RAW, ("If-None-Match", &raw.headers["etag"])]);
    assert_eq!((again.status, github.requests()), (304, 5));
}

#[test]
fn a_large_file_has_its_content_only_as_it_is() {
    let (github, url) = repository();
    let text = "a line of a long changelog\n".repeat(50_000);
    github.put_file("Owner/app", "CHANGELOG.md", &text);
    let url = format!("{url}/contents/CHANGELOG.md");
    let file = get(&url, &[]).json();
    assert_eq!(
        (&file["content"], &file["encoding"]),
        (&json!(""), &json!("none"))
    );
    assert_eq!(file["size"], text.len());
    assert_eq!(get(&url, &[RAW]).body, text);
}

#[test]
fn a_reference_decides_what_is_there() {
    let (github, url) = repository();
    github.put_file_at("Owner/app", "release/1.0", "HISTORY.md", "old");
    let status = |rest: &str| get(&format!("{url}/contents{rest}"), &[]).status;
    assert_eq!(status("/HISTORY.md?ref=release%2F1.0"), 200);
    assert_eq!(status("/CHANGELOG.md?ref=release%2F1.0"), 200);
    assert_eq!(status("/HISTORY.md"), 404);
    assert_eq!(status("/docs"), 200);
    assert_eq!(status("/docs/"), 404);
    assert_eq!(status("/"), 404);
    let unknown = get(&format!("{url}/contents/CHANGELOG.md?ref=v9"), &[]);
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["message"], "No commit found for the ref v9");
    github.add_repository("Owner/empty");
    let empty = get(&format!("{}/repos/Owner/empty/contents", github.url()), &[]);
    assert_eq!(
        (empty.status, &empty.json()["message"]),
        (404, &json!("This repository is empty."))
    );
}

#[test]
fn an_annotated_tag_is_found_by_its_reference() {
    let (github, url) = repository();
    github.tag("Owner/app", "app/v1", Some("News.\n"));
    github.add_release("Owner/app", "v2", "notes");
    let list = get(&format!("{url}/tags?per_page=1"), &[]);
    assert_eq!(list.json()[0]["name"], "v2");
    let next = list.headers["link"].split(['<', '>']).nth(1).unwrap();
    let older = get(next, &[]).json();
    assert_eq!(older[0]["name"], "app/v1");
    let reference = get(&format!("{url}/git/ref/tags/app/v1"), &[]).json();
    let object = &reference["object"];
    assert_eq!(
        (&reference["ref"], &object["type"]),
        (&json!("refs/tags/app/v1"), &json!("tag"))
    );
    let tag = get(object["url"].as_str().unwrap(), &[]).json();
    assert_eq!(
        (&tag["tag"], &tag["message"]),
        (&json!("app/v1"), &json!("News.\n"))
    );
    assert_eq!(tag["object"]["sha"], older[0]["commit"]["sha"]);
    let plain = get(&format!("{url}/git/ref/tags/v2"), &[]).json();
    assert_eq!(plain["object"]["type"], "commit");
    let commit = plain["object"]["sha"].as_str().unwrap();
    assert_eq!(get(&format!("{url}/git/tags/{commit}"), &[]).status, 404);
    assert_eq!(get(&format!("{url}/git/ref/tags/app"), &[]).status, 404);
}

#[test]
fn files_and_tags_share_the_limits_and_move_with_their_repository() {
    let (github, url) = repository();
    github.rename("Owner/app", "New/app");
    let moved = get(&format!("{url}/contents/CHANGELOG.md?ref=main"), &[RAW]);
    assert_eq!(moved.status, 301);
    assert_eq!(get(&moved.headers["location"], &[RAW]).body, "# 1.0.0\n");
    assert_eq!(github.spent(), 2);
    github.primary_limit(Duration::from_secs(60));
    let url = format!("{}/repos/New/app", github.url());
    for path in ["contents", "tags", "git/ref/tags/v1"] {
        let limited = get(&format!("{url}/{path}"), &[]);
        assert_eq!(
            (limited.status, &*limited.headers["x-ratelimit-remaining"]),
            (403, "0")
        );
    }
    assert_eq!(github.limited(), 3);
}
