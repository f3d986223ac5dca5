//! Whole starts and stops, in processes of their own: this test program runs itself again.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;

const ROLE: &str = "RUNTIME_TEST_ROLE";

/// Longer than any of these tests takes.
const LIMIT: Duration = Duration::from_secs(20);

/// The child's side: runs as a service when told to by the variable, else does nothing.
#[test]
#[expect(clippy::exit, reason = "this test is the whole of a process")]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let mut settings = Settings::default();
    settings.grace = if role == "stubborn" {
        Duration::from_millis(100)
    } else {
        settings.grace
    };
    let outcome = start("child", settings, async |context: Context| {
        println!("running");
        let work = async {
            match role.as_str() {
                "willing" => context.shutdown.asked().await,
                "failing" => anyhow::bail!("as it should"),
                _ => std::future::pending().await,
            }
            Ok(())
        };
        // A child whose test has gone must not stay behind.
        let Ok(outcome) = tokio::time::timeout(LIMIT, work).await else {
            std::process::exit(3)
        };
        outcome
    });
    std::process::exit(i32::from(outcome.is_err()));
}

fn spawn(role: &str) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .args(["--exact", "main_with::tests::child", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(
        lines
            .map_while(Result::ok)
            .any(|line| line.ends_with("running"))
    );
    child
}

fn terminate(child: &Child) {
    signal(child, "TERM");
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

fn wait_for_log(child: &mut Child, text: &str) {
    let lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains(text)));
}

#[test]
fn a_service_that_obeys_ends_well() {
    let mut child = spawn("willing");
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_terminal_that_is_closed_asks_to_stop() {
    let mut child = spawn("willing");
    signal(&child, "HUP");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_service_that_fails_ends_with_1() {
    assert_eq!(spawn("failing").wait().unwrap().code(), Some(1));
}

#[test]
fn a_service_that_does_not_obey_is_left_after_the_grace() {
    let mut child = spawn("stubborn");
    let start = Instant::now();
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let mut child = spawn("deaf");
    terminate(&child);
    wait_for_log(&mut child, "asked to stop");
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
