//! The services from one start to their stop, on one address of the log's server.

use std::time::Duration;

use anyhow::Context as _;
use runtime::{Context, Shutdown};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::port::Address;
use super::services;

/// What cannot be cut off, a call on a thread of its own, is waited for so long.
const CUT_OFF: Duration = Duration::from_secs(3);

/// The running services. What they leave behind ends with this value: they have a runtime of
/// their own, because a connection that was lost goes on knocking at the old address for ever.
#[derive(Debug)]
pub(super) struct Era {
    shutdown: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
    runtime: Option<Runtime>,
}

impl Era {
    /// Starts all services, on the server at `own` or on the configured one.
    pub(super) fn start(context: &Context, own: Option<&Address>) -> anyhow::Result<Era> {
        let mut context = context.clone();
        if let Some(own) = own {
            context.settings.nats.url = Some(own.url());
        }
        let token = own.map(|own| own.token.clone());
        Era::of(move |shutdown| async move {
            let context = Context {
                shutdown,
                ..context
            };
            let running = runtime::on_log(context, token.as_ref(), services::run);
            Box::pin(running).await
        })
    }

    fn of<R>(run: impl FnOnce(Shutdown) -> R) -> anyhow::Result<Era>
    where
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("services")
            .build()
            .context("failed to start the runtime of the services")?;
        let shutdown = Shutdown::by_hand();
        let task = runtime.spawn(run(shutdown.clone()));
        Ok(Era {
            shutdown,
            task,
            runtime: Some(runtime),
        })
    }

    /// Ends when the services have; they do so by themselves only when one fails. Safe in
    /// `select!`.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.task).await.context("the services broke down")?
    }

    /// Stops the services, each within its grace.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.shutdown.ask();
        self.ended().await
    }

    /// Makes way for another era: stops the services, and cuts off what does not stop. What was in
    /// hand is done again by the next one.
    pub(super) async fn replaced(mut self) {
        if let Err(error) = self.stop().await {
            tracing::warn!("the services did not stop well, and are started again: {error:#}");
        }
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        // Ports and folders are free for the next one only when the tasks that have them are gone.
        let gone = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(CUT_OFF)).await;
        if let Err(error) = gone {
            tracing::error!(%error, "the services before were not cut off");
        }
    }
}

impl Drop for Era {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[tokio::test]
    async fn what_does_not_stop_in_time_is_cut_off_before_the_next_era() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let era = Era::of(|shutdown| async move {
            tokio::spawn(async move {
                let _its_port = listener;
                std::future::pending::<()>().await;
            });
            shutdown.asked().await;
            anyhow::bail!("verifier did not stop within 1s")
        });
        era.unwrap().replaced().await;
        // The next one listens there.
        TcpListener::bind(address).unwrap();
    }
}
