//! `cargo xtask model`: more random runs of the whole system than the tests make, or one of them,
//! told line by line.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::shell;

/// Which runs.
#[derive(Args)]
pub(crate) struct Runs {
    /// How many.
    #[arg(long, default_value_t = 2_000, conflicts_with = "seed")]
    runs: u64,
    /// The first seed; the tests of every day begin at 0.
    #[arg(long, default_value_t = 0, conflicts_with = "seed")]
    from: u64,
    /// Replay this one only, and tell it.
    #[arg(long)]
    seed: Option<u64>,
}

/// Makes the runs.
pub(crate) fn run(root: &Path, runs: &Runs) -> Result<()> {
    let mut command = shell::cargo(root);
    command.args(["test", "--package", "bowline-tests", "--test", "model"]);
    command.args(["whatever_happens", "--", "--nocapture"]);
    match runs.seed {
        Some(seed) => command.env("BOWLINE_MODEL_SEED", seed.to_string()),
        None => command
            .env("BOWLINE_MODEL_FROM", runs.from.to_string())
            .env("BOWLINE_MODEL_RUNS", runs.runs.to_string()),
    };
    shell::stream(&mut command)
}
