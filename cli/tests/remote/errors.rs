use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::Stdio;

use tonic::Status;
use wire::v1::ListResponse;

use crate::stub::{Answers, Stub, view};
use crate::{Said, bowline, program};

/// A port on which nobody listens.
fn closed() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn who_cannot_be_reached_is_named_with_why_it_was_asked() {
    let port = closed();
    let said: Said = program(&["list"])
        .env("BOWLINE_SERVER", format!("127.0.0.1:{port}"))
        .output()
        .unwrap()
        .into();
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert_eq!(
        said.err,
        format!(
            "bowline: cannot reach Bowline at http://127.0.0.1:{port} (from BOWLINE_SERVER): \
             connection refused\nIs ingest running there, and is this its ingest.grpc_listen? Name \
             another address with --server or BOWLINE_SERVER.\n"
        )
    );
}

#[test]
fn what_is_no_grpc_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        use std::io::Write as _;
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        let _ = stream.read(&mut byte);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let said: Said = program(&["list", "--server", &format!("http://127.0.0.1:{port}")])
        .output()
        .unwrap()
        .into();
    answering.join().unwrap();
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("(from --server) broke") && said.err.contains("something else than"),
        "{}",
        said.err
    );
}

#[test]
fn who_does_not_answer_is_not_waited_for_for_ever() {
    // Accepts by its backlog and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    for (command, more) in [("list", ""), ("cancel", "may have been done")] {
        let mut arguments = vec![command, "--server", &server, "--timeout", "300ms"];
        if command == "cancel" {
            arguments.push("1f3");
        }
        let said: Said = program(&arguments).output().unwrap().into();
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(
            said.err.contains("within 300ms") && said.err.contains(more),
            "{}",
            said.err
        );
    }
}

#[test]
fn the_servers_errors_are_sentences() {
    let table = [
        (
            Status::not_found("no upgrade's id begins with `1f3`"),
            1,
            "no upgrade's id begins",
        ),
        (
            Status::invalid_argument("2 upgrades' ids begin with `1`"),
            2,
            "2 upgrades' ids",
        ),
        (
            Status::unavailable("NATS is away"),
            1,
            "cannot answer now: NATS is away; try again",
        ),
        (Status::unimplemented(""), 1, "older than this `bowline`"),
        (Status::internal("boom"), 1, "failed (Internal): boom"),
    ];
    let stub = Stub::start(Answers {
        get: table
            .iter()
            .map(|(status, ..)| Err(status.clone()))
            .collect(),
        ..Answers::default()
    });
    for (_, code, words) in &table {
        let said = bowline(&stub, &["status", "1f3"]);
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(*code), ""),
            "{said:?}"
        );
        assert!(said.err.contains(words), "{}", said.err);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let stub = Stub::start(Answers {
        // More than a pipe holds.
        list: [ListResponse {
            upgrades: vec![view("1f3a9c0211223344", "Held"); 5_000],
            next_page_token: String::new(),
        }]
        .into(),
        ..Answers::default()
    });
    let mut child = program(&["list"])
        .env("BOWLINE_SERVER", stub.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    drop(out);
    let said: Said = child.wait_with_output().unwrap().into();
    assert!(first.starts_with("ID"), "{first}");
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
}
