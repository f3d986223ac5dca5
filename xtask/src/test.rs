//! `cargo xtask test`: everything that must be green before a change is good.

use std::path::Path;

use anyhow::Result;

use crate::check::{CLIPPY, DENY, FORMAT, GENERATED, MACHETE, TIDY, TYPOS};
use crate::suites::{self, Suite};
use crate::{programs, setup, shell};

/// Runs all suites; of the checks whose programs take minutes to build, those that are built.
pub(crate) fn run(root: &Path) -> Result<()> {
    let built = |(suite, is_built): (Suite, bool)| is_built.then_some(suite);
    let dependencies = [
        (MACHETE, programs::machete_is_built(root)),
        (DENY, programs::deny_is_built(root)),
    ];
    let dependencies = dependencies.into_iter().filter_map(built).collect();
    suites::run_all(root, &suites(dependencies))
}

/// The suites, with those that judge the dependencies. The cheap ones come first, so that a slip is
/// seen early.
pub(crate) fn suites(dependencies: Vec<Suite>) -> Vec<Suite> {
    let mut suites = vec![
        Suite {
            name: "setup",
            run: setup::run,
        },
        FORMAT,
        GENERATED,
        TIDY,
        TYPOS,
    ];
    suites.extend(dependencies);
    suites.extend([
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
    ]);
    suites
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
