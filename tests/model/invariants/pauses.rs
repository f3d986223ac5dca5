//! What people have stopped.

use job::{Body, Phase};

use super::{LAG_MS, Moment};
use crate::system::System;

/// While a person has paused a service, nothing of it starts, takes the turn, or is pushed. What was
/// decided before may be written down a little later.
pub(super) fn nothing_begins_during_a_pause(
    system: &System,
    moments: &[Moment<'_>],
    broken: &mut Vec<String>,
) {
    let things = system.world.things();
    for moment in moments {
        let begins = match moment.body {
            Body::Started | Body::Ready => true,
            Body::Pushing { .. } => moment.was(Phase::Baselined),
            _ => false,
        };
        let paused = things.pauses.iter().any(|pause| {
            let of_this = pause.service.is_none() || pause.service == moment.service();
            let until_ms = pause.until_ms.unwrap_or(i64::MAX);
            of_this && (pause.since_ms + LAG_MS..until_ms).contains(&moment.at_ms)
        });
        if begins && paused {
            broken.push(format!(
                "`{}` of {} came during a pause",
                moment.body.name(),
                moment.id
            ));
        }
    }
}
