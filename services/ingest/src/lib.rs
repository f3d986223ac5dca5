//! Ingest: the webhook, the filters, the rate window, gRPC, the announcer, the sweep and the
//! janitor.
//!
//! A request's way in: [`body`] reads it, [`mod@filter`] judges it, [`gate`] writes it down through
//! [`accept`], and only then it is answered; while the log is away the [`spool`] holds it.
//! [`Admission`] lets it through the rate window.

pub mod accept;
mod announcement;
mod announcer;
mod archive;
pub mod body;
mod control;
pub mod filter;
pub mod gate;
mod grpc;
mod http;
mod listing;
mod metrics;
mod projection;
mod replay;
mod slack;
pub mod spool;
mod sweep;
mod view;
mod watching;
mod wish;
mod work;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Log, WindowSettings};
use job::Owner;
use runtime::Health;
use runtime::settings::{Settings, Status};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use wire::v1::status_server::StatusServer;

pub use work::Admission;

/// Where the spool is, below `data_dir`.
const SPOOL: &str = "spool";

/// How many admissions are worked on at the same time.
const WORKERS: usize = 4;

/// Runs ingest until `stop`; `health` is told when it can take requests.
///
/// # Errors
/// When an address is taken, the webhook's secret is missing, or a server fails.
pub async fn run(
    settings: &Settings,
    log: Arc<dyn Log>,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let secret = settings.secrets().webhook()?.context(
        "no webhook secret is configured: set ingest.secret_file or BOWLINE_SECRET_WEBHOOK",
    )?;
    let slack = match settings.secrets().slack_webhook_url()? {
        Some(url) => Some(Arc::new(slack::Slack::new(url, settings.slack.timeout)?)),
        None => None,
    };
    let window = WindowSettings {
        max: usize::try_from(settings.rate.max_upgrades_per_window)?,
        length: settings.rate.window,
    };
    let spool = spool::Spool::new(
        settings.data_dir.join(SPOOL),
        settings.ingest.spool_max_bytes,
    );
    let gate = gate::Gate::new(
        Arc::clone(&log),
        settings.instance.clone(),
        settings.repository.name.clone(),
        filter(settings),
        settings.ingest.nats_wait,
    );
    let gate = Arc::new(gate.with_spool(spool.clone()));
    metrics::start();
    let projection = projection::Projection::default();
    let listener = listen(settings.ingest.listen, "ingest.listen").await?;
    let grpc_listener = listen(settings.ingest.grpc_listen, "ingest.grpc_listen").await?;
    let router = http::router(Arc::clone(&gate), secret, settings.ingest.max_body_bytes);
    let service = StatusServer::new(grpc::Grpc {
        log: Arc::clone(&log),
        projection: projection.clone(),
        control: control::Control {
            log: Arc::clone(&log),
            projection: projection.clone(),
            gate: Arc::clone(&gate),
            archive_after: settings.bus.archive_after,
            patience: settings.ingest.nats_wait.saturating_mul(2),
        },
        repository: settings.repository.name.clone(),
        window,
        services: settings.services.keys().cloned().collect(),
        shortest: shortest_window(settings),
        stop: stop.clone(),
    });
    let admission: Arc<dyn bus::Work> = Arc::new(Admission::new(Arc::clone(&log), window));
    let replaying = replay::run(
        spool.clone(),
        Arc::clone(&gate),
        Arc::clone(&log),
        stop.clone(),
    );
    let readiness = replay::readiness(spool, Arc::clone(&log), health, stop.clone());
    let sweep = sweep::Sweep {
        log: Arc::clone(&log),
        projection: projection.clone(),
        gate,
        slack: slack.clone(),
        repository: settings.repository.name.clone(),
        window,
        every: settings.bus.sweep,
        archive_after: settings.bus.archive_after,
    };

    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let ended = stop.clone();
    tasks.spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(ended.cancelled_owned())
            .await
            .context("the webhook's server failed")
    });
    let ended = stop.clone();
    tasks.spawn(async move {
        // Else an answer waits 40 ms for the acknowledgement of its own first part.
        let incoming = TcpIncoming::from(grpc_listener).with_nodelay(Some(true));
        tonic::transport::Server::builder()
            .trace_fn(grpc::span)
            .add_service(service)
            .serve_with_incoming_shutdown(incoming, ended.cancelled_owned())
            .await
            .context("the gRPC server failed")
    });
    let (ended, followed) = (stop.clone(), Arc::clone(&log));
    tasks.spawn(async move {
        projection::run(followed, projection, ended).await;
        Ok(())
    });
    let (ended, followed) = (stop.clone(), Arc::clone(&log));
    tasks.spawn(async move {
        announcer::run(followed, slack, ended).await;
        Ok(())
    });
    let ended = stop.clone();
    tasks.spawn(async move {
        sweep.run(ended).await;
        Ok(())
    });
    tasks.spawn(async move {
        tokio::join!(replaying, readiness);
        Ok(())
    });
    tasks.spawn(async move {
        bus::run_owner(log, Owner::Ingest, WORKERS, admission, stop).await;
        Ok(())
    });
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task of ingest panicked")??;
    }
    Ok(())
}

/// Longer than any test looks on.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Keeps the projection and sweeps until `stop`, as [`run`] does, and reminds nobody: for a whole
/// system in one process, under test.
pub async fn sweeping(
    log: Arc<dyn Log>,
    gate: Arc<gate::Gate>,
    repository: String,
    window: WindowSettings,
    every: Duration,
    stop: CancellationToken,
) {
    let projection = projection::Projection::default();
    let sweep = sweep::Sweep {
        log: Arc::clone(&log),
        projection: projection.clone(),
        gate,
        slack: None,
        repository,
        window,
        every,
        archive_after: NEVER,
    };
    tokio::join!(
        projection::run(log, projection, stop.clone()),
        sweep.run(stop)
    );
}

async fn listen(address: std::net::SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("failed to listen on {address} ({key}); is another ingest running there?")
    })
}

/// No upgrade succeeds without having been healthy for so long; none if nothing is carried out.
fn shortest_window(settings: &Settings) -> Option<Duration> {
    let verify = &settings.verify;
    settings
        .carries_out()
        .then(|| verify.safe.min(verify.caution).min(verify.unknown))
}

fn filter(settings: &Settings) -> filter::Filter {
    let name = |status: &Status| match status {
        Status::New => "new".to_owned(),
        Status::Update => "update".to_owned(),
    };
    filter::Filter {
        statuses: settings.ingest.statuses.iter().map(name).collect(),
        skip_images: settings.ingest.skip_images.clone(),
    }
}
