use crate::{Body, SkipReason};

/// What a fact says, in one sentence for people; empty where its name says it all.
#[must_use]
pub fn describe(body: &Body) -> String {
    match body {
        Body::Requested(request) => format!("{}:{}", request.image, request.tag),
        Body::Planned(plan) => format!(
            "{} {} -> {}, {}, {} step(s)",
            plan.service,
            plan.from,
            plan.to(),
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
        Body::Applied { images } => images.values().cloned().collect::<Vec<String>>().join(", "),
        Body::FailingSince { evidence, .. } => evidence.clone(),
        Body::Observed { seconds } => format!("{seconds} s"),
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

fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Observe(what) => what.clone(),
        SkipReason::AlreadyThere => "the repository has this version already".to_owned(),
        SkipReason::SameTagRebuilt => {
            "the deployed tag was pushed again; there is no new version to write".to_owned()
        }
        SkipReason::NotFound => "no Terraform file names this image".to_owned(),
        SkipReason::SeveralServices(services) => format!(
            "several services run this image ({}), and an upgrade moves one; upgrade them by hand",
            services.join(", ")
        ),
        SkipReason::Refused(why) => why.clone(),
        SkipReason::Fenced(version) => {
            format!("{version} was rolled back before; `bowline upgrade` tries it all the same")
        }
    }
}

/// As much of a commit as people read.
fn short(commit: &str) -> String {
    commit.chars().take(10).collect()
}
