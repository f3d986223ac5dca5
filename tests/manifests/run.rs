//! The overlay `single`, run as processes: our real programs with the commands, arguments, variables
//! and files that the manifests give them, on the shipped NATS configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bowline_tests::LIMIT;
use bus::Log as _;
use job::UpgradeId;
use tempfile::TempDir;
use testkit::kubernetes::Behaviour;
use testkit::lab::{Lab, Options, Protocol, SERVICES};
use testkit::nats::NatsServer;
use tokio::time::{Instant, sleep};

use crate::deployed::Keys;
use crate::door::Door;
use crate::pod::{Mapping, Pod};
use crate::rbac::grants;
use crate::rendered::Rendered;

const EBOOKS: (&str, &str) = ("ghcr.io/advplyr/audiobookshelf", "2.33.1");
const LINKWARDEN: (&str, &str) = ("ghcr.io/linkwarden/linkwarden", "v2.9.2");
/// In the order in which they are started.
const PODS: [(&str, &str); 5] = [
    ("Job", "set-up"),
    ("StatefulSet", "ingest"),
    ("Deployment", "analyzer"),
    ("Deployment", "executor"),
    ("Deployment", "verifier"),
];
/// The last part of a lab's webhook path stands after this.
const WEBHOOK: &str = "/webhook/";
/// Where the lab is instead of what the configuration names.
fn mapping(lab: &Lab) -> anyhow::Result<Mapping> {
    let grpc = lab.grpc_url();
    let grpc = grpc.strip_prefix("http://").context("an address")?;
    let pairs = [
        ("0.0.0.0:8080", lab.webhook_address().to_string()),
        ("0.0.0.0:8081", grpc.to_owned()),
        ("nats://nats:4222", lab.nats.url()),
        ("https://git.example.org/homelab/infra.git", lab.git.url()),
        ("https://ci.example.org", lab.woodpecker.url()),
        ("http://uptime-kuma.uptime-kuma.svc:3001", lab.kuma.url()),
        (
            "status_page = \"home\"",
            format!("status_page = \"{}\"", lab.kuma.slug()),
        ),
        ("http://tempo.monitoring.svc:4317", lab.otlp.grpc_url()),
        ("mode = \"observe\"", "mode = \"auto\"".to_owned()),
    ];
    Ok(pairs.map(|(there, here)| (there.to_owned(), here)).to_vec())
}

/// What the lab's sample installation needs beyond the shipped configuration, and short times.
fn variables(lab: &Lab) -> anyhow::Result<Vec<(&'static str, String)>> {
    let fixed = [
        ("BOWLINE_REPOSITORY__NAME", "owner/infra"),
        ("BOWLINE_CI__REPOSITORY", "owner/infra"),
        ("BOWLINE_CI__POLL", "200ms"),
        ("BOWLINE_VERIFY__SAFE", "2s"),
        ("BOWLINE_VERIFY__CAUTION", "2s"),
        ("BOWLINE_VERIFY__UNKNOWN", "2s"),
        ("BOWLINE_VERIFY__INTERVAL", "200ms"),
        ("BOWLINE_VERIFY__SETTLE", "5s"),
        ("BOWLINE_VERIFY__KUMA__POLL", "200ms"),
        ("BOWLINE_VERIFY__KUMA__MONITOR_INTERVAL", "400ms"),
        ("BOWLINE_BACKUP__POLL", "200ms"),
        ("BOWLINE_BACKUP__SPACING", "1ms"),
        ("BOWLINE_BUS__HEAD_RETRY", "100ms"),
        ("BOWLINE_BUS__QUEUE_RETRY", "200ms"),
        ("BOWLINE_BUS__SWEEP", "500ms"),
        ("BOWLINE_BUS__BACKLOG_EVERY", "500ms"),
        ("BOWLINE_BUS__ARCHIVE_AFTER", "5s"),
        ("BOWLINE_RATE__WINDOW", "5s"),
    ];
    let site = |service: &str| anyhow::Ok(lab.site(service)?.url());
    let backed_up = |service: &str, engine: &str| {
        anyhow::Ok(format!(
            "{{ url = \"{}\", backup = {{ engine = \"{engine}\", database = \"{service}\", \
             namespace = \"dbaas\", cronjob = \"{engine}-backup\" }} }}",
            site(service)?
        ))
    };
    let mut found = vec![
        ("BOWLINE_REPOSITORY__USER", lab.git.user().to_owned()),
        ("BOWLINE_GITHUB__URL", lab.github.url()),
        ("BOWLINE_SERVICES__PHPIPAM", backed_up("phpipam", "mysql")?),
        (
            "BOWLINE_SERVICES__LINKWARDEN",
            backed_up("linkwarden", "postgresql")?,
        ),
        ("BOWLINE_SERVICES__EBOOKS__URL", site("ebooks")?),
    ];
    found.extend(fixed.map(|(name, value)| (name, value.to_owned())));
    Ok(found)
}

/// A key of a Secret, as the person who installs it would fill it; none if nobody would.
fn secret(lab: &Lab, keys: &Keys, name: &str, key: &str) -> Option<String> {
    let service = name.strip_prefix("bowline-")?;
    let value = match (service, key) {
        (user, "nats-nkey-seed") => keys.seed(user).ok()?,
        ("analyzer" | "executor", "repository-token") => lab.git.token().to_owned(),
        ("ingest", "webhook") => lab.webhook_url().rsplit_once(WEBHOOK)?.1.to_owned(),
        ("ingest", "slack-webhook-url") => lab.slack.url(),
        ("analyzer", "github-token") => lab.github.token().to_owned(),
        ("verifier", "ci-token") => lab.woodpecker.token().to_owned(),
        ("verifier", "kuma-api-key") => lab.kuma.key().to_owned(),
        (service, "otlp-headers") if SERVICES.contains(&service) => {
            "x-scope-orgid=manifests".to_owned()
        }
        _ => return None,
    };
    Some(value)
}

/// The base configuration with all that it shows as a comment.
fn with_all_sections(text: &str) -> String {
    let mut lines = Vec::new();
    let mut in_section = false;
    for line in text.lines() {
        in_section = line.starts_with("# [") || (in_section && line.starts_with("# "));
        let line = if in_section {
            line.trim_start_matches("# ")
        } else {
            line
        };
        lines.push(line);
    }
    lines.join("\n")
}

/// For each service the Kubernetes API as its service account meets it.
async fn doors(rendered: &Rendered, lab: &Lab) -> anyhow::Result<BTreeMap<&'static str, Door>> {
    let mut doors = BTreeMap::new();
    for (kind, name) in PODS {
        let account = &rendered.one(kind, name)?["spec"]["template"]["spec"]["serviceAccountName"];
        let account = account.as_str().context("a service account")?;
        let granted = grants(rendered.objects(), account)?;
        let door = Door::open(account, granted, lab.cluster.url()).await?;
        doors.insert(name, door);
    }
    Ok(doors)
}

/// The NATS server of the manifests.
async fn nats(rendered: &Rendered, environment: &[(String, String)]) -> anyhow::Result<NatsServer> {
    let template = &rendered.one("StatefulSet", "nats")?["spec"]["template"]["spec"];
    let map = template["volumes"][0]["configMap"]["name"].as_str();
    let folder = TempDir::new()?;
    for (name, text) in rendered.files(map.context("the configuration of NATS")?)? {
        std::fs::write(folder.path().join(name), text)?;
    }
    NatsServer::start_deployed(folder.path(), environment).await
}

/// Starts the pods, each after the other as they become ready.
async fn start(
    lab: &Lab,
    rendered: &mut Rendered,
    keys: &Keys,
    doors: &BTreeMap<&str, Door>,
) -> anyhow::Result<Vec<Pod>> {
    let registries = ["docker.io", "ghcr.io"].map(|host| {
        let at = lab.registry.address();
        format!("\n[registries.\"{host}\"]\nurl = \"{at}\"\n")
    });
    rendered.change_files(|text| format!("{}\n{}", with_all_sections(text), registries.concat()));
    let (mapping, variables) = (mapping(lab)?, variables(lab)?);
    let shown = rendered.text("bowline.toml").context("the configuration")?;
    for (there, _) in &mapping {
        ensure!(
            shown.contains(there),
            "the configuration does not mention {there}"
        );
    }
    let mut pods = Vec::new();
    for (kind, name) in PODS {
        let pod = Pod::of(rendered, kind, name)?;
        let mut mapping = mapping.clone();
        if let Some(health) = lab.health(name) {
            mapping.push(("0.0.0.0:9090".to_owned(), health.to_string()));
        }
        let root = lab.folder().join("pods").join(name);
        let mut command = pod.command(&root, &mapping, |of, key| secret(lab, keys, of, key))?;
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        if let Some(door) = doors.get(name) {
            command.env("BOWLINE_KUBERNETES__URL", &door.url);
        }
        lab.spawn_command(name, &mut command)?;
        if kind == "Job" {
            let said = || std::fs::read_to_string(lab.log_path(name)).unwrap_or_default();
            let code = lab.stopped(name, LIMIT).await?;
            ensure!(code == 0, "the set-up ended with {code}: {}", said());
        } else {
            pods.push(pod);
        }
    }
    Ok(pods)
}

/// Waits until every pod is ready, as the kubelet does.
async fn are_ready(lab: &Lab, pods: &[Pod]) -> anyhow::Result<()> {
    for (service, pod) in SERVICES.iter().zip(pods) {
        let address = lab.health(service).context("an address")?;
        ensure!(
            pod.probes == ["/livez", "/livez", "/readyz"],
            "{service}: {:?}",
            pod.probes
        );
        for path in pod.probes.iter().map(String::as_str).chain(["/metrics"]) {
            let deadline = Instant::now() + LIMIT;
            loop {
                let answer = lab.get(address, path).await;
                if matches!(answer, Ok((200, _))) {
                    break;
                }
                let late = Instant::now() > deadline;
                ensure!(!late, "{service}{path} answers {answer:?}\n{}", lab.logs());
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    Ok(())
}

/// What people do, each right of which is one of ingest's.
async fn people_step_in(lab: &Lab) -> anyhow::Result<()> {
    // The dump does not end by itself while the test runs.
    lab.cluster.job_delay(Duration::from_secs(600));
    let jobs = lab.cluster.jobs().len();
    let id = lab.upgrade(LINKWARDEN.0, LINKWARDEN.1).await?;
    lab.until("the dump runs", || lab.cluster.jobs().len() > jobs, LIMIT)
        .await?;
    for arguments in [
        &["cancel", id.as_str()][..],
        &["pause", "--service", "linkwarden", "--why", "a test"],
        &["pauses"],
        &["resume", "--service", "linkwarden"],
        &["limits", "set", "--max", "50"],
        &["limits", "show"],
        &["limits", "reset"],
        &["limits", "set", "--configured"],
        &["list", "--all"],
        &["why", LINKWARDEN.0],
    ] {
        let said = lab.bowline(arguments).await?;
        ensure!(said.code == Some(0), "bowline {arguments:?}: {said:?}");
    }
    lab.ended(&id, "Cancelled", LIMIT).await?;
    Ok(())
}

/// Waits until the janitor has put an upgrade away.
async fn is_archived(lab: &Lab, keys: &Keys, id: &str) -> anyhow::Result<()> {
    let log = keys.log_in(&lab.nats, "set-up").await?;
    let id = UpgradeId::parse(id)?;
    let deadline = Instant::now() + LIMIT;
    while log.archived(&id).await?.is_none() || log.read(&id).await?.is_some() {
        ensure!(Instant::now() < deadline, "{id} is not archived");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn works(lab: &Lab, keys: &Keys) -> anyhow::Result<()> {
    let good = lab.upgrade("phpipam/phpipam-www", "v1.7.4").await?;
    lab.ended(&good, "Succeeded", LIMIT).await?;
    ensure!(
        lab.live("phpipam").as_deref() == Some("v1.7.4"),
        "{:?}",
        lab.live("phpipam")
    );
    ensure!(lab.cluster.jobs().len() == 1, "{:?}", lab.cluster.jobs());
    lab.said(&["phpipam", "done", &good], LIMIT).await?;

    let crashing = format!("{}:{}", EBOOKS.0, EBOOKS.1);
    lab.cluster.image_behaviour(&crashing, Behaviour::CrashLoop);
    let bad = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
    lab.ended(&bad, "RolledBack", LIMIT).await?;
    lab.said(&["ebooks", "rolled back", &bad], LIMIT).await?;
    people_step_in(lab).await?;
    is_archived(lab, keys, &good).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs kubectl: cargo xtask full"]
async fn the_manifests_upgrade_undo_and_listen_with_the_rights_they_give() -> anyhow::Result<()> {
    let mut rendered = Rendered::overlay("single")?;
    let keys = Keys::make()?;
    let options = Options {
        without: SERVICES.to_vec(),
        telemetry: Some(Protocol::Grpc),
        monitors: Some(Duration::from_millis(400)),
        ..Options::default()
    };
    let mut lab = Lab::start(options).await?;
    lab.nats = nats(&rendered, &keys.environment).await?;
    let doors = doors(&rendered, &lab).await?;
    let pods = start(&lab, &mut rendered, &keys, &doors).await?;
    let outcome = match are_ready(&lab, &pods).await {
        Ok(()) => works(&lab, &keys).await,
        failed => failed,
    };
    let log = lab.nats.log()?;
    let refused: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("Violation"))
        .collect();
    ensure!(refused.is_empty(), "NATS refused {refused:#?}\n{outcome:?}");
    for (service, door) in &doors {
        let refused = door.refused();
        ensure!(
            refused.is_empty(),
            "the cluster refused {service}: {refused:#?}\n{outcome:?}"
        );
        let asks = ["executor", "verifier"].contains(service);
        ensure!(
            (door.asked() > 0) == asks,
            "{service} asked the cluster {} times\n{outcome:?}\n{}",
            door.asked(),
            lab.logs()
        );
    }
    outcome.map_err(|error| anyhow::anyhow!("{error:#}\n{}", lab.logs()))?;
    ensure!(!lab.otlp.spans().is_empty(), "no trace was sent");
    ensure!(lab.kuma.requests() > 0, "Uptime Kuma was not asked");
    lab.nothing_delivered_is_open().await?;
    for (service, pod) in SERVICES.iter().zip(&pods) {
        lab.ask_to_stop(service)?;
        let code = lab.stopped(service, pod.grace).await?;
        ensure!(code == 0, "{service} ended with {code}\n{}", lab.logs());
    }
    Ok(())
}
