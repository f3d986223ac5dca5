//! Whole upgrades on the shipped NATS configuration: the real programs, each with its own nkey.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bowline_tests::LIMIT;
use bus::{Bucket, Log as _};
use tempfile::TempDir;
use testkit::kubernetes::Behaviour;
use testkit::lab::{Lab, Options, SERVICES, View, binary, told};
use testkit::nats::NatsServer;
use testkit::woodpecker::State;

use crate::deployed::{Keys, shipped};

const EBOOKS: (&str, &str) = ("ghcr.io/advplyr/audiobookshelf", "2.33.1");
const OWNTRACKS: (&str, &str) = ("owntracks/recorder", "1.0.0");
const PHPIPAM: (&str, &str) = ("phpipam/phpipam-www", "v1.7.4");
/// The right to count an undo, as it is shipped.
const CIRCUIT: &str = "\"$KV.bowline_CONTROLS.circuit.*\",";

/// A lab whose services log in at a server as it is deployed.
struct Installed {
    lab: Lab,
    keys: Keys,
}

impl Installed {
    /// Starts it with the NATS configuration of this folder.
    async fn start(options: Options, configuration: &Path) -> anyhow::Result<Installed> {
        let options = Options {
            without: SERVICES.to_vec(),
            ..options
        };
        let mut lab = Lab::start(options).await?;
        let keys = Keys::make()?;
        lab.nats = NatsServer::start_deployed(configuration, &keys.environment).await?;
        let installed = Installed { lab, keys };
        installed.set_up().await?;
        let Installed { lab, .. } = &installed;
        for service in SERVICES {
            lab.spawn_with(service, &installed.variables(service)?)?;
        }
        lab.listening().await?;
        Ok(installed)
    }

    /// What tells a program where the server is, and who it is there.
    fn variables(&self, user: &str) -> anyhow::Result<[(&'static str, String); 4]> {
        Ok([
            ("BOWLINE_INSTANCE", "bowline".to_owned()),
            ("BOWLINE_NATS__URL", self.lab.nats.url()),
            ("BOWLINE_NATS__SET_UP", "false".to_owned()),
            ("BOWLINE_SECRET_NATS_NKEY_SEED", self.keys.seed(user)?),
        ])
    }

    /// Makes what is needed in NATS, as the Job does.
    async fn set_up(&self) -> anyhow::Result<()> {
        let mut command = Command::new(binary("bowline")?);
        command
            .args(["set-up", "--config"])
            .arg(self.lab.folder().join("bowline.toml"))
            .envs(self.variables("set-up")?);
        self.lab.spawn_command("set-up", &mut command)?;
        let code = self.lab.stopped("set-up", LIMIT).await?;
        let said = std::fs::read_to_string(self.lab.log_path("set-up")).unwrap_or_default();
        ensure!(code == 0, "the set-up ended with {code}: {said}");
        Ok(())
    }

    /// What a bucket holds, by its keys.
    async fn keys_of(&self, bucket: Bucket) -> anyhow::Result<Vec<String>> {
        let log = self.keys.log_in(&self.lab.nats, "ingest").await?;
        let found = log.list(bucket).await?.into_iter();
        Ok(found.map(|(key, _)| key).collect())
    }

    /// What the server has refused so far.
    fn refused(&self) -> anyhow::Result<Vec<String>> {
        let log = self.lab.nats.log()?;
        let refused = log.lines().filter(|line| line.contains("Violation"));
        Ok(refused.map(str::to_owned).collect())
    }

    /// The end of a test: nothing may be left over, and what was refused is told.
    async fn end(&self, outcome: anyhow::Result<()>) -> anyhow::Result<Vec<String>> {
        let outcome = match outcome {
            Ok(()) => self.lab.nothing_left().await,
            failed => failed,
        };
        let refused = self.refused()?;
        outcome.map_err(|error| {
            anyhow::anyhow!("{error:#}\nNATS refused {refused:#?}\n{}", self.lab.logs())
        })?;
        Ok(refused)
    }
}

async fn said(lab: &Lab, service: &str, id: &str, words: &[&str]) -> anyhow::Result<()> {
    for word in words {
        lab.said(&[service, word, id], LIMIT).await?;
    }
    Ok(())
}

/// An upgrade with a backup; one that is undone, and passes when a person tries it again; a second
/// one that is undone, so that nothing starts until a person lets it.
async fn all_ways(installed: &Installed) -> anyhow::Result<()> {
    let lab = &installed.lab;
    let good = lab.upgrade(PHPIPAM.0, PHPIPAM.1).await?;
    lab.ended(&good, "Succeeded", LIMIT).await?;
    ensure!(lab.live("phpipam").as_deref() == Some(PHPIPAM.1));
    ensure!(lab.cluster.jobs().len() == 1, "{:?}", lab.cluster.jobs());
    said(lab, "phpipam", &good, &["starting", "done"]).await?;

    let crashing = format!("{}:{}", EBOOKS.0, EBOOKS.1);
    lab.cluster.image_behaviour(&crashing, Behaviour::CrashLoop);
    let bad = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
    lab.ended(&bad, "RolledBack", LIMIT).await?;
    ensure!(lab.live("ebooks").as_deref() == Some("2.32.1"));
    let undone = ["starting", "rolling back", "rolled back"];
    said(lab, "ebooks", &bad, &undone).await?;
    let fences = installed.keys_of(Bucket::Fences).await?;
    ensure!(fences.len() == 1, "{fences:?}");
    let controls = installed.keys_of(Bucket::Controls).await?;
    ensure!(controls == ["circuit.default"], "{controls:?}");

    lab.cluster.image_behaviour(&crashing, Behaviour::Healthy);
    let retried = lab.ask(EBOOKS.0, EBOOKS.1).await?;
    lab.ended(&retried, "Succeeded", LIMIT).await?;
    ensure!(lab.live("ebooks").as_deref() == Some(EBOOKS.1));
    ensure!(installed.keys_of(Bucket::Fences).await?.is_empty());
    said(lab, "ebooks", &retried, &["starting", "done"]).await?;

    let crashing = format!("{}:{}", OWNTRACKS.0, OWNTRACKS.1);
    lab.cluster.image_behaviour(&crashing, Behaviour::CrashLoop);
    let second = lab.upgrade(OWNTRACKS.0, OWNTRACKS.1).await?;
    lab.ended(&second, "RolledBack", LIMIT).await?;
    said(lab, "owntracks", &second, &undone).await?;
    lab.said(&["CRITICAL", "had to be undone", "resume --all"], LIMIT)
        .await?;
    let (image, tag) = ("ghcr.io/open-webui/open-webui", "v0.7.3");
    let held = lab.upgrade(image, tag).await?;
    let planned = |view: &View| view.phase == "Planned";
    lab.wait(&held, "is planned", planned, LIMIT).await?;
    let resumed = lab.bowline(&["resume", "--all"]).await?;
    ensure!(resumed.code == Some(0), "{resumed:?}");
    lab.ended(&held, "Succeeded", LIMIT).await?;
    said(lab, "open-webui", &held, &["starting", "done"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_shipped_rights_upgrades_succeed_are_undone_and_are_tried_again()
-> anyhow::Result<()> {
    let installed = Installed::start(Options::default(), &shipped()).await?;
    let outcome = all_ways(&installed).await;
    let refused = installed.end(outcome).await?;
    ensure!(refused.is_empty(), "NATS refused {refused:#?}");
    Ok(())
}

/// A newer run takes the place of ours and applies nothing.
async fn superseded(lab: &Lab) -> anyhow::Result<()> {
    let states = || {
        let runs = lab.woodpecker.runs();
        runs.iter().map(|run| run.status).collect::<Vec<_>>()
    };
    lab.applier.hold(true);
    let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
    lab.until("CI runs", || states() == [State::Running], LIMIT)
        .await?;
    lab.applier.green_but_not_applied_next();
    let stranger = lab.git.someone_else();
    stranger.commit("README.md", b"# homelab, tidied\n", "tidy the README");
    let replaced = || states() == [State::Killed, State::Running];
    lab.until("the newer run has taken its place", replaced, LIMIT)
        .await?;
    lab.applier.hold(false);
    let view = lab.ended(&id, "Succeeded", LIMIT).await?;
    let restarts = view
        .facts
        .iter()
        .filter(|fact| fact.name == "ci_restarting");
    ensure!(restarts.count() == 1, "{}", told(&view));
    said(lab, "ebooks", &id, &["starting", "done"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_shipped_rights_a_superseded_run_is_started_again() -> anyhow::Result<()> {
    let options = Options {
        settle: Duration::from_secs(2),
        restart_superseded: true,
        ..Options::default()
    };
    let installed = Installed::start(options, &shipped()).await?;
    let outcome = superseded(&installed.lab).await;
    let refused = installed.end(outcome).await?;
    ensure!(refused.is_empty(), "NATS refused {refused:#?}");
    Ok(())
}

/// The shipped configuration without the right to count an undo.
fn uncounted() -> anyhow::Result<TempDir> {
    let folder = TempDir::new()?;
    for entry in std::fs::read_dir(shipped())? {
        let path = entry?.path();
        let name = path.file_name().context("a name")?;
        let text = std::fs::read_to_string(&path)?;
        ensure!(
            name != "users.conf" || text.contains(CIRCUIT),
            "no {CIRCUIT}"
        );
        std::fs::write(folder.path().join(name), text.replace(CIRCUIT, ""))?;
    }
    Ok(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_nobody_may_count_is_made_all_the_same() -> anyhow::Result<()> {
    let installed = Installed::start(Options::default(), uncounted()?.path()).await?;
    let undone = async {
        let lab = &installed.lab;
        let crashing = format!("{}:{}", EBOOKS.0, EBOOKS.1);
        lab.cluster.image_behaviour(&crashing, Behaviour::CrashLoop);
        let bad = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&bad, "RolledBack", LIMIT).await?;
        ensure!(lab.live("ebooks").as_deref() == Some("2.32.1"));
        said(
            lab,
            "ebooks",
            &bad,
            &["starting", "rolling back", "rolled back"],
        )
        .await
    };
    let outcome = undone.await;
    let refused = installed.end(outcome).await?;
    let circuit = |line: &String| line.contains("bowline_CONTROLS.circuit.default");
    ensure!(
        !refused.is_empty() && refused.iter().all(circuit),
        "NATS refused {refused:#?}"
    );
    Ok(())
}
