//! A host that never answers. By itself, because time-outs hold for the whole process.

#![expect(clippy::unwrap_used, reason = "a step that fails must fail the test")]

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod common;

use std::time::{Duration, Instant};

use common::{chain, remote, seed};
use mirror::{Error, Kind, Mirror, Timeouts};
use tempfile::TempDir;
use testkit::git::GitServer;

#[test]
fn a_host_that_hangs_is_given_up_in_time_and_answers_later() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("seed");
    std::fs::create_dir(&root).unwrap();
    seed(&root);
    let server = GitServer::start(&root);
    let short = Duration::from_secs(2);
    let timeouts = Timeouts {
        connect: short,
        transfer: short,
    };
    let remote = remote(&server, server.token());
    let path = dir.path().join("mirror");
    let mirror = Mirror::open_with(&path, remote.clone(), timeouts).unwrap();

    server.hang_next(1);
    let started = Instant::now();
    let error = mirror.fetch().unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{}", chain(&error));
    assert_eq!(error.kind(), Kind::Retry);
    assert!(started.elapsed() < Duration::from_secs(60));
    mirror.fetch().unwrap();

    let other = Timeouts::default();
    let error = Mirror::open_with(&path, remote, other).unwrap_err();
    assert_eq!(error, Error::TimeoutsAlreadySet { set: timeouts });
}
