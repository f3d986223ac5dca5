//! What must hold, whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use bus::History;
use ingest::gate::Answer;
use job::{Body, Claim, End, Phase, State, UpgradeId};

use crate::ops::{Health, SERVICES};
use crate::system::System;
use crate::world::{name, well};

/// What was seen may be so old when it is written down: answers get lost on the way.
const LAG_MS: i64 = 60_000;

/// One fact, and the states before and after it.
struct Moment<'a> {
    sequence: u64,
    id: &'a UpgradeId,
    at_ms: i64,
    body: &'a Body,
    before: Option<State>,
    after: State,
}

/// Every fact of every upgrade, in the order of the stream.
fn moments(histories: &[History]) -> Vec<Moment<'_>> {
    let mut moments = Vec::new();
    for history in histories {
        let mut state: Option<State> = None;
        for entry in &history.entries {
            let step = job::step(&history.id, state.as_ref(), &entry.fact).expect("it was read");
            moments.push(Moment {
                sequence: entry.sequence,
                id: &history.id,
                at_ms: entry.fact.at_ms,
                body: &entry.fact.body,
                before: state.replace(step.state.clone()),
                after: step.state,
            });
        }
    }
    moments.sort_by_key(|moment| moment.sequence);
    moments
}

/// Everything that is broken, in sentences.
pub(crate) async fn broken(system: &System, histories: &[History]) -> Vec<String> {
    let mut broken = Vec::new();
    let moments = moments(histories);
    one_upgrade_per_service(&moments, &mut broken);
    one_upgrade_has_the_turn(&moments, &mut broken);
    effects_come_once(system, &moments, &mut broken);
    one_dump_runs_at_a_time(system, &mut broken);
    what_was_rolled_back_is_fenced_off(&moments, &mut broken);
    no_push_without_a_backup(system, &moments, &mut broken);
    no_push_is_forgotten(system, histories, &mut broken);
    what_is_said_to_be_live_is_live(system, &moments, &mut broken);
    nothing_accepted_is_lost(system, histories, &mut broken);
    nothing_that_is_over_holds_a_claim(system, histories, &mut broken).await;
    nothing_crashed(histories, &mut broken);
    broken
}

/// Whether the upgrade may change its service now.
fn works(state: &State) -> bool {
    // An undo of what had succeeded queues for the slot first.
    let queues = state.whole && state.phase == Phase::RollbackRequested;
    state.started && !state.phase.is_end() && !queues
}

fn one_upgrade_per_service(moments: &[Moment<'_>], broken: &mut Vec<String>) {
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

/// From the turn to the end of CI. An undo may go before one whose run hangs, and one that a person
/// set going again looks at its old run only.
fn one_upgrade_has_the_turn(moments: &[Moment<'_>], broken: &mut Vec<String>) {
    let mut holder: Option<&UpgradeId> = None;
    let mut retried = BTreeSet::new();
    for moment in moments {
        match moment.body {
            Body::RetryRequested { .. } => {
                retried.insert(moment.id);
            }
            Body::Ready => {
                retried.remove(moment.id);
            }
            _ => {}
        }
        let has = !retried.contains(moment.id)
            && matches!(
                moment.after.phase,
                Phase::Ready | Phase::Baselined | Phase::Pushing | Phase::Pushed
            );
        match holder {
            Some(other) if has && other != moment.id => {
                broken.push(format!(
                    "two upgrades have the CI turn at fact {}: {other} and {}",
                    moment.sequence, moment.id
                ));
                holder = Some(moment.id);
            }
            _ if has => holder = Some(moment.id),
            Some(other) if other == moment.id => holder = None,
            _ => {}
        }
    }
}

/// No commit is made twice. After a new plan the steps are counted anew.
fn effects_come_once(system: &System, moments: &[Moment<'_>], broken: &mut Vec<String>) {
    let things = system.world.things();
    for trailer in ["Upgrade-Id", "Bowline-Reverts"] {
        let mut seen = BTreeMap::new();
        for commit in &things.commits {
            let Some(value) = commit.trailer(trailer) else {
                continue;
            };
            let plans = moments
                .iter()
                .filter(|moment| value.starts_with(moment.id.as_str()))
                .filter(|moment| moment.at_ms <= commit.at_ms)
                .filter(|moment| matches!(moment.body, Body::Planned(_)))
                .count();
            if let Some(other) = seen.insert((value, plans), &commit.id) {
                broken.push(format!(
                    "{trailer}: {value} is in the branch twice: {other} and {}",
                    commit.id
                ));
            }
        }
    }
}

/// Two dumps of one database at the same time spoil each other.
fn one_dump_runs_at_a_time(system: &System, broken: &mut Vec<String>) {
    let things = system.world.things();
    let mut ours = things.dumps.iter().filter(|dump| dump.ours());
    let Some(mut before) = ours.next() else {
        return;
    };
    for dump in ours {
        if dump.started_ms < before.ended_ms() {
            broken.push(format!("{} began while {} ran", dump.name, before.name));
        }
        before = dump;
    }
}

/// What was rolled back is not planned again by itself.
fn what_was_rolled_back_is_fenced_off(moments: &[Moment<'_>], broken: &mut Vec<String>) {
    let mut fenced: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for moment in moments {
        let Some(plan) = &moment.after.plan else {
            continue;
        };
        let request = &moment.after.request;
        match moment.body {
            Body::Reverting { .. } | Body::Reverted { .. } => {
                let step = plan.step(moment.after.step).expect("a step");
                fenced.insert((&request.image, step.to.as_str()), moment.at_ms);
            }
            Body::Planned(_) if !request.lift_fence => {
                // The plan may have been on its way when the fence was written.
                let fence = plan.steps.iter().find(|step| {
                    fenced
                        .get(&(request.image.as_str(), step.to.as_str()))
                        .is_some_and(|at_ms| moment.at_ms - at_ms > 5 * LAG_MS)
                });
                if let Some(step) = fence {
                    broken.push(format!(
                        "{} plans {}, which was rolled back",
                        moment.id, step.to
                    ));
                }
            }
            _ => {}
        }
    }
}

fn no_push_without_a_backup(system: &System, moments: &[Moment<'_>], broken: &mut Vec<String>) {
    let things = system.world.things();
    for commit in &things.commits {
        let Some((id, step)) = commit
            .trailer("Upgrade-Id")
            .and_then(|it| it.split_once('/'))
        else {
            continue;
        };
        let state = moments
            .iter()
            .filter(|moment| moment.id.as_str() == id && moment.at_ms <= commit.at_ms)
            .filter(|moment| moment.after.step.to_string() == step)
            .filter(|moment| matches!(moment.body, Body::Pushing { .. }))
            .map(|moment| &moment.after)
            .next_back();
        let Some(state) = state else {
            broken.push(format!("{} landed without an intent", commit.id));
            continue;
        };
        if state.plan.as_ref().is_none_or(|plan| plan.backup.is_none()) {
            continue;
        }
        let counts = things
            .dumps
            .iter()
            .any(|dump| dump.started_ms > state.step_began_ms && dump.complete(commit.at_ms));
        if !counts {
            broken.push(format!("{} was pushed without a backup", commit.id));
        }
    }
}

/// Every commit of ours is verified, undone, or a person was told.
fn no_push_is_forgotten(system: &System, histories: &[History], broken: &mut Vec<String>) {
    let things = system.world.things();
    for commit in &things.commits {
        let Some(value) = commit.trailer("Upgrade-Id") else {
            continue;
        };
        let (id, step) = value.split_once('/').unwrap_or((value, ""));
        let history = histories.iter().find(|history| history.id.as_str() == id);
        let Some(history) = history else {
            broken.push(format!("{} belongs to no upgrade", commit.id));
            continue;
        };
        let state = &history.state;
        let number: usize = step.parse().expect("a number");
        let verified = state.done.len() >= number;
        let undone = matches!(state.phase, Phase::Ended(End::RolledBack));
        let told = history
            .entries
            .iter()
            .any(|entry| matches!(entry.fact.body, Body::Stuck(_) | Body::Parked(_)));
        if !(verified || undone || told) {
            broken.push(format!(
                "{} of {value} is in the branch, and the upgrade is {:?}",
                commit.id, state.phase
            ));
        }
    }
}

fn what_is_said_to_be_live_is_live(
    system: &System,
    moments: &[Moment<'_>],
    broken: &mut Vec<String>,
) {
    for moment in moments {
        let (Some(state), Some(plan)) = (&moment.before, &moment.after.plan) else {
            continue;
        };
        let (version, seconds) = match moment.body {
            Body::Succeeded { .. } | Body::Verified { .. } => (
                plan.step(state.step).map_or("", |step| step.to.as_str()),
                plan.windows.forward_seconds,
            ),
            Body::RolledBack { to, .. } => (to.as_str(), plan.windows.undo_seconds),
            _ => continue,
        };
        let service = (0..SERVICES).find(|service| name(*service) == plan.service);
        let service = service.expect("a service of the model");
        let things = system.world.things();
        let ran: Vec<(i64, i64, Health)> = things.live[service]
            .iter()
            .enumerate()
            .filter(|(_, live)| live.version == version)
            .map(|(place, live)| {
                let next = things.live[service].get(place + 1);
                let until_ms = next.map_or(i64::MAX, |next| next.since_ms);
                (live.since_ms, until_ms, live.health)
            })
            .collect();
        let at = |at_ms: i64| {
            ran.iter()
                .find(|(from, to, _)| (*from..*to).contains(&at_ms))
        };
        let lately = || at(moment.at_ms - LAG_MS);
        if at(moment.at_ms).or_else(lately).is_none() {
            broken.push(format!(
                "`{}` of {} says that {} runs {version}, and it does not",
                moment.body.name(),
                moment.id,
                plan.service
            ));
            continue;
        }
        // In steps of a second, as long as a window back.
        let healthy = (0..i64::from(seconds) + LAG_MS / 1_000)
            .filter(|back| {
                let at_ms = moment.at_ms - back * 1_000;
                at(at_ms).is_some_and(|(from, _, health)| well(*health, at_ms - from))
            })
            .count();
        if i64::try_from(healthy).expect("small") < i64::from(seconds) - 20 {
            broken.push(format!(
                "`{}` of {}: {version} was well for {healthy} s of {seconds}",
                moment.body.name(),
                moment.id
            ));
        }
    }
}

fn nothing_accepted_is_lost(system: &System, histories: &[History], broken: &mut Vec<String>) {
    for answer in system.answers() {
        let (Answer::Opened { id } | Answer::Duplicate { id, .. }) = answer else {
            continue;
        };
        if !histories.iter().any(|history| history.id == id) {
            broken.push(format!("{id} was accepted and is not in the log"));
        }
    }
}

async fn nothing_that_is_over_holds_a_claim(
    system: &System,
    histories: &[History],
    broken: &mut Vec<String>,
) {
    for history in histories {
        let state = &history.state;
        let claims = [
            Claim::slot(state),
            Claim::backup(state),
            Some(Claim::turn(state)),
        ];
        for claim in claims.into_iter().flatten() {
            let holder = bus::holder(&system.memory, &claim).await.expect("calm");
            let over = holder.and_then(|(id, _)| {
                histories
                    .iter()
                    .find(|other| other.id == id && other.state.phase.is_end())
            });
            if let Some(over) = over {
                broken.push(format!("{} is over and holds {}", over.id, claim.key()));
            }
        }
    }
}

fn nothing_crashed(histories: &[History], broken: &mut Vec<String>) {
    for history in histories {
        let crashed = |body: &Body| matches!(body, Body::Parked(_) | Body::Tried);
        if let Some(entry) = history
            .entries
            .iter()
            .find(|entry| crashed(&entry.fact.body))
        {
            broken.push(format!("{}: {:?}", history.id, entry.fact.body));
        }
        // A step that failed was not changed, or the upgrade is not simply over.
        let state = &history.state;
        let ended_early = matches!(
            state.phase,
            Phase::Ended(End::Aborted | End::Skipped | End::Cancelled)
        );
        if ended_early && state.pushed.is_some() {
            broken.push(format!("{} is {:?} after a push", history.id, state.phase));
        }
    }
}
