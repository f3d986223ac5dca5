//! Dumps before pushes.

use job::{Body, Phase};

use super::{LAG_MS, Moment};
use crate::ops::WITH_DATABASE;
use crate::system::System;

/// Two dumps of one database at the same time spoil each other.
pub(super) fn one_dump_runs_at_a_time(system: &System, broken: &mut Vec<String>) {
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

/// Every commit of ours that moves a service with a database comes after a dump that is named in the
/// log, was made within the step, is whole, and was young enough when the push was decided.
pub(super) fn no_push_without_a_backup(
    system: &System,
    moments: &[Moment<'_>],
    broken: &mut Vec<String>,
) {
    let things = system.world.things();
    for commit in &things.commits {
        let Some((id, _step)) = commit
            .trailer("Upgrade-Id")
            .and_then(|it| it.split_once('/'))
        else {
            continue;
        };
        let its: Vec<_> = moments
            .iter()
            .filter(|moment| moment.id.as_str() == id && moment.at_ms <= commit.at_ms)
            .collect();
        let intends = |moment: &&&Moment<'_>| match moment.body {
            Body::Pushing {
                commit: intended, ..
            } => *intended == commit.id,
            _ => false,
        };
        let Some(intent) = its.iter().rfind(intends) else {
            broken.push(format!("{} landed without an intent", commit.id));
            continue;
        };
        let moved = commit.moved(things.parent(commit));
        if !moved.iter().any(|service| WITH_DATABASE.contains(service)) {
            continue;
        }
        let before: Vec<_> = its
            .iter()
            .filter(|moment| moment.sequence <= intent.sequence)
            .collect();
        if let Err(why) = backed_up(system, &things.dumps, &before) {
            broken.push(format!("{} was pushed without a backup: {why}", commit.id));
        }
    }
}

/// Whether what happened up to the intent to push has a dump that counts.
fn backed_up(
    system: &System,
    dumps: &[crate::world::Dump],
    before: &[&&Moment<'_>],
) -> Result<(), String> {
    let began_ms = before
        .iter()
        .rfind(|moment| {
            let body = moment.body;
            matches!(
                body,
                Body::Planned(_) | Body::Started | Body::Verified { .. }
            )
        })
        .map(|moment| moment.at_ms)
        .ok_or("it was not started")?;
    let (job, started_ms, stated_ms) = before
        .iter()
        .filter(|moment| moment.at_ms >= began_ms)
        .rev()
        .find_map(|moment| match moment.body {
            Body::BackedUp {
                job,
                dump_started_ms,
                ..
            } => Some((job, *dump_started_ms, moment.at_ms)),
            _ => None,
        })
        .ok_or("nothing is said of a dump")?;
    // One that vanished is made again under its name.
    let dump = dumps
        .iter()
        .find(|dump| dump.name == *job && dump.started_ms == started_ms)
        .ok_or_else(|| format!("no Job {job} began then"))?;
    if started_ms <= began_ms {
        return Err(format!("{job} began before the step"));
    }
    if !dump.complete(stated_ms) {
        return Err(format!("{job} was not complete"));
    }
    // Later heads are built on without asking again.
    let decided = before
        .iter()
        .rfind(|moment| moment.was(Phase::Baselined))
        .ok_or("there was no baseline")?;
    let renewed = decided
        .after
        .backup
        .as_ref()
        .is_some_and(|it| it.keeps_turn);
    let max_age_ms = i64::try_from(system.settings.backup.max_age.as_millis()).expect("small");
    let age_ms = decided.at_ms - started_ms;
    if !renewed && age_ms > max_age_ms + LAG_MS {
        return Err(format!("{job} was {} s old", age_ms / 1_000));
    }
    Ok(())
}
