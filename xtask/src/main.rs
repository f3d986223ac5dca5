//! The project's tasks: `cargo xtask <task>` works on a fresh clone, with nothing to install first.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tasks talk to the person who started them"
)]

mod check;
mod codegen;
mod demo;
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
    /// Generate the Rust code of proto/ into crates/wire.
    Codegen {
        /// Change nothing; fail when the committed code differs from what proto/ yields.
        #[arg(long)]
        check: bool,
    },
    /// Show an upgrade from webhook to verdict, and what else can happen, on real parts.
    Demo,
    /// Run every suite: format, generated code, tidy, build, tests, doctests, clippy.
    Test,
    /// Run the checks that need no running program: format, generated code, tidy, clippy.
    Check,
    /// Check the walls between the crates, the size of files, and the links of the pages.
    Tidy,
}

fn main() -> ExitCode {
    let root = shell::root();
    let outcome = match Cli::parse().task {
        Task::Setup => setup::run(&root),
        Task::Codegen { check: true } => codegen::check(&root),
        Task::Codegen { check: false } => codegen::write(&root),
        Task::Demo => demo::run(&root),
        Task::Test => test::run(&root),
        Task::Check => check::run(&root),
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
