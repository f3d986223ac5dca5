//! The one service of the sample tree that a Helm chart deploys: authentik.

use crate::apply::{Tree, Wanted};
use crate::charts::Charts;
use crate::github::GitHub;
use crate::http::Site;
use crate::kubernetes::{Cluster, Kind, Workload};

/// The folder's name, and the namespace's.
pub(super) const SERVICE: &str = "authentik";
const CHART: &str = "authentik";
const RELEASE: &str = "goauthentik";
const PATH: &str = "stacks/authentik/main.tf";
/// What tells which app version runs.
pub(super) const IMAGE: &str = "ghcr.io/goauthentik/server";
/// The workloads that run the image, by name and container.
const RUNS: [(&str, &str); 2] = [
    ("goauthentik-server", "server"),
    ("goauthentik-worker", "worker"),
];
/// Chart versions and what they bring; one fixes the chart alone.
const VERSIONS: [(&str, &str); 5] = [
    ("2026.2.1", "2026.2.1"),
    ("2026.2.2", "2026.2.2"),
    ("2026.2.3", "2026.2.3"),
    ("2026.2.4", "2026.2.3"),
    ("2026.2.5", "2026.2.4"),
];

/// Lists the chart's versions, and publishes the app's releases.
pub(super) fn publish(charts: &Charts, github: &GitHub) {
    for (version, app) in VERSIONS {
        charts.add(CHART, version, app);
        let tag = format!("version/{app}");
        if version == app {
            github.add_release("goauthentik/authentik", &tag, "* fix: flows with a captcha");
        }
    }
    let last = "version/2026.2.4";
    github.add_release("goauthentik/authentik", last, "* fix: the outpost's health");
}

/// Puts the release's workloads into the cluster, as the tree has them.
pub(super) fn add_to(cluster: &Cluster, charts: &Charts, tree: &Tree) {
    let label = |version: &str| format!("{CHART}-{version}");
    let label = written(tree).map(|version| label(&version));
    let label = label.unwrap_or_default();
    let of = |name: &str| {
        Workload::new(Kind::Deployment, SERVICE, name)
            .label("app.kubernetes.io/name", name)
            .of_release(RELEASE, &label)
    };
    for (_, workload, container, image) in wanted(tree, charts) {
        cluster.add(of(&workload).container(&container, &image));
    }
    // A part of the release that is of another version.
    cluster.add(of("goauthentik-redis").container("redis", "docker.io/library/redis:7.4.2"));
    // And a neighbour that is none.
    cluster.add_deployment(
        SERVICE,
        "pgbouncer",
        &[("app", "pgbouncer")],
        &[("pgbouncer", "docker.io/edoburu/pgbouncer:1.23.1")],
    );
}

/// Lets the site be the ingress in front of the server.
pub(super) fn serve(site: &Site, cluster: &Cluster) {
    site.follow(cluster, SERVICE, RUNS[0].0);
}

/// What Helm makes of the cluster with the tree's version of the chart.
pub(super) fn wanted(tree: &Tree, charts: &Charts) -> Vec<Wanted> {
    let app = written(tree).and_then(|version| charts.app_of(CHART, &version));
    let Some(app) = app else { return Vec::new() };
    RUNS.iter()
        .map(|(workload, container)| {
            (
                SERVICE.to_owned(),
                (*workload).to_owned(),
                (*container).to_owned(),
                format!("{IMAGE}:{app}"),
            )
        })
        .collect()
}

/// The version of the release that is no comment.
fn written(tree: &Tree) -> Option<String> {
    let text = String::from_utf8_lossy(tree.get(PATH)?).into_owned();
    let (_, release) = text.split_once("resource \"helm_release\"")?;
    let mut lines = release.lines().map(str::trim_start);
    let line = lines.find(|line| line.starts_with("version"))?;
    line.split('"').nth(1).map(str::to_owned)
}

/// The file that holds the version.
pub(super) fn path() -> &'static str {
    PATH
}
