//! `bowline config`: a first configuration, and whether one is right.

pub(crate) mod check;
mod init;

use runtime::Settings;
use runtime::settings::Mode;

use crate::failure::Outcome;
use crate::output::Out;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Writes a first configuration with comments, in mode `observe`; never over a file.
    Init(init::Args),
    /// Reads a configuration as the services do, and tells every fault, else what is in force.
    Check(check::Args),
}

pub(crate) fn run(command: Command, out: &Out) -> Outcome {
    match command {
        Command::Init(args) => init::run(&args, out),
        Command::Check(args) => check::run(args, out),
    }
}

/// What the mode means.
pub(crate) fn mode(settings: &Settings) -> &'static str {
    match settings.mode {
        Mode::Auto => "auto: upgrades are carried out",
        Mode::Observe if settings.carries_out() => {
            "observe: upgrades are planned, and nothing is touched but services in mode auto"
        }
        Mode::Observe => "observe: upgrades are planned, and nothing is touched",
    }
}

/// One setting that goes before all else, from `KEY=VALUE`.
///
/// # Errors
/// What was expected.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is needed".to_owned()),
    }
}
