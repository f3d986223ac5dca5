use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use tonic::Status;

use crate::stub::{Answers, Stub, Watched, event, view_with_facts};
use crate::{bowline, program};

const ID: &str = "1f3a9c0211223344";

fn open() -> Result<wire::v1::UpgradeView, Status> {
    Ok(view_with_facts(ID, "Pushed", 1))
}

#[test]
fn a_lost_stream_is_taken_up_after_its_last_event() {
    let stub = Stub::start(Answers {
        get: [open(), Ok(view_with_facts(ID, "Ended(Succeeded)", 3))].into(),
        watch: [
            Ok(Watched {
                events: vec![event(7, ID, 1, "pushed", "Pushed")],
                ends: Some(Err(Status::unavailable("this replica stops"))),
            }),
            Err(Status::unavailable("not ready")),
            // A replica may repeat what was seen.
            Ok(Watched {
                events: vec![
                    event(7, ID, 1, "pushed", "Pushed"),
                    event(12, ID, 2, "ci_passed", "CiPassed"),
                ],
                ends: Some(Ok(())),
            }),
            Ok(Watched {
                events: vec![event(15, ID, 3, "succeeded", "Ended(Succeeded)")],
                ends: None,
            }),
        ]
        .into(),
        ..Answers::default()
    });
    let said = bowline(&stub, &["watch", "1f3"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let names: Vec<&str> = said
        .out
        .lines()
        .filter(|line| line.starts_with("14:00:00"))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(names, ["pushed", "CI", "succeeded"]);
    assert!(
        said.out.ends_with("linkwarden: succeeded after 1 min\n"),
        "{}",
        said.out
    );
    assert!(
        said.err.contains("this replica stops")
            && said.err.contains("watching goes on in 0.5 s")
            && said.err.matches("connected again").count() == 2,
        "{}",
        said.err
    );
    let watched: Vec<String> = stub
        .asked()
        .into_iter()
        .filter(|asked| asked.starts_with("WatchRequest"))
        .collect();
    let request = |id: &str, after: &str| {
        format!("WatchRequest {{ id_or_prefix: \"{id}\", service: \"\", after: {after} }}")
    };
    let expected = [
        request("1f3", "None"),
        request(ID, "Some(7)"),
        request(ID, "Some(7)"),
        request(ID, "Some(12)"),
    ];
    assert_eq!(watched, expected);
}

#[test]
fn only_the_last_end_counts() {
    // It succeeded, was undone by a person, got stuck, went on, and was rolled back.
    let stub = Stub::start(Answers {
        get: [
            open(),
            Ok(view_with_facts(ID, "Ended(RolledBack)", 4)),
            Ok(view_with_facts(ID, "Ended(RolledBack)", 4)),
            Ok(view_with_facts(ID, "Ended(RolledBack)", 4)),
        ]
        .into(),
        watch: [Ok(Watched {
            events: vec![
                event(1, ID, 1, "succeeded", "Ended(Succeeded)"),
                event(2, ID, 2, "stuck", "Stuck"),
                event(3, ID, 3, "retry_requested", "Reverting"),
                event(4, ID, 4, "rolled_back", "Ended(RolledBack)"),
            ],
            ends: None,
        })]
        .into(),
        ..Answers::default()
    });
    let said = bowline(&stub, &["watch", ID, "--output", "json"]);
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""));
    let cursors: Vec<u64> = said
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| event["cursor"].as_u64().unwrap())
        .collect();
    assert_eq!(cursors, [1, 2, 3, 4]);
}

#[test]
fn who_is_stuck_needs_a_person_and_ends_the_watch() {
    let stub = Stub::start(Answers {
        get: [open(), Ok(view_with_facts(ID, "Stuck", 2))].into(),
        watch: [Ok(Watched {
            events: vec![event(2, ID, 2, "stuck", "Stuck")],
            ends: None,
        })]
        .into(),
        ..Answers::default()
    });
    let said = bowline(&stub, &["watch", ID]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.out.contains("`bowline status 1f3a9c02` says"),
        "{}",
        said.out
    );
}

#[test]
fn an_archived_upgrade_has_ended_already() {
    let mut archived = view_with_facts(ID, "Ended(Succeeded)", 0);
    archived.archived = true;
    let stub = Stub::start(Answers {
        get: [Ok(archived)].into(),
        ..Answers::default()
    });
    let said = bowline(&stub, &["watch", ID]).answer();
    assert_eq!(said, "\nlinkwarden: succeeded after 1 min\n");
}

#[test]
fn an_id_that_nobody_knows_is_not_waited_for() {
    let stub = Stub::start(Answers {
        get: [Err(Status::not_found("no upgrade's id begins with `1f3`"))].into(),
        ..Answers::default()
    });
    let said = bowline(&stub, &["watch", "1f3"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert_eq!(said.err, "bowline: no upgrade's id begins with `1f3`\n");
}

#[test]
fn a_service_is_watched_until_its_reader_goes() {
    let stub = Stub::start(Answers {
        watch: [Ok(Watched {
            events: (1..5_000)
                .map(|n| event(n, ID, n, "succeeded", "Ended(Succeeded)"))
                .collect(),
            ends: None,
        })]
        .into(),
        ..Answers::default()
    });
    let mut child = program(&["watch", "--service", "linkwarden"])
        .env("BOWLINE_SERVER", stub.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    drop(out);
    let said: crate::Said = child.wait_with_output().unwrap().into();
    assert_eq!(
        first,
        "14:00:00  1f3a9c02  linkwarden        succeeded           text 1\n"
    );
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(
        stub.asked(),
        ["WatchRequest { id_or_prefix: \"\", service: \"linkwarden\", after: None }"]
    );
}

/// What was split into two, whose own ends are these.
fn split_into(ends: [(&str, &str); 2]) -> Answers {
    let parts = ["aaaa111122223333", "bbbb111122223333"];
    let parent = |phase: &str, facts| {
        let mut view = view_with_facts(ID, phase, facts);
        view.split_into = parts.map(str::to_owned).to_vec();
        Ok(view)
    };
    let mut answers = Answers {
        get: [parent("Admitted", 1), parent("Ended(Split)", 2)].into(),
        watch: [Ok(Watched {
            events: vec![
                event(1, ID, 1, "admitted", "Admitted"),
                event(5, ID, 2, "split", "Ended(Split)"),
            ],
            ends: None,
        })]
        .into(),
        ..Answers::default()
    };
    for (part, (name, phase)) in parts.into_iter().zip(ends) {
        answers
            .get
            .push_back(Ok(view_with_facts(part, "Requested", 1)));
        answers.get.push_back(Ok(view_with_facts(part, phase, 2)));
        answers.watch.push_back(Ok(Watched {
            events: vec![
                event(3, part, 1, "requested", "Requested"),
                event(9, part, 2, name, phase),
            ],
            ends: None,
        }));
    }
    answers
}

#[test]
fn what_is_split_has_succeeded_when_all_its_parts_have() {
    let well = ("succeeded", "Ended(Succeeded)");
    let table = [
        ([well, well], Some(0)),
        ([well, ("rolled_back", "Ended(RolledBack)")], Some(1)),
        ([("stuck", "Stuck"), well], Some(1)),
    ];
    for (ends, code) in table {
        let said = bowline(&Stub::start(split_into(ends)), &["watch", ID]);
        assert_eq!((said.code, said.err.as_str()), (code, ""), "{said:?}");
        assert!(said.out.contains("split into 2 upgrades"), "{}", said.out);
        for id in ["aaaa1111", "bbbb1111"] {
            let lines = said.out.lines().filter(|line| line.contains(id));
            assert!(lines.count() >= 2, "{id}: {}", said.out);
        }
        let ended = said.out.matches("after 1 min").count();
        assert_eq!(ended, 2, "{}", said.out);
    }
}

#[test]
fn json_of_a_wait_for_what_is_split_has_its_parts() {
    let ends = [
        ("succeeded", "Ended(Succeeded)"),
        ("aborted", "Ended(Aborted)"),
    ];
    let stub = Stub::start(Answers {
        upgrade: [Ok(wire::v1::UpgradeResponse {
            decision: "accepted".to_owned(),
            reason: String::new(),
            id: ID.to_owned(),
        })]
        .into(),
        ..split_into(ends)
    });
    let said = bowline(
        &stub,
        &["upgrade", "a/b", "1.2", "--wait", "--output", "json"],
    );
    assert_eq!((said.code, said.err.as_str()), (Some(1), ""), "{said:?}");
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["upgrade"]["phase"], "split");
    assert_eq!(json["upgrade"]["split_into"][1], "bbbb111122223333");
    let phases = [&json["parts"][0]["phase"], &json["parts"][1]["phase"]];
    assert_eq!(phases, ["succeeded", "aborted"]);
}

#[test]
fn an_upgrade_whose_watch_nobody_reads_has_not_succeeded() {
    let stub = Stub::start(Answers {
        get: [open()].into(),
        watch: [Ok(Watched {
            events: vec![event(1, ID, 1, "pushed", "Pushed")],
            ends: None,
        })]
        .into(),
        ..Answers::default()
    });
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let said: crate::Said = program(&["watch", ID])
        .env("BOWLINE_SERVER", stub.url())
        .stdout(write)
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("`bowline status 1f3a9c02`"), "{said:?}");
}
