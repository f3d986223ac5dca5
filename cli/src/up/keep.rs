//! Keeping the child nats-server alive.

use std::time::Duration;

use anyhow::Context as _;
use runtime::{Context, Health};
use semver::Version;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::port::Address;
use super::server::{Server, StartError};

/// What `/readyz` calls it.
const PART: &str = "nats-server";
/// So often another port is tried at the first start.
const PORTS: u32 = 3;

/// Where the server is, and what it is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) address: Address,
    pub(super) program: std::path::PathBuf,
    pub(super) version: Version,
}

/// A nats-server that is started again whenever it dies, until [`Kept::stop`].
#[derive(Debug)]
pub(super) struct Kept {
    place: watch::Receiver<Place>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Kept {
    /// Starts it; a failure of this first start is not tried again.
    pub(super) async fn start(server: Server, context: &Context) -> anyhow::Result<Kept> {
        let current = server.current.clone();
        context.shutdown.before_exit_at_once(move || current.kill());
        let (child, place) = first(&server).await?;
        let (told, seen) = watch::channel(place);
        let stop = CancellationToken::new();
        let (health, stopped) = (context.health.clone(), stop.clone());
        let task = tokio::spawn(async move {
            Keeper {
                server,
                health,
                stop: stopped,
                told,
            }
            .keep(child)
            .await;
        });
        Ok(Kept {
            place: seen,
            stop,
            task,
        })
    }

    /// Where it is now.
    pub(super) fn place(&mut self) -> Place {
        self.place.borrow_and_update().clone()
    }

    /// Ends when it is somewhere else than [`Kept::place`] said. Safe in `select!`.
    pub(super) async fn moved(&mut self) {
        if self.place.changed().await.is_err() {
            // The keeper ends only when it is told to.
            std::future::pending::<()>().await;
        }
    }

    /// Stops it and waits until it is gone.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the keeper of nats-server broke down");
        }
    }
}

async fn first(server: &Server) -> anyhow::Result<(Child, Place)> {
    let mut tries = 0;
    loop {
        let address = Address::anew().context("failed to find a free port for nats-server")?;
        match server.start(&address).await {
            Ok((child, version)) => {
                let place = Place {
                    address,
                    program: server.program().to_owned(),
                    version,
                };
                return Ok((child, place));
            }
            Err(StartError::PortTaken(_)) if tries < PORTS => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

struct Keeper {
    server: Server,
    health: Health,
    stop: CancellationToken,
    told: watch::Sender<Place>,
}

impl Keeper {
    async fn keep(self, mut child: Child) {
        let settings = self.server.settings();
        let mut backoff = Backoff::new(settings.restart_first, settings.restart_cap);
        loop {
            let started = Instant::now();
            tokio::select! {
                status = child.wait() => self.died(&status),
                () = self.stop.cancelled() => {
                    self.server.stop(&mut child).await;
                    return;
                }
            }
            let next = tokio::select! {
                next = self.again(&mut backoff, started.elapsed()) => next,
                // A start in progress is dropped, and its child with it.
                () = self.stop.cancelled() => {
                    self.server.current.is(0);
                    return;
                }
            };
            child = next;
            self.health.ready(PART);
            tracing::info!("nats-server runs again");
        }
    }

    fn died(&self, status: &std::io::Result<std::process::ExitStatus>) {
        self.server.current.is(0);
        self.health.not_ready(PART, "it died and is started again");
        match status {
            Ok(status) => tracing::warn!("nats-server died ({status}); starting it again"),
            Err(error) => tracing::error!(%error, "nats-server cannot be watched"),
        }
    }

    /// Starts it until it runs.
    async fn again(&self, backoff: &mut Backoff, lived: Duration) -> Child {
        let mut place = self.told.borrow().clone();
        let mut lived = lived;
        let mut moved = false;
        loop {
            sleep(backoff.after(lived)).await;
            lived = Duration::ZERO;
            match self.server.start(&place.address).await {
                Ok((child, version)) => {
                    if moved {
                        place.version = version;
                        self.told.send_replace(place);
                    }
                    return child;
                }
                Err(StartError::PortTaken(port)) => match Address::anew() {
                    Ok(address) => {
                        let new = address.port;
                        tracing::warn!(port, new, "the port of nats-server was taken meanwhile");
                        place.address = address;
                        moved = true;
                    }
                    Err(error) => tracing::error!(%error, "no free port for nats-server"),
                },
                Err(StartError::Failed(error)) => {
                    tracing::error!("nats-server does not start: {error:#}");
                }
            }
        }
    }
}
