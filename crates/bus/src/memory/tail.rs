use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A copy lacks at most so many messages,
pub(super) const BEHIND: u64 = 3;
/// and each of them only for so long.
const LAG: Duration = Duration::from_secs(30);

/// The end of a stream, and when its newest messages were stored.
#[derive(Debug, Default)]
pub(super) struct Tail {
    last: u64,
    stored: VecDeque<Instant>,
}

impl Tail {
    /// The sequence of a message that is stored now.
    pub(super) fn store(&mut self, now: Instant) -> u64 {
        self.stored.push_front(now);
        self.stored
            .truncate(usize::try_from(BEHIND).unwrap_or(usize::MAX));
        self.last += 1;
        self.last
    }

    /// The sequence of the last message.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The last message on a copy that lacks so many of the newest ones, as far as one may.
    pub(super) fn horizon(&self, behind: u64, now: Instant) -> u64 {
        let newest = self.stored.iter().take_while(|stored| now - **stored < LAG);
        let lacking = u64::try_from(newest.count()).unwrap_or(u64::MAX);
        self.last.saturating_sub(lacking.min(behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_copy_lacks_a_few_messages_and_none_of_them_for_long() {
        let began = Instant::now();
        let mut tail = Tail::default();
        assert_eq!(tail.horizon(BEHIND, began), 0);
        for seconds in 0..5 {
            tail.store(began + Duration::from_secs(seconds));
        }
        let after = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(tail.horizon(0, after(5)), 5);
        assert_eq!(tail.horizon(2, after(5)), 3);
        assert_eq!(tail.horizon(9, after(5)), 2);
        assert_eq!(tail.horizon(2, after(33)), 4);
        assert_eq!(tail.horizon(2, after(34)), 5);
    }
}
