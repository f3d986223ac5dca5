//! The words of our commits. Deterministic: the same log gives the same message, so that a push
//! that is repeated after a crash is the same commit.

use job::{Cause, Plan, Site, State};

/// The trailer that names the upgrade and step a commit belongs to.
pub(crate) const UPGRADE_TRAILER: &str = "Upgrade-Id";

/// The trailer that names the upgrade and step a revert undoes.
pub(crate) const REVERT_TRAILER: &str = "Bowline-Reverts";

/// The value of both trailers.
pub(crate) fn trailer_value(state: &State) -> String {
    format!("{}/{}", state.id, state.step)
}

/// The commit message of the current step.
pub(crate) fn upgrade(state: &State, plan: &Plan) -> String {
    let from = plan.before_step(state.step);
    let to = plan.step(state.step).map_or("", |step| step.to.as_str());
    let mut text = format!("upgrade: {} {from} -> {to}\n\n", plan.service);
    if plan.is_chart() {
        text.push_str(&format!("Helm: {}\n", plan.way(from, to, "->")));
    }
    if plan.step_count() > 1 {
        text.push_str(&format!(
            "Step {} of {} on the way from {} to {}.\n",
            state.step,
            plan.step_count(),
            plan.from,
            plan.to()
        ));
    }
    text.push_str(&format!("Risk: {}\n", plan.risk.level));
    for reason in &plan.risk.reasons {
        text.push_str(&format!("- {}\n", one_line(reason)));
    }
    text.push_str(&format!("Backup: {}\n", backup(state, plan)));
    for site in settings(state, plan) {
        text.push_str(&format!("Setting: {}: {}\n", site.path, changed(site)));
    }
    if !plan.summary.trim().is_empty() {
        text.push('\n');
        text.push_str(plan.summary.trim());
        text.push('\n');
    }
    text.push_str(&format!("\n{UPGRADE_TRAILER}: {}\n", trailer_value(state)));
    text
}

/// What changes in the current step besides the version.
fn settings<'a>(state: &State, plan: &'a Plan) -> impl Iterator<Item = &'a Site> {
    let sites = plan
        .step(state.step)
        .into_iter()
        .flat_map(|step| &step.sites);
    sites.filter(|site| terraform::is_setting(&site.address))
}

/// A setting's change on one line.
fn changed(site: &Site) -> String {
    match (site.before.as_str(), site.after.as_str()) {
        ("", _) => {
            let name = site.address.rsplit('[').next().unwrap_or_default();
            format!("sets {}", name.trim_end_matches(']'))
        }
        (before, after) => format!("{before} -> {after}"),
    }
}

/// The message of the commit that undoes every step of an upgrade, newest first, in the words of
/// `git revert`.
pub(crate) fn revert_whole(state: &State, plan: &Plan) -> String {
    let to = plan.step(state.step).map_or("", |step| step.to.as_str());
    let mut text = format!(
        "Revert \"upgrade: {} {} -> {to}\"\n\n",
        plan.service,
        state.undo_to()
    );
    for commit in state
        .done
        .iter()
        .rev()
        .filter_map(|step| step.commit.as_ref())
    {
        text.push_str(&format!("This reverts commit {commit}.\n"));
    }
    text.push('\n');
    text.push_str(&why(state, plan));
    text
}

/// The message of the commit that undoes the current step.
///
/// It begins with the words of `git revert --no-edit`, so that people and tools know it.
pub(crate) fn revert(state: &State, plan: &Plan, subject: &str, commit: &str) -> String {
    let why = why(state, plan);
    format!("Revert \"{subject}\"\n\nThis reverts commit {commit}.\n\n{why}")
}

/// Where the service goes back to, and why; with the trailer.
fn why(state: &State, plan: &Plan) -> String {
    let mut text = format!(
        "{} goes back from {} to {}.\n",
        plan.service,
        plan.step(state.step).map_or("", |step| step.to.as_str()),
        state.undo_to()
    );
    if let Some((cause, evidence)) = &state.rollback {
        text.push_str(&format!(
            "Cause: {}: {}\n",
            cause_in_words(*cause),
            one_line(evidence)
        ));
    }
    text.push_str(&format!("\n{REVERT_TRAILER}: {}\n", trailer_value(state)));
    text
}

fn cause_in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::CiFailed => "CI failed",
        Cause::NotApplied => "CI was green, but the new version did not become live",
        Cause::Unhealthy => "the new version is not healthy",
        Cause::Cancelled => "cancelled by a person",
        Cause::Person => "asked for by a person",
    }
}

fn backup(state: &State, plan: &Plan) -> String {
    match (&plan.backup, &state.backup) {
        (None, _) => "not needed, the service has no database".to_owned(),
        (Some(target), Some(done)) => format!(
            "Job {}/{} of CronJob {} succeeded{}",
            target.namespace,
            done.job,
            target.cronjob,
            if done.shared {
                " (made for another upgrade of the same database)"
            } else {
                ""
            }
        ),
        (Some(_), None) => "missing".to_owned(),
    }
}

/// Evidence is foreign text: it may neither end the paragraph nor skip CI.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 300 {
            line.push('…');
            break;
        }
    }
    risk::defuse(&line)
}
