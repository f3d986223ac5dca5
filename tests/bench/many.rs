//! Ingest with many upgrades in the log.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bus::{History, JetStream, Log, Settings};
use futures::{StreamExt as _, TryStreamExt as _};
use job::{
    Body, Excerpt, Level, Limits, Plan, PlanStep, Policy, Request, Risk, Site, SkipReason, Source,
    UpgradeId, Windows,
};
use testkit::figures::Figures;
use testkit::lab::{Lab, Options};
use wire::v1::{GetRequest, ListRequest};

use crate::memory::{LIMIT, mebibytes, processes};

const UPGRADES: u32 = 10_000;
/// Requested, admitted, planned, skipped.
const FACTS: u32 = 4;
const CALLS: usize = 200;

pub(crate) async fn upgrades_in_the_log(figures: &mut Figures) -> anyhow::Result<()> {
    let options = Options {
        without: vec!["analyzer", "executor", "verifier"],
        observe: true,
        ..Options::default()
    };
    let lab = Lab::start(options).await?;
    let without = memory(&lab, "ingest")?;
    let server = memory(&lab, "nats-server")?;
    lab.kill9("ingest")?;
    let began = Instant::now();
    append(&lab).await?;
    let took = began.elapsed().as_secs_f64();
    let total = f64::from(UPGRADES * FACTS);
    let than = format!("{UPGRADES} upgrades of {FACTS} facts, sync always");
    figures.add("many: facts appended", total / took, "facts/s", &than);

    lab.spawn_with("ingest", &[("BOWLINE_BUS__SWEEP", "1m".to_owned())])?;
    let began = Instant::now();
    let newest = ListRequest {
        include_ended: true,
        limit: 1,
        ..ListRequest::default()
    };
    let mut client = loop {
        if let Ok(mut client) = lab.client().await
            && client.list(newest.clone()).await.is_ok()
        {
            break client;
        }
        ensure!(began.elapsed() < LIMIT, "ingest does not answer");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let start = began.elapsed().as_secs_f64();
    figures.add("many: ingest's start until it lists", start, "s", "");
    let full = memory(&lab, "ingest")?;
    let each = (full - without) * 1_024.0 / f64::from(UPGRADES);
    figures.add(
        "many: ingest's memory",
        full,
        "MiB",
        &format!("{each:.1} KiB an upgrade"),
    );
    let full = memory(&lab, "nats-server")?;
    let each = (full - server) * 1_024.0 / total;
    figures.add(
        "many: nats-server's memory",
        full,
        "MiB",
        &format!("{each:.1} KiB a fact"),
    );

    for (name, request) in [
        ("a page of 200", all()),
        (
            "what is under way, which is nothing",
            ListRequest::default(),
        ),
    ] {
        let mut times = Vec::new();
        for _ in 0..CALLS {
            let began = Instant::now();
            client.list(request.clone()).await?;
            times.push(began.elapsed());
        }
        let than = format!("{CALLS} calls, with {UPGRADES} upgrades");
        figures.add_times(&format!("many: List, {name}"), &mut times, &than);
    }
    let began = Instant::now();
    let listed = lab.upgrades().await?;
    ensure!(
        listed.len() == usize::try_from(UPGRADES)?,
        "{} are listed",
        listed.len()
    );
    let took = began.elapsed().as_secs_f64();
    figures.add("many: List, every page", took, "s", "");
    let mut times = Vec::new();
    for view in listed.iter().step_by(listed.len() / CALLS) {
        let request = GetRequest {
            id_or_prefix: view.id.clone(),
        };
        let began = Instant::now();
        client.get(request).await?;
        times.push(began.elapsed());
    }
    figures.add_times("many: Get", &mut times, "");
    Ok(())
}

fn all() -> ListRequest {
    ListRequest {
        include_ended: true,
        ..ListRequest::default()
    }
}

fn memory(lab: &Lab, process: &str) -> anyhow::Result<f64> {
    let processes = processes(lab)?;
    let found = processes.iter().find(|(name, _)| name == process);
    let (_, id) = found.with_context(|| format!("no {process} runs"))?;
    mebibytes(*id, "VmRSS")
}

/// Writes upgrades that were observed and are over.
async fn append(lab: &Lab) -> anyhow::Result<()> {
    let log = &JetStream::connect(&lab.nats.url(), Settings::new("lab")).await?;
    let upgrades = futures::stream::iter(0..UPGRADES).map(async |number| {
        let tag = format!("1.{number}.0");
        let image = "ghcr.io/crowd/app";
        let id = UpgradeId::derive("lab", "owner/infra", image, &tag, 1);
        let mut history: Option<History> = None;
        for body in [
            requested(image, &tag),
            Body::Admitted,
            Body::Planned(plan(&tag)),
            Body::Skipped(SkipReason::Observe(format!("would upgrade app to {tag}"))),
        ] {
            history = Some(log.append(&id, history.as_ref(), body).await?);
        }
        anyhow::Ok(())
    });
    upgrades.buffer_unordered(64).try_collect().await
}

fn requested(image: &str, tag: &str) -> Body {
    Body::Requested(Request {
        repository: "owner/infra".into(),
        image: image.into(),
        tag: tag.into(),
        chart: false,
        digest: Some(format!("sha256:{}", "0".repeat(64))),
        status: "update".into(),
        source: Source::Diun,
        hub_link: "https://hub.example.org/crowd/app".into(),
        attempt: 1,
        retry_of: None,
        lift_fence: false,
        parent: None,
        service: None,
        by: String::new(),
    })
}

fn plan(tag: &str) -> Plan {
    let quote = "the old configuration keys are removed, see the upgrade guide for what to do";
    Plan {
        service: "crowd".into(),
        repository: "owner/infra".into(),
        cluster: "default".into(),
        from: "1.0.0".into(),
        from_app: None,
        head: "c0ffee".repeat(6),
        steps: vec![PlanStep {
            to: tag.into(),
            app: None,
            sites: vec![Site {
                path: "stacks/crowd/main.tf".into(),
                address: "kubernetes_deployment.app.spec.template.spec.container.image".into(),
                before: "ghcr.io/crowd/app:1.0.0".into(),
                after: format!("ghcr.io/crowd/app:{tag}"),
            }],
        }],
        targets: Vec::new(),
        risk: Risk {
            level: Level::Caution,
            reasons: vec!["the notes of two releases name breaking changes".into()],
            excerpts: (0..2)
                .map(|_| Excerpt {
                    version: tag.into(),
                    word: "removed".into(),
                    quote: quote.into(),
                    url: format!("https://github.com/crowd/app/releases/tag/{tag}"),
                })
                .collect(),
        },
        backup: None,
        windows: Windows {
            forward_seconds: 900,
            undo_seconds: 120,
        },
        limits: Limits {
            ci_patience_seconds: 900,
            settle_seconds: 300,
            backup_seconds: 600,
            backup_max_age_seconds: 3_600,
        },
        policy: Policy {
            observe: true,
            ..Policy::default()
        },
        summary: "Highlights: fixes and translations.".repeat(10),
        releases: 2,
        source_url: "https://github.com/crowd/app".into(),
        monitors: None,
    }
}
