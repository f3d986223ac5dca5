use bowline_tests::{LIMIT, in_lab};
use testkit::lab::{Options, View};

#[tokio::test(flavor = "multi_thread")]
async fn one_dump_of_a_shared_database_counts_for_all_that_began_before_it() {
    let options = Options {
        turns: false,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        // Until all have begun, no dump can be asked for.
        lab.cluster.unavailable(true);
        let mut upgrades = Vec::new();
        for (service, image, tag) in [
            ("linkwarden", "ghcr.io/linkwarden/linkwarden", "v2.9.2"),
            ("matrix", "matrixdotorg/synapse", "v1.126.0"),
            ("dawarich", "freikin/dawarich", "0.37.2"),
        ] {
            upgrades.push((service, tag, lab.upgrade(image, tag).await?));
        }
        let mut last = 0;
        for (_, _, id) in &upgrades {
            let started = |view: &View| view.phase == "Started";
            let view = lab.wait(id, "started", started, LIMIT).await?;
            last = last.max(view.since_ms.div_euclid(1_000));
        }
        // Kubernetes tells a Job's start in whole seconds, and one in doubt does not count.
        let now = || bus::Clock::now_ms(&bus::SystemClock).div_euclid(1_000);
        lab.until(
            "the second in which the last began is over",
            || now() > last,
            LIMIT,
        )
        .await?;
        lab.cluster.unavailable(false);
        for (service, tag, id) in &upgrades {
            lab.ended(id, "Succeeded", LIMIT).await?;
            assert_eq!(lab.live(service).as_deref(), Some(*tag), "{service}");
            lab.said(&[service, "starting", "dbaas/postgresql-backup", id], LIMIT)
                .await?;
            lab.said(&[service, "done", id], LIMIT).await?;
        }

        let jobs = lab.cluster.jobs();
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        let named = format!(
            "Backup: Job dbaas/{} of CronJob postgresql-backup",
            jobs[0].name
        );
        let commits = lab.commits();
        assert_eq!(commits.len(), 3);
        for commit in &commits {
            assert!(commit.message.contains(&named), "{}", commit.message);
        }
        let shared = commits
            .iter()
            .filter(|commit| commit.message.contains("made for another upgrade"))
            .count();
        assert_eq!(shared, 2);
        Ok(())
    })
    .await;
}
