//! What must hold, whatever happened.

mod backups;
mod holders;
mod live;
mod pauses;
mod pushes;

use std::collections::BTreeMap;

use bus::History;
use ingest::gate::Answer;
use job::{Body, End, Phase, State, UpgradeId};

use crate::ops::SERVICES;
use crate::system::System;
use crate::world::name;

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

impl Moment<'_> {
    fn was(&self, phase: Phase) -> bool {
        self.before
            .as_ref()
            .is_some_and(|before| before.phase == phase)
    }

    /// The service that it is about, once it is planned.
    fn service(&self) -> Option<usize> {
        let plan = self.after.plan.as_ref()?;
        (0..SERVICES).find(|service| name(*service) == plan.service)
    }
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

/// What a run was found to be.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// What is broken, in sentences.
    pub(crate) broken: Vec<String>,
    /// What happened that only the judgement sees.
    pub(crate) seen: Vec<&'static str>,
}

/// Judges everything that happened.
pub(crate) async fn judge(system: &System, histories: &[History]) -> Judged {
    let mut judged = Judged::default();
    let moments = moments(histories);
    holders::one_upgrade_has_the_turn(system, &moments, &mut judged);
    let broken = &mut judged.broken;
    holders::one_upgrade_per_service(&moments, broken);
    holders::what_nobody_needs_can_be_had(system, histories, broken).await;
    pushes::effects_come_once(system, &moments, broken);
    pushes::no_push_is_forgotten(system, &moments, broken);
    pushes::only_what_is_published_is_pushed(system, broken);
    backups::one_dump_runs_at_a_time(system, broken);
    backups::no_push_without_a_backup(system, &moments, broken);
    live::what_is_said_to_be_live_is_live(system, &moments, broken);
    live::only_what_was_wrong_is_undone(system, &moments, broken);
    pauses::nothing_begins_during_a_pause(system, &moments, broken);
    what_was_rolled_back_is_fenced_off(&moments, broken);
    requests_are_answered_with_their_upgrades(system, histories, broken);
    nothing_crashed(histories, broken);
    judged
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

/// What was accepted is in the log, and what is said to answer a request is about the same version.
fn requests_are_answered_with_their_upgrades(
    system: &System,
    histories: &[History],
    broken: &mut Vec<String>,
) {
    for (image, tag, answer) in system.answers() {
        let (Answer::Opened { id } | Answer::Duplicate { id, .. } | Answer::Refused { id, .. }) =
            &answer
        else {
            continue;
        };
        let Some(history) = histories.iter().find(|history| history.id == *id) else {
            broken.push(format!(
                "{answer:?} to {image}:{tag}, and it is not in the log"
            ));
            continue;
        };
        let request = &history.state.request;
        if (&request.image, &request.tag) != (&image, &tag) {
            broken.push(format!(
                "{answer:?} to {image}:{tag}, and that is {}:{}",
                request.image, request.tag
            ));
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
