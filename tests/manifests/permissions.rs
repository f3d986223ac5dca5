//! The shipped NATS configuration: each service may do its work, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::{AppendError, Bucket, History, JetStream, Log as _, PutError};
use futures::future::join_all;
use job::{
    Baseline, Body, Level, Limits, Owner, Plan, PlanStep, Policy, Request, Risk, Source, UpgradeId,
    Windows,
};
use tempfile::TempDir;
use testkit::nats::NatsServer;

/// A forbidden publish has no answer; so long is waited for one.
const UNANSWERED: Duration = Duration::from_millis(300);

/// The keys that `bowline nats-keys` makes, and a server that knows them.
struct Deployed {
    server: NatsServer,
    keys: TempDir,
}

impl Deployed {
    async fn start() -> anyhow::Result<Deployed> {
        let (keys, environment) = make_keys()?;
        let server = NatsServer::start_deployed(&shipped(), &environment).await?;
        Ok(Deployed { server, keys })
    }

    /// For what the user may do; the machine may be busy.
    async fn log_in(&self, user: &str) -> anyhow::Result<JetStream> {
        self.log_in_with(user, bus::Settings::new("bowline")).await
    }

    /// For what the user may not do.
    async fn log_in_briefly(&self, user: &str) -> anyhow::Result<JetStream> {
        let settings = bus::Settings {
            publish_timeout: UNANSWERED,
            ..bus::Settings::new("bowline")
        };
        self.log_in_with(user, settings).await
    }

    async fn log_in_with(&self, user: &str, settings: bus::Settings) -> anyhow::Result<JetStream> {
        let seed = std::fs::read_to_string(self.keys.path().join(format!("{user}.seed")))?;
        let settings = bus::Settings {
            nkey_seed: Some(seed.trim().to_owned()),
            ..settings
        };
        Ok(JetStream::connect(&self.server.url(), settings).await?)
    }
}

/// The seeds, in a folder, and what the server's environment says about them.
pub(crate) fn make_keys() -> anyhow::Result<(TempDir, Vec<(String, String)>)> {
    let keys = TempDir::new()?;
    let made = Command::new(testkit::lab::binary("bowline")?)
        .arg("nats-keys")
        .arg(keys.path())
        .output()?;
    ensure!(made.status.success(), "no keys: {made:?}");
    let mut environment = vec![("HOSTNAME".to_owned(), "nats-0".to_owned())];
    for line in std::fs::read_to_string(keys.path().join("nkeys.env"))?.lines() {
        let (name, value) = line.split_once('=').context("a line without `=`")?;
        environment.push((name.to_owned(), value.to_owned()));
    }
    Ok((keys, environment))
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats")
}

fn request() -> Body {
    Body::Requested(Request {
        repository: "acme/infra".to_owned(),
        image: "docker.io/a/b".to_owned(),
        tag: "1.0.1".to_owned(),
        chart: false,
        digest: None,
        status: String::new(),
        source: Source::Person,
        hub_link: String::new(),
        attempt: 1,
        retry_of: None,
        lift_fence: false,
        parent: None,
        service: None,
        by: String::new(),
    })
}

fn plan() -> Body {
    Body::Planned(Plan {
        service: "app".to_owned(),
        repository: "acme/infra".to_owned(),
        cluster: "default".to_owned(),
        from: "1.0.0".to_owned(),
        head: "0".repeat(40),
        steps: vec![PlanStep {
            to: "1.0.1".to_owned(),
            sites: Vec::new(),
        }],
        targets: Vec::new(),
        monitors: None,
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
    })
}

#[tokio::test]
async fn a_service_appends_its_own_facts_and_no_others() -> anyhow::Result<()> {
    let deployed = Deployed::start().await?;
    deployed.log_in("set-up").await?.set_up().await?;
    let mut services = Vec::new();
    for name in ["ingest", "analyzer", "executor", "verifier", "set-up"] {
        let brief = deployed.log_in_briefly(name).await?;
        services.push((name, deployed.log_in(name).await?, brief));
    }
    let id = UpgradeId::derive("bowline", "acme/infra", "docker.io/a/b", "1.0.1", 1);
    let commit = "1".repeat(40);
    // Who may write the next fact of an upgrade that is on its way.
    let way = [
        ("ingest", request()),
        ("ingest", Body::Admitted),
        ("analyzer", plan()),
        ("executor", Body::Started),
        ("executor", Body::Ready),
        (
            "verifier",
            Body::Baselined(Baseline {
                targets: Vec::new(),
                monitors: BTreeMap::new(),
            }),
        ),
        (
            "executor",
            Body::Pushing {
                base: "0".repeat(40),
                commit_at: 1,
                commit: commit.clone(),
            },
        ),
        ("executor", Body::Pushed { commit }),
        ("verifier", Body::CiAbsent),
    ];
    let mut history: Option<History> = None;
    for (writer, body) in way {
        // An analyzer that splits an upgrade opens the children.
        let also = if matches!(body, Body::Requested(_)) {
            "analyzer"
        } else {
            writer
        };
        let others = services
            .iter()
            .filter(|(name, ..)| *name != writer && *name != also);
        let tried = others.map(async |(name, _, brief)| {
            let answer = brief.append(&id, history.as_ref(), body.clone()).await;
            (name, answer)
        });
        for (name, answer) in join_all(tried).await {
            ensure!(
                matches!(answer, Err(AppendError::Unavailable(_))),
                "{name} wrote `{}`: {answer:?}",
                body.name()
            );
        }
        let (_, log, _) = services
            .iter()
            .find(|(name, ..)| *name == writer)
            .context("no such service")?;
        history = Some(log.append(&id, history.as_ref(), body).await?);
    }
    Ok(())
}

/// Who writes the records of a bucket.
fn writer(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Claims | Bucket::Fences | Bucket::Locks => "executor",
        Bucket::Windows | Bucket::Controls | Bucket::Cache => "ingest",
    }
}

#[tokio::test]
async fn the_records_beside_the_log_have_their_writers() -> anyhow::Result<()> {
    let deployed = Deployed::start().await?;
    deployed.log_in("set-up").await?.set_up().await?;
    let mut services = Vec::new();
    for name in ["ingest", "analyzer", "executor", "verifier"] {
        let brief = deployed.log_in_briefly(name).await?;
        services.push((name, deployed.log_in(name).await?, brief));
    }
    for bucket in Bucket::ALL {
        let tried = services.iter().map(async |(name, log, brief)| {
            let may = *name == writer(bucket);
            let log = if may { log } else { brief };
            let key = format!("of/{name}");
            (*name, log.put(bucket, &key, 0, b"1").await)
        });
        for (name, answer) in join_all(tried).await {
            let may = name == writer(bucket);
            let did = match &answer {
                Ok(_) => true,
                Err(PutError::Unavailable(_)) => false,
                Err(PutError::Conflict) => anyhow::bail!("{name} met a record in {bucket:?}"),
            };
            ensure!(did == may, "{name} and {bucket:?}: {answer:?}");
        }
        for (name, log, _) in &services {
            let found = log.list(bucket).await?;
            ensure!(found.len() == 1, "{name} reads {bucket:?}: {found:?}");
        }
    }
    let analyzer = deployed.log_in_briefly("analyzer").await?;
    // Nor may it make streams, which is what the set-up Job is for.
    ensure!(
        analyzer.set_up().await.is_err(),
        "the analyzer made streams"
    );
    let stranger = JetStream::connect(
        &deployed.server.url(),
        bus::Settings {
            publish_timeout: UNANSWERED,
            ..bus::Settings::new("bowline")
        },
    )
    .await?;
    ensure!(stranger.check().await.is_err(), "a stranger reads the log");
    Ok(())
}

#[tokio::test]
async fn every_service_opens_its_inbox_and_nobody_elses() -> anyhow::Result<()> {
    let deployed = Deployed::start().await?;
    deployed.log_in("set-up").await?.set_up().await?;
    let inboxes = [
        ("ingest", vec![Owner::Ingest]),
        ("analyzer", vec![Owner::Analyzer]),
        ("executor", vec![Owner::Executor, Owner::Undo]),
        ("verifier", vec![Owner::Verifier]),
    ];
    for (name, own) in &inboxes {
        let (patient, brief) = (
            deployed.log_in(name).await?,
            deployed.log_in_briefly(name).await?,
        );
        for owner in Owner::WITH_INBOX {
            let log = if own.contains(&owner) {
                &patient
            } else {
                &brief
            };
            let opened = log.inbox(owner).await;
            ensure!(
                opened.is_ok() == own.contains(&owner),
                "{name} and the inbox of {owner:?}: {}",
                if opened.is_ok() { "opened" } else { "refused" }
            );
            ensure!(
                log.backlog(owner).await.is_ok() == own.contains(&owner),
                "{name} and how much waits for {owner:?}"
            );
        }
    }
    let ingest = deployed.log_in("ingest").await?;
    ingest.follow(Some(bus::ANNOUNCER)).await?;
    ingest.follow(None).await?;
    ingest.intake(b"{}").await?;
    ensure!(
        ingest.intakes(1).await?.len() == 1,
        "ingest reads what came in"
    );
    Ok(())
}
