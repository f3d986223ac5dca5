//! `bowline set-up`: makes what Bowline needs in NATS.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use runtime::Settings;
use runtime::config::Sources;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Outcome};
use crate::output::Out;

/// How long a server that is only starting is waited for.
const LIMIT: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The configuration, a TOML file.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
}

#[derive(Serialize)]
struct Json<'a> {
    instance: &'a str,
    replicas: usize,
}

pub(crate) async fn run(args: Args, out: &Out) -> Outcome {
    let sources = Sources::of_process(args.config.as_deref(), Vec::new());
    let settings = Settings::load(&sources)
        .map_err(|faults| Failure::usage(format!("the configuration is not right:\n{faults}")))?;
    let log = runtime::open_log(&settings, None).await?;
    let deadline = Instant::now() + LIMIT;
    while let Err(error) = log.set_up().await {
        if Instant::now() > deadline {
            let what = format!(
                "NATS did not take what Bowline needs within {LIMIT:?}; is the server there, and \
                 may this user make streams?"
            );
            return Err(Failure::failed(format!(
                "{what}: {:#}",
                anyhow::Error::from(error)
            )));
        }
        sleep(AGAIN).await;
    }
    let (instance, replicas) = (settings.instance.as_str(), settings.nats.replicas);
    let text = |_: &Out| {
        let copies = match replicas {
            1 => "one copy".to_owned(),
            more => format!("{more} copies"),
        };
        format!("NATS holds what the instance `{instance}` needs, {copies} of each.\n")
    };
    out.answer(text, || Json { instance, replicas })?;
    Ok(ExitCode::SUCCESS)
}
