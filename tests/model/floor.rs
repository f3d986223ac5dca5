//! What the runs of every day have to bring about at least: promises that were never put to the test
//! hold always.

use std::collections::BTreeMap;

/// In each of the four parts.
const LEAST: [(&str, usize); 32] = [
    ("requested", 200),
    ("planned", 180),
    ("approved", 40),
    ("started", 150),
    ("backed_up", 140),
    ("pushed", 200),
    ("applied", 200),
    ("failing_since", 8),
    ("verified", 50),
    ("succeeded", 100),
    ("rollback_requested", 30),
    ("reverted", 30),
    ("rolled_back", 25),
    ("stuck", 15),
    ("resolved", 8),
    ("retry_requested", 7),
    ("cancel_requested", 10),
    ("cancelled", 6),
    ("aborted", 8),
    ("skipped", 20),
    ("held", 4),
    ("replan", 5),
    ("ci_absent", 6),
    ("undo: CI failed", 5),
    ("undo: unhealthy", 2),
    ("undo: wanted back", 8),
    ("answer: opened", 200),
    ("answer: duplicate", 40),
    ("answer: unavailable", 15),
    ("death", 50),
    ("pause", 8),
    ("nudged", 1),
];

/// Fails if too little happened.
pub(crate) fn check(seen: &BTreeMap<&str, usize>) {
    let count = |what: &str| seen.get(what).copied().unwrap_or(0);
    let scarce: Vec<_> = LEAST
        .iter()
        .filter(|(what, least)| count(what) < *least)
        .map(|(what, least)| format!("{what}: {} of {least}", count(what)))
        .collect();
    assert!(scarce.is_empty(), "too little happened: {scarce:?}");
}
