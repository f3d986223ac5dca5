use crate::{Body, SkipReason};

/// What a fact says, in one sentence for people; empty where its name says it all.
#[must_use]
pub fn describe(body: &Body) -> String {
    match body {
        Body::Requested(request) => {
            let mut text = format!("{}:{}", request.image, request.tag);
            if !request.by.is_empty() {
                text.push_str(&format!(", by {}", request.by));
            }
            if let Some(before) = &request.retry_of {
                text.push_str(&format!(", after {before}"));
            }
            text
        }
        Body::Planned(plan) => format!(
            "{} {}, {}, {} step(s)",
            plan.service,
            plan.way(&plan.from, plan.to(), "->"),
            plan.risk.level,
            plan.step_count()
        ),
        Body::Approved { by } | Body::CancelRequested { by } | Body::RetryRequested { by } => {
            format!("by {by}")
        }
        Body::BackingUp { job, .. } => format!("Job {job}"),
        Body::BackedUp { job, shared, .. } => {
            format!("Job {job}{}", if *shared { ", shared" } else { "" })
        }
        Body::Pushing { base, commit, .. } | Body::Reverting { base, commit, .. } => {
            format!("{} on {}", short(commit), short(base))
        }
        Body::Pushed { commit } => short(commit),
        Body::Reverted { commit } => commit
            .as_deref()
            .map_or_else(|| "nothing to revert".to_owned(), short),
        Body::CiPassed(run) => format!("pipeline {} {}", run.number, run.workflow),
        Body::CiRestarting { number } => format!("pipeline {number} is started again"),
        Body::Applied { images } => images.values().cloned().collect::<Vec<String>>().join(", "),
        Body::FailingSince { evidence, .. } => evidence.clone(),
        Body::Observed {
            seconds,
            paused,
            why,
        } => observed(*seconds, *paused, why),
        Body::RollbackRequested { cause, evidence } => format!("{cause:?}: {evidence}"),
        Body::Split { children } => children.join(", "),
        Body::Skipped(reason) => skipped(reason),
        Body::Aborted { why, .. }
        | Body::SteppedBack(why)
        | Body::Replan(why)
        | Body::Stuck(why)
        | Body::Parked(why)
        | Body::ResourceRaised { what: why }
        | Body::Verified { report: why }
        | Body::Succeeded { report: why } => why.clone(),
        Body::RolledBack { to, report } => format!("{to} is live: {report}"),
        Body::Cancelled { at } => format!("{at} is live"),
        Body::Superseded { by } => format!("by {by}"),
        Body::Resolved { to, by } => format!("{by} says that {to} is live"),
        Body::Held
        | Body::Admitted
        | Body::Started
        | Body::Ready
        | Body::Baselined(_)
        | Body::CiAbsent
        | Body::HealthySince { .. }
        | Body::Nudged
        | Body::Tried => String::new(),
    }
}

fn observed(seconds: u32, paused: u32, why: &str) -> String {
    let mut text = format!("{seconds} s");
    if paused > 0 {
        text.push_str(&format!(", stood still for {paused} s"));
    }
    if !why.is_empty() {
        text.push_str(&format!(", stands still: {why}"));
    }
    text
}

fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Observe(what) => what.clone(),
        SkipReason::AlreadyThere => "the repository has this version already".to_owned(),
        SkipReason::SameTagRebuilt => {
            "the deployed tag was pushed again; there is no new version to write".to_owned()
        }
        SkipReason::NotFound(searched) if searched.is_empty() => {
            "no Terraform file names this image".to_owned()
        }
        SkipReason::NotFound(searched) => {
            format!("no Terraform file names this image; {searched}")
        }
        SkipReason::SeveralServices(services) => format!(
            "several services run this image ({}), and each gets an upgrade of its own",
            services.join(", ")
        ),
        SkipReason::Refused(why) => why.clone(),
        SkipReason::Fenced(version) => {
            format!("{version} was rolled back before; `bowline retry <id>` tries it all the same")
        }
    }
}

/// As much of a commit as people read.
fn short(commit: &str) -> String {
    commit.chars().take(10).collect()
}
