//! The frame of the four services: as [`main_with`], with the log opened.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{JetStream, Log};
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::main_with::{Context, main_with};
use crate::settings::Settings;

/// How often the set-up is tried again while NATS is away.
const SET_UP_AGAIN: Duration = Duration::from_secs(1);

/// Runs a service on the configured log; `run` must return soon after its token is cancelled.
pub fn service<F, R>(name: &'static str, run: F) -> ExitCode
where
    F: FnOnce(Settings, Arc<dyn Log>, CancellationToken) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    main_with(name, |context| serve(context, run))
}

async fn serve<F, R>(context: Context, run: F) -> anyhow::Result<()>
where
    F: FnOnce(Settings, Arc<dyn Log>, CancellationToken) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    crate::tls::install();
    let settings = context.settings;
    let jetstream = JetStream::connect(&settings.nats.url, bus_settings(&settings))
        .await
        .context("failed to open the log")?;
    let stop = context.shutdown.token().clone();
    let log: Arc<dyn Log> = Arc::new(jetstream.clone());
    let setting_up = set_up(jetstream, context.health);
    let running = Box::pin(run(settings, log, stop));
    // What the server lacks is made by whoever comes first; the loops wait until it is there.
    tokio::select! {
        outcome = running => outcome,
        never = async {
            setting_up.await;
            std::future::pending().await
        } => never,
    }
}

async fn set_up(jetstream: JetStream, health: Health) {
    while let Err(error) = jetstream.set_up().await {
        health.not_ready("nats", "the log is not set up");
        tracing::warn!("failed to set the log up: {:#}", anyhow::Error::new(error));
        tokio::time::sleep(SET_UP_AGAIN).await;
    }
    health.ready("nats");
    health.started();
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
        ..bus::Settings::new(settings.instance.clone())
    }
}
