//! `cargo xtask demo`: Bowline's main job before your eyes, on real parts, with short times.
//!
//! Its four services run as processes of their own; NATS and the git host are real, the rest are
//! stubs that behave like the real ones. The verdicts are read from git and the stub cluster.

mod expectations;
mod keep;
mod own;
mod timeline;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use testkit::kubernetes::Behaviour;
use testkit::lab::{Answered, Lab, Options};
use tokio::time::Instant;

use crate::{setup, shell};
use timeline::Timeline;

/// The demo ends within this time, or it has failed.
const LIMIT: Duration = Duration::from_secs(170);
const POLL: Duration = Duration::from_millis(200);
/// The window of the rate limit, and so how long the sixth upgrade waits.
const WINDOW: Duration = Duration::from_secs(25);
const HEALTHY_FOR: Duration = Duration::from_secs(3);
/// The version of dawarich whose pods crash.
const CRASHING: &str = "freikin/dawarich:1.0.0";

/// What DIUN announces, in this order: stack, image, tag.
const ANNOUNCED: [(&str, &str, &str); 6] = [
    ("phpipam", "phpipam/phpipam-www", "v1.7.4"),
    ("linkwarden", "ghcr.io/linkwarden/linkwarden", "v2.10.1"),
    ("dawarich", "freikin/dawarich", "1.6.1"),
    ("ebooks", "ghcr.io/advplyr/audiobookshelf", "2.33.1"),
    ("open-webui", "ghcr.io/open-webui/open-webui", "v0.7.3"),
    (
        "paperless-ngx",
        "ghcr.io/paperless-ngx/paperless-ngx",
        "2.17.0",
    ),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Keep everything running after the show, for requests of your own, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// No show, but a copy of this repository's committed HEAD, and a cluster that runs what it
    /// says, for requests of your own, until Ctrl-C. Nothing is written to the repository.
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// The folder with one folder per stack in that repository.
    #[arg(long, default_value = "stacks", requires = "repo")]
    stacks: String,
}

/// What the webhook said to what is no upgrade of its own.
struct Answers {
    first: String,
    duplicate: Answered,
    skipped: Answered,
}

/// Builds what is missing, runs the demo and judges it, or leaves it to whoever started it.
pub(crate) fn run(root: &Path, args: Args) -> Result<()> {
    setup::run(root)?;
    println!("building the services ...");
    shell::stream(shell::cargo(root).args(["build", "--quiet", "--workspace", "--bins"]))?;
    tokio::runtime::Runtime::new()
        .context("failed to start the runtime")?
        .block_on(async {
            match &args.repo {
                None => show(args.keep).await,
                Some(repository) => own::run(repository, &args.stacks).await,
            }
        })
}

async fn show(keep: bool) -> Result<()> {
    explain();
    let options = Options {
        max_upgrades: 5,
        rate_window: WINDOW,
        windows: (HEALTHY_FOR, HEALTHY_FOR, HEALTHY_FOR),
        ..Options::default()
    };
    let began = Instant::now();
    let lab = Lab::start(options).await?;
    let mut timeline = Timeline::default();
    let answers = match play(&lab, &mut timeline).await {
        Ok(answers) => answers,
        Err(error) => {
            eprintln!("\nThe ends of the logs:\n{}", lab.logs());
            return Err(error);
        }
    };
    println!("\nThe demo took {:.0} s.", began.elapsed().as_secs_f64());
    let judged = judge(&lab, &answers);
    if keep {
        if let Err(error) = &judged {
            eprintln!("error: {error:#}");
        }
        keep::until_interrupted(&lab, &mut timeline, ("owntracks/recorder", "1.0.1")).await?;
    }
    judged
}

fn explain() {
    println!(
        "\nnats-server, a git host over HTTP with twelve Terraform stacks, ingest, analyzer, executor \
         and verifier\nrun as processes; GitHub, Woodpecker (which applies every push), Kubernetes and \
         Slack are stubs.\n\n\
         Shortened for the demo           default      here\n\
         healthy for (SAFE/CAUTION)       2/10 min     {} s\n\
         health checked every             15 s         0.2 s\n\
         rate window (5 upgrades)         6 h          {} s\n\
         CI asked every                   30 s         0.2 s\n\
         backup Job asked every           5 s          0.2 s\n\
         between two backups at least     60 s         -\n\
         retries of a waiting upgrade     5-30 s       0.1-0.2 s\n\
         CI run, rollout, backup Job      minutes      0.2-0.3 s each\n",
        HEALTHY_FOR.as_secs(),
        WINDOW.as_secs(),
    );
}

async fn play(lab: &Lab, timeline: &mut Timeline) -> Result<Answers> {
    lab.cluster.image_behaviour(CRASHING, Behaviour::CrashLoop);
    let answers = announce(lab, timeline).await?;
    let start = Instant::now();
    loop {
        timeline.look(lab).await?;
        let upgrades = lab.upgrades().await?;
        if upgrades.len() >= ANNOUNCED.len() && upgrades.iter().all(over) {
            break;
        }
        if start.elapsed() > LIMIT {
            bail!("not through within {} s", LIMIT.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
    // Announcements may come after the facts.
    let quiet = lab.nothing_delivered_is_open().await;
    timeline.look(lab).await?;
    quiet.map(|()| answers)
}

fn judge(lab: &Lab, answers: &Answers) -> Result<()> {
    println!("\n$ git log --oneline");
    for commit in lab.git.log("main") {
        println!(
            "{} {}",
            commit.sha.get(..9).unwrap_or(&commit.sha),
            commit.subject
        );
    }
    println!("\nExpectations, read from git, the cluster and Slack:");
    let verdicts = expectations::judge(lab, answers);
    let mut failed = 0;
    for verdict in &verdicts {
        match &verdict.fault {
            None => println!("  ok      {}", verdict.expected),
            Some(fault) => {
                failed += 1;
                println!("  FAILED  {}\n          {fault}", verdict.expected);
            }
        }
    }
    ensure!(
        failed == 0,
        "{failed} of {} expectations failed",
        verdicts.len()
    );
    println!("\nAll {} expectations are met.", verdicts.len());
    Ok(())
}

fn over(view: &testkit::lab::View) -> bool {
    view.phase.starts_with("Ended") || view.phase == "Stuck"
}

/// Posts what DIUN would: the six, one of them again in the other shape, and a database image.
async fn announce(lab: &Lab, timeline: &mut Timeline) -> Result<Answers> {
    let mut first = String::new();
    for (service, image, tag) in ANNOUNCED {
        let answered = lab.webhook(image, tag, "new").await?;
        timeline.webhook(image, tag, &answered);
        ensure!(answered.decision() == "accepted", "{service}: {answered:?}");
        if first.is_empty() {
            answered.id().clone_into(&mut first);
        }
        // In order, so that it is the last one that is held.
        let passed = |view: &testkit::lab::View| view.phase != "Requested";
        lab.wait(answered.id(), "passes the gate", passed, LIMIT)
            .await?;
        timeline.look(lab).await?;
    }
    let (_, image, tag) = ANNOUNCED[0];
    let duplicate = lab.bulk(image, tag).await?;
    timeline.webhook(image, tag, &duplicate);
    let skipped = lab.webhook("library/postgres", "17.2", "new").await?;
    timeline.webhook("library/postgres", "17.2", &skipped);
    Ok(Answers {
        first,
        duplicate,
        skipped,
    })
}
