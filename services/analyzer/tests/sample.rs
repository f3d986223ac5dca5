//! Plans on the sample repository: which workloads an upgrade watches, and where it asks.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

use analyzer::notes::Way;
use analyzer::{planning, sites};
use runtime::Settings;
use terraform::{DirTree, Options, Wanted};

const SAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/testkit/data/homelab"
);

fn planned(settings: &Settings, image: &str, to: &str) -> Result<job::Plan, job::SkipReason> {
    let tree = DirTree::open(SAMPLE).unwrap();
    let wanted = Wanted::Image {
        repository: version::normalise(image),
        tag: to.to_owned(),
        digest: None,
    };
    let found = sites::find(&tree, &Options::default(), &wanted, "", None)?;
    let rules = analyzer::rules(settings);
    planning::plan(&rules, "infra", "head", &found, to, &Way::default())
}

/// One line per workload: where it is, its containers, and the addresses that must answer.
fn told(plan: &job::Plan) -> Vec<String> {
    let line = |target: &job::Target| {
        format!(
            "{} {}/{} init {:?} main {:?} {} http {:?}",
            target.kind,
            target.namespace,
            target.name,
            target.init_containers,
            target.containers,
            target.image,
            target.http
        )
    };
    plan.targets.iter().map(line).collect()
}

#[track_caller]
fn check(image: &str, to: &str, expected: &[&str]) {
    let plan = planned(&Settings::default(), image, to).unwrap();
    assert_eq!(told(&plan), expected, "{image}");
    for target in &plan.targets {
        assert!(!target.match_labels.is_empty(), "{target:?}");
    }
}

#[test]
fn the_workloads_of_the_sample_are_found_with_their_addresses() {
    check(
        "coturn/coturn",
        "4.10.0-r1",
        &[r#"DaemonSet coturn/coturn init [] main ["coturn"] coturn/coturn http []"#],
    );
    check(
        "matrixdotorg/synapse",
        "v1.151.0",
        &[
            r#"Deployment matrix/synapse init ["generate-config"] main ["synapse"] matrixdotorg/synapse http ["https://matrix.example.org"]"#,
        ],
    );
    check(
        "ghcr.io/immich-app/immich-server",
        "v2.7.5",
        &[
            r#"Deployment immich/immich-machine-learning init [] main ["machine-learning"] ghcr.io/immich-app/immich-machine-learning http []"#,
            r#"Deployment immich/immich-server init [] main ["immich-server"] ghcr.io/immich-app/immich-server http ["https://immich.example.org"]"#,
        ],
    );
    check(
        "freikin/dawarich",
        "1.6.1",
        &[
            r#"Deployment dawarich/dawarich init [] main ["dawarich", "sidekiq"] freikin/dawarich http ["https://dawarich.example.org"]"#,
        ],
    );
    check(
        "ghcr.io/open-webui/open-webui",
        "v0.8.12",
        &[
            r#"StatefulSet open-webui/open-webui init [] main ["open-webui"] ghcr.io/open-webui/open-webui http ["https://chat.example.org"]"#,
        ],
    );
    // The ingress names its host itself; there is no module.
    check(
        "phpipam/phpipam-www",
        "v1.7.4",
        &[
            r#"Deployment phpipam/phpipam-web init [] main ["web"] phpipam/phpipam-www http ["https://ipam.example.org"]"#,
        ],
    );
    check(
        "ghcr.io/linkwarden/linkwarden",
        "v2.14.0",
        &[
            r#"Deployment linkwarden/linkwarden init [] main ["linkwarden"] ghcr.io/linkwarden/linkwarden http ["https://links.example.org"]"#,
        ],
    );
    check(
        "shlinkio/shlink",
        "5.0.2",
        &[
            r#"Deployment url/shlink init [] main ["shlink"] shlinkio/shlink http ["https://url.example.org"]"#,
        ],
    );
}

#[test]
fn a_configured_url_replaces_what_the_ingress_says() {
    let mut settings = Settings::default();
    let service = runtime::settings::Service {
        url: Some("https://chat.example.net/health".to_owned()),
        ..runtime::settings::Service::default()
    };
    settings.services.insert("open-webui".to_owned(), service);
    let plan = planned(&settings, "ghcr.io/open-webui/open-webui", "v0.8.12").unwrap();
    assert_eq!(plan.targets[0].http, ["https://chat.example.net/health"]);
}

#[test]
fn an_image_that_only_a_cron_job_runs_is_refused() {
    let reason = planned(&Settings::default(), "postgres", "17.0-alpine").unwrap_err();
    assert_eq!(
        job::describe(&job::Body::Skipped(reason)),
        "stacks/dbaas/main.tf:76 belongs to a CronJob, whose health cannot be watched; upgrade \
         it by hand"
    );
}
