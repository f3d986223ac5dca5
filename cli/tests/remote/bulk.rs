use tonic::Status;
use wire::v1::{LimitsView, PauseView, UpgradeResponse};

use crate::stub::{Answers, Stub, Watched, event, view_with_facts};
use crate::{bowline, bowline_with_input, program};

const ID: &str = "1f3a9c0211223344";

fn answered(decision: &str, reason: &str, id: &str) -> Result<UpgradeResponse, Status> {
    Ok(UpgradeResponse {
        decision: decision.to_owned(),
        reason: reason.to_owned(),
        id: id.to_owned(),
    })
}

#[test]
fn one_request_is_answered_with_what_became_of_it() {
    let table = [
        (
            answered("accepted", "", ID),
            0,
            "accepted: upgrade 1f3a9c0211223344\n",
        ),
        (
            answered("duplicate", "it is open", ID),
            0,
            "duplicate: it is open\n",
        ),
        (
            answered("refused", "it was cancelled", ID),
            3,
            "refused: it was cancelled\n",
        ),
        (
            answered("skipped", "on the skip list", ""),
            3,
            "skipped: on the skip list\n",
        ),
        (
            answered("spooled", "NATS is away", ""),
            0,
            "spooled: NATS is away\n",
        ),
    ];
    let stub = Stub::start(Answers {
        upgrade: table.iter().map(|(answer, ..)| answer.clone()).collect(),
        ..Answers::default()
    });
    for (_, code, text) in &table {
        let said = bowline(&stub, &["upgrade", "a/b", "1.2"]);
        assert_eq!((said.code, said.err.as_str()), (Some(*code), ""));
        assert!(said.out.starts_with(text), "{}", said.out);
    }
    assert_eq!(
        stub.asked()[0],
        "UpgradeRequest { image: \"a/b\", tag: \"1.2\", chart: false, by: \"vera\" }"
    );
}

#[test]
fn a_chart_is_asked_for_by_name() {
    let stub = Stub::start(Answers {
        upgrade: [answered("skipped", "no charts", "")].into(),
        ..Answers::default()
    });
    let arguments = [
        "upgrade",
        "--chart",
        "authentik",
        "2026.2.3",
        "--output",
        "json",
    ];
    let said = bowline(&stub, &arguments);
    assert_eq!(said.code, Some(3));
    let expected = "{\"image\":\"authentik\",\"tag\":\"2026.2.3\",\"decision\":\"skipped\",\
                    \"reason\":\"no charts\",\"id\":null}\n";
    assert_eq!(said.out, expected);
    assert!(stub.asked()[0].contains("chart: true"));
}

#[test]
fn waiting_ends_with_the_upgrade_and_its_exit_code() {
    let answers = |phase: &str, name: &str| Answers {
        upgrade: [answered("accepted", "", ID)].into(),
        // The replica that answers has not read of it at first.
        get: [
            Err(Status::not_found("no upgrade's id begins with it")),
            Ok(view_with_facts(ID, "Requested", 1)),
            Ok(view_with_facts(ID, phase, 2)),
        ]
        .into(),
        watch: [Ok(Watched {
            events: vec![
                event(7, ID, 1, "requested", "Requested"),
                event(9, ID, 2, name, phase),
            ],
            ends: None,
        })]
        .into(),
        ..Answers::default()
    };
    let stub = Stub::start(answers("Ended(Succeeded)", "succeeded"));
    let said = bowline(&stub, &["upgrade", "a/b", "1.2", "--wait"]).answer();
    assert!(
        said.contains("14:00:00  succeeded") && said.contains("succeeded after 1 min"),
        "{said}"
    );

    let stub = Stub::start(answers("Ended(RolledBack)", "rolled_back"));
    let said = bowline(
        &stub,
        &["upgrade", "a/b", "1.2", "--wait", "--output", "json"],
    );
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["decision"], "accepted");
    assert_eq!(json["upgrade"]["phase"], "rolled_back");
}

#[test]
fn what_is_spooled_has_no_end_to_wait_for_and_says_how_to_look_for_it_later() {
    for output in ["text", "json"] {
        let stub = Stub::start(Answers {
            upgrade: [answered("spooled", "NATS is away", "")].into(),
            ..Answers::default()
        });
        let said = bowline(
            &stub,
            &["upgrade", "a/b", "1.2", "--wait", "--output", output],
        );
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.contains("NATS is away"), "{said:?}");
        assert!(
            said.err.contains("accepted") && said.err.contains("`bowline why a/b:1.2`"),
            "{said:?}"
        );
    }
}

#[test]
fn a_wait_that_nobody_reads_is_no_success() {
    let stub = Stub::start(Answers {
        upgrade: [answered("accepted", "", ID)].into(),
        ..Answers::default()
    });
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let said: crate::Said = program(&["upgrade", "a/b", "1.2", "--wait"])
        .env("BOWLINE_SERVER", stub.url())
        .stdout(write)
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("`bowline status 1f3a9c02`"), "{said:?}");
}

fn limits() -> LimitsView {
    LimitsView {
        max: 1,
        window_seconds: 21_600,
        shortest_seconds: Some(120),
        ..LimitsView::default()
    }
}

#[test]
fn a_file_is_sent_line_by_line_with_an_estimate_at_the_end() {
    let stub = Stub::start(Answers {
        upgrade: [
            answered("accepted", "", ID),
            answered("accepted", "", "2f3a9c0211223344"),
            answered("skipped", "on the skip list", ""),
        ]
        .into(),
        limits: Some(limits()),
        pauses: vec![PauseView {
            scope: "all".to_owned(),
            by: "ann".to_owned(),
            ..PauseView::default()
        }],
        ..Answers::default()
    });
    let file = "a/b 1.2\n# comment\nghcr.io/c/d:3.4\nlibrary/postgres 17\n";
    let said = bowline_with_input(&stub, &["upgrade", "--from-file", "-"], file);
    assert_eq!((said.code, said.err.as_str()), (Some(3), ""));
    for words in [
        "accepted   1f3a9c02  a/b:1.2\n",
        "skipped    -         library/postgres:17\n",
        "3 sent: 2 accepted, 1 skipped.\n",
        "Estimate\n",
        "waiting   1; the last of them is let in at about",
        "ends      the last of all not before",
        "paused    all, by ann",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(stub.asked()[1].contains("image: \"ghcr.io/c/d\", tag: \"3.4\""));
}

#[test]
fn json_of_a_file_is_one_object() {
    let stub = Stub::start(Answers {
        upgrade: [
            answered("accepted", "", ID),
            Err(Status::invalid_argument("no tag")),
        ]
        .into(),
        limits: Some(limits()),
        ..Answers::default()
    });
    let arguments = ["upgrade", "--from-file", "-", "--output", "json"];
    let said = bowline_with_input(&stub, &arguments, "a/b 1\nc/d 2\n");
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(1), ""),
        "one was not understood"
    );
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["asked"][0]["decision"], "accepted");
    assert_eq!(json["asked"][1]["decision"], "failed");
    assert_eq!(json["estimate"]["now"], 1);
    let end = json["estimate"]["last_ends_not_before"].as_str();
    assert!(end > json["estimate"]["last_admitted"].as_str(), "{json}");
    assert_eq!(json["estimate"]["limits"]["max"], 1);
}

#[test]
fn a_file_with_faults_is_not_sent_at_all() {
    let stub = Stub::start(Answers::default());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("many");
    std::fs::write(&file, "a/b 1\nc/d\n/ 2 3\n").unwrap();
    let said = bowline(&stub, &["upgrade", "--from-file", file.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(
        said.err.contains("line 2:") && said.err.contains("line 3:"),
        "{}",
        said.err
    );
    let said = bowline(&stub, &["upgrade", "--from-file", "/nowhere"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("/nowhere"), "{}", said.err);
    assert_eq!(stub.asked(), [""; 0]);
}

#[test]
fn a_file_that_breaks_off_says_where() {
    let stub = Stub::start(Answers {
        upgrade: [
            answered("accepted", "", ID),
            Err(Status::unavailable("NATS is away")),
        ]
        .into(),
        ..Answers::default()
    });
    let file = "a/b 1\n\nc/d 2\ne/f 3\n";
    let said = bowline_with_input(&stub, &["upgrade", "--from-file", "-"], file);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("1 sent: 1 accepted."), "{}", said.out);
    assert!(
        said.err.contains("NATS is away") && said.err.contains("line 3 of -"),
        "{}",
        said.err
    );
    assert_eq!(stub.asked().len(), 2);
}

#[test]
fn what_was_sent_is_told_also_when_nothing_more_is_known() {
    let answers = || Answers {
        upgrade: [
            answered("spooled", "NATS is away", ""),
            answered("accepted", "", ID),
        ]
        .into(),
        limits: None,
        ..Answers::default()
    };
    let file = "a/b 1\nc/d 2\n";
    let arguments = ["upgrade", "--from-file", "-", "--output", "json"];
    let said = bowline_with_input(&Stub::start(answers()), &arguments, file);
    assert_eq!(said.code, Some(0), "{said:?}");
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["asked"][0]["decision"], "spooled");
    assert_eq!(json["asked"][1]["id"], ID);
    assert_eq!(json["estimate"], serde_json::Value::Null);
    assert!(
        said.err.contains("everything was sent") && said.err.contains("NATS did not answer"),
        "{said:?}"
    );
    let said = bowline_with_input(&Stub::start(answers()), &arguments[..3], file);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.ends_with("\n2 sent: 1 spooled, 1 accepted.\n"),
        "{said:?}"
    );
}

#[test]
fn a_file_is_sent_to_its_end_also_when_nobody_reads_the_answers() {
    let stub = Stub::start(Answers {
        upgrade: [
            answered("accepted", "", ID),
            answered("skipped", "on the skip list", ""),
        ]
        .into(),
        limits: Some(limits()),
        ..Answers::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("many");
    std::fs::write(&file, "a/b 1\nlibrary/postgres 17\n").unwrap();
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let said: crate::Said = program(&["upgrade", "--from-file", file.to_str().unwrap()])
        .env("BOWLINE_SERVER", stub.url())
        .stdout(write)
        .output()
        .unwrap()
        .into();
    assert_eq!((said.code, said.err.as_str()), (Some(3), ""));
    let sent = stub
        .asked()
        .into_iter()
        .filter(|asked| asked.starts_with("UpgradeRequest"));
    assert_eq!(sent.count(), 2);
}
