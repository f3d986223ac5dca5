use super::builders::{Walk, plan};
use crate::{Claim, Phase, Policy, State, UpgradeId, needs};

fn at(names: &str) -> State {
    Walk::along(plan(2, true, Policy::default()), names)
        .state
        .unwrap()
}

const STARTED: &str = "requested admitted planned started";
const READY: &str = "requested admitted planned started backing_up backed_up ready";

fn needed(state: &State) -> [bool; 3] {
    [
        Claim::slot(state).is_some_and(|claim| needs(&claim, state.step, state)),
        Claim::backup(state).is_some_and(|claim| needs(&claim, state.step, state)),
        needs(&Claim::turn(state), state.step, state),
    ]
}

#[test]
fn claims_are_needed_slot_then_backup_then_turn() {
    for (facts, expected) in [
        ("requested admitted", [false, false, false]),
        ("requested admitted planned", [true, false, false]),
        (STARTED, [true, true, false]),
        (
            "requested admitted planned started backing_up",
            [true, true, false],
        ),
        (
            "requested admitted planned started backing_up backed_up",
            [true, false, true],
        ),
        (READY, [true, false, true]),
    ] {
        assert_eq!(needed(&at(facts)), expected, "{facts}");
    }
}

#[test]
fn a_new_plan_that_needs_approval_keeps_the_slot_of_what_was_started() {
    let policy = Policy {
        approval: true,
        ..Policy::default()
    };
    let first = "requested admitted planned";
    let again = format!("{first} approved started replan planned");
    for (facts, expected) in [(first, false), (again.as_str(), true)] {
        let state = Walk::along(plan(1, false, policy), facts).state.unwrap();
        assert_eq!(state.phase, Phase::AwaitingApproval);
        assert_eq!(needed(&state), [expected, false, false], "{facts}");
    }
}

#[test]
fn a_backup_that_is_renewed_keeps_the_turn() {
    assert_eq!(
        needed(&at(&format!("{READY} baselined backing_up"))),
        [true, true, true]
    );
}

#[test]
fn a_cancelled_dump_is_claimed_until_the_cancel_is_answered() {
    let asked = format!("{STARTED} backing_up cancel_requested");
    assert_eq!(needed(&at(&asked)), [true, true, false]);
    assert_eq!(
        needed(&at(&format!("{asked} cancelled"))),
        [false, false, false]
    );
    // Nothing was begun yet.
    let asked = format!("{STARTED} cancel_requested");
    assert_eq!(needed(&at(&asked)), [true, false, false]);
}

#[test]
fn a_failed_upgrade_keeps_its_turn_until_the_reverts_ci_has_ended() {
    let failed = format!("{READY} baselined pushing pushed rollback_requested");
    assert_eq!(needed(&at(&failed)), [true, false, true]);
    assert_eq!(
        needed(&at(&format!("{failed} reverting reverted"))),
        [true, false, true]
    );
    assert_eq!(
        needed(&at(&format!("{failed} reverting reverted ci_passed"))),
        [true, false, false]
    );
    assert_eq!(
        needed(&at(&format!("{failed} reverted"))),
        [true, false, false]
    );
}

#[test]
fn what_is_stuck_keeps_its_service_closed_and_nothing_else() {
    assert_eq!(
        needed(&at(&format!("{READY} baselined pushing pushed stuck"))),
        [true, false, false]
    );
}

#[test]
fn a_claim_of_another_step_or_service_is_not_needed() {
    let state = at(READY);
    assert!(!needs(&Claim::turn(&state), state.step + 1, &state));
    assert!(!needs(
        &Claim::Turn {
            repository: "other".into()
        },
        state.step,
        &state
    ));
    let slot = Claim::Slot {
        repository: "infra".into(),
        cluster: "home".into(),
        service: "other".into(),
    };
    assert!(!needs(&slot, state.step, &state));
}

#[test]
fn the_turn_is_needed_only_from_its_queue_to_the_end_of_ci() {
    super::explored::everywhere(|walk| {
        let state = walk.state();
        let [slot, backup, turn] = needed(state);
        let between = matches!(
            state.phase,
            Phase::Started
                | Phase::Verified
                | Phase::BackingUp
                | Phase::BackedUp
                | Phase::SteppedBack
                | Phase::Ready
                | Phase::Baselined
                | Phase::Pushing
                | Phase::Pushed
                | Phase::RollbackRequested
                | Phase::Reverting
                | Phase::Reverted
        );
        assert!(!turn || between, "{:?}", state.phase);
        assert!(
            !(state.phase.is_end() && (slot || backup || turn)),
            "{:?}",
            state.phase
        );
        // Whoever may change the cluster or the branch has the service for itself.
        assert!(slot || !(turn || backup), "{:?}", state.phase);
    });
}

#[test]
fn keys_of_different_claims_differ_and_are_legal_in_a_bucket() {
    let slot = |repository: &str, cluster: &str| Claim::Slot {
        repository: repository.into(),
        cluster: cluster.into(),
        service: "s".into(),
    };
    assert_ne!(slot("a/b", "c").key(), slot("a", "b/c").key());
    assert_ne!(slot("a_2f", "c").key(), slot("a/", "c").key());
    let key = slot("ä b.git", "*>").key();
    assert!(
        key.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-/_=.".contains(&byte)),
        "{key}"
    );
}

#[test]
fn an_id_depends_on_each_of_its_parts_and_on_nothing_else() {
    let base = UpgradeId::derive("i", "r", "m", "t", 1);
    assert_eq!(base, UpgradeId::derive("i", "r", "m", "t", 1));
    assert_eq!(UpgradeId::parse(base.as_str()), Ok(base.clone()));
    for other in [
        UpgradeId::derive("x", "r", "m", "t", 1),
        UpgradeId::derive("i", "x", "m", "t", 1),
        UpgradeId::derive("i", "r", "x", "t", 1),
        UpgradeId::derive("i", "r", "m", "x", 1),
        UpgradeId::derive("i", "r", "m", "t", 2),
        UpgradeId::derive("ir", "", "m", "t", 1),
    ] {
        assert_ne!(base, other);
    }
    for wrong in [
        "",
        "0123456789abcde",
        "0123456789abcdeF",
        "0123456789abcdef0",
        "0123456789abcdeg",
    ] {
        assert!(UpgradeId::parse(wrong).is_err(), "{wrong}");
    }
}
