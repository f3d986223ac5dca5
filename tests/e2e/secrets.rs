//! No secret comes out anywhere, also when things fail and when the logs are at their most talkative.

use std::path::Path;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use bowline_tests::{LIMIT, in_changing_lab};
use testkit::lab::{Lab, Options, Protocol, SERVICES};

use crate::EBOOKS;

/// Everything of ours and more than anybody needs of the libraries.
const TALKATIVE: &str = "debug,analyzer=trace,bus=trace,executor=trace,ingest=trace,mirror=trace,\
                         runtime=trace,verifier=trace";
/// Credentials that are refused are secrets too: most are right ones at the wrong place.
const WRONG: [&str; 3] = ["wr0ng-ci-c0de", "wr0ng-webhook-c0de", "n4ts-c0de"];
/// A host that refuses a push, in words of its own.
const REFUSING: &str = "#!/bin/sh\necho 'the branch is protected'\nexit 1\n";

struct Seen<'a> {
    secrets: Vec<String>,
    lab: &'a Lab,
}

impl Seen<'_> {
    fn new(lab: &Lab) -> Seen<'_> {
        let mut secrets = lab.secrets();
        secrets.push(lab.git.bad_token().to_owned());
        secrets.push(lab.kuma.key().to_owned());
        secrets.extend(WRONG.map(str::to_owned));
        // What HTTP makes of a user and a token.
        for secret in secrets.clone() {
            let pair = format!("{}:{secret}", lab.git.user());
            secrets.push(base64::engine::general_purpose::STANDARD.encode(pair));
        }
        Seen { secrets, lab }
    }

    fn check(&self, place: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        for secret in &self.secrets {
            if let Some((before, _)) = text.split_once(secret.as_str()) {
                let line = before.lines().count();
                let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
                anyhow::bail!("{place} shows the secret {secret}, line {line}: {shown}");
            }
        }
        Ok(())
    }

    /// Logs, spools, what is in hand, mirrors: whatever the processes wrote to the disk. Returns how
    /// many files with this in their path were not empty.
    fn files(&self, folder: &Path, wanted: &str) -> anyhow::Result<usize> {
        let mut found = 0;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                found += self.files(&path, wanted)?;
                continue;
            }
            // What is in hand goes as the work does.
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            let place = path.display().to_string();
            found += usize::from(place.contains(wanted) && !bytes.is_empty());
            self.check(&place, &bytes)?;
        }
        Ok(found)
    }

    fn announcements_and_commits(&self) -> anyhow::Result<()> {
        for message in self.lab.slack.messages() {
            self.check("an announcement", message.body.to_string().as_bytes())?;
        }
        for commit in self.lab.commits() {
            self.check("a commit", format!("{commit:?}").as_bytes())?;
        }
        for (path, bytes) in self.lab.files("main")? {
            self.check(&path, &bytes)?;
        }
        Ok(())
    }

    async fn answers(&self, ids: &[&str]) -> anyhow::Result<()> {
        let mut asked = vec![
            vec!["list", "--all"],
            vec!["why", EBOOKS.0],
            vec!["limits", "show"],
        ];
        asked.extend(ids.iter().map(|id| vec!["status", id]));
        for arguments in asked {
            for format in ["text", "json"] {
                let arguments = [&["--output", format], &arguments[..]].concat();
                let said = self.lab.bowline(&arguments).await?;
                ensure!(said.code == Some(0), "bowline {arguments:?}: {said:?}");
                self.check(
                    &format!("bowline {arguments:?}"),
                    format!("{said:?}").as_bytes(),
                )?;
            }
        }
        for service in SERVICES {
            let place = format!("/metrics of {service}");
            self.check(&place, self.lab.metrics(service).await?.as_bytes())?;
        }
        let spans = self.lab.otlp.spans();
        ensure!(!spans.is_empty(), "no trace was sent");
        for span in spans {
            self.check("a span", format!("{span:?}").as_bytes())?;
        }
        Ok(())
    }
}

/// Starts that fail, each with a credential that somebody mistyped.
async fn wrong_starts(lab: &Lab) -> anyhow::Result<()> {
    let bad = lab.git.bad_token().to_owned();
    for (service, variable, value, words) in [
        (
            "analyzer",
            "BOWLINE_SECRET_REPOSITORY_TOKEN",
            bad.clone(),
            "repository.token_file",
        ),
        (
            "executor",
            "BOWLINE_SECRET_REPOSITORY_TOKEN",
            bad,
            "repository.token_file",
        ),
        (
            "verifier",
            "BOWLINE_SECRET_CI_TOKEN",
            WRONG[0].to_owned(),
            "ci.token_file",
        ),
        (
            "executor",
            "BOWLINE_REPOSITORY__URL",
            lab.git.url_with_bad_token(),
            "repository.url",
        ),
    ] {
        let changes = [
            (variable, value),
            ("BOWLINE_LOG__FILTER", TALKATIVE.to_owned()),
        ];
        let (status, log) = lab.ends_by_itself(service, &changes).await?;
        ensure!(
            !status.success() && log.contains(words),
            "{service} with another {variable}: {log}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_anywhere() {
    let options = Options {
        telemetry: Some(Protocol::Grpc),
        without: SERVICES.to_vec(),
        ..Options::default()
    };
    in_changing_lab(options, async |lab| {
        wrong_starts(lab).await?;
        let plain = lab.nats.url();
        let nats = plain.replace("nats://", &format!("nats://bowline:{}@", WRONG[2]));
        for service in SERVICES {
            let variables = [
                ("BOWLINE_LOG__FILTER", TALKATIVE.to_owned()),
                ("BOWLINE_NATS__URL", nats.clone()),
                ("BOWLINE_VERIFY__KUMA__URL", lab.kuma.url()),
                ("BOWLINE_SECRET_KUMA_API_KEY", lab.kuma.key().to_owned()),
            ];
            lab.spawn_with(service, &variables)?;
        }
        lab.listening().await?;
        let answer = lab.post_to(&format!("/webhook/{}", WRONG[1]), "{}").await?;
        ensure!(answer.status == 404, "{answer:?}");

        // A good one, looked at while its Job runs.
        lab.cluster.job_delay(std::time::Duration::from_secs(1));
        let good = lab.upgrade("phpipam/phpipam-www", "v1.7.4").await?;
        let mut in_hand = 0;
        let over = |view: &testkit::lab::View| view.phase.starts_with("Ended");
        while !lab.view(&good).await.is_ok_and(|view| over(&view)) {
            in_hand += Seen::new(lab).files(lab.folder(), "in-hand")?;
        }
        lab.ended(&good, "Succeeded", LIMIT).await?;
        ensure!(in_hand > 0, "nothing was ever in hand");

        // One whose CI is red, one that cannot be pushed.
        lab.applier.red_next();
        let bad = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&bad, "RolledBack", LIMIT).await?;
        lab.git.set_hook("pre-receive", REFUSING);
        let refused = lab
            .upgrade("ghcr.io/linkwarden/linkwarden", "v2.9.2")
            .await?;
        let view = lab.wait(&refused, "is over", over, LIMIT).await?;
        ensure!(
            view.phase.contains("Aborted"),
            "{}",
            testkit::lab::told(&view)
        );
        Seen::new(lab).answers(&[&good, &bad, &refused]).await?;

        // One that is on the disk, because NATS is away.
        lab.nats.kill().await?;
        let waits = lab.webhook("docker.io/nowhere/app", "1.0.0", "new").await?;
        ensure!(waits.decision() == "spooled", "{waits:?}");
        let seen = Seen::new(lab);
        ensure!(seen.files(lab.folder(), "spool/requests")? == 1, "no spool");
        lab.nats.restart().await?;
        lab.until(
            "it is replayed",
            || {
                let spool = std::fs::read(lab.data("ingest").join("spool/requests"));
                spool.is_ok_and(|bytes| bytes.is_empty())
            },
            LIMIT,
        )
        .await?;
        lab.listening().await?;

        let seen = Seen::new(lab);
        ensure!(
            seen.files(lab.folder(), ".log")? == SERVICES.len(),
            "logs are missing"
        );
        for service in SERVICES {
            let log = std::fs::read_to_string(lab.log_path(service))?;
            ensure!(log.contains("\"level\":\"DEBUG\""), "{service} is taciturn");
        }
        seen.announcements_and_commits()?;
        let announced = lab.slack.messages().len();
        ensure!(announced >= 6, "{announced} announcements");
        for (name, words) in [
            ("phpipam", ["starting", "done"].as_slice()),
            ("ebooks", &["starting", "rolling back", "rolled back"]),
            ("linkwarden", &["starting", "aborted"]),
        ] {
            for word in words {
                lab.said(&[name, word], LIMIT)
                    .await
                    .context("an announcement")?;
            }
        }
        over_all(lab).await
    })
    .await;
}

/// Waits until nothing is under way.
async fn over_all(lab: &Lab) -> anyhow::Result<()> {
    for view in lab.upgrades().await? {
        let over = |view: &testkit::lab::View| view.phase.starts_with("Ended");
        lab.wait(&view.id, "is over", over, LIMIT).await?;
    }
    Ok(())
}
