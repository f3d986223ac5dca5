//! Every state that legal facts can reach, and what holds in all of them.
//!
//! States that differ only in times, texts and counts are one; a plan of one step is made again
//! once, a longer one never.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::builders::{Walk, plan};
use crate::{End, Owner, Phase, Policy, State, fact_names};

/// What the facts to come can depend on.
fn key(state: &State) -> String {
    format!(
        "{:?}",
        (
            (
                state.phase,
                state.step,
                state.done.len(),
                state.pending.is_some(),
                state.replans
            ),
            (
                &state.backup,
                state.baseline.is_some(),
                state.raised,
                state.whole,
                state.started
            ),
            (
                state.pushes.is_empty(),
                state.pushed.is_some(),
                state.reverts.is_empty()
            ),
            state.reverted.as_ref().map(|(commit, _)| commit.is_some()),
            state.stopped.as_ref().map(|stopped| stopped.phase),
        )
    )
}

/// A walk to a state, and the facts that may follow with the states they lead to.
type Explored = (Walk, Vec<(&'static str, String)>);

/// One walk to each state that can be reached with the plan, and the states that follow it.
fn explore(steps: u32, backup: bool, policy: Policy) -> HashMap<String, Explored> {
    let replans = if steps == 1 { 1 } else { 0 };
    let mut seen = HashMap::new();
    let mut queue = VecDeque::from([Walk::along(plan(steps, backup, policy), "requested")]);
    while let Some(walk) = queue.pop_front() {
        let at = key(walk.state());
        if seen.contains_key(&at) {
            continue;
        }
        let mut follow = Vec::new();
        for name in fact_names() {
            if let Ok((fact, step)) = walk.try_fact(name)
                && step.state.replans <= replans
            {
                let to = key(&step.state);
                if !seen.contains_key(&to) {
                    let mut next = walk.clone();
                    next.facts.push(Rc::new(fact));
                    next.state = Some(step.state);
                    queue.push_back(next);
                }
                follow.push((*name, to));
            }
        }
        seen.insert(at, (walk, follow));
    }
    seen
}

/// Calls the check with every state that any of the plans leads to.
pub(super) fn everywhere(check: impl Fn(&Walk)) {
    for (steps, backup, policy) in plans() {
        for (walk, _) in explore(steps, backup, policy).values() {
            check(walk);
        }
    }
}

fn plans() -> [(u32, bool, Policy); 5] {
    let normal = Policy::default();
    [
        (1, false, normal),
        (1, true, normal),
        (2, true, normal),
        (
            1,
            false,
            Policy {
                approval: true,
                ..normal
            },
        ),
        (
            1,
            true,
            Policy {
                observe: true,
                ..normal
            },
        ),
    ]
}

fn names(walk: &Walk) -> String {
    walk.facts
        .iter()
        .map(|fact| fact.body.name())
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn an_open_upgrade_has_an_owner_with_a_command_or_waits_in_a_named_way() {
    everywhere(|walk| {
        let state = walk.state();
        let waits = matches!(
            state.phase,
            Phase::Held | Phase::AwaitingApproval | Phase::Stuck | Phase::Parked
        );
        assert_eq!(
            state.next() == Owner::None,
            state.command().is_none(),
            "{}",
            names(walk)
        );
        assert!(
            state.command().is_some() || waits || state.phase.is_end(),
            "{}",
            names(walk)
        );
    });
}

#[test]
fn every_state_can_end_without_being_parked_or_stuck_first() {
    // What only a person says helps only where a person is waited for.
    let helps = |state: &State, name: &str| match name {
        "approved" => state.phase == Phase::AwaitingApproval,
        "resolved" => matches!(state.phase, Phase::Stuck | Phase::Parked),
        "cancel_requested" | "retry_requested" | "stuck" | "parked" | "nudged" | "tried" => false,
        _ => true,
    };
    for (steps, backup, policy) in plans() {
        let explored = explore(steps, backup, policy);
        let mut ends: HashMap<&str, bool> = explored
            .iter()
            .map(|(at, (walk, _))| (at.as_str(), walk.state().phase.is_end()))
            .collect();
        loop {
            let mut grown = false;
            for (at, (walk, follow)) in &explored {
                let leads = follow.iter().any(|(name, to)| {
                    helps(walk.state(), name) && ends.get(to.as_str()) == Some(&true)
                });
                if leads && ends.insert(at, true) == Some(false) {
                    grown = true;
                }
            }
            if !grown {
                break;
            }
        }
        for (at, (walk, _)) in &explored {
            assert!(
                ends.get(at.as_str()) == Some(&true),
                "no end after {}",
                names(walk)
            );
        }
    }
}

#[test]
fn what_was_pushed_gets_a_verdict_before_the_end() {
    everywhere(|walk| {
        let state = walk.state();
        let Phase::Ended(end) = state.phase else {
            return;
        };
        let last_push = walk
            .facts
            .iter()
            .rposition(|fact| fact.body.name() == "pushed");
        let Some(last_push) = last_push else { return };
        let verified_since = walk
            .facts
            .iter()
            .skip(last_push)
            .any(|fact| matches!(fact.body.name(), "verified" | "succeeded"));
        let judged = matches!(end, End::Succeeded | End::RolledBack | End::Resolved);
        assert!(judged || verified_since, "{end:?} after {}", names(walk));
    });
}

#[test]
fn nobody_undoes_what_was_never_pushed() {
    everywhere(|walk| {
        if walk.state().phase.is_undo() {
            assert!(walk.state().pushed.is_some(), "{}", names(walk));
        }
    });
}

#[test]
fn a_backup_that_is_due_precedes_every_push() {
    everywhere(|walk| {
        if walk.state().phase == Phase::Pushing {
            assert!(!walk.state().backup_due(), "{}", names(walk));
        }
    });
}

#[test]
fn a_cancel_is_answered_by_the_owner_or_overtaken() {
    everywhere(|walk| {
        let state = walk.state();
        if state.pending.is_some() && !matches!(state.phase, Phase::Parked) {
            let answered = ["cancelled", "rollback_requested"]
                .iter()
                .any(|name| walk.try_fact(name).is_ok());
            let finishing = matches!(state.phase, Phase::BackingUp | Phase::Pushing);
            assert!(answered || finishing, "{}", names(walk));
            assert!(state.command().is_some(), "{}", names(walk));
        }
    });
}
