//! What is in the branch, and what became of it.

use std::collections::BTreeMap;

use job::Body;

use super::Moment;
use crate::ops::UNPUBLISHED;
use crate::system::System;
use crate::world::{Commit, Things};

/// No commit is made twice. After a new plan the steps are counted anew.
pub(super) fn effects_come_once(system: &System, moments: &[Moment<'_>], broken: &mut Vec<String>) {
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

/// Every commit of ours was verified, is undone in the branch, or a person was called after it landed.
pub(super) fn no_push_is_forgotten(
    system: &System,
    moments: &[Moment<'_>],
    broken: &mut Vec<String>,
) {
    let things = system.world.things();
    for (place, commit) in things.commits.iter().enumerate() {
        let Some(value) = commit.trailer("Upgrade-Id") else {
            continue;
        };
        let (id, step) = value.split_once('/').unwrap_or((value, ""));
        let its: Vec<_> = moments
            .iter()
            .filter(|moment| moment.id.as_str() == id)
            .collect();
        let Some(last) = its.last() else {
            broken.push(format!("{} belongs to no upgrade", commit.id));
            continue;
        };
        let since = || its.iter().filter(|moment| moment.at_ms >= commit.at_ms);
        let verified = since().any(|moment| {
            let pushed = moment
                .before
                .as_ref()
                .and_then(|before| before.pushed.as_ref());
            matches!(moment.body, Body::Verified { .. } | Body::Succeeded { .. })
                && pushed.is_some_and(|(pushed, _)| *pushed == commit.id)
        });
        let called = since().any(|moment| {
            moment.after.step.to_string() == step
                && matches!(moment.body, Body::Stuck(_) | Body::Parked(_))
        });
        let later = things.commits.get(place + 1..).unwrap_or_default();
        let nothing_to_revert = since()
            .filter(|moment| matches!(moment.body, Body::Reverted { commit: None }))
            .map(|moment| moment.at_ms)
            .max();
        let undone = later
            .iter()
            .filter(|other| undoes(&things, commit, other))
            .any(|other| {
                other.trailer("Bowline-Reverts") == Some(value)
                // Somebody else was faster.
                || nothing_to_revert.is_some_and(|at_ms| other.at_ms <= at_ms)
            });
        if !(verified || called || undone) {
            broken.push(format!(
                "{} of {value} is in the branch, and the upgrade is {:?}",
                commit.id, last.after.phase
            ));
        }
    }
}

/// No commit of ours brings a version of which there is no image.
pub(super) fn only_what_is_published_is_pushed(system: &System, broken: &mut Vec<String>) {
    let things = system.world.things();
    let (service, missing) = UNPUBLISHED;
    for commit in &things.commits {
        let ours = commit.trailer("Upgrade-Id").is_some();
        let moved = || commit.moved(things.parent(commit)).contains(&service);
        if ours && commit.version(service) == missing && moved() {
            broken.push(format!("{} brings {missing}, which nobody has", commit.id));
        }
    }
}

/// Whether the later commit has the versions from before the commit, of the services it moved.
fn undoes(things: &Things, commit: &Commit, later: &Commit) -> bool {
    let before = things.parent(commit);
    commit
        .moved(before)
        .into_iter()
        .all(|service| later.version(service) == before.version(service))
}
