//! `cargo xtask full`: everything, with the tests that take too long for every change.

use std::path::Path;

use anyhow::Result;

use crate::check::{DENY, MACHETE};
use crate::suites::{self, Suite};
use crate::{manifests, shell, test};

/// Runs all suites.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut suites = test::suites(vec![MACHETE, DENY]);
    suites.push(Suite {
        name: "demo",
        run: demo,
    });
    suites.push(Suite {
        name: "manifests",
        run: manifests::run,
    });
    suites.push(Suite {
        name: "long tests",
        run: long,
    });
    suites::run_all(root, &suites)
}

/// The show, which fails when one of its expectations is not met.
fn demo(root: &Path) -> Result<()> {
    shell::stream(shell::cargo(root).args(["xtask", "demo"]))
}

/// What is marked `#[ignore = "…: cargo xtask full"]`: it takes long, or needs what `manifests` has
/// fetched.
fn long(root: &Path) -> Result<()> {
    if shell::succeeds(shell::cargo(root).args(["nextest", "--version"])) {
        let arguments = ["nextest", "run", "--workspace", "--run-ignored", "only"];
        return shell::stream(shell::cargo(root).args(arguments));
    }
    let arguments = ["test", "--workspace", "--all-targets", "--no-fail-fast"];
    shell::stream(shell::cargo(root).args(arguments).args(["--", "--ignored"]))
}
