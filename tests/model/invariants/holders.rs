//! What only one upgrade may hold at a time, and what nobody holds any more.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Class, History, Taken};
use job::{Body, Claim, Phase, State, UpgradeId};

use super::{Judged, Moment};
use crate::system::System;

/// Whether the upgrade may change its service now.
fn works(state: &State) -> bool {
    // An undo of what had succeeded queues for the slot first.
    let queues = state.whole && state.phase == Phase::RollbackRequested;
    state.started && !state.phase.is_end() && !queues
}

pub(super) fn one_upgrade_per_service(moments: &[Moment<'_>], broken: &mut Vec<String>) {
    let mut working: BTreeMap<String, &UpgradeId> = BTreeMap::new();
    for moment in moments {
        let Some(plan) = &moment.after.plan else {
            continue;
        };
        if !works(&moment.after) {
            working.retain(|_, id| *id != moment.id);
            continue;
        }
        if let Some(other) = working.insert(plan.service.clone(), moment.id)
            && other != moment.id
        {
            broken.push(format!(
                "two upgrades work on {} at fact {}: {other} and {}",
                plan.service, moment.sequence, moment.id
            ));
        }
    }
}

/// Whether the upgrade is between the taking of the turn and the end of CI.
fn has_turn(state: &State) -> bool {
    match state.phase {
        Phase::Ready | Phase::Baselined | Phase::Pushing | Phase::Pushed | Phase::Reverting => true,
        Phase::BackingUp => {
            let backup = state.backup.as_ref();
            backup.is_some_and(|backup| backup.keeps_turn)
        }
        Phase::Reverted => matches!(state.reverted, Some((Some(_), _))),
        _ => false,
    }
}

/// From the turn to the end of CI, of an upgrade and of an undo. An undo that has waited for long may
/// go before one whose run hangs, and one that a person set going again looks at its old run only.
pub(super) fn one_upgrade_has_the_turn(
    system: &System,
    moments: &[Moment<'_>],
    judged: &mut Judged,
) {
    let patience = system.settings.ci.undo_patience;
    let patience_ms = i64::try_from(patience.as_millis()).expect("small");
    let mut holder: Option<(&UpgradeId, Phase)> = None;
    // They only look on.
    let mut excused = BTreeSet::new();
    for moment in moments {
        let undoes = moment.was(Phase::RollbackRequested)
            && matches!(
                moment.body,
                Body::Reverting { .. } | Body::Reverted { .. } | Body::Stuck(_)
            );
        if matches!(moment.body, Body::RetryRequested { .. }) {
            excused.insert(moment.id);
        } else if undoes || matches!(moment.body, Body::Ready) {
            excused.remove(moment.id);
        }
        let since_ms = moment.before.as_ref().map_or(0, |before| before.since_ms);
        if let Some((other, Phase::Pushed | Phase::Reverted)) = holder
            && other != moment.id
            && undoes
            && moment.at_ms - since_ms >= patience_ms
        {
            judged.seen.push("turn taken over");
            excused.insert(other);
            holder = None;
        }
        let has = !excused.contains(moment.id) && has_turn(&moment.after);
        match holder {
            Some((other, _)) if has && other != moment.id => {
                judged.broken.push(format!(
                    "two upgrades have the CI turn at fact {}: {other} and {}",
                    moment.sequence, moment.id
                ));
                holder = Some((moment.id, moment.after.phase));
            }
            _ if has => holder = Some((moment.id, moment.after.phase)),
            Some((other, _)) if other == moment.id => holder = None,
            _ => {}
        }
    }
}

fn claims(state: &State) -> Vec<Claim> {
    let claims = [
        Claim::slot(state),
        Claim::backup(state),
        Some(Claim::turn(state)),
    ];
    claims.into_iter().flatten().collect()
}

/// Once all upgrades that a claim is for are over, the next one gets it at once, whatever its record
/// says of them.
pub(super) async fn what_nobody_needs_can_be_had(
    system: &System,
    histories: &[History],
    broken: &mut Vec<String>,
) {
    let mut free = BTreeMap::new();
    for history in histories {
        for claim in claims(&history.state) {
            free.insert(claim, history);
        }
    }
    for history in histories {
        if !history.state.phase.is_end() {
            for claim in claims(&history.state) {
                free.remove(&claim);
            }
        }
    }
    for (claim, history) in free {
        let newcomer = History {
            id: UpgradeId::derive("model", "a", "new", "one", 1),
            ..history.clone()
        };
        let taken = bus::take(&system.memory, &claim, &newcomer, Class::Forward);
        let taken = taken.await.expect("calm");
        if taken != Taken::Held {
            let key = claim.key();
            broken.push(format!(
                "nobody needs {key}, and it cannot be had: {taken:?}"
            ));
        }
        let released = bus::release(&system.memory, &claim, &newcomer.id);
        released.await.expect("calm");
    }
}
