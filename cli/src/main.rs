//! `bowline`: plans on a checkout without any infrastructure, and asks a running Bowline.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]

mod plan;
mod remote;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// The exit code for wrong usage and wrong configuration; clap's own.
const USAGE: u8 = 2;

/// Upgrades the services that run on Kubernetes through Terraform, by itself.
#[derive(Parser)]
#[command(name = "bowline", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows what an upgrade would change in a checkout; changes nothing.
    ///
    /// Exit code 0: there is an effective plan. 3: refused, with the reason. 2: wrong usage.
    Plan(PlanArgs),
    /// Shows one upgrade with everything that happened to it.
    Status {
        /// Its id, or the beginning of it.
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Lists the upgrades that are under way.
    List {
        /// Also those that are over.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Asks for an upgrade, as a webhook would.
    Upgrade {
        /// The image without tag.
        image: String,
        /// The wanted tag.
        tag: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(clap::Args)]
struct Server {
    /// Where ingest serves gRPC.
    #[arg(long, env = "BOWLINE_SERVER", default_value = "http://127.0.0.1:8081")]
    server: String,
}

#[derive(clap::Args)]
struct PlanArgs {
    /// The image without tag; not with --chart.
    #[arg(
        required_unless_present = "chart",
        conflicts_with = "chart",
        requires = "tag"
    )]
    image: Option<String>,
    /// The wanted tag.
    tag: Option<String>,
    /// A Helm chart and its wanted version, instead of an image.
    #[arg(long, num_args = 2, value_names = ["NAME", "VERSION"])]
    chart: Option<Vec<String>>,
    /// The checkout.
    #[arg(long, default_value = ".")]
    repo: PathBuf,
    /// The folder with one folder per stack.
    #[arg(long, default_value = "stacks")]
    stacks: String,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Reads no release notes.
    #[arg(long)]
    offline: bool,
    /// The configuration, for sources, words and always-step services.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Sites, diff, risk and steps.
    Text,
    /// One unified diff that `git apply` takes.
    Diff,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    runtime::tls::install();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bowline: failed to start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Plan(args) => Box::pin(plan::run(args)).await,
            Command::Status { id, server } => remote::status(&server.server, &id).await,
            Command::List { all, server } => remote::list(&server.server, all).await,
            Command::Upgrade { image, tag, server } => {
                remote::upgrade(&server.server, &image, &tag).await
            }
        }
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bowline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
