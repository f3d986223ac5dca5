use serde_json::json;
use wire::v1::{Intake, ListResponse, WhyResponse};

use crate::bowline;
use crate::stub::{Answers, Stub, view, view_with_facts};

const ID: &str = "1f3a9c0211223344";

#[test]
fn a_list_is_one_line_each_and_pages_on() {
    let page = |ids: &[&str], token: &str| ListResponse {
        upgrades: ids.iter().map(|id| view(id, "Held")).collect(),
        next_page_token: token.to_owned(),
    };
    let stub = Stub::start(Answers {
        list: [
            page(&[ID, "2f3a9c0211223344"], "two"),
            page(&["3f3a9c0211223344"], ""),
        ]
        .into(),
        ..Answers::default()
    });
    let arguments = [
        "list",
        "--service",
        "linkwarden",
        "--phase",
        "held",
        "--phase",
        "rolled-back",
        "--image",
        "linkw",
        "--all",
    ];
    let said = bowline(&stub, &arguments).answer();
    let first: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(first, ["ID", "1f3a9c02", "2f3a9c02", "3f3a9c02"], "{said}");
    let asked = stub.asked();
    let [first, second] = asked.as_slice() else {
        unreachable!("{asked:?}")
    };
    assert_eq!(
        first,
        "ListRequest { include_ended: true, limit: 200, service: \"linkwarden\", phases: \
         [\"Held\", \"Ended(RolledBack)\"], image: \"linkw\", since_ms: 0, page_token: \"\" }"
    );
    assert_eq!(
        *second,
        first.replace("page_token: \"\"", "page_token: \"two\"")
    );
}

#[test]
fn a_limit_ends_the_paging() {
    let page = |token: &str| ListResponse {
        upgrades: vec![view(ID, "Held"); 2],
        next_page_token: token.to_owned(),
    };
    let stub = Stub::start(Answers {
        list: [page("two"), page("three")].into(),
        ..Answers::default()
    });
    let said = bowline(
        &stub,
        &["list", "--limit", "3", "--output", "json", "--since", "2d"],
    );
    assert_eq!(said.json().as_array().map(Vec::len), Some(3));
    let asked = stub.asked();
    assert!(
        asked[0].contains("limit: 3,") && asked[1].contains("limit: 1,"),
        "{asked:?}"
    );
    assert!(!asked[0].contains("since_ms: 0,"), "{asked:?}");
}

#[test]
fn status_shows_the_facts_and_takes_a_short_id() {
    let stub = Stub::start(Answers {
        get: [
            Ok(view_with_facts(ID, "Watching", 2)),
            Ok(view_with_facts(ID, "Watching", 2)),
        ]
        .into(),
        ..Answers::default()
    });
    let said = bowline(&stub, &["status", "1f3"]).answer();
    assert!(said.starts_with("linkwarden  v2.9.1 -> v2.9.2\n"), "{said}");
    assert!(
        said.contains("2  2026-11-23 14:00:00  observed  text 2\n"),
        "{said}"
    );
    let json = bowline(&stub, &["status", "1f3", "--output", "json"]).json();
    assert_eq!(json["phase"], "watching");
    assert_eq!(json["facts"][1]["at"], "2026-11-23T14:00:00Z");
    assert_eq!(stub.asked()[0], "GetRequest { id_or_prefix: \"1f3\" }");
}

#[test]
fn why_tells_each_decision() {
    let stub = Stub::start(Answers {
        why: WhyResponse {
            intakes: vec![Intake {
                at_ms: 1_795_442_400_000,
                image: "docker.io/library/postgres:17.2".to_owned(),
                status: "new".to_owned(),
                decision: "skipped".to_owned(),
                reason: "`*postgres*` is on the skip list".to_owned(),
                id: String::new(),
            }],
            since_ms: 1_795_000_000_000,
            searched: 1_000,
        },
        ..Answers::default()
    });
    let said = bowline(&stub, &["why", "postgres", "--limit", "7"]).answer();
    assert!(
        said.contains("skipped") && said.contains("on the skip list"),
        "{said}"
    );
    let json = bowline(&stub, &["why", "--output", "json"]).json();
    assert_eq!(
        json,
        json!([{"at": "2026-11-23T14:00:00Z", "image": "docker.io/library/postgres:17.2",
                "status": "new", "decision": "skipped",
                "reason": "`*postgres*` is on the skip list", "id": null}])
    );
    assert_eq!(
        stub.asked(),
        [
            "WhyRequest { about: \"postgres\", limit: 7 }",
            "WhyRequest { about: \"\", limit: 20 }"
        ]
    );
}

#[test]
fn why_that_finds_nothing_says_since_when_it_was_looked_for() {
    let stub = Stub::start(Answers {
        why: WhyResponse {
            intakes: Vec::new(),
            since_ms: 1_795_442_400_000,
            searched: 1_000,
        },
        ..Answers::default()
    });
    let since =
        "othing was received about `immich` since 2026-11-23 14:00 UTC, among 1000 decisions";
    let said = bowline(&stub, &["why", "immich"]).answer();
    assert!(said.starts_with(&format!("N{since}.")), "{said}");
    let said = bowline(&stub, &["why", "immich", "--output", "json"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "[]\n"));
    assert_eq!(said.err, format!("bowline: n{since}\n"));
}
