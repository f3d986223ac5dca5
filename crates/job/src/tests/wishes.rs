//! What a person's cancel comes to, whenever it comes.

use super::builders::{Walk, plan};
use super::explored::everywhere;
use crate::{Command, End, Owner, Phase, Policy};

/// The fact with which an owner answers a command while a cancel waits.
fn answer(walk: &Walk) -> &'static str {
    let state = walk.state();
    match (state.command(), state.phase) {
        (Some(Command::AnswerCancel | Command::Cancel), _) => "cancelled",
        // What was begun is finished, and its commit undone.
        (Some(Command::FinishBackup), _) => "backed_up",
        (Some(Command::FinishPush), _) => "pushed",
        (Some(Command::RequestUndo), _) => "rollback_requested",
        (Some(Command::BuildRevert), _) => "reverting",
        (Some(Command::FinishRevert), _) => "reverted",
        (Some(Command::FollowCi), Phase::Reverted) => "ci_passed",
        (Some(Command::CheckApplied), _) => "applied",
        (Some(Command::Watch), Phase::UndoWatching) => "rolled_back",
        (other, phase) => panic!("{other:?} in {phase:?} leaves a cancel without an answer"),
    }
}

/// Lets the owners answer until it is over.
fn follow(mut walk: Walk, push: &str) -> End {
    for _ in 0..10 {
        if let Phase::Ended(end) = walk.state().phase {
            return end;
        }
        assert_ne!(walk.state().next(), Owner::None);
        let name = match walk.state().command() {
            Some(Command::CancelPush) => push,
            _ => answer(&walk),
        };
        walk.say(name).unwrap();
    }
    panic!("a cancel leads in circles: {:?}", walk.state().phase);
}

#[test]
fn whatever_is_cancelled_ends_cancelled_or_undone() {
    everywhere(|walk| {
        let mut cancelled = walk.clone();
        if cancelled.say("cancel_requested").is_err() {
            return;
        }
        let in_branch = cancelled.state().pushed.is_some();
        // A push on its way lands, or can be shown never to land.
        for (push, landed) in [("pushed", true), ("cancelled", false)] {
            let pushing = cancelled.state().command() == Some(Command::CancelPush);
            let undone = in_branch || (pushing && landed);
            let expected = if undone {
                End::RolledBack
            } else {
                End::Cancelled
            };
            assert_eq!(follow(cancelled.clone(), push), expected);
        }
    });
}

#[test]
fn the_phases_in_which_a_cancel_is_heard() {
    let heard = |policy: Policy, names: &str| {
        let walk = Walk::along(plan(2, true, policy), names);
        walk.try_fact("cancel_requested").is_ok()
    };
    let normal = Policy::default();
    let pushed = "requested admitted planned started backing_up backed_up ready baselined pushing \
                  pushed ci_passed applied";
    let names: Vec<&str> = pushed.split_whitespace().collect();
    for count in 1..=names.len() {
        assert!(heard(normal, &names[..count].join(" ")), "{count}");
    }
    let approval = Policy {
        approval: true,
        ..normal
    };
    assert!(heard(approval, "requested admitted planned"));
    assert!(heard(approval, "requested admitted planned approved"));
    assert!(heard(normal, "requested held"));
    assert!(heard(normal, &format!("{pushed} verified")));
    // An undo is never stopped, and what waits for a person is retried or resolved.
    for last in [
        "rollback_requested",
        "rollback_requested reverting",
        "stuck",
        "parked",
    ] {
        assert!(!heard(normal, &format!("{pushed} {last}")), "{last}");
    }
}

#[test]
fn a_whole_undo_goes_back_to_where_the_first_plan_began() {
    let step = "backing_up backed_up ready baselined pushing pushed ci_passed applied";
    let first = format!("requested admitted planned started {step} verified");
    let mut walk = Walk::along(plan(2, true, Policy::default()), &first);
    let from = walk.state().undo_to().to_owned();
    let began = walk.state().plan.as_ref().unwrap().from.clone();
    // The second plan speaks of what is left.
    for name in ["backing_up", "backed_up", "ready", "baselined", "replan"] {
        walk.say(name).unwrap();
    }
    let mut rest = plan(1, true, Policy::default());
    rest.from = from;
    rest.steps[0].to = "2".into();
    assert_ne!(began, rest.from);
    walk.plan = std::rc::Rc::new(rest);
    for name in format!("planned started {step} succeeded rollback_requested").split_whitespace() {
        walk.say(name).unwrap();
    }
    assert!(walk.state().whole);
    assert_eq!(walk.state().undo_to(), began);
    for name in "reverting reverted ci_passed applied".split_whitespace() {
        walk.say(name).unwrap();
    }
    assert_eq!(walk.state().live(), "2", "the last verified one");
    walk.say("rolled_back").unwrap();
    assert_eq!(walk.state().live(), "0", "what the undo left");
}
