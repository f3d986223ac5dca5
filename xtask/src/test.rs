//! `cargo xtask test`: everything that must be green before a change is good.

use std::path::Path;

use anyhow::Result;

use crate::check::{CLIPPY, FORMAT, GENERATED, TIDY};
use crate::suites::{self, Suite};
use crate::{setup, shell};

/// Runs all suites.
pub(crate) fn run(root: &Path) -> Result<()> {
    suites::run_all(root, &suites())
}

/// The suites. The cheap ones come first, so that a slip is seen early.
pub(crate) fn suites() -> Vec<Suite> {
    vec![
        Suite {
            name: "setup",
            run: setup::run,
        },
        FORMAT,
        GENERATED,
        TIDY,
        Suite {
            name: "build",
            run: build,
        },
        Suite {
            name: "tests",
            run: tests,
        },
        Suite {
            name: "doctests",
            run: doctests,
        },
        CLIPPY,
    ]
}

/// Builds all targets: with the features the tests use, so that nothing is built twice, and with
/// the binaries that the end-to-end tests start.
fn build(root: &Path) -> Result<()> {
    shell::stream(shell::cargo(root).args(["build", "--workspace", "--all-targets"]))
}

fn tests(root: &Path) -> Result<()> {
    if shell::succeeds(shell::cargo(root).args(["nextest", "--version"])) {
        return shell::stream(shell::cargo(root).args(["nextest", "run", "--workspace"]));
    }
    println!("cargo-nextest is not installed: using `cargo test`");
    let arguments = ["test", "--workspace", "--all-targets", "--no-fail-fast"];
    shell::stream(shell::cargo(root).args(arguments))
}

fn doctests(root: &Path) -> Result<()> {
    shell::stream(shell::cargo(root).args(["test", "--doc", "--workspace"]))
}
