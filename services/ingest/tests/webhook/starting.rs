//! Starts that cannot work.

use std::net::TcpListener;
use std::sync::Arc;

use bus::JetStream;
use runtime::{Health, Settings};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::harness::{LIMIT, settings};

/// How a start with these settings fails.
async fn fault(settings: &Settings) -> anyhow::Result<String> {
    runtime::tls::install();
    // Nobody listens there; ingest starts all the same.
    let log = JetStream::connect("nats://127.0.0.1:1", runtime::bus_settings(settings)).await?;
    let (health, stop) = (Health::default(), CancellationToken::new());
    let running = ingest::run(settings, Arc::new(log), health, stop);
    let ended = tokio::time::timeout(LIMIT, running).await?;
    Ok(ended
        .err()
        .map(|error| format!("{error:#}"))
        .unwrap_or_default())
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_key() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let mut settings = settings(&dir)?;
    settings.ingest.listen = taken.local_addr()?;
    let error = fault(&settings).await?;
    assert!(
        error.contains(&format!("failed to listen on {}", taken.local_addr()?)),
        "{error}"
    );
    assert!(
        error.contains("ingest.listen") && error.contains("in use"),
        "{error}"
    );
    settings.ingest.listen = "127.0.0.1:0".parse()?;
    settings.ingest.grpc_listen = taken.local_addr()?;
    let error = fault(&settings).await?;
    assert!(error.contains("ingest.grpc_listen"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_missing_secret_is_told_how_to_give_it() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    let mut settings = settings(&dir)?;
    let file = settings.ingest.secret_file.take();
    let error = fault(&settings).await?;
    assert!(
        error.contains("ingest.secret_file") && error.contains("BOWLINE_SECRET_WEBHOOK"),
        "{error}"
    );
    settings.ingest.secret_file = file.map(|file| file.with_extension("nowhere"));
    let error = fault(&settings).await?;
    assert!(
        error.contains("webhook secret") && error.contains("nowhere"),
        "{error}"
    );
    Ok(())
}
