//! The commands that ask a running Bowline: the real binary against a server that answers as told.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

mod asking;
mod bulk;
#[path = "../common/mod.rs"]
mod common;
mod errors;
mod stub;
mod watching;
mod wishes;

use std::io::Write as _;
use std::process::{Command, Stdio};

use common::Said;
use stub::Stub;

impl Said {
    /// The answer, if it went well.
    #[track_caller]
    fn answer(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        self.out
    }

    /// The answer as JSON, if it went well.
    #[track_caller]
    fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.answer()).unwrap()
    }
}

/// The program with these arguments, without anything of this machine's environment.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bowline"));
    command
        .env_clear()
        .env("TZ", "UTC")
        .env("USER", "vera")
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn bowline(stub: &Stub, arguments: &[&str]) -> Said {
    let mut command = program(arguments);
    command.env("BOWLINE_SERVER", stub.url());
    command.output().unwrap().into()
}

fn bowline_with_input(stub: &Stub, arguments: &[&str], input: &str) -> Said {
    let mut child = program(arguments)
        .env("BOWLINE_SERVER", stub.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap().into()
}
