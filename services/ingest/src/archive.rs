//! What is kept of an upgrade whose facts are gone, and the janitor's judgement of when they may go.

use bus::{History, Log, Unavailable};
use job::{Body, End, Phase, SkipReason, State, Transience, UpgradeId};
use serde::{Deserialize, Serialize};
use wire::v1::UpgradeView;

use crate::view;

/// Everything that people are shown of an upgrade, and what a later attempt at it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) service: String,
    pub(crate) image: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) live: String,
    pub(crate) risk: String,
    pub(crate) step: u32,
    pub(crate) steps: u32,
    pub(crate) reason: String,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: i64,
    pub(crate) requested_by: String,
    pub(crate) retry_of: String,
    /// Summaries of earlier builds do not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) split_into: Vec<String>,
    pub(crate) end: Ended,
}

/// How an attempt ended, as far as the next one depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// In one word; see [`word`].
    how: String,
    /// The announced digest.
    pub(crate) digest: Option<String>,
    /// It was aborted for a passing reason.
    pub(crate) transient: bool,
    /// It was skipped because the version was in place.
    pub(crate) in_place: bool,
    /// Why it was aborted.
    pub(crate) why: String,
}

/// A summary's word for an end. They stand in the archive for ever.
const WORDS: [(End, &str); 8] = [
    (End::Succeeded, "succeeded"),
    (End::Skipped, "skipped"),
    (End::Aborted, "aborted"),
    (End::RolledBack, "rolled_back"),
    (End::Cancelled, "cancelled"),
    (End::Superseded, "superseded"),
    (End::Split, "split"),
    (End::Resolved, "resolved"),
];

impl Ended {
    /// None while the upgrade is open.
    pub(crate) fn of(history: &History) -> Option<Ended> {
        let Phase::Ended(end) = history.state.phase else {
            return None;
        };
        let (_, how) = WORDS.iter().find(|(known, _)| *known == end)?;
        let last = history.entries.last().map(|entry| &entry.fact.body);
        Some(Ended {
            how: (*how).to_owned(),
            digest: history.state.request.digest.clone(),
            transient: matches!(
                last,
                Some(Body::Aborted {
                    transience: Transience::Transient,
                    ..
                })
            ),
            in_place: matches!(
                last,
                Some(Body::Skipped(
                    SkipReason::AlreadyThere | SkipReason::SameTagRebuilt
                ))
            ),
            why: history.state.outcome.clone(),
        })
    }

    /// None if a newer build knows more ends than this one.
    pub(crate) fn end(&self) -> Option<End> {
        let found = WORDS.iter().find(|(_, word)| *word == self.how);
        found.map(|(end, _)| *end)
    }
}

impl Summary {
    /// The summary of an upgrade that is over; none of one that is open.
    pub(crate) fn of(history: &History) -> Option<Summary> {
        let end = Ended::of(history)?;
        let shown = view::of(&history.state, view::began(&history.entries), &[]);
        Some(Summary {
            id: shown.id,
            service: shown.service,
            image: shown.image,
            from: shown.from,
            to: shown.to,
            live: shown.live,
            risk: shown.risk,
            step: shown.step,
            steps: shown.steps,
            reason: shown.reason,
            started_ms: shown.started_ms,
            ended_ms: shown.since_ms,
            requested_by: shown.requested_by,
            retry_of: shown.retry_of,
            split_into: view::split_into(&history.entries),
            end,
        })
    }

    /// The upgrade as people see it.
    pub(crate) fn view(self) -> UpgradeView {
        let end = self.end.end();
        UpgradeView {
            phase: end.map_or_else(
                || self.end.how.clone(),
                |end| view::phase(Phase::Ended(end)),
            ),
            id: self.id,
            service: self.service,
            image: self.image,
            from: self.from,
            to: self.to,
            live: self.live,
            owner: job::Owner::None.as_str().to_owned(),
            risk: self.risk,
            step: self.step,
            steps: self.steps,
            reason: self.reason,
            waiting_for: String::new(),
            started_ms: self.started_ms,
            since_ms: self.ended_ms,
            facts: Vec::new(),
            requested_by: self.requested_by,
            retry_of: self.retry_of,
            pending: String::new(),
            archived: true,
            split_into: self.split_into,
            trouble: None,
        }
    }
}

/// The summary of an archived upgrade, if it is one.
///
/// # Errors
/// [`Unavailable`] if the archive cannot be read, or not by this build.
pub(crate) async fn summary(log: &dyn Log, id: &UpgradeId) -> Result<Option<Summary>, Unavailable> {
    let Some(bytes) = log.archived(id).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Unavailable::because(format!("the summary of {id} cannot be read here"), error)
    })
}

/// Whether an upgrade's facts may go: it is over for so long, and nobody will try it again by itself.
pub(crate) fn may_go(state: &State, to_be_tried_again: bool, now_ms: i64, after_ms: i64) -> bool {
    state.phase.is_end() && !to_be_tried_again && over_for(state, now_ms) >= after_ms
}

/// Whether an ended upgrade is so near to the archive that no fact may be added to it: the janitor
/// could be about to take it away.
pub(crate) fn is_sealed(state: &State, now_ms: i64, after_ms: i64) -> bool {
    // A tenth of the time is more than any clocks differ.
    state.phase.is_end() && over_for(state, now_ms) >= after_ms - after_ms / 10
}

fn over_for(state: &State, now_ms: i64) -> i64 {
    now_ms.saturating_sub(state.since_ms)
}
