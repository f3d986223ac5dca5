//! At least one body for each fact, with no field at its default where it can be helped, so that a
//! field that gets lost on the way is seen. `testdata/facts.txt` holds the first of each name.

use std::collections::BTreeMap;

use job::{
    BackupTarget, Baseline, Body, Cause, CiRun, Excerpt, Level, Limits, MonitorState, Monitors,
    Plan, PlanStep, Policy, Request, Risk, Site, SkipReason, Source, Target, TargetBaseline,
    Transience, Windows,
};

pub(super) fn bodies() -> Vec<Body> {
    let mut bodies = vec![
        Body::Requested(request()),
        Body::Held,
        Body::Admitted,
        Body::Planned(plan()),
        Body::Approved { by: "alice".into() },
        Body::Started,
        Body::BackingUp {
            attempt: 2,
            job: "backup-1".into(),
            keeps_turn: true,
        },
        Body::BackedUp {
            job: "backup-1".into(),
            dump_started_ms: 1_700_000,
            shared: true,
        },
        Body::Ready,
        Body::SteppedBack("paused".into()),
        Body::Baselined(baseline()),
        Body::Pushing {
            base: "b0".into(),
            commit_at: 1_700,
            commit: "c1".into(),
        },
        Body::Pushed {
            commit: "c1".into(),
        },
        Body::CiPassed(CiRun {
            number: u64::MAX,
            workflow: "apply".into(),
            url: "https://ci.example/7".into(),
        }),
        Body::CiAbsent,
        Body::CiRestarting { number: 41 },
        Body::Applied {
            images: map(&[("web/Deployment/app/app", "example/app:2.0.0")]),
        },
        Body::HealthySince { since_ms: -1 },
        Body::FailingSince {
            since_ms: i64::MAX,
            evidence: "HTTP 503".into(),
        },
        Body::Observed {
            seconds: 60,
            paused: 0,
            why: String::new(),
        },
        Body::Observed {
            seconds: 12,
            paused: 48,
            why: "a node is away".into(),
        },
        Body::Verified {
            report: "2.0.0 is live".into(),
        },
        Body::ResourceRaised {
            what: "memory 1Gi to 2Gi".into(),
        },
        Body::RollbackRequested {
            cause: Cause::Unhealthy,
            evidence: "HTTP 503".into(),
        },
        Body::Reverting {
            base: "b1".into(),
            commit_at: 1_800,
            commit: "c2".into(),
        },
        Body::Reverted {
            commit: Some("c2".into()),
        },
        Body::Replan("the site moved".into()),
        Body::Split {
            children: vec!["0123456789abcdef".into(), "fedcba9876543210".into()],
        },
        Body::CancelRequested { by: "alice".into() },
        Body::RetryRequested { by: "alice".into() },
        Body::Nudged,
        Body::Tried,
        Body::Succeeded {
            report: "3.0.0 is live".into(),
        },
        Body::Skipped(SkipReason::SeveralServices(vec!["a".into(), "b".into()])),
        Body::Aborted {
            at: "1".into(),
            why: "full".into(),
            transience: Transience::Transient,
        },
        Body::RolledBack {
            to: "1.0.0".into(),
            report: "1.0.0 is live".into(),
        },
        Body::Cancelled { at: "1.0.0".into() },
        Body::Superseded {
            by: "0123456789abcdef".into(),
        },
        Body::Resolved {
            to: "1.5.0".into(),
            by: "alice".into(),
        },
        Body::Stuck("not applied".into()),
        Body::Parked("too many facts".into()),
    ];
    bodies.extend(variations());
    bodies
}

/// The other values of enumerations and of what may be unset.
fn variations() -> Vec<Body> {
    let mut bodies = vec![
        Body::Reverted { commit: None },
        Body::Reverted {
            commit: Some(String::new()),
        },
        Body::Baselined(Baseline::default()),
        Body::Aborted {
            at: String::new(),
            why: String::new(),
            transience: Transience::Lasting,
        },
        Body::Planned(Plan {
            backup: None,
            policy: Policy {
                critical: true,
                ..Policy::default()
            },
            ..plan()
        }),
        Body::Planned(Plan {
            policy: Policy {
                insecure_tls: true,
                ..Policy::default()
            },
            monitors: Some(Monitors {
                names: vec!["App".into()],
                hosts: vec!["app.example".into()],
            }),
            ..plan()
        }),
        Body::Planned(chart()),
        Body::Baselined(Baseline {
            monitors: BTreeMap::from([
                ("App #1".into(), MonitorState::Up),
                ("App #2".into(), MonitorState::Down),
                ("App #3".into(), MonitorState::Pending),
                ("App #4".into(), MonitorState::Maintenance),
            ]),
            ..baseline()
        }),
        Body::Requested(Request {
            digest: None,
            retry_of: None,
            parent: None,
            service: None,
            by: "alice".into(),
            ..request()
        }),
    ];
    for source in [Source::Diun, Source::DiunEntry, Source::Bowline] {
        bodies.push(Body::Requested(Request {
            source,
            ..request()
        }));
    }
    for level in [Level::Safe, Level::Unknown] {
        bodies.push(Body::Planned(Plan {
            risk: Risk {
                level,
                ..plan().risk
            },
            ..plan()
        }));
    }
    for cause in [
        Cause::CiFailed,
        Cause::NotApplied,
        Cause::Cancelled,
        Cause::Person,
    ] {
        bodies.push(Body::RollbackRequested {
            cause,
            evidence: String::new(),
        });
    }
    let reasons = [
        SkipReason::Observe("would go to 2.0.0".into()),
        SkipReason::AlreadyThere,
        SkipReason::SameTagRebuilt,
        SkipReason::NotFound("3 files were searched".into()),
        SkipReason::SeveralServices(Vec::new()),
        SkipReason::Refused(String::new()),
        SkipReason::Fenced("2.0.0".into()),
    ];
    bodies.extend(reasons.map(Body::Skipped));
    bodies
}

fn request() -> Request {
    Request {
        repository: "infra".into(),
        image: "example/app".into(),
        tag: "3.0.0".into(),
        chart: true,
        digest: Some("sha256:00".into()),
        status: "update".into(),
        source: Source::Person,
        hub_link: "https://hub.example/app".into(),
        attempt: 3,
        retry_of: Some("0123456789abcdef".into()),
        lift_fence: true,
        parent: Some("fedcba9876543210".into()),
        service: Some("app".into()),
        // The first build had no such field.
        by: String::new(),
    }
}

/// As [`plan`], of a chart.
fn chart() -> Plan {
    let mut plan = plan();
    plan.from_app = Some("v1.0".into());
    for step in &mut plan.steps {
        step.app = Some(format!("v{}", step.to));
    }
    plan
}

fn plan() -> Plan {
    let step = |before: &str, to: &str| PlanStep {
        to: to.into(),
        app: None,
        sites: vec![Site {
            path: "app/main.tf".into(),
            address: "kubernetes_deployment.app".into(),
            before: before.into(),
            after: to.into(),
        }],
    };
    Plan {
        service: "app".into(),
        repository: "infra".into(),
        cluster: "home".into(),
        from: "1.0.0".into(),
        from_app: None,
        head: "b0".into(),
        steps: vec![step("1.0.0", "2.0.0"), step("2.0.0", "3.0.0")],
        targets: vec![Target {
            kind: "Deployment".into(),
            namespace: "web".into(),
            name: "app".into(),
            match_labels: map(&[("app", "app"), ("tier", "front")]),
            containers: vec!["app".into()],
            init_containers: vec!["migrate".into()],
            image: "example/app".into(),
            http: vec!["https://app.example/".into()],
        }],
        risk: Risk {
            level: Level::Caution,
            reasons: vec!["a major bump".into()],
            excerpts: vec![Excerpt {
                version: "2.0.0".into(),
                word: "breaking".into(),
                quote: "This is a breaking release.".into(),
                url: "https://notes.example/2.0.0".into(),
            }],
        },
        backup: Some(BackupTarget {
            namespace: "db".into(),
            cronjob: "dump".into(),
            engine: "postgresql".into(),
            database: "app".into(),
        }),
        windows: Windows {
            forward_seconds: 600,
            undo_seconds: 300,
        },
        limits: Limits {
            ci_patience_seconds: 6000,
            settle_seconds: 120,
            backup_seconds: 1800,
            backup_max_age_seconds: 3600,
        },
        policy: Policy {
            observe: true,
            approval: true,
            allow_unhealthy_before: true,
            insecure_tls: false,
            critical: false,
        },
        summary: "two releases".into(),
        releases: 2,
        source_url: "https://git.example/app".into(),
        monitors: None,
    }
}

fn baseline() -> Baseline {
    Baseline {
        targets: vec![TargetBaseline {
            target: "web/Deployment/app".into(),
            images: map(&[("app", "example/app:1.0.0")]),
            generation: 7,
            restarts: BTreeMap::from([("uid-1".into(), 2)]),
            replicas: 1,
            http: BTreeMap::from([("https://app.example/".into(), 200)]),
        }],
        monitors: BTreeMap::new(),
    }
}

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}
