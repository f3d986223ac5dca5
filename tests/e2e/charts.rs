//! Services that a Helm chart deploys: what moves is the chart's version.

use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab};
use testkit::kubernetes::Behaviour;
use testkit::lab::{Lab, Options};

const SERVER: &str = "ghcr.io/goauthentik/server";

fn options() -> Options {
    Options {
        chart: true,
        ..Options::default()
    }
}

/// What the server and the worker run.
fn live(lab: &Lab) -> [Option<String>; 2] {
    [
        ("goauthentik-server", "server"),
        ("goauthentik-worker", "worker"),
    ]
    .map(|(workload, container)| lab.cluster.live_image("authentik", workload, container))
}

fn both(app: &str) -> [Option<String>; 2] {
    [(); 2].map(|()| Some(format!("{SERVER}:{app}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_images_webhook_moves_its_chart_step_by_step_until_the_app_is_live() {
    in_lab(options(), async |lab| {
        let id = lab.upgrade(SERVER, "2026.2.4").await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;

        let commits = lab.commits();
        let subjects: Vec<_> = commits
            .iter()
            .map(|commit| commit.subject.as_str())
            .collect();
        // App version 2026.2.4 comes with chart 2026.2.5, and chart 2026.2.4 brings no other app.
        let expected = [
            "upgrade: authentik 2026.2.2 -> 2026.2.3",
            "upgrade: authentik 2026.2.3 -> 2026.2.5",
        ];
        assert_eq!(subjects, expected);
        let last = &commits[1];
        let both_said = "Helm: chart 2026.2.3 -> 2026.2.5, app 2026.2.3 -> 2026.2.4\n";
        ensure!(last.message.contains(both_said), "{}", last.message);
        let (paths, lines) = lab.changes(&last.sha)?;
        assert_eq!(paths, ["stacks/authentik/main.tf"]);
        let expected = [
            "-  version    = \"2026.2.3\"",
            "+  version    = \"2026.2.5\"",
        ];
        assert_eq!(lines, expected);
        assert_eq!(live(lab), both("2026.2.4"));

        let way = "chart 2026.2.2 → 2026.2.5, app 2026.2.2 → 2026.2.4";
        let starting = format!("{way} starting");
        lab.said(&[&starting, "CAUTION", "2 steps", &id], LIMIT)
            .await?;
        let done = format!("{way} done");
        let report = lab.said(&[&done, "goauthentik-worker", &id], LIMIT).await?;
        ensure!(report.contains("Deployment/goauthentik-redis"), "{report}");
        ensure!(!report.contains("pgbouncer"), "{report}");

        // The same again is there already.
        let again = lab.webhook(SERVER, "2026.2.4", "new").await?;
        ensure!(again.decision() == "duplicate", "{again:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_undoes_itself_is_taken_back_in_the_repository_too() {
    in_lab(options(), async |lab| {
        let crashing = format!("{SERVER}:2026.2.3");
        lab.cluster.image_behaviour(&crashing, Behaviour::CrashLoop);
        lab.applier.rolled_back_next();
        let id = lab.upgrade(SERVER, "2026.2.3").await?;
        lab.ended(&id, "RolledBack", LIMIT).await?;
        let subjects: Vec<_> = lab
            .commits()
            .into_iter()
            .map(|commit| commit.subject)
            .collect();
        let expected = [
            "upgrade: authentik 2026.2.2 -> 2026.2.3",
            "Revert \"upgrade: authentik 2026.2.2 -> 2026.2.3\"",
        ];
        assert_eq!(subjects, expected);
        assert_eq!(live(lab), both("2026.2.2"));
        lab.said(&["chart 2026.2.2 → 2026.2.3", "starting", &id], LIMIT)
            .await?;
        lab.said(&["failed in step 1", "runs", "2026.2.2", &id], LIMIT)
            .await?;
        lab.said(&["rolled back", "2026.2.2 is live", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_version_that_no_chart_brings_is_skipped_with_the_nearest() {
    in_lab(options(), async |lab| {
        let id = lab.upgrade(SERVER, "2026.3.0").await?;
        lab.ended(&id, "Skipped", LIMIT).await?;
        let view = lab.view(&id).await?;
        let why = "no version of chart authentik newer than 2026.2.2 brings app version 2026.3.0; \
                   the nearest is 2026.2.5 (app 2026.2.4), and nothing newer is listed";
        ensure!(format!("{view:?}").contains(why), "{view:?}");
        assert_eq!(lab.commits(), []);
        Ok(())
    })
    .await;
}
