//! One upgrade of one service, carried as far as a test wants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bus::{Entry, History, Outcome, Work as _};
use job::{
    Body, Command, Fact, Level, Limits, Owner, Phase, Plan, PlanStep, Policy, Request, Risk,
    Source, Target, UpgradeId, Windows,
};
use runtime::Secret;
use testkit::http::Site;
use testkit::kubernetes::{Cluster, Kind, Workload};

use crate::ports::{self, Member, Surroundings, Unknown};
use crate::{Eyes, Http, Kubernetes, Kuma, KumaAddress, Repository, Times, Verifier, Woodpecker};

pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Stage {
    pub(super) ci: testkit::woodpecker::Woodpecker,
    pub(super) cluster: Cluster,
    pub(super) site: Site,
    pub(super) kuma: testkit::kuma::Kuma,
    verifier: Verifier,
    clock: Arc<Clock>,
    blind: Arc<AtomicBool>,
    facts: Vec<Fact>,
    id: UpgradeId,
}

pub(super) fn repository(ci: &testkit::woodpecker::Woodpecker) -> Repository {
    Repository {
        url: ci.url(),
        name: ci.full_name(),
        token: Secret::new(ci.token()),
        branch: "master".to_owned(),
        workflow: "default".to_owned(),
        may_restart: true,
    }
}

/// Wall time that stands still unless a test moves it; what the stubs say is of the moments after
/// it began.
struct Clock {
    began_ms: i64,
    ahead_ms: AtomicI64,
}

impl Clock {
    fn start() -> Clock {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Clock {
            began_ms: i64::try_from(since.unwrap().as_millis()).unwrap(),
            ahead_ms: AtomicI64::new(0),
        }
    }

    fn now_ms(&self) -> i64 {
        self.began_ms + self.ahead_ms.load(Ordering::SeqCst)
    }
}

/// A cluster whose nodes and Deployments cannot be listed for a while.
struct Half {
    cluster: Kubernetes,
    blind: Arc<AtomicBool>,
}

#[async_trait]
impl ports::Cluster for Half {
    async fn workload(
        &self,
        cluster: &str,
        target: &Target,
    ) -> Result<Option<ports::Workload>, Unknown> {
        self.cluster.workload(cluster, target).await
    }

    async fn release(&self, cluster: &str, target: &Target) -> Result<Vec<Member>, Unknown> {
        self.cluster.release(cluster, target).await
    }

    async fn surroundings(&self, cluster: &str) -> Surroundings {
        if self.blind.load(Ordering::SeqCst) {
            return Surroundings {
                unknown: Some(Unknown("the list timed out".to_owned())),
                ..Surroundings::default()
            };
        }
        self.cluster.surroundings(cluster).await
    }
}

/// Acme's app 1 is to become 2: main and init container, windows of 120 s and 60 s, settle 100 s,
/// CI within 300 s and 1000 s.
pub(super) fn plan(http: Vec<String>) -> Plan {
    let step = |to: &str| PlanStep {
        to: to.to_owned(),
        app: None,
        sites: Vec::new(),
    };
    Plan {
        service: "app".to_owned(),
        repository: "acme/infra".to_owned(),
        cluster: "home".to_owned(),
        from: "1".to_owned(),
        from_app: None,
        head: "h".to_owned(),
        steps: vec![step("2")],
        targets: vec![Target {
            http,
            ..crate::sample::target()
        }],
        risk: Risk {
            level: Level::Safe,
            reasons: Vec::new(),
            excerpts: Vec::new(),
        },
        backup: None,
        windows: Windows {
            forward_seconds: 120,
            undo_seconds: 60,
        },
        limits: Limits {
            ci_patience_seconds: 1000,
            settle_seconds: 100,
            backup_seconds: 0,
            backup_max_age_seconds: 0,
        },
        policy: Policy::default(),
        summary: String::new(),
        releases: 1,
        source_url: String::new(),
        monitors: None,
    }
}

impl Stage {
    pub(super) fn new() -> Stage {
        Stage::with(1, |_| ())
    }

    /// Everything is ready for the baseline; `change` changes the plan.
    pub(super) fn with(replicas: u64, change: impl FnOnce(&mut Plan)) -> Stage {
        Stage::read_by(replicas, change, |_, _| ())
    }

    /// `read` changes how Uptime Kuma is read: by its status page.
    pub(super) fn read_by(
        replicas: u64,
        change: impl FnOnce(&mut Plan),
        read: impl FnOnce(&mut KumaAddress, &testkit::kuma::Kuma),
    ) -> Stage {
        crate::choose_cryptography();
        let ci = testkit::woodpecker::Woodpecker::start("acme/infra").unwrap();
        let (cluster, site) = (Cluster::start().unwrap(), Site::start().unwrap());
        let workload = Workload::new(Kind::Deployment, "web", "app").label("app", "app");
        let workload = workload
            .container("app", "acme/app:1")
            .init("migrate", "acme/app:1");
        cluster.add(workload.replicas(replicas));
        cluster.rollout_delay(Duration::from_millis(20));
        let clock = Arc::new(Clock::start());
        let blind = Arc::new(AtomicBool::new(false));
        let repositories = BTreeMap::from([("acme/infra".to_owned(), repository(&ci))]);
        let clusters = BTreeMap::from([("home".to_owned(), Some(cluster.url()))]);
        let kuma = testkit::kuma::Kuma::start().unwrap();
        let shown = Arc::clone(&clock);
        let now_ms: Arc<dyn Fn() -> i64 + Send + Sync> = Arc::new(move || shown.now_ms());
        let mut address = KumaAddress {
            url: kuma.url(),
            status_page: Some(kuma.slug().to_owned()),
            api_key: None,
            poll: Duration::ZERO,
            timeout: TIMEOUT,
        };
        read(&mut address, &kuma);
        let monitoring = Kuma::new(address, Arc::clone(&now_ms)).unwrap();
        let verifier = Verifier::new(
            Eyes {
                ci: Arc::new(Woodpecker::new(repositories, TIMEOUT).unwrap()),
                cluster: Arc::new(Half {
                    cluster: Kubernetes::new(clusters, TIMEOUT),
                    blind: Arc::clone(&blind),
                }),
                probe: Arc::new(Http::new(TIMEOUT).unwrap()),
                monitoring: Some(Arc::new(monitoring)),
                turns: None,
                now_ms,
            },
            Times::default(),
        );
        let mut plan = plan(vec![site.url()]);
        change(&mut plan);
        let id = UpgradeId::derive("test", "acme/infra", "acme/app", "2", 1);
        let mut stage = Stage {
            ci,
            cluster,
            site,
            kuma,
            verifier,
            clock,
            blind,
            facts: Vec::new(),
            id,
        };
        stage.say(Body::Requested(Request {
            repository: "acme/infra".to_owned(),
            image: "docker.io/acme/app".to_owned(),
            tag: "2".to_owned(),
            chart: false,
            digest: None,
            status: "new".to_owned(),
            source: Source::Diun,
            hub_link: String::new(),
            attempt: 1,
            retry_of: None,
            lift_fence: false,
            parent: None,
            service: None,
            by: String::new(),
        }));
        stage.say(Body::Admitted);
        stage.say(Body::Planned(plan));
        stage.say(Body::Started);
        stage.say(Body::Ready);
        stage
    }

    pub(super) fn advance(&self, seconds: i64) {
        let ahead_ms = &self.clock.ahead_ms;
        ahead_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// While set, the surroundings of the targets cannot be seen.
    pub(super) fn blind(&self, yes: bool) {
        self.blind.store(yes, Ordering::SeqCst);
    }

    pub(super) fn history(&self) -> History {
        let state = job::fold(&self.id, &self.facts).unwrap().unwrap();
        let entries = (1..)
            .zip(&self.facts)
            .map(|(n, fact)| Entry {
                sequence: n,
                n,
                next: Owner::None,
                fact: fact.clone(),
                traceparent: None,
            })
            .collect();
        History {
            id: self.id.clone(),
            entries,
            state,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.history().state.phase
    }

    /// Appends a fact as its owner would.
    pub(super) fn say(&mut self, body: Body) {
        let step = if self.facts.is_empty() {
            0
        } else {
            self.history().state.step
        };
        let step = if matches!(body, Body::Planned(_)) {
            1
        } else {
            step
        };
        let at_ms = self.clock.now_ms();
        let id = self.facts.len().to_string();
        self.facts.push(Fact {
            id,
            step,
            at_ms,
            min_reader: 1,
            body,
        });
        job::fold(&self.id, &self.facts).unwrap();
    }

    /// The baseline, then the push of commit `a` and its webhook at CI.
    pub(super) async fn push(&mut self) {
        assert!(matches!(self.tick().await, Some(Body::Baselined(_))));
        let (base, commit) = ("h".to_owned(), "a".to_owned());
        let commit_at = self.clock.began_ms / 1000;
        self.say(Body::Pushing {
            base,
            commit_at,
            commit: commit.clone(),
        });
        self.ci.push("a", "master", "upgrade: app 1 -> 2");
        self.say(Body::Pushed { commit });
    }

    /// The undo's part, with its push of commit `r`.
    pub(super) fn revert(&mut self) {
        let (base, commit) = ("a".to_owned(), "r".to_owned());
        self.say(Body::Reverting {
            base,
            commit_at: self.clock.began_ms / 1000,
            commit: commit.clone(),
        });
        self.ci.push("r", "master", "Revert");
        self.say(Body::Reverted {
            commit: Some(commit),
        });
    }

    pub(super) fn apply(&self, tag: &str) {
        let image = format!("acme/app:{tag}");
        assert!(
            self.cluster
                .set_images("web", "app", &[("app", &image), ("migrate", &image)])
        );
    }

    /// Carries out the command that is due, and appends what it answers.
    pub(super) async fn tick(&mut self) -> Option<Body> {
        let history = self.history();
        let command: Command = history
            .state
            .command()
            .expect("the upgrade waits for somebody");
        match self.verifier.carry_out(&history, command).await.unwrap() {
            Outcome::Append(body) => {
                self.say(body.clone());
                Some(body)
            }
            Outcome::Wait(_) | Outcome::Delayed { .. } => None,
            Outcome::Appended => panic!("the verifier appends nothing by itself"),
        }
    }

    /// Ticks until a fact is appended that passes.
    pub(super) async fn until(&mut self, what: &str, pass: impl Fn(&Body) -> bool) -> Body {
        let begun = Instant::now();
        let mut seen = Vec::new();
        loop {
            if let Some(body) = self.tick().await {
                if pass(&body) {
                    return body;
                }
                seen.push(body);
            }
            assert!(
                begun.elapsed() < TIMEOUT,
                "never happened: {what}; instead {seen:?}"
            );
            assert!(
                self.history().state.command().is_some(),
                "not {what}: {seen:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
