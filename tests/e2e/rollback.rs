use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab};
use testkit::kubernetes::Behaviour;
use testkit::lab::{Lab, Options};

use crate::EBOOKS;

const CRASHING: &str = "ghcr.io/advplyr/audiobookshelf:2.33.1";

/// Two commits: the upgrade, and its undo in git's own words, which restores the seed's tree.
fn undone(lab: &Lab, id: &str) -> anyhow::Result<()> {
    let commits = lab.commits();
    ensure!(commits.len() == 2, "{commits:#?}");
    let (upgrade, revert) = (&commits[0], &commits[1]);
    assert_eq!(upgrade.subject, "upgrade: ebooks 2.32.1 -> 2.33.1");
    assert_eq!(
        revert.subject,
        "Revert \"upgrade: ebooks 2.32.1 -> 2.33.1\""
    );
    let words = format!("This reverts commit {}.", upgrade.sha);
    assert!(revert.message.contains(&words), "{}", revert.message);
    let trailer = format!("Bowline-Reverts: {id}/1");
    assert!(revert.message.contains(&trailer), "{}", revert.message);
    let tree = |rev: &str| {
        testkit::git::git(
            &lab.git.bare_path(),
            ["rev-parse", &format!("{rev}^{{tree}}")],
            b"",
        )
    };
    assert_eq!(tree(&revert.sha)?, tree(&format!("{}~1", upgrade.sha))?);
    assert_eq!(lab.written("ebooks").as_deref(), Some("2.32.1"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_crash_are_rolled_back_and_the_version_is_fenced_off() {
    in_lab(Options::default(), async |lab| {
        lab.cluster.image_behaviour(CRASHING, Behaviour::CrashLoop);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "RolledBack", LIMIT).await?;
        undone(lab, &id)?;
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));

        lab.said(&["ebooks", "2.33.1 starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "rolling back to 2.32.1", &id], LIMIT)
            .await?;
        lab.said(
            &["ebooks", "rolled back, 2.32.1 is live and healthy", &id],
            LIMIT,
        )
        .await?;

        let again = lab.webhook(EBOOKS.0, EBOOKS.1, "new").await?;
        assert_eq!(again.decision(), "refused", "{again:?}");
        assert!(again.reason().contains("rolled back"), "{again:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_fails_is_critical_and_is_left_to_a_person() {
    in_lab(Options::default(), async |lab| {
        lab.cluster.image_behaviour(CRASHING, Behaviour::CrashLoop);
        // The upgrade's run, and the revert's.
        lab.applier.good_next();
        lab.applier.red_next();
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Stuck", LIMIT).await?;
        undone(lab, &id)?;
        assert_eq!(lab.applier.applied(), [lab.commits()[0].sha.clone()]);
        let applied = lab
            .cluster
            .template_image("ebooks", "audiobookshelf", "audiobookshelf");
        assert_eq!(
            applied.as_deref(),
            Some(CRASHING),
            "the undo was not applied"
        );

        lab.said(&["ebooks", "2.33.1 starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "rolling back to 2.32.1", &id], LIMIT)
            .await?;
        lab.said(&["CRITICAL", "ebooks", "needs a person", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn red_ci_is_reverted_while_the_old_version_runs_on() {
    in_lab(Options::default(), async |lab| {
        lab.applier.red_next();
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "RolledBack", LIMIT).await?;
        undone(lab, &id)?;
        let revert = &lab.commits()[1];
        assert_eq!(lab.applier.applied(), std::slice::from_ref(&revert.sha));
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));

        lab.said(&["ebooks", "2.33.1 starting", &id], LIMIT).await?;
        lab.said(
            &["ebooks", "rolling back to 2.32.1", "pipeline #1", &id],
            LIMIT,
        )
        .await?;
        lab.said(
            &["ebooks", "rolled back, 2.32.1 is live and healthy", &id],
            LIMIT,
        )
        .await?;
        Ok(())
    })
    .await;
}
