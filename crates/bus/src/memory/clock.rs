use std::time::Duration;

use tokio::time::Instant;

use crate::Clock;

/// Wall time that passes with tokio's clock, also while that is paused.
#[derive(Debug, Clone, Copy)]
pub struct VirtualClock {
    began: Instant,
    began_ms: i64,
}

impl VirtualClock {
    /// It is `now_ms` now, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn starting_at(now_ms: i64) -> VirtualClock {
        VirtualClock {
            began: Instant::now(),
            began_ms: now_ms,
        }
    }

    /// How much time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        let elapsed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.began_ms.saturating_add(elapsed)
    }
}
