//! The verifier: how everything is before a push, what CI and the cluster made of it, and whether
//! it stays healthy.
//!
//! **Invariant:** unknown is never failure. What cannot be seen is waited for, and in the end a
//! person is asked; only what was seen to be wrong is undone, and only what was seen to be well
//! succeeds.

pub mod ports;

mod work;

mod follow;
mod memory;
mod tick;
mod turn;

mod applied;
mod baseline;
mod ci;
mod health;
mod look;
mod monitors;
mod release;
mod surroundings;
mod verdict;
mod watch;

mod image;
mod rollout;

mod http;
mod kubernetes;
mod kuma;
mod woodpecker;

mod config;

use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use http::Http;
pub use kubernetes::Kubernetes;
pub use kuma::{Kuma, KumaAddress};
pub use woodpecker::{CheckError, Repository, Woodpecker};
pub use work::{Eyes, Times, Verifier};

/// Works until `stop`, and hands back what is in hand.
///
/// # Errors
/// The clients could not be set up, or CI refused the token; what is unreachable is no error.
pub async fn run(
    config: Config,
    log: Arc<dyn bus::Log>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    choose_cryptography();
    let clock = Arc::clone(&log);
    let now_ms: Arc<dyn Fn() -> i64 + Send + Sync> = Arc::new(move || clock.now_ms());
    let ci = Woodpecker::new(config.repositories, config.ci_timeout)
        .context("failed to set up the client for CI")?;
    match ci.check().await {
        Ok(()) => {}
        Err(CheckError::Refused(why)) => return Err(anyhow::Error::new(why)),
        Err(CheckError::Unknown(why)) => {
            tracing::warn!(%why, "CI could not be asked; it will be asked again");
        }
    }
    let probe = Http::new(config.http_timeout).context("failed to set up the HTTP checks")?;
    let kuma = config
        .kuma
        .map(|address| Kuma::new(address, Arc::clone(&now_ms)))
        .transpose()
        .context("failed to set up the client for Uptime Kuma")?;
    let verifier = Verifier::new(
        Eyes {
            ci: Arc::new(ci),
            cluster: Arc::new(Kubernetes::new(config.clusters, config.cluster_timeout)),
            probe: Arc::new(probe),
            monitoring: kuma.map(|kuma| Arc::new(kuma) as Arc<dyn ports::Monitoring>),
            turns: config
                .serial
                .then(|| Arc::new(turn::CiTurn(Arc::clone(&log))) as Arc<dyn ports::Turns>),
            now_ms,
        },
        config.times,
    );
    bus::run_owner(
        log,
        job::Owner::Verifier,
        config.workers,
        Arc::new(verifier),
        stop,
    )
    .await;
    Ok(())
}

/// TLS takes its algorithms from `ring`; another service in the process may have said so before.
fn choose_cryptography() {
    let _said_before = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
