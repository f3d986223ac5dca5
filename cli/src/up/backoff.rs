//! How long to wait before the next start of what has died.

use std::time::Duration;

/// Doubles the pause with each death, and forgets them after a life that was long enough.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    cap: Duration,
    deaths: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, cap: Duration) -> Backoff {
        Backoff {
            first,
            cap,
            deaths: 0,
        }
    }

    /// The pause after a life of this length. One that was longer than the longest pause says that
    /// the cause is another one now.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        if lived > self.cap {
            self.deaths = 0;
        }
        let factor = 2_u32.saturating_pow(self.deaths);
        self.deaths = self.deaths.saturating_add(1);
        self.first.saturating_mul(factor).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lives_s: &[u64], pauses_ms: &[u64]) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        let pauses: Vec<_> = lives_s
            .iter()
            .map(|&lived| backoff.after(Duration::from_secs(lived)))
            .collect();
        let expected: Vec<_> = pauses_ms
            .iter()
            .map(|&ms| Duration::from_millis(ms))
            .collect();
        assert_eq!(pauses, expected);
    }

    #[test]
    fn each_short_life_doubles_the_pause_up_to_its_cap() {
        check(&[1, 1, 0, 0, 0, 0], &[200, 400, 800, 1600, 2000, 2000]);
    }

    #[test]
    fn a_long_life_begins_anew() {
        check(&[1, 1, 3, 1], &[200, 400, 200, 400]);
    }

    #[test]
    fn many_deaths_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        backoff.deaths = u32::MAX;
        assert_eq!(backoff.after(Duration::ZERO), Duration::from_secs(30));
    }
}
