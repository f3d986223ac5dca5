//! One run: a list of operations, then quiet, then the judgement.

use std::sync::Arc;
use std::time::Duration;

use bus::History;
use job::{Body, Cause, Claim, Command, Phase};
use tokio::time::sleep;

use crate::invariants::judge;
use crate::ops::{Act, Op};
use crate::system::System;

/// Whatever happened, it is over within this.
const QUIET_WITHIN: Duration = Duration::from_secs(60 * 3_600);
/// How often is looked whether it is quiet.
const LOOK: Duration = Duration::from_secs(120);
/// So often a person sees to what is stuck, and to what waited for it.
const ROUNDS: usize = 12;

/// What a run was like, for people.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// What is broken; empty if all is well.
    pub(crate) broken: Vec<String>,
    /// What happened, line by line.
    pub(crate) story: Vec<String>,
    /// The names of all facts, and of what else happened.
    pub(crate) seen: Vec<&'static str>,
}

/// Plays a list in a world of its own, on virtual time.
pub(crate) fn play(seed: u64, ops: &[Op]) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let system = System::start(seed);
        system.play(ops).await;
        system.calm().await;
        judged(&system).await
    })
}

async fn judged(system: &Arc<System>) -> Played {
    let mut played = Played::default();
    for round in 0..ROUNDS {
        let (histories, quiet) = quiet(system).await;
        let judged = judge(system, &histories).await;
        (played.broken, played.seen) = (judged.broken, judged.seen);
        if let Err(open) = quiet {
            played.broken.extend(open);
        }
        let all_over = histories.iter().all(|history| history.state.phase.is_end());
        if !played.broken.is_empty() || all_over {
            tell(system, &histories, &mut played);
            return played;
        }
        // Some go on where they stopped, once.
        let act = |place: usize| match round {
            0 if place.is_multiple_of(2) => Act::Retry,
            _ => Act::Resolve,
        };
        for (place, history) in histories.iter().enumerate() {
            if matches!(history.state.phase, Phase::Stuck | Phase::Parked) {
                system.judged(&history.id, act(place)).await;
            }
        }
    }
    let histories = system.histories().await;
    played
        .broken
        .push("a person settles and settles, and it does not end".to_owned());
    tell(system, &histories, &mut played);
    played
}

/// Lets time pass until every upgrade is over or waits for a person; or says which do not.
async fn quiet(system: &System) -> (Vec<History>, Result<(), Vec<String>>) {
    let looks = QUIET_WITHIN.as_secs() / LOOK.as_secs();
    let mut histories = Vec::new();
    for _ in 0..looks {
        sleep(LOOK).await;
        histories = system.histories().await;
        if histories.iter().all(|history| settled(history, &histories)) {
            return (histories, Ok(()));
        }
    }
    let open = histories
        .iter()
        .filter(|history| !settled(history, &histories))
        .map(|history| format!("{} is {:?} for ever", history.id, history.state.phase))
        .collect();
    (histories, Err(open))
}

/// Over, or waiting for a person, or behind one that does.
fn settled(history: &History, all: &[History]) -> bool {
    let state = &history.state;
    if state.phase.is_end() || matches!(state.phase, Phase::Stuck | Phase::Parked) {
        return true;
    }
    let queues = matches!(
        state.command(),
        Some(Command::TakeSlots | Command::BuildRevert)
    );
    let slot = Claim::slot(state);
    queues
        && all.iter().any(|other| {
            matches!(other.state.phase, Phase::Stuck | Phase::Parked)
                && Claim::slot(&other.state) == slot
        })
}

fn tell(system: &System, histories: &[History], played: &mut Played) {
    let mut lines: Vec<(i64, String)> = std::mem::take(&mut system.world.things().told);
    played.seen.append(&mut system.world.things().seen);
    for history in histories {
        for entry in &history.entries {
            let body = &entry.fact.body;
            played.seen.push(body.name());
            if let Body::RollbackRequested { cause, .. } = body {
                played.seen.push(match cause {
                    Cause::CiFailed => "undo: CI failed",
                    Cause::NotApplied => "undo: not applied",
                    Cause::Unhealthy => "undo: unhealthy",
                    Cause::Cancelled => "undo: cancelled",
                    Cause::Person => "undo: wanted back",
                });
            }
            let text = format!(
                "{} {} {}: {}",
                history.id,
                entry.n,
                body.name(),
                job::describe(body)
            );
            lines.push((entry.fact.at_ms, text));
        }
    }
    lines.sort_by_key(|(at_ms, _)| *at_ms);
    let began = lines.first().map_or(0, |(at_ms, _)| *at_ms);
    played.story = lines
        .into_iter()
        .map(|(at_ms, text)| format!("{:>9.1} s  {text}", seconds(at_ms - began)))
        .collect();
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
