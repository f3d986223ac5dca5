//! The health window: what one tick means for it.
//!
//! **Invariant:** the window counts observed time only. Due times are facts; what a process
//! remembers can only lengthen the window.

use std::time::Duration;

use crate::health::Health;
use crate::ports::Unknown;

/// A service that was well so often and is ill again will not stay well.
const RELAPSES: usize = 5;

/// The window as its facts tell it; all times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) now_ms: i64,
    /// It has to be healthy for so long.
    pub(crate) length_ms: i64,
    /// So much longer, as long as a monitor has not said anything in it.
    pub(crate) extra_ms: i64,
    /// A rollout may take this long.
    pub(crate) settle_ms: i64,
    /// The time between two ticks.
    pub(crate) interval_ms: i64,
    /// The time between two `observed` facts.
    pub(crate) observed_every_ms: i64,
    /// Unknown for so long is given up; and so is what stood still for so long in all.
    pub(crate) unknown_limit_ms: i64,
    pub(crate) healthy_since_ms: Option<i64>,
    pub(crate) failing_since_ms: Option<i64>,
    pub(crate) observed_ms: i64,
    /// It stands still, by the last fact.
    pub(crate) pausing: bool,
    /// It has stood still for so long.
    pub(crate) paused_ms: i64,
    /// When the last watch fact was stated.
    pub(crate) watched_ms: i64,
    /// How often it became healthy in this window.
    pub(crate) recoveries: usize,
    /// Since when this process could not see it.
    pub(crate) unknown_since_ms: Option<i64>,
    /// Since when this process sees it ill, and cannot see whose doing that is.
    pub(crate) doubted_since_ms: Option<i64>,
    /// This process has watched it before.
    pub(crate) known_here: bool,
}

/// What follows from one tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tick {
    /// Nothing yet.
    Wait(Duration),
    /// Every check passes, from now on.
    Healthy,
    /// A check fails, from now on; the text is what was seen.
    Failing(String),
    /// So many seconds more were observed.
    Observed(u32),
    /// The window stands still, or goes on where it stood (`why` is empty).
    Paused {
        /// So many seconds were observed since the last fact.
        seconds: u32,
        /// So many it stood still.
        paused: u32,
        /// Why it stands still from now on.
        why: String,
    },
    /// It was healthy for the whole window, now included.
    Passed,
    /// It will not become healthy; the text is the evidence.
    Failed(String),
    /// It could not be seen for too long.
    Lost(String),
}

/// Decides what the tick's look means.
pub(crate) fn decide(look: Result<Health, Unknown>, window: &Window) -> Tick {
    match look {
        Err(Unknown(why)) => {
            let since = window
                .unseen_since_ms()
                .unwrap_or(window.now_ms)
                .max(window.watched_ms);
            if window.now_ms.saturating_sub(since) >= window.unknown_limit_ms {
                return Tick::Lost(why);
            }
            Tick::Wait(millis(window.interval_ms))
        }
        Ok(Health::Good) => window.good(),
        Ok(Health::Moving(why)) => window.ill(why, window.settle_ms),
        Ok(Health::Down {
            why,
            since_ms,
            patience_ms,
        }) => {
            // The service may have begun to fail before the monitor said so.
            let failing_ms = window.failing_since_ms.unwrap_or(window.now_ms);
            let earlier_ms = since_ms.saturating_sub(failing_ms).max(0);
            let patience_ms = patience_ms.saturating_add(earlier_ms);
            let usual_ms = window.settle_ms.min(window.length_ms);
            window.ill(why, usual_ms.max(patience_ms))
        }
        Ok(Health::Bad {
            why,
            definite: true,
        }) => Tick::Failed(why),
        Ok(Health::Bad {
            why,
            definite: false,
        }) => window.ill(why, window.settle_ms.min(window.length_ms)),
    }
}

/// Decides about a tick whose trouble is not the upgrade's doing: `why` says whose it is.
pub(crate) fn pause(why: String, window: &Window) -> Tick {
    let elapsed = window.now_ms.saturating_sub(window.watched_ms).max(0);
    // When nobody looked, nobody knows how long it lasted.
    let counted = if elapsed > window.longest_silence_ms() {
        0
    } else {
        elapsed
    };
    let whole = |ms: i64| u32::try_from(ms / 1000).unwrap_or(0);
    if !window.pausing {
        let healthy = window.healthy_since_ms.is_some() && window.unseen_since_ms().is_none();
        return Tick::Paused {
            seconds: if healthy { whole(counted) } else { 0 },
            paused: 0,
            why,
        };
    }
    if window.paused_ms.saturating_add(counted) >= window.unknown_limit_ms {
        return Tick::Lost(why);
    }
    if elapsed >= window.observed_every_ms.max(1000) {
        return Tick::Paused {
            seconds: 0,
            paused: whole(counted),
            why,
        };
    }
    Tick::Wait(millis(window.interval_ms))
}

impl Window {
    /// Since when it is not known whether it is well.
    fn unseen_since_ms(&self) -> Option<i64> {
        let both = [self.unknown_since_ms, self.doubted_since_ms];
        both.into_iter().flatten().min()
    }

    /// A longer silence between two facts means that nobody looked.
    fn longest_silence_ms(&self) -> i64 {
        self.observed_every_ms
            .max(1000)
            .saturating_add(self.interval_ms.saturating_mul(2))
    }

    fn good(&self) -> Tick {
        if self.healthy_since_ms.is_none() {
            return Tick::Healthy;
        }
        let elapsed = self.now_ms.saturating_sub(self.watched_ms).max(0);
        let gap = elapsed > self.longest_silence_ms();
        if self.pausing {
            return Tick::Paused {
                seconds: 0,
                paused: if gap {
                    0
                } else {
                    u32::try_from(elapsed / 1000).unwrap_or(0)
                },
                why: String::new(),
            };
        }
        let blind = self
            .unseen_since_ms()
            .filter(|since| *since > self.watched_ms);
        let counted = match blind {
            _ if gap => 0,
            Some(since) => since.saturating_sub(self.watched_ms).min(elapsed),
            None => elapsed,
        };
        let left = self
            .length_ms
            .saturating_sub(self.observed_ms)
            .saturating_sub(counted);
        let left = if left > 0 {
            left
        } else {
            left.saturating_add(self.extra_ms)
        };
        if left <= 0 {
            return Tick::Passed;
        }
        if gap || blind.is_some() || elapsed >= self.observed_every_ms.max(1000) {
            return Tick::Observed(u32::try_from(counted / 1000).unwrap_or(0));
        }
        Tick::Wait(millis(self.interval_ms.min(left)))
    }

    fn ill(&self, why: String, patience_ms: i64) -> Tick {
        if self.recoveries >= RELAPSES {
            return Tick::Failed(format!(
                "{why} (ill again after {} recoveries)",
                self.recoveries
            ));
        }
        let Some(since) = self.failing_since_ms else {
            return Tick::Failing(why);
        };
        // Nobody looked in between: what failed before may have been mended and broken again.
        let silence = self.now_ms.saturating_sub(self.watched_ms) > self.longest_silence_ms();
        let blind = self
            .unknown_since_ms
            .is_some_and(|unknown| unknown > self.watched_ms);
        if blind || (silence && !self.known_here) {
            return Tick::Failing(why);
        }
        let failing = self.now_ms.saturating_sub(since);
        if failing >= patience_ms {
            return Tick::Failed(format!("{why} (for {} s)", failing / 1000));
        }
        Tick::Wait(millis(self.interval_ms))
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of 10 min, settle 15 min, ticks 15 s, facts 60 s.
    fn window(now_s: i64) -> Window {
        Window {
            now_ms: now_s * 1000,
            length_ms: 600_000,
            extra_ms: 0,
            settle_ms: 900_000,
            interval_ms: 15_000,
            observed_every_ms: 60_000,
            unknown_limit_ms: 3_600_000,
            healthy_since_ms: None,
            failing_since_ms: None,
            observed_ms: 0,
            pausing: false,
            paused_ms: 0,
            watched_ms: 0,
            recoveries: 0,
            unknown_since_ms: None,
            doubted_since_ms: None,
            known_here: true,
        }
    }

    fn healthy(now_s: i64, observed_s: i64, watched_s: i64) -> Window {
        Window {
            healthy_since_ms: Some(0),
            observed_ms: observed_s * 1000,
            watched_ms: watched_s * 1000,
            ..window(now_s)
        }
    }

    fn wait(seconds: u64) -> Tick {
        Tick::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn good_ticks_add_up_to_the_window() {
        let tick = |window| decide(Ok(Health::Good), &window);
        assert_eq!(tick(window(0)), Tick::Healthy);
        assert_eq!(
            tick(Window {
                failing_since_ms: Some(0),
                ..window(9)
            }),
            Tick::Healthy
        );
        assert_eq!(tick(healthy(15, 0, 0)), wait(15));
        assert_eq!(tick(healthy(60, 0, 0)), Tick::Observed(60));
        assert_eq!(tick(healthy(590, 540, 540)), wait(10));
        assert_eq!(tick(healthy(599, 540, 540)), wait(1));
        assert_eq!(tick(healthy(600, 540, 540)), Tick::Passed);
    }

    #[test]
    fn silence_and_blindness_are_not_counted() {
        let tick = |window| decide(Ok(Health::Good), &window);
        // Ninety seconds is the longest that ticks every fifteen seconds can stay silent.
        assert_eq!(tick(healthy(90, 0, 0)), Tick::Observed(90));
        assert_eq!(tick(healthy(91, 0, 0)), Tick::Observed(0));
        assert_eq!(tick(healthy(6000, 540, 0)), Tick::Observed(0));
        let blind = Window {
            unknown_since_ms: Some(15_000),
            ..healthy(45, 0, 0)
        };
        assert_eq!(tick(blind), Tick::Observed(15));
        // Blindness before the last fact was accounted for by it.
        let before = Window {
            unknown_since_ms: Some(15_000),
            ..healthy(45, 0, 30)
        };
        assert_eq!(tick(before), wait(15));
    }

    #[test]
    fn unknown_waits_and_after_an_hour_a_person_is_asked() {
        let tick = |window| decide(Err(Unknown("away".to_owned())), &window);
        assert_eq!(tick(healthy(700, 0, 0)), wait(15));
        let lost = |now_s, watched_s| Window {
            unknown_since_ms: Some(0),
            ..healthy(now_s, 0, watched_s)
        };
        assert_eq!(tick(lost(3599, 0)), wait(15));
        assert_eq!(tick(lost(3600, 0)), Tick::Lost("away".to_owned()));
        // Another replica saw it in the meantime.
        assert_eq!(tick(lost(3600, 3000)), wait(15));
    }

    #[test]
    fn a_rollout_gets_the_settle_time_and_a_failure_the_shorter_of_both() {
        let moving = || Ok(Health::Moving("0 of 1".to_owned()));
        let bad = || {
            Ok(Health::Bad {
                why: "503".to_owned(),
                definite: false,
            })
        };
        let failing = |now_s: i64| Window {
            failing_since_ms: Some(0),
            watched_ms: 0,
            ..window(now_s)
        };
        assert_eq!(decide(bad(), &window(0)), Tick::Failing("503".to_owned()));
        assert_eq!(
            decide(bad(), &healthy(15, 0, 0)),
            Tick::Failing("503".to_owned())
        );
        assert_eq!(decide(bad(), &failing(599)), wait(15));
        assert_eq!(
            decide(bad(), &failing(600)),
            Tick::Failed("503 (for 600 s)".to_owned())
        );
        assert_eq!(decide(moving(), &failing(899)), wait(15));
        assert_eq!(
            decide(moving(), &failing(900)),
            Tick::Failed("0 of 1 (for 900 s)".to_owned())
        );
        let definite = Ok(Health::Bad {
            why: "killed".to_owned(),
            definite: true,
        });
        assert_eq!(
            decide(definite, &window(0)),
            Tick::Failed("killed".to_owned())
        );
    }

    #[test]
    fn a_monitor_gets_time_for_the_beat_that_takes_it_back() {
        // A safe window of two minutes.
        let tick = |now_s: i64, since_s: i64, interval_s: i64| {
            let down = Health::Down {
                why: "DOWN".to_owned(),
                since_ms: since_s * 1000,
                patience_ms: interval_s * 1250,
            };
            let window = Window {
                length_ms: 120_000,
                failing_since_ms: Some(0),
                ..window(now_s)
            };
            decide(Ok(down), &window)
        };
        let failed = |seconds: i64| Tick::Failed(format!("DOWN (for {seconds} s)"));
        for (interval_s, since_s, certain_s) in [
            (30, 0, 120),
            (60, 0, 120),
            (120, 0, 150),
            (300, 0, 375),
            // Something else was wrong first.
            (300, 100, 475),
            (30, 100, 137),
            // What another process saw mended in between does not count.
            (300, -500, 375),
        ] {
            assert_eq!(tick(certain_s - 1, since_s, interval_s), wait(15));
            let certain = tick(certain_s + 1, since_s, interval_s);
            assert_eq!(certain, failed(certain_s + 1), "{interval_s} {since_s}");
        }
        let down = Health::Down {
            why: "DOWN".to_owned(),
            since_ms: 0,
            patience_ms: 375_000,
        };
        assert_eq!(
            decide(Ok(down), &healthy(15, 0, 0)),
            Tick::Failing("DOWN".to_owned())
        );
    }

    #[test]
    fn what_may_be_anothers_doing_is_waited_for_and_is_not_observed_time() {
        let doubted = |now_s: i64| Window {
            doubted_since_ms: Some(15_000),
            ..healthy(now_s, 0, 0)
        };
        let unknown = || Err(Unknown("away".to_owned()));
        assert_eq!(decide(unknown(), &doubted(3614)), wait(15));
        assert_eq!(
            decide(unknown(), &doubted(3615)),
            Tick::Lost("away".to_owned())
        );
        assert_eq!(decide(Ok(Health::Good), &doubted(45)), Tick::Observed(15));
        let paused = |seconds| Tick::Paused {
            seconds,
            paused: 0,
            why: "a node".to_owned(),
        };
        assert_eq!(pause("a node".to_owned(), &doubted(45)), paused(0));
        // Its failing was seen all the while.
        let failing = Window {
            failing_since_ms: Some(0),
            healthy_since_ms: None,
            ..doubted(600)
        };
        let bad = Ok(Health::Bad {
            why: "503".to_owned(),
            definite: false,
        });
        assert_eq!(
            decide(bad, &failing),
            Tick::Failed("503 (for 600 s)".to_owned())
        );
    }

    #[test]
    fn a_failure_that_nobody_watched_starts_anew() {
        let bad = || {
            Ok(Health::Bad {
                why: "503".to_owned(),
                definite: false,
            })
        };
        let failing = |now_s: i64| Window {
            failing_since_ms: Some(0),
            ..window(now_s)
        };
        let restarted = Window {
            known_here: false,
            ..failing(5000)
        };
        assert_eq!(decide(bad(), &restarted), Tick::Failing("503".to_owned()));
        let blind = Window {
            unknown_since_ms: Some(30_000),
            ..failing(5000)
        };
        assert_eq!(decide(bad(), &blind), Tick::Failing("503".to_owned()));
    }

    #[test]
    fn a_monitor_that_has_said_nothing_lengthens_the_window() {
        let tick = |now_s, extra_s: i64| {
            let window = Window {
                extra_ms: extra_s * 1000,
                ..healthy(now_s, 580, 540)
            };
            decide(Ok(Health::Good), &window)
        };
        assert_eq!(tick(570, 30), wait(15));
        assert_eq!(tick(585, 30), wait(5));
        assert_eq!(tick(590, 30), Tick::Passed);
        assert_eq!(tick(585, 0), Tick::Passed);
    }

    #[test]
    fn a_window_that_stands_still_counts_nothing_and_goes_on_where_it_was() {
        let paused = |seconds, paused, why: &str| Tick::Paused {
            seconds,
            paused,
            why: why.to_owned(),
        };
        let still = |now_s, paused_s: i64| Window {
            pausing: true,
            paused_ms: paused_s * 1000,
            ..healthy(now_s, 100, 0)
        };
        let tick = |window: &Window| pause("a node is away".to_owned(), window);
        // What was observed before it is kept, what is not known is not.
        assert_eq!(tick(&healthy(30, 100, 0)), paused(30, 0, "a node is away"));
        assert_eq!(tick(&healthy(91, 100, 0)), paused(0, 0, "a node is away"));
        assert_eq!(tick(&window(30)), paused(0, 0, "a node is away"));
        assert_eq!(tick(&still(59, 0)), wait(15));
        assert_eq!(tick(&still(60, 0)), paused(0, 60, "a node is away"));
        assert_eq!(tick(&still(91, 0)), paused(0, 0, "a node is away"));
        // An hour in all.
        assert_eq!(tick(&still(60, 3539)), paused(0, 60, "a node is away"));
        assert_eq!(
            tick(&still(60, 3540)),
            Tick::Lost("a node is away".to_owned())
        );
        assert_eq!(decide(Ok(Health::Good), &still(30, 0)), paused(0, 30, ""));
        assert_eq!(decide(Ok(Health::Good), &still(5000, 0)), paused(0, 0, ""));
    }

    #[test]
    fn a_service_that_keeps_relapsing_is_ill() {
        let bad = Ok(Health::Bad {
            why: "503".to_owned(),
            definite: false,
        });
        let tick = decide(
            bad,
            &Window {
                recoveries: 5,
                ..healthy(15, 0, 0)
            },
        );
        assert_eq!(
            tick,
            Tick::Failed("503 (ill again after 5 recoveries)".to_owned())
        );
    }
}
