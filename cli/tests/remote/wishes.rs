use tonic::Status;
use wire::v1::{ControlResponse, LimitsView, PauseView};

use crate::stub::{Answers, Stub, view};
use crate::{bowline, program};

const ID: &str = "1f3a9c0211223344";

#[test]
fn each_wish_is_sent_with_who_asks_and_answered_with_what_happens_now() {
    let table = [
        (
            &["approve", "1f3"][..],
            "approve ControlRequest { id_or_prefix: \"1f3\", by: \"vera\" }",
        ),
        (
            &["cancel", "1f3"],
            "cancel ControlRequest { id_or_prefix: \"1f3\", by: \"vera\" }",
        ),
        (
            &["retry", "1f3"],
            "retry ControlRequest { id_or_prefix: \"1f3\", by: \"vera\" }",
        ),
        (
            &["rollback", "1f3", "--by", "ann"],
            "rollback ControlRequest { id_or_prefix: \"1f3\", by: \"ann\" }",
        ),
        (
            &["resolve", "1f3", "--now-at", "v2.9.1"],
            "resolve ResolveRequest { id_or_prefix: \"1f3\", by: \"vera\", now_at: \"v2.9.1\" }",
        ),
    ];
    let answer = ControlResponse {
        upgrade: Some(view(ID, "Pushed")),
        message: "It is undone now.".to_owned(),
    };
    let stub = Stub::start(Answers {
        control: table.iter().map(|_| Ok(answer.clone())).collect(),
        ..Answers::default()
    });
    for (arguments, expected) in table {
        let said = bowline(&stub, arguments).answer();
        assert!(
            said.starts_with("It is undone now.\n\nlinkwarden"),
            "{said}"
        );
        assert_eq!(stub.asked().last().map(String::as_str), Some(expected));
    }
}

#[test]
fn a_refusal_is_code_3_with_the_reason() {
    let stub = Stub::start(Answers {
        control: [Err(Status::failed_precondition("upgrade 1f3a is over"))].into(),
        ..Answers::default()
    });
    let said = bowline(&stub, &["cancel", "1f3"]);
    assert_eq!(said.code, Some(3));
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("", "bowline: refused: upgrade 1f3a is over\n")
    );
}

#[test]
fn json_of_a_wish_has_the_message_and_the_upgrade() {
    let stub = Stub::start(Answers {
        control: [Ok(ControlResponse {
            upgrade: Some(view(ID, "Ended(Cancelled)")),
            message: "It is cancelled.".to_owned(),
        })]
        .into(),
        ..Answers::default()
    });
    let json = bowline(&stub, &["--output", "json", "cancel", "1f3"]).json();
    assert_eq!(json["message"], "It is cancelled.");
    assert_eq!(json["upgrade"]["phase"], "cancelled");
    assert_eq!(json["upgrade"]["over"], true);
}

#[test]
fn a_pause_has_a_scope_and_a_reason() {
    let stub = Stub::start(Answers {
        pauses: vec![PauseView {
            scope: "service immich".to_owned(),
            by: "vera".to_owned(),
            why: "import".to_owned(),
            at_ms: 1_795_442_400_000,
        }],
        ..Answers::default()
    });
    let said = bowline(&stub, &["pause", "--service", "immich", "--why", "import"]).answer();
    assert!(
        said.starts_with("Paused.") && said.contains("service immich"),
        "{said}"
    );
    let said = bowline(&stub, &["resume", "--all"]).answer();
    assert!(said.contains("still in force"), "{said}");
    bowline(&stub, &["resume", "--repository"]).answer();
    let json = bowline(&stub, &["pauses", "--output", "json"]).json();
    assert_eq!(json[0]["scope"], "service immich");
    assert_eq!(
        stub.asked(),
        [
            "pause PauseRequest { service: \"immich\", repository: false, by: \"vera\", why: \"import\" }",
            "resume PauseRequest { service: \"\", repository: false, by: \"vera\", why: \"\" }",
            "resume PauseRequest { service: \"\", repository: true, by: \"vera\", why: \"\" }",
            "ListPausesRequest",
        ]
    );
}

#[test]
fn what_is_odd_about_a_pause_is_told_beside_the_answer() {
    let stub = Stub::start(Answers {
        warning: "nothing names a service `imich`".to_owned(),
        ..Answers::default()
    });
    for output in ["text", "json"] {
        let said = bowline(&stub, &["pause", "--service", "imich", "--output", output]);
        assert_eq!(
            (said.code, said.err.as_str()),
            (Some(0), "bowline: nothing names a service `imich`\n"),
            "{said:?}"
        );
    }
}

#[test]
fn limits_are_shown_set_and_reset() {
    let stub = Stub::start(Answers {
        limits: Some(LimitsView {
            max: 50,
            window_seconds: 21_600,
            overridden: true,
            ..LimitsView::default()
        }),
        ..Answers::default()
    });
    let said = bowline(&stub, &["limits", "show"]).answer();
    assert!(
        said.starts_with("limit     50 upgrades in 6 h, set by a person"),
        "{said}"
    );
    let json = bowline(&stub, &["limits", "set", "--max", "50", "--output", "json"]).json();
    assert_eq!(
        (&json["max"], &json["window_started"]),
        (&50.into(), &serde_json::Value::Null)
    );
    bowline(&stub, &["limits", "set", "--window", "6h"]).answer();
    bowline(&stub, &["limits", "set", "--configured"]).answer();
    let said = bowline(&stub, &["limits", "reset"]).answer();
    assert!(said.starts_with("A new window has begun"), "{said}");
    let set = |rest: &str| format!("SetLimitsRequest {{ {rest}, by: \"vera\" }}");
    assert_eq!(
        stub.asked(),
        [
            "GetLimitsRequest".to_owned(),
            set("max: Some(50), window_seconds: None, configured: false"),
            set("max: None, window_seconds: Some(21600), configured: false"),
            set("max: None, window_seconds: None, configured: true"),
            "ResetLimitsRequest { by: \"vera\" }".to_owned(),
        ]
    );
}

#[test]
fn wrong_usage_is_code_2_and_asks_nobody() {
    let table: [(&[&str], &str); 11] = [
        (&["pause"], "--service"),
        (&["pause", "--all", "--repository"], "cannot be used with"),
        (&["limits", "set"], "--max"),
        (
            &["limits", "set", "--configured", "--max", "5"],
            "cannot be used with",
        ),
        (&["limits", "set", "--window", "soon"], "`6h`"),
        (&["resolve", "1f3"], "--now-at"),
        (&["list", "--phase", "gone"], "rolled_back"),
        (
            &["list", "--output", "diff"],
            "only `bowline plan` prints a diff",
        ),
        (&["watch", "1f3", "--service", "x"], "cannot be used with"),
        (&["upgrade", "a/b:1", "2"], "holds a tag"),
        (&["list", "--server", "https://a:1"], "http://host:port"),
    ];
    for (arguments, reason) in table {
        let said: crate::Said = program(arguments).output().unwrap().into();
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(2), ""),
            "{arguments:?} {said:?}"
        );
        assert!(said.err.contains(reason), "{arguments:?} {}", said.err);
    }
}
