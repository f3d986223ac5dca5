//! The frame of every service's `main`: flags, configuration, logs, health, and a stop with grace.

mod flags;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::config::Sources;
use crate::health::Health;
use crate::metrics;
use crate::settings::Settings;
use crate::signals::Shutdown;
use crate::telemetry::{self, Traces};
use flags::Flags;

/// The exit code for wrong flags and wrong configuration.
const USAGE: u8 = 2;
/// How long the last spans may take, if the grace does not end before.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// What a service is given to run with.
#[derive(Debug, Clone)]
pub struct Context {
    /// The name of the service.
    pub service: &'static str,
    /// The configuration, checked.
    pub settings: Settings,
    /// Tells when to stop.
    pub shutdown: Shutdown,
    /// To be told what works; [`Health::started`] ends the start.
    pub health: Health,
}

/// Runs a service until it ends or is asked to stop, and gives the exit code of the process: 0 after
/// a good end, 1 after a failure or when the grace was too short, 2 for wrong flags or configuration.
///
/// `run` must return soon after `context.shutdown` is asked.
pub fn main_with<F, R>(service: &'static str, run: F) -> ExitCode
where
    F: FnOnce(Context) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let flags = match Flags::parse(std::env::args_os().skip(1)) {
        Ok(flags) => flags,
        Err(message) => {
            say(&format!(
                "{service}: {message}\n\n{}",
                flags::usage(service)
            ));
            return ExitCode::from(USAGE);
        }
    };
    if flags.help {
        answer(&flags::usage(service));
        return ExitCode::SUCCESS;
    }
    let sources = Sources::of_process(flags.config.as_deref(), flags.set);
    let settings = match Settings::load(&sources) {
        Ok(settings) => settings,
        Err(faults) => {
            say(&format!(
                "{service}: the configuration is not right:\n{faults}"
            ));
            return ExitCode::from(USAGE);
        }
    };
    run_as(service, settings, run)
}

/// As [`main_with`], on settings that were loaded before: for a program with flags of its own.
pub fn run_as<F, R>(service: &'static str, settings: Settings, run: F) -> ExitCode
where
    F: FnOnce(Context) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    match start(service, settings, run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(service, "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start<F, R>(service: &'static str, settings: Settings, run: F) -> anyhow::Result<()>
where
    F: FnOnce(Context) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let mut traces = telemetry::init(service, &settings).context("failed to start logging")?;
    crate::tls::install();
    metrics::start(service);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let outcome = runtime.block_on(async {
        let shutdown = Shutdown::on_signals().context("failed to listen to signals")?;
        traces
            .start(&settings)
            .context("failed to start sending traces")?;
        let context = Context {
            service,
            settings,
            shutdown,
            health: Health::default(),
        };
        supervise(context, run, traces).await
    });
    // What still runs now was not waited for on purpose.
    runtime.shutdown_background();
    outcome
}

async fn supervise<F, R>(context: Context, run: F, traces: Traces) -> anyhow::Result<()>
where
    F: FnOnce(Context) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let Context {
        service,
        shutdown,
        health,
        ..
    } = context.clone();
    let grace = context.settings.grace;
    if let Some(address) = context.settings.health.listen {
        serve_health(address, &health).await?;
    }
    tracing::info!(service, "starting");
    let mut overdue = Box::pin(overdue(&shutdown, &health, grace));
    let outcome = tokio::select! {
        outcome = Box::pin(run(context)) => outcome,
        overdue = &mut overdue => return Err(overdue),
    };
    // What is left of the grace is for the last spans.
    tokio::select! {
        () = traces.flush(LAST_SPANS) => {}
        _overdue = overdue => tracing::warn!("the last spans were not sent within {grace:?}"),
    }
    outcome
}

async fn serve_health(address: SocketAddr, health: &Health) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on {address} (health.listen)"))?;
    let router = health.router();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the health endpoint ended");
        }
    });
    Ok(())
}

/// Ends when the grace after the wish to stop is over.
async fn overdue(shutdown: &Shutdown, health: &Health, grace: Duration) -> anyhow::Error {
    shutdown.asked().await;
    health.not_ready("stop", "stopping");
    tokio::time::sleep(grace).await;
    anyhow::anyhow!("did not stop within {grace:?}; what was in hand is done again later")
}

#[expect(clippy::print_stderr, reason = "logging has not started yet")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn answer(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests;
