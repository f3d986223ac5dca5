//! The project's tasks: `cargo xtask <task>` works on a fresh clone, with nothing to install first.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tasks talk to the person who started them"
)]

mod bench;
mod check;
mod codegen;
mod demo;
mod full;
mod manifests;
mod model;
mod programs;
mod setup;
mod shell;
mod suites;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of the Bowline project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fetch what the tests need and the machine lacks: nats-server.
    Setup,
    /// Check the rendered Kubernetes manifests against the schemas of the API.
    Manifests,
    /// Generate the Rust code of proto/ into crates/wire.
    Codegen {
        /// Change nothing; fail when the committed code differs from what proto/ yields.
        #[arg(long)]
        check: bool,
    },
    /// Show an upgrade from webhook to verdict, and what else can happen, on real parts.
    Demo(demo::Args),
    /// Measure: how fast, how large, how soon again. Nothing there is red or green.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Run every suite: format, generated code, tidy, typos, build, tests, doctests, clippy; unused
    /// dependencies and licences where `check` or `full` has built the programs for them.
    Test,
    /// Run what `test` runs, unused dependencies and licences in any case, the manifests, and the
    /// long tests.
    Full,
    /// Run the checks that need no running program: format, generated code, tidy, clippy, typos,
    /// unused dependencies, licences. The first run builds two of the programs, which takes minutes.
    Check,
    /// Make more random runs of the whole system than `test` does, or replay one.
    Model(model::Runs),
    /// Check the walls between the crates, the size of files, and the links of the pages.
    Tidy,
}

fn main() -> ExitCode {
    let root = shell::root();
    let outcome = match Cli::parse().task {
        Task::Manifests => manifests::run(&root),
        Task::Setup => setup::run(&root),
        Task::Codegen { check: true } => codegen::check(&root),
        Task::Codegen { check: false } => codegen::write(&root),
        Task::Demo(args) => demo::run(&root, args),
        Task::Bench(bench) => bench::run(&root, bench),
        Task::Test => test::run(&root),
        Task::Full => full::run(&root),
        Task::Check => check::run(&root),
        Task::Model(runs) => model::run(&root, &runs),
        Task::Tidy => tidy::run(&root),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
