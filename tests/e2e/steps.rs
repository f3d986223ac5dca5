use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bowline_tests::{LIMIT, in_lab};
use testkit::kubernetes::Behaviour;
use testkit::lab::{Options, View, told};
use wire::v1::ControlRequest;

#[tokio::test(flavor = "multi_thread")]
async fn caution_goes_release_by_release_with_a_dump_before_each() {
    in_lab(Options::default(), async |lab| {
        let id = lab
            .upgrade("ghcr.io/linkwarden/linkwarden", "v2.10.1")
            .await?;
        lab.ended(&id, "Succeeded", LIMIT + Duration::from_secs(60))
            .await?;

        let versions = ["v2.9.1", "v2.9.2", "v2.9.3", "v2.10.0", "v2.10.1"];
        let expected: Vec<String> = versions
            .windows(2)
            .map(|pair| format!("upgrade: linkwarden {} -> {}", pair[0], pair[1]))
            .collect();
        let commits = lab.commits();
        let subjects: Vec<_> = commits
            .iter()
            .map(|commit| commit.subject.clone())
            .collect();
        assert_eq!(subjects, expected);

        let jobs = lab.cluster.jobs();
        assert_eq!(jobs.len(), 4, "{jobs:?}");
        for (commit, job) in commits.iter().zip(&jobs) {
            assert_eq!(job.namespace, "dbaas");
            let named = format!("Job dbaas/{} of CronJob postgresql-backup", job.name);
            assert!(
                commit.message.contains(&named),
                "{named} is missing in {}",
                commit.message
            );
            assert_eq!(lab.changes(&commit.sha)?.0, ["stacks/linkwarden/main.tf"]);
        }
        let applied: Vec<_> = commits.iter().map(|commit| commit.sha.clone()).collect();
        assert_eq!(
            lab.applier.applied(),
            applied,
            "every step was applied before the next"
        );
        assert_eq!(lab.live("linkwarden").as_deref(), Some("v2.10.1"));

        lab.said(
            &["linkwarden", "starting", "CAUTION", "4 steps", &id],
            LIMIT,
        )
        .await?;
        lab.said(&["linkwarden", "v2.9.1 → v2.10.1 done", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_go_with_the_step_they_are_due_with_and_are_undone_with_it() {
    let changes = "changes = [\
                   { to = '2.9.3', rename_env = { NEXTAUTH_URL = 'AUTH_URL' } }, \
                   { to = '2.10.0', set_env = { BROWSER = 'none' } }]";
    let options = Options {
        services: vec![("linkwarden", changes)],
        ..Options::default()
    };
    in_lab(options, async |lab| {
        const FILE: &str = "stacks/linkwarden/main.tf";
        let seed = lab.git.show("main", FILE).context("the stack's file")?;
        let image = "ghcr.io/linkwarden/linkwarden";
        let id = lab.upgrade(image, "v2.10.0").await?;
        lab.ended(&id, "Succeeded", LIMIT * 2).await?;

        let commits = lab.commits();
        ensure!(commits.len() == 3, "{commits:#?}");
        let mut changed = Vec::new();
        for commit in &commits {
            let (paths, lines) = lab.changes(&commit.sha)?;
            assert_eq!(paths, [FILE]);
            changed.push(lines.len());
        }
        // The version; with a variable's name; with a block of four lines.
        assert_eq!(changed, [2, 4, 6]);
        let message = &commits[1].message;
        let setting = "Setting: stacks/linkwarden/main.tf: NEXTAUTH_URL -> AUTH_URL";
        assert!(message.contains(setting), "{message}");
        let message = &commits[2].message;
        assert!(message.contains("main.tf: sets BROWSER"), "{message}");

        let wish = ControlRequest {
            id_or_prefix: id.clone(),
            by: "alice".to_owned(),
        };
        lab.client().await?.rollback(wish).await?;
        let over = |view: &View| view.phase == "Ended(RolledBack)" || view.phase == "Stuck";
        let view = lab.wait(&id, "is rolled back", over, LIMIT).await?;
        ensure!(view.phase == "Ended(RolledBack)", "{}", told(&view));
        let now = lab.git.show("main", FILE).context("the stack's file")?;
        assert_eq!(
            String::from_utf8_lossy(&now),
            String::from_utf8_lossy(&seed)
        );
        lab.said(&["linkwarden", "starting", &id], LIMIT).await?;
        lab.said(&["linkwarden", "done", &id], LIMIT).await?;
        lab.said(&["linkwarden", "rolling back to v2.9.1"], LIMIT)
            .await?;
        lab.said(&["linkwarden", "rolled back", "v2.9.1"], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_is_tried_again_with_the_setting_that_it_lacked() {
    in_lab(Options::default(), async |lab| {
        const FILE: &str = "stacks/dawarich/main.tf";
        let crashing = "freikin/dawarich:1.0.0";
        lab.cluster.image_behaviour(crashing, Behaviour::CrashLoop);
        let id = lab.upgrade("freikin/dawarich", "1.0.0").await?;
        lab.ended(&id, "RolledBack", LIMIT * 2).await?;
        assert_eq!(lab.live("dawarich").as_deref(), Some("0.37.2"));
        let before = lab.commits().len();

        // A person has read why, and writes down what goes with the version from now on.
        let config = lab.folder().join("bowline.toml");
        let section = "[services.dawarich]\n";
        let text = std::fs::read_to_string(&config)?;
        ensure!(text.contains(section), "{text}");
        let change = "changes = [{ to = '1.0.0', set_env = { SELF_HOSTED = 'true' } }]\n";
        std::fs::write(
            &config,
            text.replace(section, &format!("{section}{change}")),
        )?;
        lab.kill9("analyzer")?;
        lab.spawn("analyzer")?;
        lab.cluster.image_behaviour(crashing, Behaviour::Healthy);

        let retried = lab.bowline_json(&["retry", &id]).await?;
        let again = retried["upgrade"]["id"].as_str().context("an attempt")?;
        ensure!(again != id, "{retried}");
        lab.ended(again, "Succeeded", LIMIT * 2).await?;
        assert_eq!(lab.live("dawarich").as_deref(), Some("1.0.0"));
        let commits = lab.commits();
        let [commit] = commits.get(before..).unwrap_or_default() else {
            bail!("{commits:#?}")
        };
        let (paths, lines) = lab.changes(&commit.sha)?;
        assert_eq!(paths, [FILE]);
        let added = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert_eq!(
            added("+            name  = \"SELF_HOSTED\""),
            2,
            "{lines:#?}"
        );
        assert_eq!(added("\"1.0.0\""), 1, "{lines:#?}");
        assert!(
            commit.message.contains("sets SELF_HOSTED"),
            "{}",
            commit.message
        );
        lab.read_all();
        Ok(())
    })
    .await;
}
