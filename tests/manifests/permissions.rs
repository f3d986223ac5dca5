//! The shipped NATS configuration: each service may do its work, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::{
    AppendError, Bucket, CircuitSettings, History, JetStream, Log as _, PutError, Scope, circuit,
};
use futures::future::join_all;
use job::{
    Baseline, Body, Claim, Level, Limits, Owner, Plan, PlanStep, Policy, Request, Risk, Source,
    UpgradeId, Windows,
};

use crate::deployed::{Deployed, brief};

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
        from_app: None,
        head: "0".repeat(40),
        steps: vec![PlanStep {
            to: "1.0.1".to_owned(),
            app: None,
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

/// Records as the code names them, and who writes them. A key ends with the writer's name here, so
/// that nobody meets another's record.
fn records(name: &str) -> [(Bucket, String, &'static [&'static str]); 10] {
    let text = |text: &str| text.to_owned();
    let slot = Claim::Slot {
        repository: text("acme/infra"),
        cluster: text("default"),
        service: text(name),
    };
    let backup = Claim::Backup {
        cluster: text("default"),
        namespace: text("dbaas"),
        cronjob: text(name),
    };
    let turn = Claim::Turn {
        repository: format!("acme/infra.{name}"),
    };
    let version = format!("1.0.1-{name}");
    let Body::Planned(plan) = plan() else {
        unreachable!("a plan")
    };
    let fence = job::fence(&plan, "docker.io/a/b", &version);
    let (by_executor, by_ingest): (&[&str], &[&str]) = (&["executor"], &["ingest"]);
    [
        (Bucket::Claims, slot.key(), by_executor),
        (Bucket::Claims, backup.key(), by_executor),
        // Whoever starts a run of CI again needs the turn as a push does.
        (Bucket::Claims, turn.key(), &["executor", "verifier"]),
        // An undo fences off, a person's retry lifts.
        (Bucket::Fences, fence, &["executor", "analyzer"]),
        (Bucket::Locks, job::key(&["acme/infra", name]), by_executor),
        (Bucket::Windows, job::key(&["acme/infra", name]), by_ingest),
        (Bucket::Controls, format!("pause/service/{name}"), by_ingest),
        (Bucket::Cache, format!("told/{name}"), by_ingest),
        (
            Bucket::Cache,
            format!("forge.{name}"),
            &["ingest", "analyzer"],
        ),
        // What keeps an upgrade from going on is its owner's to say.
        (
            Bucket::Cache,
            format!("trouble.{name}"),
            &["ingest", "analyzer", "executor", "verifier"],
        ),
    ]
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
    let mut written: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for (name, log, brief) in &services {
        let tried = records(name).map(async |(bucket, key, writers)| {
            let may = writers.contains(name);
            let log = if may { log } else { brief };
            let answer = log.put(bucket, &key, 0, b"1").await;
            if let Ok(revision) = answer {
                log.delete(bucket, &key, revision).await?;
                log.put(bucket, &key, 0, b"2").await?;
            }
            anyhow::Ok((bucket, key, may, answer))
        });
        for outcome in join_all(tried).await {
            let (bucket, key, may, answer) = outcome?;
            let did = match &answer {
                Ok(_) => true,
                Err(PutError::Unavailable(_)) => false,
                Err(PutError::Conflict) => anyhow::bail!("{name} met a record in {bucket:?}"),
            };
            ensure!(did == may, "{name} and {key} in {bucket:?}: {answer:?}");
            if did {
                written.entry(bucket.as_str()).or_default().push(key);
            }
        }
    }
    ensure!(written.len() == Bucket::ALL.len(), "{written:?}");
    for (name, log, _) in &services {
        for bucket in Bucket::ALL {
            let found = log.list(bucket).await?.into_iter().map(|(key, _)| key);
            let (mut found, mut there) =
                (found.collect::<Vec<_>>(), written[bucket.as_str()].clone());
            found.sort();
            there.sort();
            ensure!(found == there, "{name} reads {bucket:?}: {found:?}");
        }
    }
    let analyzer = deployed.log_in_briefly("analyzer").await?;
    // Nor may it make streams, which is what the set-up Job is for.
    ensure!(
        analyzer.set_up().await.is_err(),
        "the analyzer made streams"
    );
    let stranger = JetStream::connect(&deployed.server.url(), brief()).await?;
    ensure!(stranger.check().await.is_err(), "a stranger reads the log");
    Ok(())
}

#[tokio::test]
async fn the_executor_counts_undos_in_the_circuit_and_pauses_nobody() -> anyhow::Result<()> {
    let deployed = Deployed::start().await?;
    deployed.log_in("set-up").await?.set_up().await?;
    let id = UpgradeId::derive("bowline", "acme/infra", "docker.io/a/b", "1.0.1", 1);
    let ingest = deployed.log_in("ingest").await?;
    let history = ingest.append(&id, None, request()).await?;
    let settings = CircuitSettings {
        undos: 1,
        within: Duration::from_secs(60),
    };
    for (name, may) in [("analyzer", false), ("verifier", false), ("executor", true)] {
        let log = deployed.log_in_briefly(name).await?;
        // A name that is one token only after it was escaped.
        let noted = circuit::note_undo(&log, "home.lab > 1", &history, settings).await;
        ensure!(noted.is_ok() == may, "{name}: {noted:?}");
    }
    let executor = deployed.log_in_briefly("executor").await?;
    let pause = bus::Pause {
        scope: Scope::All,
        by: "executor".to_owned(),
        why: String::new(),
        at_ms: 1,
    };
    ensure!(bus::pause(&executor, &pause).await.is_err(), "it paused");
    ensure!(bus::pause(&ingest, &pause).await.is_ok(), "it did not");
    ensure!(
        circuit::tripped(&executor, "home.lab > 1").await?.is_some(),
        "it has not tripped"
    );
    ensure!(circuit::close_all(&ingest).await? == ["home.lab > 1"]);
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
