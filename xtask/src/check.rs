//! `cargo xtask check`: what can be judged without running the program.

use std::path::Path;

use anyhow::Result;

use crate::suites::{self, Suite};
use crate::{codegen, programs, shell, tidy};

pub(crate) const FORMAT: Suite = Suite {
    name: "format",
    run: format,
};
pub(crate) const GENERATED: Suite = Suite {
    name: "generated",
    run: codegen::check,
};
pub(crate) const TIDY: Suite = Suite {
    name: "tidy",
    run: tidy::run,
};
pub(crate) const CLIPPY: Suite = Suite {
    name: "clippy",
    run: clippy,
};

pub(crate) const TYPOS: Suite = Suite {
    name: "typos",
    run: programs::typos,
};
pub(crate) const MACHETE: Suite = Suite {
    name: "machete",
    run: programs::machete,
};
pub(crate) const DENY: Suite = Suite {
    name: "deny",
    run: programs::deny,
};

/// Runs the checks.
pub(crate) fn run(root: &Path) -> Result<()> {
    suites::run_all(
        root,
        &[FORMAT, GENERATED, TIDY, CLIPPY, TYPOS, MACHETE, DENY],
    )
}

fn format(root: &Path) -> Result<()> {
    shell::stream(shell::cargo(root).args(["fmt", "--all", "--check"]))
}

fn clippy(root: &Path) -> Result<()> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    shell::stream(shell::cargo(root).args(arguments))
}
