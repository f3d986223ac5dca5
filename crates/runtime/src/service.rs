//! The frame of the four services: as [`main_with`], with the log opened.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{JetStream, Log};
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::main_with::{Context, main_with};
use crate::secret::Secret;
use crate::settings::Settings;

/// How often the set-up is tried again while NATS is away.
const SET_UP_AGAIN: Duration = Duration::from_secs(1);
/// How long the service's own start waits for the set-up.
const HEAD_START: Duration = Duration::from_secs(1);

/// Runs a service on the configured log; `run` must return soon after its token is cancelled.
pub fn service<F, R>(name: &'static str, run: F) -> ExitCode
where
    F: FnOnce(Settings, Arc<dyn Log>, CancellationToken) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    main_with(name, |context| {
        let health = context.health.clone();
        serve(context, None, Some(health), run)
    })
}

/// As [`service`], for one that has something to do while the log is away: it says itself when it
/// is ready, which it is not before [`Health::started`].
pub fn service_with_health<F, R>(name: &'static str, run: F) -> ExitCode
where
    F: FnOnce(Settings, Arc<dyn Log>, Health, CancellationToken) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    main_with(name, |context| on_log(context, None, run))
}

/// Opens the configured log and has `run` work on it; `token` is what the server asks for, if it
/// does. `run` says itself when it is ready.
///
/// # Errors
/// The log's address or name cannot be used, or `run` failed. A server that is away is waited for.
pub async fn on_log<F, R>(context: Context, token: Option<&Secret>, run: F) -> anyhow::Result<()>
where
    F: FnOnce(Settings, Arc<dyn Log>, Health, CancellationToken) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let health = context.health.clone();
    serve(context, token, None, |settings, log, stop| {
        run(settings, log, health, stop)
    })
    .await
}

/// Runs on the log; who waits for it to be set up is ready only then.
async fn serve<F, R>(
    context: Context,
    token: Option<&Secret>,
    waiting: Option<Health>,
    run: F,
) -> anyhow::Result<()>
where
    F: FnOnce(Settings, Arc<dyn Log>, CancellationToken) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let settings = context.settings;
    let jetstream = open_log(&settings, token).await?;
    let stop = context.shutdown.token().clone();
    let log: Arc<dyn Log> = Arc::new(jetstream.clone());
    let mut setting_up = std::pin::pin!(set_up(jetstream, settings.nats.set_up, waiting));
    // What a new server lacks is there before anybody misses it; one that is away is not waited for.
    let is_set_up = tokio::select! {
        done = tokio::time::timeout(HEAD_START, &mut setting_up) => done.is_ok(),
        () = stop.cancelled() => false,
    };
    let running = Box::pin(run(settings, log, stop));
    if is_set_up {
        return running.await;
    }
    // It is made by whoever comes first; the loops wait until it is there.
    tokio::select! {
        outcome = running => outcome,
        never = async {
            setting_up.await;
            std::future::pending().await
        } => never,
    }
}

/// Sets the log up, or waits until it is.
async fn set_up(jetstream: JetStream, allowed: bool, waiting: Option<Health>) {
    loop {
        let (done, failed) = if allowed {
            (jetstream.set_up().await, "failed to set the log up")
        } else {
            (
                jetstream.check().await,
                "the log cannot be read yet (`bowline set-up` makes it)",
            )
        };
        let Err(error) = done else { break };
        if let Some(health) = &waiting {
            health.not_ready("nats", "the log is not set up");
        }
        tracing::warn!("{failed}: {:#}", anyhow::Error::new(error));
        tokio::time::sleep(SET_UP_AGAIN).await;
    }
    if let Some(health) = waiting {
        health.ready("nats");
        health.started();
    }
}

/// Begins to connect to the configured log; `token` is what the server asks for, if it does.
///
/// # Errors
/// The address or the credentials cannot be used.
pub async fn open_log(settings: &Settings, token: Option<&Secret>) -> anyhow::Result<JetStream> {
    let seed = settings.secrets().nats_nkey_seed()?;
    let bus = bus::Settings {
        nkey_seed: seed.map(|seed| seed.expose().trim().to_owned()),
        token: token.map(|token| token.expose().to_owned()),
        ..bus_settings(settings)
    };
    JetStream::connect(settings.nats.address(), bus)
        .await
        .context("failed to open the log")
}

/// The settings of the log within those of the installation.
#[must_use]
pub fn bus_settings(settings: &Settings) -> bus::Settings {
    bus::Settings {
        replicas: settings.nats.replicas,
        ack_wait: settings.bus.ack_wait,
        progress: settings.bus.progress,
        claim_head: settings.bus.head_retry,
        claim_others: settings.bus.queue_retry,
        in_hand: Some(settings.data_dir.join("in-hand")),
        backlog_every: settings.bus.backlog_every,
        ..bus::Settings::new(settings.instance.clone())
    }
}
