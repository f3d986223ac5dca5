//! The services from one start to their stop, on one address of the log's server.

use anyhow::Context as _;
use runtime::{Context, Shutdown};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::port::Address;
use super::services;

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
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("services")
            .build()
            .context("failed to start the runtime of the services")?;
        let shutdown = Shutdown::by_hand();
        let mut context = Context {
            shutdown: shutdown.clone(),
            ..context.clone()
        };
        if let Some(own) = own {
            context.settings.nats.url = Some(own.url());
        }
        let token = own.map(|own| own.token.clone());
        let task = runtime.spawn(async move {
            let running = runtime::on_log(context, token.as_ref(), services::run);
            Box::pin(running).await
        });
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
}

impl Drop for Era {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
