//! What the other services would state.

use std::collections::BTreeMap;

use job::{Baseline, Body, CiRun, Level, Limits, Plan, PlanStep, Policy, Risk, Windows};

/// A plan from 1.0.0 over `steps` versions.
pub(crate) fn plan(level: Level, reason: &str, steps: &[&str]) -> Plan {
    Plan {
        service: "app".to_owned(),
        repository: "acme/infra".to_owned(),
        cluster: "default".to_owned(),
        from: "1.0.0".to_owned(),
        from_app: None,
        head: "b0".to_owned(),
        steps: steps
            .iter()
            .map(|&to| PlanStep {
                to: to.to_owned(),
                app: None,
                sites: Vec::new(),
            })
            .collect(),
        targets: Vec::new(),
        risk: Risk {
            level,
            reasons: vec![reason.to_owned()],
            excerpts: Vec::new(),
        },
        backup: None,
        windows: Windows {
            forward_seconds: 3_600,
            undo_seconds: 120,
        },
        limits: Limits {
            ci_patience_seconds: 60,
            settle_seconds: 60,
            backup_seconds: 60,
            backup_max_age_seconds: 60,
        },
        policy: Policy::default(),
        summary: String::new(),
        releases: 1,
        source_url: String::new(),
        monitors: None,
    }
}

/// From the slot to the push.
pub(crate) fn pushed() -> Vec<Body> {
    vec![
        Body::Started,
        Body::Ready,
        Body::Baselined(Baseline::default()),
        Body::Pushing {
            base: "b".to_owned(),
            commit_at: 1,
            commit: "c".to_owned(),
        },
        Body::Pushed {
            commit: "c".to_owned(),
        },
    ]
}

/// From the push to the window.
pub(crate) fn watched() -> Vec<Body> {
    let run = CiRun {
        number: 1,
        workflow: "default".to_owned(),
        url: String::new(),
    };
    let images = BTreeMap::new();
    vec![Body::CiPassed(run), Body::Applied { images }]
}

/// From the request for an undo to its window.
pub(crate) fn reverted() -> Vec<Body> {
    let reverting = Body::Reverting {
        base: "c".to_owned(),
        commit_at: 2,
        commit: "r".to_owned(),
    };
    let commit = Some("r".to_owned());
    vec![reverting, Body::Reverted { commit }]
}
