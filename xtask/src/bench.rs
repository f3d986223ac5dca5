//! `cargo xtask bench`: figures, for people to compare; nothing here is red or green.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::Result;
use clap::Subcommand;

use crate::{setup, shell};

/// What can be measured.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Bench {
    /// Throughput beside bare NATS, pauses between the stages, memory, recovery, a long log. Builds
    /// everything with --release first, which takes minutes.
    Pipeline,
    /// Reading a large tree of Terraform files beside parsing them alone, a plan on it, memory.
    Terraform,
    /// Finding a version's notes in a large changelog, and putting many tags in order.
    Notes,
}

/// Built together, so that what they share is built once.
const BUILD: [&str; 17] = [
    "build",
    "--release",
    "-p",
    "ingest",
    "-p",
    "analyzer",
    "-p",
    "executor",
    "-p",
    "verifier",
    "-p",
    "bus",
    "-p",
    "bowline-tests",
    "--bins",
    "--examples",
    "--lib",
];
const PROGRAMS: [&str; 2] = ["log", "processes"];

pub(crate) fn run(root: &Path, bench: Bench) -> Result<()> {
    match bench {
        Bench::Pipeline => pipeline(root),
        Bench::Terraform => example(root, "terraform", "speed"),
        Bench::Notes => example(root, "risk", "notes"),
    }
}

fn pipeline(root: &Path) -> Result<()> {
    setup::run(root)?;
    shell::stream(shell::cargo(root).args(BUILD))?;
    println!("{}\n", machine());
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    for program in PROGRAMS {
        let program = target.join("release/examples").join(program);
        shell::stream(Command::new(program).current_dir(root))?;
    }
    Ok(())
}

fn example(root: &Path, package: &str, name: &str) -> Result<()> {
    let arguments = ["--release", "--package", package, "--example", name];
    shell::stream(shell::cargo(root).arg("build").args(arguments))?;
    println!("{}\n", machine());
    shell::stream(shell::cargo(root).args(["run", "--quiet"]).args(arguments))
}

/// What the figures were measured on.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let memory = kibibytes.map_or_else(
        || "unknown memory".to_owned(),
        |kib| format!("{} GiB", kib.div_ceil(1_048_576)),
    );
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{cores} cores, {memory}, load before {load}")
}
