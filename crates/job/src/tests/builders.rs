//! Plans, facts and walks for the tests of this crate.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::{
    BackupTarget, Baseline, Body, Cause, CiRun, End, Fact, Illegal, Level, Limits, Phase, Plan,
    PlanStep, Policy, Request, Risk, Site, SkipReason, Source, State, Step, Transience, UpgradeId,
    Windows, step,
};

pub(super) fn id() -> UpgradeId {
    UpgradeId::derive("test", "infra", "example/app", "3.0.0", 1)
}

/// A plan from version 0 to version `steps`.
pub(super) fn plan(steps: u32, backup: bool, policy: Policy) -> Plan {
    let steps = (1..=steps).map(|number| PlanStep {
        to: number.to_string(),
        app: None,
        sites: vec![Site {
            path: "app/main.tf".into(),
            address: "app.image".into(),
            before: (number - 1).to_string(),
            after: number.to_string(),
        }],
    });
    Plan {
        service: "app".into(),
        repository: "infra".into(),
        cluster: "home".into(),
        from: "0".into(),
        from_app: None,
        head: "b0".into(),
        steps: steps.collect(),
        targets: Vec::new(),
        risk: Risk {
            level: Level::Safe,
            reasons: Vec::new(),
            excerpts: Vec::new(),
        },
        backup: backup.then(|| BackupTarget {
            namespace: "db".into(),
            cronjob: "dump".into(),
            engine: "postgresql".into(),
            database: String::new(),
        }),
        windows: Windows {
            forward_seconds: 600,
            undo_seconds: 300,
        },
        limits: Limits {
            ci_patience_seconds: 60,
            settle_seconds: 60,
            backup_seconds: 60,
            backup_max_age_seconds: 60,
        },
        policy,
        summary: String::new(),
        releases: 1,
        source_url: String::new(),
        monitors: None,
    }
}

fn request() -> Request {
    Request {
        repository: "infra".into(),
        image: "example/app".into(),
        tag: "3.0.0".into(),
        chart: false,
        digest: None,
        status: "new".into(),
        source: Source::Diun,
        hub_link: String::new(),
        attempt: 1,
        retry_of: None,
        lift_fence: false,
        parent: None,
        service: None,
        by: String::new(),
    }
}

/// A body of that name that has a chance in the given state.
pub(super) fn body(name: &str, state: Option<&State>, plan: &Plan) -> Body {
    let phase = state.map(|state| state.phase);
    match name {
        "requested" => Body::Requested(request()),
        "held" => Body::Held,
        "admitted" => Body::Admitted,
        "planned" => Body::Planned(plan.clone()),
        "approved" => Body::Approved { by: "alice".into() },
        "started" => Body::Started,
        "backing_up" => Body::BackingUp {
            attempt: 1,
            job: "backup".into(),
            keeps_turn: phase == Some(Phase::Baselined),
        },
        "backed_up" => Body::BackedUp {
            job: "backup".into(),
            dump_started_ms: 1,
            shared: phase != Some(Phase::BackingUp),
        },
        "ready" => Body::Ready,
        "stepped_back" => Body::SteppedBack("paused".into()),
        "baselined" => Body::Baselined(Baseline::default()),
        "pushing" => Body::Pushing {
            base: "b".into(),
            commit_at: 1,
            commit: "c".into(),
        },
        "pushed" => Body::Pushed { commit: "c".into() },
        "ci_passed" => Body::CiPassed(CiRun {
            number: 1,
            workflow: "apply".into(),
            url: String::new(),
        }),
        "ci_absent" => Body::CiAbsent,
        "ci_restarting" => Body::CiRestarting { number: 7 },
        "applied" => Body::Applied {
            images: BTreeMap::new(),
        },
        "healthy_since" => Body::HealthySince { since_ms: 1 },
        "failing_since" => Body::FailingSince {
            since_ms: 1,
            evidence: "HTTP 503".into(),
        },
        "observed" => Body::Observed {
            seconds: 60,
            paused: 0,
            why: String::new(),
        },
        "verified" => Body::Verified {
            report: "healthy".into(),
        },
        "resource_raised" => Body::ResourceRaised {
            what: "memory".into(),
        },
        "rollback_requested" => {
            let cause = match phase {
                Some(Phase::Ended(End::Succeeded)) => Cause::Person,
                _ => Cause::Unhealthy,
            };
            Body::RollbackRequested {
                cause,
                evidence: "HTTP 503".into(),
            }
        }
        "reverting" => Body::Reverting {
            base: "c".into(),
            commit_at: 2,
            commit: "r".into(),
        },
        "reverted" => Body::Reverted {
            commit: (phase != Some(Phase::RollbackRequested)).then(|| "r".into()),
        },
        "replan" => Body::Replan("another site".into()),
        "split" => Body::Split {
            children: vec!["0123456789abcdef".into()],
        },
        "cancel_requested" => Body::CancelRequested { by: "alice".into() },
        "retry_requested" => Body::RetryRequested { by: "alice".into() },
        "nudged" => Body::Nudged,
        "tried" => Body::Tried,
        "succeeded" => Body::Succeeded {
            report: "healthy".into(),
        },
        "skipped" => Body::Skipped(SkipReason::AlreadyThere),
        "aborted" => Body::Aborted {
            at: "0".into(),
            why: "backup failed".into(),
            transience: Transience::Lasting,
        },
        "rolled_back" => Body::RolledBack {
            to: "0".into(),
            report: "healthy".into(),
        },
        "cancelled" => Body::Cancelled { at: "0".into() },
        "superseded" => Body::Superseded {
            by: "0123456789abcdef".into(),
        },
        "resolved" => Body::Resolved {
            to: "1".into(),
            by: "alice".into(),
        },
        "stuck" => Body::Stuck("not applied".into()),
        "parked" => Body::Parked("it kills".into()),
        other => panic!("no sample for `{other}`"),
    }
}

/// A log that grows, and what it folds to.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    pub(super) plan: Rc<Plan>,
    pub(super) facts: Vec<Rc<Fact>>,
    pub(super) state: Option<State>,
}

impl Walk {
    /// An empty log; `planned` will carry the plan.
    pub(super) fn new(plan: Plan) -> Walk {
        Walk {
            plan: Rc::new(plan),
            facts: Vec::new(),
            state: None,
        }
    }

    /// The walk along the named facts, separated by spaces; every one has to be legal.
    pub(super) fn along(plan: Plan, names: &str) -> Walk {
        let mut walk = Walk::new(plan);
        for name in names.split_whitespace() {
            if let Err(illegal) = walk.say(name) {
                panic!("`{name}` in `{names}`: {illegal}");
            }
        }
        walk
    }

    pub(super) fn state(&self) -> &State {
        self.state.as_ref().unwrap()
    }

    /// What the named fact would do.
    pub(super) fn try_fact(&self, name: &str) -> Result<(Fact, Step), Illegal> {
        let count = i64::try_from(self.facts.len()).unwrap();
        let fact = Fact {
            id: format!("f{count}"),
            step: self.state.as_ref().map_or(0, |state| state.step),
            at_ms: 1_000 * (count + 1),
            min_reader: Fact::READER,
            body: body(name, self.state.as_ref(), &self.plan),
        };
        let step = step(&id(), self.state.as_ref(), &fact)?;
        Ok((fact, step))
    }

    /// Appends the named fact.
    pub(super) fn say(&mut self, name: &str) -> Result<(), Illegal> {
        let (fact, step) = self.try_fact(name)?;
        self.facts.push(Rc::new(fact));
        self.state = Some(step.state);
        Ok(())
    }
}
