use proptest::prelude::*;

use super::builders::{Walk, id, plan};
use crate::{Fact, Illegal, Policy, fact_names, fold, step};

/// Facts that stop or end an upgrade; drawn seldom, so that walks get far.
const LAST: [&str; 11] = [
    "aborted",
    "cancelled",
    "parked",
    "resolved",
    "rolled_back",
    "skipped",
    "split",
    "stuck",
    "succeeded",
    "superseded",
    "replan",
];

/// A log of legal facts, drawn one by one.
fn log() -> impl Strategy<Value = Walk> {
    let policy =
        (any::<bool>(), prop::bool::weighted(0.1)).prop_map(|(approval, observe)| Policy {
            observe,
            approval,
            ..Policy::default()
        });
    let choices = prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..80);
    (1..=3_u32, any::<bool>(), policy, choices).prop_map(|(steps, backup, policy, choices)| {
        let mut walk = Walk::along(plan(steps, backup, policy), "requested");
        for (choice, seldom) in choices {
            let legal = |last: bool| -> Vec<&str> {
                let names = fact_names().iter().copied();
                let wanted = names.filter(|name| LAST.contains(name) == last);
                wanted.filter(|name| walk.try_fact(name).is_ok()).collect()
            };
            let mut names = legal(seldom == 0);
            if names.is_empty() {
                names = legal(seldom != 0);
            }
            if names.is_empty() {
                break;
            }
            walk.say(names[choice.index(names.len())]).unwrap();
        }
        walk
    })
}

proptest! {
    #[test]
    fn a_log_that_is_read_again_gives_the_same_state(walk in log()) {
        prop_assert_eq!(fold(&id(), walk.facts.iter().map(AsRef::as_ref)).unwrap(), walk.state);
    }

    #[test]
    fn the_beginning_of_a_log_is_a_log(walk in log(), cut in any::<prop::sample::Index>()) {
        let begin = &walk.facts[..=cut.index(walk.facts.len())];
        let state = fold(&id(), begin.iter().map(AsRef::as_ref)).unwrap().unwrap();
        prop_assert_eq!(state.facts, u64::try_from(begin.len()).unwrap());
    }

    #[test]
    fn steps_only_grow_and_live_is_what_was_verified_last(walk in log()) {
        let mut before = 0;
        let mut state = None;
        for fact in &walk.facts {
            let step = step(&id(), state.as_ref(), fact).unwrap();
            prop_assert!(step.state.step >= before);
            before = step.state.step;
            state = Some(step.state);
        }
        let state = walk.state();
        // What an undo or a person left is said by its fact.
        if let Some(done) = state.done.last().filter(|_| state.settled.is_none()) {
            prop_assert_eq!(state.live(), done.to.as_str());
        }
    }

    #[test]
    fn a_fact_of_another_step_is_refused(walk in log(), name in prop::sample::select(fact_names())) {
        if let Ok((fact, _)) = walk.try_fact(name) && name != "planned" {
            let fact = Fact { step: fact.step + 1, ..fact };
            let refused = step(&id(), walk.state.as_ref(), &fact);
            prop_assert!(matches!(refused, Err(Illegal::OtherStep { .. })), "{refused:?}");
        }
    }

    #[test]
    fn nudges_and_attempts_change_nothing_but_their_counts(walk in log()) {
        for name in ["nudged", "tried"] {
            if let Ok((_, step)) = walk.try_fact(name) {
                prop_assert_eq!(step.state.phase, walk.state().phase);
                prop_assert_eq!(step.state.since_ms, walk.state().since_ms);
                prop_assert_eq!(step.next, walk.state().next());
            }
        }
    }
}

#[test]
fn only_requested_opens_a_log_and_only_once() {
    let policy = Policy::default();
    for name in fact_names() {
        let opens = Walk::new(plan(1, false, policy)).try_fact(name).is_ok();
        assert_eq!(opens, *name == "requested", "{name}");
    }
    let again = Walk::along(plan(1, false, policy), "requested").try_fact("requested");
    assert_eq!(again.unwrap_err(), Illegal::Opening("requested"));
}

#[test]
fn an_empty_log_is_no_upgrade() {
    assert_eq!(fold(&id(), []), Ok(None));
}

#[test]
fn a_third_new_plan_is_the_last() {
    let path = "requested admitted planned started replan planned started replan planned started \
                replan planned started";
    let walk = Walk::along(plan(1, false, Policy::default()), path);
    assert_eq!(walk.state().replans, 3);
    assert!(walk.try_fact("replan").is_err());
}

#[test]
fn a_retry_goes_on_where_it_stopped() {
    let path = "requested admitted planned started ready baselined pushing pushed ci_passed stuck";
    let mut walk = Walk::along(plan(1, false, Policy::default()), path);
    walk.say("retry_requested").unwrap();
    assert_eq!(walk.state().phase, crate::Phase::CiPassed);
    assert_eq!(walk.state().stopped, None);
}

#[test]
fn a_new_plan_in_the_middle_keeps_what_is_done() {
    let step = "ready baselined pushing pushed ci_passed applied";
    let first = format!("requested admitted planned started {step} verified ready baselined");
    let mut walk = Walk::along(plan(3, false, Policy::default()), &first);
    walk.say("replan").unwrap();
    // What is left from version 1 on: over 5 to 6.
    let mut rest = plan(6, false, Policy::default());
    rest.from = "1".into();
    rest.steps.drain(..4);
    rest.steps[0].sites[0].before = "1".into();
    walk.plan = std::rc::Rc::new(rest);
    walk.say("planned").unwrap();
    let state = walk.state();
    let plan = state.plan.as_ref().unwrap();
    let versions: Vec<&str> = plan.steps.iter().map(|step| step.to.as_str()).collect();
    assert_eq!(versions, ["1", "5", "6"]);
    assert_eq!(
        (state.step, plan.from.as_str(), state.live()),
        (2, "0", "1")
    );
    for name in format!("started {step} verified {step}").split_whitespace() {
        walk.say(name).unwrap();
    }
    assert_eq!((walk.state().undo_to(), walk.state().step), ("5", 3));
    walk.say("succeeded").unwrap();
    walk.say("rollback_requested").unwrap();
    assert_eq!(walk.state().undo_to(), "0");
}

#[test]
fn an_undo_goes_back_one_step_and_after_the_end_all_of_them() {
    let step = "ready baselined pushing pushed ci_passed applied";
    let first = format!("requested admitted planned started {step} verified {step}");
    let plan = || plan(2, false, Policy::default());
    let failed = Walk::along(plan(), &format!("{first} rollback_requested"));
    assert_eq!(
        (failed.state().undo_to(), failed.state().live()),
        ("1", "1")
    );
    let whole = Walk::along(plan(), &format!("{first} succeeded rollback_requested"));
    assert_eq!(whole.state().undo_to(), "0");
}
