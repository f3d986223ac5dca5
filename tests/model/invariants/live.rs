//! What is said of the cluster.

use job::{Body, Cause};
use verifier::ports::RunState;

use super::{LAG_MS, Moment};
use crate::system::System;
use crate::world::Things;

/// What is said to be done, or undone, runs, and was well for as long as a window.
pub(super) fn what_is_said_to_be_live_is_live(
    system: &System,
    moments: &[Moment<'_>],
    broken: &mut Vec<String>,
) {
    // No window is shorter, whatever a plan says.
    let shortest = i64::try_from(system.settings.verify.safe.as_secs()).expect("small");
    let things = system.world.things();
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
        let seconds = i64::from(seconds).max(shortest);
        let service = moment.service().expect("a service of the model");
        let runs = |at_ms: i64| {
            let live = things.live_at(service, at_ms);
            live.is_some_and(|live| live.version == version)
        };
        if !runs(moment.at_ms) && !runs(moment.at_ms - LAG_MS) {
            broken.push(format!(
                "`{}` of {} says that {} runs {version}, and it does not",
                moment.body.name(),
                moment.id,
                plan.service
            ));
            continue;
        }
        // In steps of a second, as long as a window back.
        let healthy = (0..seconds + LAG_MS / 1_000)
            .map(|back| moment.at_ms - back * 1_000)
            .filter(|at_ms| runs(*at_ms) && things.is_well(service, *at_ms))
            .count();
        if i64::try_from(healthy).expect("small") < seconds - 20 {
            broken.push(format!(
                "`{}` of {}: {version} was well for {healthy} s of {seconds}",
                moment.body.name(),
                moment.id
            ));
        }
    }
}

/// Unknown is never failure, and what is wrong with a node is not wrong with a version: only what was
/// seen to be wrong with the version itself is undone.
pub(super) fn only_what_was_wrong_is_undone(
    system: &System,
    moments: &[Moment<'_>],
    broken: &mut Vec<String>,
) {
    let things = system.world.things();
    for moment in moments {
        let Body::RollbackRequested { cause, evidence } = moment.body else {
            continue;
        };
        let (Some(service), Some(plan)) = (moment.service(), &moment.after.plan) else {
            continue;
        };
        let wanted = plan.step(moment.after.step).map_or("", |step| &step.to);
        let lately = (0..LAG_MS / 1_000).map(|back| moment.at_ms - back * 1_000);
        let was_wrong = match cause {
            Cause::Unhealthy => lately
                .into_iter()
                .any(|at_ms| !serves(&things, service, wanted, at_ms)),
            Cause::NotApplied => lately.into_iter().any(|at_ms| {
                let live = things.live_at(service, at_ms);
                live.is_none_or(|live| live.version != wanted)
            }),
            Cause::CiFailed => things.runs.iter().any(|run| {
                matches!(run.state, RunState::Failure | RunState::Killed)
                    && run.finished_ms <= moment.at_ms
            }),
            Cause::Cancelled | Cause::Person => true,
        };
        if !was_wrong {
            broken.push(format!(
                "{} is undone, and nothing was wrong with {wanted}: {evidence}",
                moment.id
            ));
        }
    }
}

/// Whether the wanted version runs, and does well wherever its node is there.
fn serves(things: &Things, service: usize, wanted: &str, at_ms: i64) -> bool {
    let live = things.live_at(service, at_ms);
    live.is_some_and(|live| live.version == wanted && live.is_well(at_ms))
}
