//! The wish to stop: SIGTERM, SIGINT or SIGHUP asks, a second one insists.

use std::sync::{Arc, OnceLock};
use std::{fmt, io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a process that was told twice, as of one that SIGINT has ended.
const TOLD_TWICE: i32 = 130;

/// Whether the process has been asked to stop. Clones speak of the same process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    at_once: Arc<AtOnce>,
}

/// What is done when there is no grace any more.
#[derive(Default)]
struct AtOnce(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl fmt::Debug for AtOnce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AtOnce")
    }
}

impl Shutdown {
    /// A wish that only [`Shutdown::ask`] expresses; for tests and for parts of a process.
    #[must_use]
    pub fn by_hand() -> Self {
        Self::default()
    }

    /// Listens to SIGTERM and SIGINT from now on, and to SIGHUP unless the process was started to
    /// ignore it, as nohup does. The second signal ends the process at once.
    ///
    /// # Errors
    ///
    /// The system does not let us listen.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::default();
        let mut signals = Signals::listen()?;
        let asked = shutdown.clone();
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!("asked to stop; finishing what is in hand");
            asked.ask();
            signals.next().await;
            if let Some(act) = asked.at_once.0.get() {
                act();
            }
            exit_at_once();
        });
        Ok(shutdown)
    }

    /// Has `act` done when a second signal ends the process at once; only the first call counts.
    /// It is for what would outlive the process, and must not wait.
    pub fn before_exit_at_once(&self, act: impl Fn() + Send + Sync + 'static) {
        // A later call has no effect, as promised.
        let _was_first = self.at_once.0.set(Box::new(act));
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

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: match hears_hangup(&status) {
                true => Some(signal(SignalKind::hangup())?),
                false => None,
            },
        })
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether SIGHUP is not ignored, by what Linux tells of a process; no where nothing is told.
fn hears_hangup(status: &str) -> bool {
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is signal 1, the lowest bit.
    ignored.is_some_and(|mask| mask & 1 == 0)
}

#[expect(clippy::exit, reason = "whoever says it twice wants no grace")]
fn exit_at_once() -> ! {
    process::exit(TOLD_TWICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_under_nohup_does_not_hear_the_terminal_go() {
        for (status, expected) in [
            (
                "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\n",
                true,
            ),
            ("SigIgn:\t0000000000001001\n", false),
            ("Name:\tbowline\n", false),
            ("SigIgn:\tnothing\n", false),
            ("", false),
        ] {
            assert_eq!(hears_hangup(status), expected, "{status}");
        }
    }
}
