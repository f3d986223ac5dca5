//! The samples say what the installation they are for needs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use runtime::Settings;
use runtime::catalogue::{CHARTS, IMAGES};
use runtime::config::Sources;
use runtime::settings::Engine;
use serde_json::Value;

use crate::source::{deploy, folder, list, objects, text};

const MY: Engine = Engine::Mysql;
const POSTGRES: Engine = Engine::Postgresql;
/// The namespace of the shared databases.
const SHARED: Option<&str> = Some("dbaas");

/// The services with a database: its engine, its name, and the namespace of the `CronJob`; none is
/// the service's own.
const DATABASES: [(&str, Engine, &str, Option<&str>); 27] = [
    ("affine", POSTGRES, "affine", SHARED),
    ("claude-memory", POSTGRES, "claude_memory", SHARED),
    ("crowdsec", POSTGRES, "crowdsec", SHARED),
    ("dawarich", POSTGRES, "dawarich", SHARED),
    ("health", POSTGRES, "health", SHARED),
    ("linkwarden", POSTGRES, "linkwarden", SHARED),
    ("matrix", POSTGRES, "matrix", SHARED),
    ("n8n", POSTGRES, "n8n", SHARED),
    ("netbox", POSTGRES, "netbox", SHARED),
    ("rybbit", POSTGRES, "rybbit", SHARED),
    ("tandoor", POSTGRES, "tandoor", SHARED),
    ("technitium", POSTGRES, "technitium", SHARED),
    ("trading-bot", POSTGRES, "trading_bot", SHARED),
    ("woodpecker", POSTGRES, "woodpecker", SHARED),
    ("hackmd", MY, "codimd", SHARED),
    ("mailserver", MY, "mailserver", SHARED),
    ("monitoring", MY, "monitoring", SHARED),
    ("nextcloud", MY, "nextcloud", SHARED),
    ("onlyoffice", MY, "onlyoffice", SHARED),
    ("paperless-ngx", MY, "paperless_ngx", SHARED),
    ("phpipam", MY, "phpipam", SHARED),
    ("real-estate-crawler", MY, "wrongmove", SHARED),
    ("speedtest", MY, "speedtest", SHARED),
    ("url", MY, "shlink", SHARED),
    ("vault", MY, "vault", SHARED),
    ("immich", POSTGRES, "immich", Some("immich")),
    ("authentik", POSTGRES, "", None),
];

fn sample(name: &str) -> anyhow::Result<Settings> {
    let sources = Sources {
        file: Some(deploy(name)),
        ..Sources::default()
    };
    Settings::load(&sources).map_err(|faults| anyhow::anyhow!("{name}:\n{faults}"))
}

#[test]
fn the_home_lab_backs_up_its_27_databases_where_they_are() -> anyhow::Result<()> {
    let settings = sample("samples/homelab.toml")?;
    let mut found = BTreeMap::new();
    for (service, section) in &settings.services {
        if let Some(backup) = &section.backup {
            let cronjob = backup.cronjob_or_default();
            let at = (
                &backup.engine,
                backup.database.as_str(),
                backup.namespace.as_deref(),
            );
            found.insert(service.as_str(), (at, cronjob));
        }
    }
    let expected = DATABASES
        .iter()
        .map(|(service, engine, database, namespace)| {
            let cronjob = match engine {
                Engine::Postgresql => "postgresql-backup",
                Engine::Mysql => "mysql-backup",
            };
            (
                (*service),
                ((engine, *database, *namespace), cronjob.to_owned()),
            )
        });
    assert_eq!(found, expected.collect());
    let counted = (IMAGES.len(), CHARTS.len(), found.len());
    assert_eq!(counted, (50, 22, 27));
    Ok(())
}

#[test]
fn the_home_lab_leaves_its_own_images_databases_and_infrastructure_alone() -> anyhow::Result<()> {
    let settings = sample("samples/homelab.toml")?;
    let built_in = sample("samples/minimal.toml")?.ingest.skip_images;
    let skipped: BTreeSet<_> = settings.ingest.skip_images.into_iter().collect();
    let own = [
        "viktorbarzin/*",
        "registry.viktorbarzin.me/*",
        "ancamilea/*",
        "mghee/*",
    ];
    let expected = built_in.into_iter().chain(own.map(str::to_owned));
    assert_eq!(skipped, expected.collect());
    let stepped: Vec<_> = settings
        .risk
        .always_step
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(stepped, ["authentik", "nextcloud", "immich"]);
    assert_eq!(settings.rate.max_upgrades_per_window, 5);
    assert_eq!(settings.rate.window.as_secs(), 6 * 3600);
    Ok(())
}

/// Paths of secrets that a configuration names, also in comments.
fn secret_files(name: &str) -> anyhow::Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(deploy(name))?;
    let named = text.split("/run/secrets/bowline/").skip(1);
    let end = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    let keys = named.filter_map(|rest| rest.split(end).next());
    Ok(keys
        .filter(|key| !key.is_empty())
        .map(str::to_owned)
        .collect())
}

#[test]
fn what_names_the_deployed_nats_logs_in_there_and_finds_its_secrets() -> anyhow::Result<()> {
    let mut mounted = BTreeSet::new();
    for object in folder("k8s/base")? {
        for volume in list(&object["spec"]["template"]["spec"]["volumes"]) {
            for source in list(&volume["projected"]["sources"]) {
                for item in list(&source["secret"]["items"]) {
                    mounted.insert(text(&item["path"])?);
                }
            }
        }
    }
    for name in ["samples/homelab.toml", "k8s/base/bowline.toml"] {
        let nats = sample(name)?.nats;
        ensure!(!nats.set_up, "{name}: the services may not make streams");
        let seed = nats.nkey_seed_file.context("the seed of an nkey")?;
        ensure!(
            seed.as_os_str() == "/run/secrets/bowline/nats-nkey-seed",
            "{name}: {}",
            seed.display()
        );
        let named = secret_files(name)?;
        let missing: Vec<_> = named.difference(&mounted).collect();
        ensure!(
            named.len() > 5 && missing.is_empty(),
            "{name}: no pod mounts {missing:?}"
        );
    }
    Ok(())
}

/// The variables of DIUN's container: their values, or the keys of its Secret.
fn variables(pod: &Value) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for variable in list(&pod["containers"][0]["env"]) {
        let key = &variable["valueFrom"]["secretKeyRef"];
        let value = match variable["value"].as_str() {
            Some(value) => value.to_owned(),
            None => format!("{}/{}", text(&key["name"])?, text(&key["key"])?),
        };
        found.insert(text(&variable["name"])?, value);
    }
    Ok(found)
}

#[test]
fn diun_looks_every_six_hours_and_posts_to_ingest_and_to_a_channel_of_its_own() -> anyhow::Result<()>
{
    let objects = objects("samples/diun/diun.yaml")?;
    let found = objects.iter().find(|object| object["kind"] == "Deployment");
    let pod = &found.context("a Deployment")?["spec"]["template"]["spec"];
    let variables = variables(pod)?;
    for (name, expected) in [
        ("DIUN_WATCH_SCHEDULE", "0 */6 * * *"),
        ("DIUN_DEFAULTS_WATCHREPO", "true"),
        ("DIUN_DEFAULTS_NOTIFYON", "new,update"),
        ("DIUN_PROVIDERS_KUBERNETES", "true"),
        ("DIUN_NOTIF_WEBHOOK_ENDPOINT", "diun/webhook-url"),
        ("DIUN_NOTIF_WEBHOOK_METHOD", "POST"),
        (
            "DIUN_NOTIF_WEBHOOK_HEADERS_CONTENT-TYPE",
            "application/json",
        ),
        (
            "DIUN_NOTIF_WEBHOOK_HEADERS_AUTHORIZATION",
            "diun/authorization",
        ),
        ("DIUN_NOTIF_SLACK_WEBHOOKURL", "diun/slack-webhook-url"),
        ("DIUN_DB_PATH", "/data/diun.db"),
    ] {
        let value = variables.get(name).with_context(|| format!("no {name}"))?;
        ensure!(value == expected, "{name} is {value}");
    }
    // Its own skip patterns, which are about tags.
    let skipped = &variables["DIUN_DEFAULTS_EXCLUDETAGS"];
    ensure!(skipped.contains("^latest$"), "{skipped}");

    // Its database outlives it, or a restart would be a first run.
    let claim = objects
        .iter()
        .find(|object| object["kind"] == "PersistentVolumeClaim");
    let claim = &claim.context("a claim")?["metadata"]["name"];
    let volume = list(&pod["volumes"])
        .iter()
        .find(|volume| volume["persistentVolumeClaim"]["claimName"] == *claim);
    let volume = &volume.context("the claim's volume")?["name"];
    let mounts = list(&pod["containers"][0]["volumeMounts"]);
    let mount = mounts.iter().find(|mount| mount["name"] == *volume);
    assert_eq!(mount.context("the volume's mount")?["mountPath"], "/data");
    Ok(())
}

#[test]
fn every_key_that_diun_wants_is_in_the_command_that_makes_its_secret() -> anyhow::Result<()> {
    let text = std::fs::read_to_string(deploy("samples/diun/diun.yaml"))?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text)?;
    let found = objects.iter().find(|object| object["kind"] == "Deployment");
    let pod = &found.context("a Deployment")?["spec"]["template"]["spec"];
    let wanted = variables(pod)?;
    let keys = wanted
        .values()
        .filter_map(|value| value.strip_prefix("diun/"));
    for key in keys.collect::<BTreeSet<_>>() {
        ensure!(text.contains(&format!("--from-literal={key}=")), "no {key}");
    }
    Ok(())
}
