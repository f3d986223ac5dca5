//! `bowline up`: the four services and a nats-server of their own, from one configuration.
//!
//! The services are tasks of this process; nats-server is its child. It is started first and
//! stopped last, and it is started again when it dies. With an address of another server in the
//! configuration there is no child.

mod backoff;
mod conf;
mod era;
mod find;
mod folder;
mod keep;
mod port;
mod process;
mod server;
mod services;
mod store;
mod summary;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use runtime::config::Sources;
use runtime::{Context, Settings};

use crate::failure::USAGE;
use era::Era;
use folder::Folder;
use keep::Kept;
use server::Server;

/// What the frame waits beyond all graces before it gives up.
const MARGIN: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct UpArgs {
    /// The configuration, a TOML file.
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// One setting, such as rate.window=1h; goes before all else.
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::config::setting)]
    set: Vec<(String, String)>,
}

/// Runs until a signal or a failure, on threads of its own: the command line has but one.
pub(crate) async fn run(args: UpArgs) -> anyhow::Result<ExitCode> {
    tokio::task::spawn_blocking(move || start(args))
        .await
        .context("`bowline up` broke down")
}

fn start(args: UpArgs) -> ExitCode {
    let sources = Sources::of_process(args.config.as_deref(), args.set);
    let settings = match Settings::load(&sources) {
        Ok(settings) => settings,
        Err(faults) => {
            crate::output::note(&format!("the configuration is not right:\n{faults}"));
            return ExitCode::from(USAGE);
        }
    };
    let mut framed = settings.clone();
    framed.grace = settings.grace + settings.embedded.stop_within + MARGIN;
    runtime::run_as("bowline", framed, |context| {
        Box::pin(up(Context {
            settings,
            ..context
        }))
    })
}

async fn up(mut context: Context) -> anyhow::Result<()> {
    let folder = Folder::lock(&context.settings.data_dir)?;
    // The services must not depend on where this process was started, either.
    folder.path().clone_into(&mut context.settings.data_dir);
    if context.settings.nats.url.is_some() {
        return on_another_server(&context).await;
    }
    anyhow::ensure!(
        context.settings.nats.replicas == 1,
        "`nats.replicas` is {}, but the nats-server that is started here stands alone: set it to \
         1, or name your servers in `nats.url`",
        context.settings.nats.replicas
    );
    let server = Server::new(&context.settings.embedded, &folder)?;
    let mut kept = tokio::select! {
        kept = Kept::start(server, &context) => kept?,
        () = context.shutdown.asked() => return Ok(()),
    };
    let outcome = on_own_server(&context, &mut kept).await;
    kept.stop().await;
    outcome
}

async fn on_another_server(context: &Context) -> anyhow::Result<()> {
    say(&summary::text(&context.settings, None));
    let mut era = Era::start(context, None)?;
    tokio::select! {
        outcome = era.ended() => outcome,
        () = context.shutdown.asked() => era.stop().await,
    }
}

/// Runs the services, and runs them anew when the server had to move to another port.
async fn on_own_server(context: &Context, kept: &mut Kept) -> anyhow::Result<()> {
    loop {
        let place = kept.place();
        say(&summary::text(&context.settings, Some(&place)));
        let mut era = Era::start(context, Some(&place.address))?;
        tokio::select! {
            outcome = era.ended() => return outcome,
            () = context.shutdown.asked() => return era.stop().await,
            () = kept.moved() => {
                tracing::warn!("nats-server has a new port; starting the services again");
                era.replaced().await;
            }
        }
    }
}

/// Whoever does not want to read it does not have to.
fn say(text: &str) {
    let _heard = crate::output::write(&format!("{text}\n"));
}
