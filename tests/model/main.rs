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
mod found;
mod invariants;
mod ops;
mod play;
mod shrink;
mod system;
mod world;

use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::play::play;

/// The runs of every day, all four parts together.
const RUNS: u64 = 240;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Every fourth run, so that four tests share the cores.
fn part(of_four: u64) {
    let (first, end) = match number("BOWLINE_MODEL_SEED") {
        Some(seed) if seed % 4 == of_four => (seed, seed + 1),
        Some(_) => return,
        None => {
            let from = number("BOWLINE_MODEL_FROM").unwrap_or(0);
            (from, from + number("BOWLINE_MODEL_RUNS").unwrap_or(RUNS))
        }
    };
    let mut facts: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in (first..end).filter(|seed| seed % 4 == of_four) {
        let ops = ops::list(&mut Dice::new(seed));
        let played = play(seed, &ops);
        for fact in &played.facts {
            *facts.entry(fact).or_default() += 1;
        }
        if !played.broken.is_empty() {
            shrink::report(seed, ops, played);
        }
        if end == first + 1 {
            println!("{ops:#?}\n{}", played.story.join("\n"));
        }
    }
    println!("facts: {facts:?}");
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
