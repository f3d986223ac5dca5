//! An upgrade as people see it. Pure: a state and the pauses in force become a view.

use bus::{Entry, Pause};
use job::{Body, Command, Pending, Phase, Source, State};
use wire::v1::{FactView, UpgradeView};

/// An upgrade without its facts.
pub(crate) fn of(state: &State, started_ms: i64, pauses: &[Pause]) -> UpgradeView {
    let plan = state.plan.as_ref();
    UpgradeView {
        id: state.id.to_string(),
        service: plan.map(|plan| plan.service.clone()).unwrap_or_default(),
        image: state.request.image.clone(),
        from: plan.map(|plan| plan.from.clone()).unwrap_or_default(),
        to: state.request.tag.clone(),
        live: state.live().to_owned(),
        phase: phase(state.phase),
        owner: state.next().as_str().to_owned(),
        risk: plan
            .map(|plan| plan.risk.level.to_string())
            .unwrap_or_default(),
        step: state.step,
        steps: plan.map_or(0, job::Plan::step_count),
        reason: state.outcome.clone(),
        waiting_for: waiting_for(state, pauses),
        started_ms,
        since_ms: state.since_ms,
        facts: Vec::new(),
        requested_by: requested_by(state),
        retry_of: state.request.retry_of.clone().unwrap_or_default(),
        pending: match &state.pending {
            Some(Pending::Cancel(_)) => "cancel".to_owned(),
            None => String::new(),
        },
        archived: false,
        split_into: Vec::new(),
        trouble: None,
    }
}

/// The upgrades that one with these facts was split into; none if it was not.
pub(crate) fn split_into(entries: &[Entry]) -> Vec<String> {
    match entries.last().map(|entry| &entry.fact.body) {
        Some(Body::Split { children }) => children.clone(),
        _ => Vec::new(),
    }
}

/// One fact.
pub(crate) fn fact(entry: &Entry) -> FactView {
    FactView {
        n: entry.n,
        name: entry.fact.body.name().to_owned(),
        at_ms: entry.fact.at_ms,
        next: entry.next.as_str().to_owned(),
        text: job::describe(&entry.fact.body),
    }
}

/// When the upgrade was asked for.
pub(crate) fn began(entries: &[Entry]) -> i64 {
    entries.first().map_or(0, |entry| entry.fact.at_ms)
}

/// A phase's name, as views and filters have it.
pub(crate) fn phase(phase: Phase) -> String {
    format!("{phase:?}")
}

fn requested_by(state: &State) -> String {
    let request = &state.request;
    match request.source {
        Source::Diun => "DIUN".to_owned(),
        Source::DiunEntry => "DIUN entry".to_owned(),
        Source::Bowline => "Bowline".to_owned(),
        Source::Person if request.by.is_empty() => "a person".to_owned(),
        Source::Person => request.by.clone(),
    }
}

/// Whether its owner asks for pauses before it goes on.
pub(crate) fn heeds_pauses(state: &State) -> bool {
    matches!(
        state.command(),
        Some(Command::TakeSlots | Command::TakeTurn | Command::BuildCommit)
    )
}

/// The pause that it waits for, if there is one.
pub(crate) fn pause<'a>(state: &State, pauses: &'a [Pause]) -> Option<&'a Pause> {
    let mut pauses = pauses.iter();
    pauses.find(|pause| heeds_pauses(state) && pause.scope.covers(state))
}

/// What an upgrade in this state waits for, besides its owner's own work.
fn waiting_for(state: &State, pauses: &[Pause]) -> String {
    if let Some(pause) = pause(state, pauses) {
        return pause.to_string();
    }
    let text = match (state.phase, state.command()) {
        (_, Some(Command::AnswerCancel | Command::Cancel)) => "",
        (Phase::Held, _) => "the rate window",
        (Phase::AwaitingApproval, _) => "approval",
        (Phase::Stuck | Phase::Parked, _) => "a person",
        (_, Some(Command::TakeSlots)) => "the service's slot",
        (_, Some(Command::BeginBackup)) => "the backup target",
        (_, Some(Command::FinishBackup)) => "the backup Job",
        (_, Some(Command::TakeTurn | Command::BuildRevert)) => "the CI turn",
        (_, Some(Command::FollowCi)) => "CI",
        (_, Some(Command::CheckApplied)) => "the cluster",
        (_, Some(Command::Watch)) => "the health window",
        _ => "",
    };
    text.to_owned()
}
