use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::tail::BEHIND;

/// How often which fault happens, in a thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// A request does not reach the server.
    pub lost_requests: u32,
    /// A request has its effect, and its answer does not come.
    pub lost_answers: u32,
    /// A delivery comes a second time, although it is in hand.
    pub duplicates: u32,
    /// A delivery comes later than others that were stored after it.
    pub delays: u32,
    /// A read is answered by a copy that still lacks the newest messages.
    pub stale_reads: u32,
    /// A message takes its time, so that others overtake it.
    pub slow: u32,
}

/// No delivery is late by more than this, and no repeated one comes later.
const LATE: Duration = Duration::from_secs(20);
/// A slow message takes at most this.
const SLOW: Duration = Duration::from_millis(400);

/// What goes wrong on the way to a [`super::Memory`], by chance from its seed.
#[derive(Debug)]
pub struct Faults(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    rates: Rates,
    chance: u64,
    away_until: Option<Instant>,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Faults {
        Faults(Mutex::new(Inner {
            rates: Rates::default(),
            chance: seed,
            away_until: None,
        }))
    }

    /// From now on faults happen so often.
    pub fn set(&self, rates: Rates) {
        self.inner().rates = rates;
    }

    /// For so long nothing is answered and nothing delivered.
    pub fn go_away(&self, time: Duration) {
        self.inner().away_until = Some(Instant::now() + time);
    }

    /// From now on nothing goes wrong.
    pub fn end(&self) {
        let mut inner = self.inner();
        inner.rates = Rates::default();
        inner.away_until = None;
    }

    pub(super) fn is_away(&self) -> bool {
        self.inner()
            .away_until
            .is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn loses_request(&self) -> bool {
        let mut inner = self.inner();
        let rate = inner.rates.lost_requests;
        inner.happens(rate)
    }

    pub(super) fn loses_answer(&self) -> bool {
        let mut inner = self.inner();
        let rate = inner.rates.lost_answers;
        inner.happens(rate)
    }

    /// How many messages the copy that answers lacks.
    pub(super) fn behind(&self) -> u64 {
        let mut inner = self.inner();
        let rate = inner.rates.stale_reads;
        if inner.happens(rate) {
            1 + inner.below(BEHIND)
        } else {
            0
        }
    }

    /// By how much a delivery is late.
    pub(super) fn delay(&self) -> Option<Duration> {
        let mut inner = self.inner();
        let rate = inner.rates.delays;
        inner.happens(rate).then(|| inner.up_to(LATE))
    }

    /// After how much time a delivery that is in hand comes again.
    pub(super) fn again(&self) -> Option<Duration> {
        let mut inner = self.inner();
        let rate = inner.rates.duplicates;
        inner.happens(rate).then(|| inner.up_to(LATE))
    }

    /// The way there or back; others go on meanwhile.
    pub(super) async fn travel(&self) {
        let slow = {
            let mut inner = self.inner();
            let rate = inner.rates.slow;
            inner.happens(rate).then(|| inner.up_to(SLOW))
        };
        match slow {
            Some(time) => sleep(time).await,
            None => tokio::task::yield_now().await,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A fault that cannot happen draws no chance.
    fn happens(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.below(1_000) < u64::from(per_mille)
    }

    fn up_to(&mut self, time: Duration) -> Duration {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.below(millis.max(1)))
    }

    /// `SplitMix64`: small, and good enough to make trouble.
    fn below(&mut self, bound: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
