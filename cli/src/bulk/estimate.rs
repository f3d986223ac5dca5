//! When the last of several upgrades has a place in the rate window, as far as its limits tell.
//!
//! A window is fixed: it begins with its first admission, and when it is over the next `max` of
//! the queue are let in at once.

use wire::v1::LimitsView;

use crate::limits;

/// When something will be the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// At this time, in milliseconds since the Unix epoch.
    At(i64),
    /// With these limits it will not.
    Never,
}

/// The prospect of several upgrades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Estimate {
    /// So many have a place now.
    pub(super) now: usize,
    /// So many wait for one.
    pub(super) waiting: usize,
    /// When the last one has a place.
    pub(super) last: Last,
}

/// Before this none of them has ended that is let in last and carried out; `shortest_seconds` is the
/// shortest health window. None if nothing is let in, or carried out.
pub(super) fn ends_not_before(estimate: &Estimate, shortest_seconds: Option<u64>) -> Option<i64> {
    let Last::At(admitted_ms) = estimate.last else {
        return None;
    };
    let shortest = i64::try_from(shortest_seconds?).unwrap_or(i64::MAX);
    let any = estimate.now + estimate.waiting > 0;
    any.then(|| admitted_ms.saturating_add(shortest.saturating_mul(1_000)))
}

/// Which upgrades are waited for: what was accepted, and of the duplicates those that still queue.
pub(super) fn ours(
    limits: &LimitsView,
    accepted: Vec<String>,
    duplicates: Vec<String>,
) -> Vec<String> {
    let mut ours = accepted;
    let queued = duplicates.into_iter().filter(|id| limits.held.contains(id));
    ours.extend(queued);
    ours.sort();
    ours.dedup();
    ours
}

/// When all of `ours` have a place. Who is neither admitted nor held yet stands at the queue's end.
pub(super) fn estimate(limits: &LimitsView, ours: &[String], now_ms: i64) -> Estimate {
    let max = usize::try_from(limits.max).unwrap_or(usize::MAX);
    let length = i64::try_from(limits.window_seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000);
    // A window that is over is none; the next one begins with whoever comes now.
    let (ends, taken) = match limits::ends_ms(limits) {
        Some(ends) if ends > now_ms => (ends, limits.admitted.len()),
        Some(_) | None => (now_ms.saturating_add(length), 0),
    };
    let left = max.saturating_sub(taken);

    let is_admitted = |id: &&String| limits.admitted.contains(id);
    let mut estimate = Estimate {
        now: ours.iter().filter(is_admitted).count(),
        waiting: 0,
        last: Last::At(now_ms),
    };
    let newcomers = ours
        .iter()
        .filter(|id| !is_admitted(id) && !limits.held.contains(id));
    let queue = limits.held.iter().chain(newcomers);
    for (at, _) in queue.enumerate().filter(|(_, id)| ours.contains(id)) {
        if at < left {
            estimate.now += 1;
            continue;
        }
        estimate.waiting += 1;
        estimate.last = match (at - left).checked_div(max) {
            None => Last::Never,
            Some(windows) => {
                let windows = i64::try_from(windows).unwrap_or(i64::MAX);
                Last::At(ends.saturating_add(windows.saturating_mul(length)))
            }
        };
    }
    estimate
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn ids(range: std::ops::Range<u32>) -> Vec<String> {
        range.map(|n| format!("{n:016x}")).collect()
    }

    fn limits(max: u32, started_ms: i64, admitted: Vec<String>, held: Vec<String>) -> LimitsView {
        LimitsView {
            max,
            window_seconds: 6 * 3_600,
            overridden: false,
            window_started_ms: started_ms,
            admitted,
            held,
            shortest_seconds: Some(120),
        }
    }

    #[test]
    fn the_last_one_is_let_in_with_its_window() {
        let hour_ago = NOW - HOUR;
        // The limits, how many are ours (from 100), and what is expected.
        let table = [
            // Nothing open: the first five begin a window now.
            (limits(5, 0, vec![], vec![]), 5, (5, 0, Last::At(NOW))),
            (
                limits(5, 0, vec![], vec![]),
                6,
                (5, 1, Last::At(NOW + 6 * HOUR)),
            ),
            (
                limits(5, 0, vec![], vec![]),
                12,
                (5, 7, Last::At(NOW + 12 * HOUR)),
            ),
            // Two places are left in a window that ends in five hours.
            (
                limits(5, hour_ago, ids(0..3), vec![]),
                12,
                (2, 10, Last::At(NOW + 11 * HOUR)),
            ),
            // Others wait before ours.
            (
                limits(5, hour_ago, ids(0..5), ids(10..14)),
                2,
                (0, 2, Last::At(NOW + 11 * HOUR)),
            ),
            // All are in already.
            (
                limits(50, hour_ago, ids(100..112), vec![]),
                12,
                (12, 0, Last::At(NOW)),
            ),
            // All are in the queue already.
            (
                limits(5, hour_ago, ids(100..105), ids(105..112)),
                12,
                (5, 7, Last::At(NOW + 11 * HOUR)),
            ),
            // The window is over: whoever was in it takes no place any more.
            (
                limits(5, NOW - 7 * HOUR, ids(0..5), vec![]),
                5,
                (5, 0, Last::At(NOW)),
            ),
            // More have a place than there are places now, because the limit was lowered.
            (
                limits(2, hour_ago, ids(0..5), vec![]),
                1,
                (0, 1, Last::At(NOW + 5 * HOUR)),
            ),
            (limits(0, 0, vec![], vec![]), 3, (0, 3, Last::Never)),
            (limits(0, 0, vec![], vec![]), 0, (0, 0, Last::At(NOW))),
        ];
        for (limits, count, (now, waiting, last)) in table {
            let expected = Estimate { now, waiting, last };
            let found = estimate(&limits, &ids(100..100 + count), NOW);
            assert_eq!(found, expected, "{count} ours with {limits:?}");
        }
    }

    #[test]
    fn the_last_one_ends_a_health_window_after_its_admission_or_later() {
        let estimate = |now, waiting, last| Estimate { now, waiting, last };
        let table = [
            (
                estimate(5, 0, Last::At(NOW)),
                Some(120),
                Some(NOW + 120_000),
            ),
            (
                estimate(0, 2, Last::At(NOW + HOUR)),
                Some(600),
                Some(NOW + HOUR + 600_000),
            ),
            // Nobody waits, nothing is carried out, nobody is let in.
            (estimate(0, 0, Last::At(NOW)), Some(120), None),
            (estimate(5, 0, Last::At(NOW)), None, None),
            (estimate(0, 3, Last::Never), Some(120), None),
        ];
        for (estimate, shortest, expected) in table {
            let found = ends_not_before(&estimate, shortest);
            assert_eq!(found, expected, "{estimate:?} {shortest:?}");
        }
    }

    /// Lets everyone in, window by window.
    fn simulated(max: usize, taken: usize, before: usize, count: usize) -> Option<i64> {
        let mut queue: Vec<bool> = vec![false; before];
        queue.extend(vec![true; count]);
        let (mut at, mut ends, mut left) = (NOW, NOW + 5 * HOUR, max.saturating_sub(taken));
        let mut last = Some(NOW);
        while !queue.is_empty() && max > 0 {
            let let_in: Vec<bool> = queue.drain(..left.min(queue.len())).collect();
            if let_in.contains(&true) {
                last = Some(at);
            }
            (at, ends, left) = (ends, ends + 6 * HOUR, max);
        }
        if max == 0 && count > 0 { None } else { last }
    }

    #[test]
    fn it_agrees_with_letting_them_in_one_window_after_the_other() {
        for max in 0..4 {
            for taken in 0..5 {
                for before in 0..5 {
                    for count in 0..9 {
                        let limits = limits(max, NOW - HOUR, ids(0..taken), ids(10..10 + before));
                        let found = estimate(&limits, &ids(100..100 + count), NOW);
                        let size = |n: u32| usize::try_from(n).expect("small");
                        let expected = simulated(size(max), size(taken), size(before), size(count));
                        let expected = expected.map_or(Last::Never, Last::At);
                        assert_eq!(found.last, expected, "{max} {taken} {before} {count}");
                        assert_eq!(found.now + found.waiting, size(count));
                    }
                }
            }
        }
    }

    #[test]
    fn a_duplicate_counts_only_while_it_queues() {
        let limits = limits(5, NOW, vec![], ids(1..2));
        assert_eq!(
            ours(&limits, ids(7..8), ids(0..3)),
            ids(1..2).into_iter().chain(ids(7..8)).collect::<Vec<_>>()
        );
    }
}
