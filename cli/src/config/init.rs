//! `bowline config init`: a first configuration.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::output::Out;

/// The shipped sample, which a test of the settings reads as the services do.
const SAMPLE: &str = include_str!("../../../deploy/samples/minimal.toml");

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file to write; must not be there yet.
    #[arg(long, default_value = "bowline.toml")]
    path: PathBuf,
}

#[derive(Serialize)]
struct Json {
    path: String,
}

pub(crate) fn run(args: &Args, out: &Out) -> Outcome {
    write(&args.path)?;
    let path = args.path.display();
    out.answer(
        |_| {
            format!(
                "{path} is written, in mode `observe`: upgrades are planned, and nothing is \
                 touched.\nNext: put the addresses of your own into it, then run\n\n  bowline config \
                 check --config {path}\n  bowline up --config {path}\n"
            )
        },
        || Json {
            path: path.to_string(),
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let path = path.display();
        Failure::failed(match error.kind() {
            ErrorKind::AlreadyExists => format!(
                "{path} is there already and was left as it is; name another file with --path"
            ),
            _ => format!("failed to write {path}: {error}"),
        })
    };
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(SAMPLE.as_bytes()).map_err(|error| {
        // Half a file would keep the next try from writing a whole one.
        let _removed = std::fs::remove_file(path);
        failed(error)
    })
}
