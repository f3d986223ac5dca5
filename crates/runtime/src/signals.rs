//! The wish to stop: SIGTERM or SIGINT asks, a second one insists.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a process that was told twice, as of one that SIGINT has ended.
const TOLD_TWICE: i32 = 130;

/// Whether the process has been asked to stop. Clones speak of the same process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A wish that only [`Shutdown::ask`] expresses; for tests and for parts of a process.
    #[must_use]
    pub fn by_hand() -> Self {
        Self::default()
    }

    /// Listens to SIGTERM and SIGINT from now on. The second signal ends the process at once.
    ///
    /// # Errors
    ///
    /// The system does not let us listen.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked = shutdown.clone();
        tokio::spawn(async move {
            next(&mut terminate, &mut interrupt).await;
            tracing::info!("asked to stop; finishing what is in hand");
            asked.ask();
            next(&mut terminate, &mut interrupt).await;
            exit_at_once();
        });
        Ok(shutdown)
    }

    /// Asks to stop.
    pub fn ask(&self) {
        self.token.cancel();
    }

    /// Whether it has been asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is asked. Safe in `select!`.
    pub async fn asked(&self) {
        self.token.cancelled().await;
    }

    /// The token behind it, for those who take one.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[expect(clippy::exit, reason = "whoever says it twice wants no grace")]
fn exit_at_once() -> ! {
    process::exit(TOLD_TWICE)
}
