//! A failing list, made as short as it can be.

use crate::number;
use crate::ops::Op;
use crate::play::{Played, play};

/// So many runs are spent on it, if not told otherwise.
const BUDGET: u64 = 150;

/// Fails the test with the shortest list that was found.
pub(crate) fn report(seed: u64, ops: Vec<Op>, played: Played) -> ! {
    let before = ops.len();
    let (ops, played) = shrunk(seed, ops, played);
    panic!(
        "seed {seed}, {} of {before} operations are enough:\n{ops:#?}\n{}\n\nbroken:\n  {}\n\n\
         replay it with BOWLINE_MODEL_SEED={seed}",
        ops.len(),
        played.story.join("\n"),
        played.broken.join("\n  "),
    );
}

/// Leaves out runs of operations, halves first, as long as something stays broken.
fn shrunk(seed: u64, mut ops: Vec<Op>, mut played: Played) -> (Vec<Op>, Played) {
    let mut budget = number("BOWLINE_MODEL_SHRINK").unwrap_or(BUDGET);
    let mut length = ops.len() / 2;
    while length > 0 {
        let mut start = 0;
        let mut shorter = false;
        while start < ops.len() && budget > 0 {
            budget -= 1;
            let end = (start + length).min(ops.len());
            let mut candidate = ops.clone();
            candidate.drain(start..end);
            let again = play(seed, &candidate);
            if again.broken.is_empty() {
                start = end;
            } else {
                (ops, played, shorter) = (candidate, again, true);
            }
        }
        if !(shorter && length == 1) {
            length /= 2;
        }
    }
    (ops, played)
}
