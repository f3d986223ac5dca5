//! Random lists of things that happen, to the whole of Bowline in one process and on virtual time;
//! then quiet, and what must hold is judged.
//!
//! `BOWLINE_MODEL_SEED=7` replays one run and tells it; `BOWLINE_MODEL_RUNS=1000` makes more of
//! them than the few of every day.
#![expect(
    clippy::print_stdout,
    clippy::panic,
    reason = "the helpers of a test tell and end it"
)]

mod dice;
mod floor;
mod found;
mod invariants;
mod ops;
mod play;
mod shrink;
mod system;
mod world;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

use crate::dice::Dice;
use crate::ops::Op;
use crate::play::{Played, play};

/// The runs of every day, all four parts together: as many as two cores make in two minutes.
const RUNS: u64 = 400;
/// Each part makes so many more, of seeds that nobody has seen before.
const FRESH: u64 = 4;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Every fourth run, so that four tests share the cores.
fn part(of_four: u64) {
    let runs = number("BOWLINE_MODEL_RUNS");
    if let Some(seed) = number("BOWLINE_MODEL_SEED") {
        if seed % 4 == of_four {
            let (ops, played) = run(seed);
            println!("{ops:#?}\n{}", played.story.join("\n"));
        }
        return;
    }
    let from = number("BOWLINE_MODEL_FROM").unwrap_or(0);
    let mut seen = BTreeMap::new();
    for seed in (from..from + runs.unwrap_or(RUNS)).filter(|seed| seed % 4 == of_four) {
        for what in run(seed).1.seen {
            *seen.entry(what).or_default() += 1;
        }
    }
    println!("seen: {seen:?}");
    if runs.is_some() {
        return;
    }
    floor::check(&seen);
    let chance = RandomState::new();
    for fresh in 0..FRESH {
        run(chance.hash_one(fresh) % 1_000_000_000 * 4 + of_four);
    }
}

/// One run; fails with the shortest list that breaks a promise. Its seed is told before, so that it is
/// known whatever becomes of the run.
fn run(seed: u64) -> (Vec<Op>, Played) {
    println!("seed {seed}");
    let ops = ops::list(&mut Dice::new(seed));
    let played = play(seed, &ops);
    if played.broken.is_empty() {
        return (ops, played);
    }
    shrink::report(seed, ops, played)
}

#[test]
fn whatever_happens_the_promises_hold_1() {
    part(0);
}

#[test]
fn whatever_happens_the_promises_hold_2() {
    part(1);
}

#[test]
fn whatever_happens_the_promises_hold_3() {
    part(2);
}

#[test]
fn whatever_happens_the_promises_hold_4() {
    part(3);
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    for seed in [3, 6] {
        let ops = ops::list(&mut Dice::new(seed));
        let (first, again) = (play(seed, &ops), play(seed, &ops));
        assert_eq!(first.story, again.story);
    }
}
