//! `bowline`: plans on a checkout without any infrastructure, and asks a running Bowline.

mod asked;
mod bulk;
mod config;
mod control;
mod failure;
mod json;
mod limits;
mod list;
mod nats_keys;
mod notes;
mod output;
mod pause;
mod phase;
mod plan;
mod remote;
#[cfg(test)]
mod sample;
mod scan;
mod set_up;
mod status;
mod up;
mod upgrade;
mod watch;
mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use control::Wish;
use failure::{EXIT_CODES, Failure, Outcome};
use output::{Format, Out};
use remote::Server;

/// Upgrades the services that run on Kubernetes through Terraform, by itself.
#[derive(Parser)]
#[command(name = "bowline", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to print.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    server: Server,
}

#[derive(Subcommand)]
enum Command {
    /// Shows what an upgrade would change in a checkout; changes nothing, asks no Bowline.
    #[command(after_help = EXIT_CODES)]
    Plan(plan::Args),
    /// Shows what the release notes between two versions say, and how risky that is by both rules.
    Notes(notes::Args),
    /// Shows every image and chart of a checkout, and what an upgrade of each would do.
    Scan(scan::Args),
    /// Runs everything: the four services, and a nats-server of their own unless one is named.
    Up(up::UpArgs),
    /// Writes a first configuration, or tells whether one is right.
    #[command(subcommand)]
    Config(config::Command),
    /// Makes what Bowline needs in NATS, or adapts it: streams, buckets and consumers.
    SetUp(set_up::Args),
    /// Makes an nkey for each service: the seeds as files, the public keys for the server.
    NatsKeys(nats_keys::Args),
    /// Lists the upgrades that are under way, the newest first.
    List(list::Args),
    /// Shows one upgrade with everything that happened to it.
    Status(status::Args),
    /// Shows what happens as it happens; of one upgrade until it ends, told by the exit code.
    #[command(after_help = EXIT_CODES)]
    Watch(watch::Args),
    /// Tells what became of webhooks and requests, and why.
    Why(why::Args),
    /// Asks for an upgrade, as a webhook would, or for many from a file.
    #[command(after_help = EXIT_CODES)]
    Upgrade(upgrade::Args),
    /// Lets an upgrade that awaits approval go on.
    Approve(control::Args),
    /// Stops an upgrade; what it has pushed is undone.
    Cancel(control::Args),
    /// Goes on with what is stuck, or tries again what ended without success.
    Retry(control::Args),
    /// Undoes an upgrade that succeeded.
    Rollback(control::Args),
    /// Ends what is stuck: a person has settled it.
    Resolve(control::ResolveArgs),
    /// Keeps upgrades from starting and pushing; an undo never waits for it.
    Pause(pause::Args),
    /// Lifts a pause.
    Resume(pause::Args),
    /// Lists the pauses that are in force.
    Pauses,
    /// Shows or changes how many upgrades are let in at once.
    #[command(subcommand)]
    Limits(limits::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    runtime::tls::install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(Failure::failed(format!("failed to start: {error}"))),
    };
    done.unwrap_or_else(|failure| {
        if !failure.message.is_empty() {
            output::note(&failure.message);
        }
        ExitCode::from(failure.code)
    })
}

async fn run(cli: Cli) -> Outcome {
    let out = &Out::new(cli.output, matches!(cli.command, Command::Plan(_)))?;
    let server = &cli.server;
    match cli.command {
        Command::Plan(args) => Box::pin(plan::run(args, out)).await,
        Command::Notes(args) => Box::pin(notes::run(args, out)).await,
        Command::Scan(args) => scan::run(&args, out),
        Command::Up(args) => Ok(up::run(args).await?),
        Command::Config(command) => config::run(command, out),
        Command::SetUp(args) => set_up::run(args, out).await,
        Command::NatsKeys(args) => nats_keys::run(&args, out),
        Command::List(args) => list::run(args, server, out).await,
        Command::Status(args) => status::run(args, server, out).await,
        Command::Watch(args) => Box::pin(watch::run(args, server, out)).await,
        Command::Why(args) => why::run(args, server, out).await,
        Command::Upgrade(args) => Box::pin(upgrade::run(args, server, out)).await,
        Command::Approve(args) => control::run(Wish::Approve, args, server, out).await,
        Command::Cancel(args) => control::run(Wish::Cancel, args, server, out).await,
        Command::Retry(args) => control::run(Wish::Retry, args, server, out).await,
        Command::Rollback(args) => control::run(Wish::Rollback, args, server, out).await,
        Command::Resolve(args) => control::resolve(args, server, out).await,
        Command::Pause(args) => pause::pause(args, server, out).await,
        Command::Resume(args) => pause::resume(args, server, out).await,
        Command::Pauses => pause::list(server, out).await,
        Command::Limits(command) => limits::run(command, server, out).await,
    }
}
