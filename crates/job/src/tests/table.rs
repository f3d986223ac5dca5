//! What each fact does in each state, as a table that people review: `table.txt`. A state stands
//! with its owner and command, and under it each legal fact with the state it leads to; a fact that
//! is not listed under a state is illegal in it.
//!
//! After a change that is meant, run `BOWLINE_UPDATE_TABLE=1 cargo test -p job table` and review
//! the difference line by line: it is the change.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::builders::{Walk, plan};
use crate::{Phase, Plan, Policy, fact_names};

const TABLE: &str = include_str!("table.txt");

/// A state to judge every fact in, reached from an earlier one by the facts named.
struct Case(&'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    Case("Requested", "", "requested"),
    Case("Held", "Requested", "held"),
    Case("Admitted", "Requested", "admitted"),
    Case("Planned", "Admitted", "planned"),
    Case("AwaitingApproval", "Admitted", "planned"),
    Case("Approved", "AwaitingApproval", "approved"),
    Case("Started", "Planned", "started"),
    Case("Replanning", "Started", "replan"),
    Case("BackingUp", "Started", "backing_up"),
    Case("BackedUp", "BackingUp", "backed_up"),
    Case("Ready", "BackedUp", "ready"),
    Case("SteppedBack", "Ready", "stepped_back"),
    Case("Baselined", "Ready", "baselined"),
    Case("Pushing", "Baselined", "pushing"),
    Case("Pushed", "Pushing", "pushed"),
    Case("CiPassed", "Pushed", "ci_passed"),
    Case("CiAbsent", "Pushed", "ci_absent"),
    Case("Pushed, run restarted", "CiPassed", "ci_restarting"),
    Case(
        "CiPassed, run restarted",
        "Pushed, run restarted",
        "ci_passed",
    ),
    Case("Watching", "CiPassed", "applied"),
    Case("Verified", "Watching", "verified"),
    Case("RollbackRequested", "Watching", "rollback_requested"),
    Case("Reverting", "RollbackRequested", "reverting"),
    Case("Reverted", "Reverting", "reverted"),
    Case("UndoCiPassed", "Reverted", "ci_passed"),
    Case("UndoCiAbsent", "Reverted", "ci_absent"),
    Case("UndoWatching", "UndoCiPassed", "applied"),
    Case("Stuck", "Watching", "stuck"),
    Case("Parked", "Watching", "parked"),
    Case("Ended(Skipped)", "Planned", "skipped"),
    Case("Ended(Aborted)", "BackingUp", "aborted"),
    Case("Ended(RolledBack)", "UndoWatching", "rolled_back"),
    Case("Ended(Cancelled)", "Started", "cancel_requested cancelled"),
    Case("Ended(Superseded)", "Planned", "superseded"),
    Case("Ended(Split)", "Admitted", "split"),
    Case("Ended(Resolved)", "Stuck", "resolved"),
    Case(
        "Watching, last step",
        "Verified",
        "backing_up backed_up ready baselined pushing pushed ci_passed applied",
    ),
    Case("Ended(Succeeded)", "Watching, last step", "succeeded"),
    Case(
        "RollbackRequested, after the end",
        "Ended(Succeeded)",
        "rollback_requested",
    ),
    Case("Planned, observe", "Admitted", "planned"),
    Case("Started, no backup", "Admitted", "planned started"),
    Case(
        "Reverted, nothing to revert",
        "RollbackRequested",
        "reverted",
    ),
    Case("BackingUp, turn kept", "Baselined", "backing_up"),
    Case("SteppedBack, limit raised", "Watching", "resource_raised"),
    Case(
        "BackedUp, limit raised",
        "Baselined, limit raised",
        "backing_up backed_up",
    ),
    Case(
        "Baselined, limit raised",
        "SteppedBack, limit raised",
        "ready baselined",
    ),
    Case(
        "Pushing, limit raised",
        "Baselined, limit raised",
        "pushing",
    ),
    Case("Requested, cancel asked", "Requested", "cancel_requested"),
    Case("Held, cancel asked", "Held", "cancel_requested"),
    Case("Admitted, cancel asked", "Admitted", "cancel_requested"),
    Case(
        "AwaitingApproval, cancel asked",
        "AwaitingApproval",
        "cancel_requested",
    ),
    Case("Planned, cancel asked", "Planned", "cancel_requested"),
    Case("BackingUp, cancel asked", "BackingUp", "cancel_requested"),
    Case("Ready, cancel asked", "Ready", "cancel_requested"),
    Case("Pushing, cancel asked", "Pushing", "cancel_requested"),
    Case("Pushed, cancel asked", "Pushed", "cancel_requested"),
    Case("Watching, cancel asked", "Watching", "cancel_requested"),
    Case("Parked, cancel asked", "Watching, cancel asked", "parked"),
    Case(
        "Baselined, limit raised, cancel asked",
        "Baselined, limit raised",
        "cancel_requested",
    ),
    Case(
        "SteppedBack, limit raised, cancel asked",
        "SteppedBack, limit raised",
        "cancel_requested",
    ),
    Case(
        "Pushing, limit raised, cancel asked",
        "Pushing, limit raised",
        "cancel_requested",
    ),
];

/// Two steps with backup, unless the state is about something else.
fn plan_of(title: &str) -> Plan {
    let policy = Policy {
        observe: title.ends_with("observe"),
        approval: title.starts_with("AwaitingApproval") || title == "Approved",
        ..Policy::default()
    };
    plan(2, !title.ends_with("no backup"), policy)
}

fn path_of(title: &str) -> String {
    let Some(Case(_, parent, facts)) = CASES.iter().find(|case| case.0 == title) else {
        panic!("no case `{title}`");
    };
    if parent.is_empty() {
        (*facts).to_owned()
    } else {
        format!("{} {facts}", path_of(parent))
    }
}

fn walk_to(title: &str) -> Walk {
    Walk::along(plan_of(title), &path_of(title))
}

fn block(title: &str) -> String {
    let walk = walk_to(title);
    let state = walk.state();
    let command =
        |command: Option<_>| command.map_or_else(|| "-".to_owned(), |it| format!("{it:?}"));
    let mut text = format!(
        "{title} ({}, {})\n",
        state.next().as_str(),
        command(state.command())
    );
    for name in fact_names() {
        if let Ok((_, step)) = walk.try_fact(name) {
            writeln!(
                text,
                "  {name:<18} -> {:?} ({}, {})",
                step.state.phase,
                step.next.as_str(),
                command(step.command)
            )
            .unwrap();
        }
    }
    text.push('\n');
    text
}

#[test]
fn every_fact_in_every_state_does_what_the_table_says() {
    let found: String = CASES.iter().map(|case| block(case.0)).collect();
    if std::env::var_os("BOWLINE_UPDATE_TABLE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/table.txt");
        std::fs::write(path, &found).unwrap();
        return;
    }
    for (number, (found, expected)) in found.lines().zip(TABLE.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of table.txt", number + 1);
    }
    assert_eq!(
        found.lines().count(),
        TABLE.lines().count(),
        "lines of table.txt"
    );
}

#[test]
fn the_table_speaks_of_every_phase_under_its_name() {
    let mut titles = BTreeMap::new();
    for Case(title, ..) in CASES {
        let phase = format!("{:?}", walk_to(title).state().phase);
        assert_eq!(title.split(", ").next(), Some(phase.as_str()));
        titles.insert(phase, title);
    }
    for phase in Phase::ALL {
        assert!(titles.contains_key(&format!("{phase:?}")), "{phase:?}");
    }
    assert_eq!(titles.len(), Phase::ALL.len(), "Phase::ALL lacks a phase");
}
