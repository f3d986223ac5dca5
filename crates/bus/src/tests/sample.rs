use std::collections::BTreeMap;

use job::{
    Baseline, Body, Cause, Level, Limits, Plan, PlanStep, Policy, Request, Risk, Site, Source,
    UpgradeId, Windows,
};

use crate::{History, Log};

pub(crate) fn id(tag: &str) -> UpgradeId {
    UpgradeId::derive("test", "infra", "docker.io/library/redis", tag, 1)
}

pub(crate) fn requested(tag: &str) -> Body {
    Body::Requested(Request {
        repository: "infra".into(),
        image: "docker.io/library/redis".into(),
        tag: tag.into(),
        chart: false,
        digest: None,
        status: "update".into(),
        source: Source::Diun,
        hub_link: String::new(),
        attempt: 1,
        retry_of: None,
        lift_fence: false,
        parent: None,
        service: None,
        by: String::new(),
    })
}

/// A plan for one service, without a backup.
pub(crate) fn planned(service: &str, tag: &str) -> Body {
    Body::Planned(Plan {
        service: service.into(),
        repository: "infra".into(),
        cluster: "home".into(),
        from: "1".into(),
        from_app: None,
        head: "c0ffee".into(),
        steps: vec![PlanStep {
            to: tag.into(),
            app: None,
            sites: vec![Site {
                path: "main.tf".into(),
                address: "local.image".into(),
                before: "1".into(),
                after: tag.into(),
            }],
        }],
        targets: Vec::new(),
        risk: Risk {
            level: Level::Safe,
            reasons: Vec::new(),
            excerpts: Vec::new(),
        },
        backup: None,
        windows: Windows {
            forward_seconds: 120,
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
    })
}

pub(crate) fn pushing() -> Body {
    Body::Pushing {
        base: "b".into(),
        commit_at: 1,
        commit: "c".into(),
    }
}

pub(crate) fn rollback() -> Body {
    Body::RollbackRequested {
        cause: Cause::CiFailed,
        evidence: "red".into(),
    }
}

/// Everything from the request to the verifier's word that the push has to be undone.
pub(crate) fn up_to_rollback(service: &str, tag: &str) -> Vec<Body> {
    let mut bodies = up_to_started(service, tag);
    bodies.extend([
        Body::Ready,
        Body::Baselined(Baseline::default()),
        pushing(),
        Body::Pushed { commit: "c".into() },
        rollback(),
    ]);
    bodies
}

pub(crate) fn up_to_planned(service: &str, tag: &str) -> Vec<Body> {
    vec![requested(tag), Body::Admitted, planned(service, tag)]
}

pub(crate) fn up_to_started(service: &str, tag: &str) -> Vec<Body> {
    let mut bodies = up_to_planned(service, tag);
    bodies.push(Body::Started);
    bodies
}

pub(crate) fn applied() -> Body {
    Body::Applied {
        images: BTreeMap::new(),
    }
}

/// Appends the bodies one after the other; the first one opens the log.
pub(super) async fn written(log: &dyn Log, tag: &str, bodies: Vec<Body>) -> History {
    let mut history = None;
    for body in bodies {
        history = Some(log.append(&id(tag), history.as_ref(), body).await.unwrap());
    }
    history.unwrap()
}
