//! An image in several services, on a real log: the same parts whatever happens in between.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use analyzer::{Analyzer, Home, PortError, Release, Releases, Repository};
use async_trait::async_trait;
use bus::{History, JetStream, Log, Outcome, Work as _};
use job::{Body, Command, Request, SkipReason, Source, UpgradeId};
use terraform::{MemTree, Options, Tree};
use testkit::nats::NatsServer;

const DEPLOYMENT: &str = r#"
resource "kubernetes_deployment" "app" {
  metadata {
    name      = "app"
    namespace = "SERVICE"
  }
  spec {
    template {
      spec {
        container {
          name  = "app"
          image = "IMAGE"
        }
      }
    }
  }
}
"#;

/// What the branch holds: images by service.
#[derive(Default)]
struct Branch(Mutex<BTreeMap<&'static str, String>>);

impl Branch {
    fn set(&self, service: &'static str, version: &str) {
        self.set_image(service, &format!("acme/app:{version}"));
    }

    fn set_image(&self, service: &'static str, image: &str) {
        self.0.lock().unwrap().insert(service, image.to_owned());
    }
}

#[async_trait]
impl Repository for Branch {
    async fn newest(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), PortError> {
        let files = self.0.lock().unwrap().clone().into_iter();
        let files = files.map(|(service, image)| {
            let text = DEPLOYMENT
                .replace("SERVICE", service)
                .replace("IMAGE", &image);
            (format!("stacks/{service}/main.tf"), text.into_bytes())
        });
        Ok(("c0ffee".to_owned(), Box::new(MemTree(files.collect()))))
    }
}

struct NoReleases;

#[async_trait]
impl Releases for NoReleases {
    async fn all(&self, _: &Home) -> Result<Option<Vec<Release>>, PortError> {
        Ok(None)
    }
}

struct Bench {
    branch: Arc<Branch>,
    log: Arc<dyn Log>,
    analyzer: Analyzer,
    _server: NatsServer,
}

async fn bench() -> Bench {
    runtime::tls::install();
    let server = NatsServer::start().await.unwrap();
    let log = JetStream::connect(&server.url(), bus::Settings::new("test"))
        .await
        .unwrap();
    log.set_up().await.unwrap();
    let log: Arc<dyn Log> = Arc::new(log);
    let branch = Arc::new(Branch::default());
    let analyzer = analyzer_with(&runtime::Settings::default(), &log, &branch);
    Bench {
        branch,
        log,
        analyzer,
        _server: server,
    }
}

fn analyzer_with(
    settings: &runtime::Settings,
    log: &Arc<dyn Log>,
    branch: &Arc<Branch>,
) -> Analyzer {
    Analyzer::new(
        analyzer::rules(settings),
        Options::default(),
        Arc::clone(log),
        Arc::<Branch>::clone(branch),
        Arc::new(NoReleases),
    )
}

fn request() -> Request {
    Request {
        repository: "acme/infra".to_owned(),
        image: "docker.io/acme/app".to_owned(),
        tag: "1.3.0".to_owned(),
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
    }
}

impl Bench {
    async fn admitted(&self, request: Request) -> History {
        let id = request.id("test");
        let opened = match self.log.read(&id).await.unwrap() {
            Some(history) => history,
            None => self
                .log
                .append(&id, None, Body::Requested(request))
                .await
                .unwrap(),
        };
        self.log
            .append(&id, Some(&opened), Body::Admitted)
            .await
            .unwrap()
    }

    async fn planned(&self, history: &History) -> Body {
        match self.analyzer.carry_out(history, Command::Plan).await {
            Ok(Outcome::Append(body)) => body,
            other => unreachable!("{other:?}"),
        }
    }

    async fn service_of(&self, id: &UpgradeId) -> Option<String> {
        let history = self.log.read(id).await.unwrap()?;
        history.state.request.service
    }
}

fn parts(parent: &History, services: &[&str]) -> Body {
    let ids = services
        .iter()
        .map(|service| UpgradeId::child(parent.id.as_str(), service, 1).to_string());
    Body::Split {
        children: ids.collect(),
    }
}

#[tokio::test]
async fn each_service_gets_its_part_once_also_after_a_crash_in_between() {
    let bench = bench().await;
    for service in ["x", "y", "z"] {
        bench.branch.set(service, "1.2.0");
    }
    bench.branch.set("other", "1.3.0");
    let parent = bench.admitted(request()).await;
    let all = parts(&parent, &["x", "y", "z"]);
    assert_eq!(bench.planned(&parent).await, all);
    assert_eq!(bench.planned(&parent).await, all, "delivered twice");
    let child = |service| UpgradeId::child(parent.id.as_str(), service, 1);
    for service in ["x", "y", "z"] {
        let found = bench.service_of(&child(service)).await;
        assert_eq!(found.as_deref(), Some(service));
    }
    assert_eq!(bench.service_of(&child("other")).await, None);

    // A crash before `split`, and meanwhile a part has moved its service: it still is a part.
    bench.branch.set("x", "1.3.0");
    assert_eq!(bench.planned(&parent).await, all);
    bench.branch.set("y", "1.3.0");
    bench.branch.set("z", "1.3.0");
    assert_eq!(bench.planned(&parent).await, all);
}

#[tokio::test]
async fn a_part_is_planned_on_its_own_service_only_and_one_service_is_no_split() {
    let bench = bench().await;
    for service in ["x", "y"] {
        bench.branch.set(service, "1.2.0");
    }
    let parent = bench.admitted(request()).await;
    assert_eq!(bench.planned(&parent).await, parts(&parent, &["x", "y"]));
    let part = bench.admitted(request().for_service(&parent.id, "y")).await;
    let Body::Planned(plan) = bench.planned(&part).await else {
        unreachable!("a part is planned")
    };
    assert_eq!(plan.service, "y");
    assert_eq!(plan.steps[0].sites[0].path, "stacks/y/main.tf");

    // Another request for what only one service lacks is no split.
    bench.branch.set("x", "1.3.0");
    let again = Request {
        attempt: 2,
        ..request()
    };
    let again = bench.admitted(again).await;
    let Body::Planned(plan) = bench.planned(&again).await else {
        unreachable!("one service is planned")
    };
    assert_eq!(plan.service, "y");
}

#[tokio::test]
async fn a_base_image_of_several_services_moves_only_if_it_is_allowed() {
    let mut bench = bench().await;
    for service in ["x", "y"] {
        bench.branch.set_image(service, "busybox:1.2.0");
    }
    let base = Request {
        image: "docker.io/library/busybox".to_owned(),
        ..request()
    };
    let asked = bench.admitted(base.clone()).await;
    let Body::Skipped(SkipReason::Refused(why)) = bench.planned(&asked).await else {
        unreachable!("two services use it")
    };
    assert_eq!(
        why,
        "docker.io/library/busybox is a base image that 2 services use (x, y); name it in \
         repository.allow_bases to have it upgraded in each of them"
    );

    let mut settings = runtime::Settings::default();
    settings.repository.allow_bases = vec!["busybox".to_owned()];
    bench.analyzer = analyzer_with(&settings, &bench.log, &bench.branch);
    assert_eq!(bench.planned(&asked).await, parts(&asked, &["x", "y"]));
}
