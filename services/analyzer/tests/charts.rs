//! Images that a Helm chart deploys, over every way a release is written.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

use std::sync::Arc;

use analyzer::chart::ChartVersion;
use analyzer::{Analyzer, Charts, Home, PortError, Release, Releases, Repository};
use async_trait::async_trait;
use bus::{Log, Memory, Outcome, Work as _};
use job::{Body, Command, Plan, Request, Source, UpgradeId};
use terraform::{MemTree, Options, Tree};

const IMAGE: &str = "ghcr.io/goauthentik/server";

/// What the branch holds.
struct Branch(Vec<(String, String)>);

#[async_trait]
impl Repository for Branch {
    async fn newest(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), PortError> {
        let files = self.0.iter().cloned();
        let files = files.map(|(path, text)| (path, text.into_bytes()));
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

/// The one chart at the address that the releases name; another address is out of reach.
struct Listed;

#[async_trait]
impl Charts for Listed {
    async fn versions(
        &self,
        repository: &str,
        chart: &str,
        _written: &str,
    ) -> Result<Option<Arc<Vec<ChartVersion>>>, PortError> {
        if repository != "https://charts.goauthentik.io/" {
            return Err(PortError::new(format!("{repository} is out of reach")));
        }
        let one = |(version, app): (&str, &str)| ChartVersion {
            version: version.to_owned(),
            app: Some(app.to_owned()),
            deprecated: false,
        };
        let all = [
            ("2026.2.2", "2026.2.2"),
            ("2026.2.3", "2026.2.3"),
            ("2026.2.5", "2026.2.4"),
        ];
        Ok((chart == "authentik").then(|| Arc::new(all.map(one).into())))
    }
}

fn release(version: &str, values: &str) -> String {
    format!(
        "resource \"helm_release\" \"app\" {{\n  name = \"goauthentik\"\n  namespace = \"auth\"\n  \
         repository = \"https://charts.goauthentik.io/\"\n  chart = \"authentik\"\n{version}\
         {values}}}\n"
    )
}

fn written(version: &str) -> String {
    release(&format!("  version = \"{version}\"\n"), "")
}

async fn asked(files: &[(&str, &str)], image: &str, tag: &str, chart: bool) -> Body {
    let log: Arc<dyn Log> = Arc::new(Memory::new(bus::Settings::new("test"), 1));
    let files = files.iter();
    let files = files.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let analyzer = Analyzer::new(
        analyzer::rules(&runtime::Settings::default()),
        Options::default(),
        Arc::clone(&log),
        Arc::new(Branch(files.collect())),
        Arc::new(NoReleases),
    );
    let analyzer = analyzer.with_charts(Arc::new(Listed));
    let request = Request {
        repository: "acme/infra".to_owned(),
        image: image.to_owned(),
        tag: tag.to_owned(),
        chart,
        digest: None,
        status: if chart { "" } else { "new" }.to_owned(),
        source: if chart { Source::Person } else { Source::Diun },
        hub_link: String::new(),
        attempt: 1,
        retry_of: None,
        lift_fence: chart,
        parent: None,
        service: None,
        by: String::new(),
    };
    let id = request.id("test");
    let opened = log
        .append(&id, None, Body::Requested(request))
        .await
        .unwrap();
    let history = log
        .append(&id, Some(&opened), Body::Admitted)
        .await
        .unwrap();
    match analyzer.carry_out(&history, Command::Plan).await {
        Ok(Outcome::Append(body)) => body,
        Err(error) => Body::Stuck(error.message),
        Ok(other) => unreachable!("{other:?}"),
    }
}

async fn announced(files: &[(&str, &str)], tag: &str) -> Body {
    asked(files, IMAGE, tag, false).await
}

fn planned(body: Body) -> Plan {
    match body {
        Body::Planned(plan) => plan,
        other => unreachable!("{}", job::describe(&other)),
    }
}

/// Each step's version, app version, and what is written where.
fn told(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| {
        let site = &step.sites[0];
        let app = step.app.as_deref().unwrap_or("none");
        format!("{} ({app}) {} {}", step.to, site.path, site.after)
    });
    steps.collect()
}

const MAIN: &str = "stacks/authentik/main.tf";

#[tokio::test]
async fn a_written_version_goes_where_the_app_version_is() {
    let text = written("2026.2.2");
    let plan = planned(announced(&[(MAIN, &text)], "2026.2.4").await);
    let expected = [
        "2026.2.3 (2026.2.3) stacks/authentik/main.tf 2026.2.3",
        "2026.2.5 (2026.2.4) stacks/authentik/main.tf 2026.2.5",
    ];
    assert_eq!(told(&plan), expected);
    assert_eq!(plan.from_app.as_deref(), Some("2026.2.2"));
    let target = &plan.targets[0];
    let target = [&target.kind, &target.namespace, &target.name, &target.image];
    assert_eq!(target, ["HelmRelease", "auth", "goauthentik", IMAGE]);
}

#[tokio::test]
async fn a_version_in_a_variable_is_written_there() {
    let text = release("  version = var.chart_version\n", "");
    let variable = "variable \"chart_version\" {\n  default = \"2026.2.2\"\n}\n";
    let path = "stacks/authentik/variables.tf";
    let plan = planned(announced(&[(MAIN, &text), (path, variable)], "2026.2.3").await);
    let expected = ["2026.2.3 (2026.2.3) stacks/authentik/variables.tf 2026.2.3"];
    assert_eq!(told(&plan), expected);
}

#[tokio::test]
async fn a_release_without_a_version_is_refused_with_its_place() {
    let text = release("", "");
    let body = announced(&[(MAIN, &text)], "2026.2.3").await;
    assert_eq!(
        job::describe(&body),
        "the release of chart authentik at stacks/authentik/main.tf:1 names no version, so Helm \
         takes whatever is newest; write one to have it upgraded"
    );
}

#[tokio::test]
async fn an_image_that_the_values_name_is_moved_there_and_not_the_chart() {
    let values = "  values = [yamlencode({ global = { image = { repository = \
                  \"ghcr.io/goauthentik/server\", tag = \"2026.2.2\" } } })]\n";
    let text = release("  version = \"2026.2.2\"\n", values);
    let plan = planned(announced(&[(MAIN, &text)], "2026.2.3").await);
    assert_eq!(plan.from_app, None);
    let sites = &plan.steps[0].sites;
    assert!(sites[0].address.contains("values"), "{sites:?}");
    assert_eq!((sites.len(), sites[0].after.as_str()), (1, "2026.2.3"));
    assert_eq!(plan.targets[0].kind, "HelmRelease");
}

#[tokio::test]
async fn a_person_asks_for_a_version_of_the_chart_itself() {
    let text = written("2026.2.3");
    let body = asked(&[(MAIN, &text)], "authentik", "2026.2.5", true).await;
    let expected = ["2026.2.5 (2026.2.4) stacks/authentik/main.tf 2026.2.5"];
    assert_eq!(told(&planned(body)), expected);
    let body = asked(&[(MAIN, &text)], "unknown", "1.0.0", true).await;
    assert_eq!(
        job::describe(&body),
        "which image chart unknown deploys is not known, so nothing would tell whether it is \
         live; name the image under [charts]"
    );
}

#[tokio::test]
async fn releases_in_several_services_go_apart_and_by_what_each_has_written() {
    let (old, new) = (written("2026.2.2"), written("2026.2.5"));
    let files = [
        ("stacks/one/main.tf", old.as_str()),
        ("stacks/two/main.tf", old.as_str()),
        ("stacks/three/main.tf", new.as_str()),
    ];
    let body = announced(&files, "2026.2.4").await;
    let Body::Split { children } = &body else {
        unreachable!("{}", job::describe(&body))
    };
    let parent = UpgradeId::derive("test", "acme/infra", IMAGE, "2026.2.4", 1);
    let expected =
        ["one", "two"].map(|name| UpgradeId::child(parent.as_str(), name, 1).to_string());
    assert_eq!(children.as_slice(), expected);
    // One of them alone is no reason to split.
    let plan = planned(announced(&files[1..], "2026.2.4").await);
    assert_eq!(plan.service, "two");
    assert_eq!(told(&plan).len(), 1);
}

#[tokio::test]
async fn a_repository_out_of_reach_is_waited_for_and_no_release_is_an_answer() {
    let text =
        written("2026.2.2").replace("https://charts.goauthentik.io/", "https://away.example");
    let body = announced(&[(MAIN, &text)], "2026.2.3").await;
    assert_eq!(
        body,
        Body::Stuck("https://away.example is out of reach".to_owned())
    );
    let body = announced(&[(MAIN, "locals {}\n")], "2026.2.3").await;
    let text = job::describe(&body);
    assert!(
        text.contains("chart authentik deploys it, and 1 .tf files"),
        "{text}"
    );
}
