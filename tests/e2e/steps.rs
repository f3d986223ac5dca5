use std::time::Duration;

use bowline_tests::{LIMIT, in_lab};
use testkit::lab::Options;

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
