use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab};
use testkit::lab::Options;

use crate::EBOOKS;

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_ends_as_a_live_version_and_two_announcements() {
    in_lab(Options::default(), async |lab| {
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;

        let commits = lab.commits();
        ensure!(commits.len() == 1, "{commits:#?}");
        let commit = &commits[0];
        assert_eq!(commit.subject, "upgrade: ebooks 2.32.1 -> 2.33.1");
        assert!(
            commit.message.contains(&format!("Upgrade-Id: {id}/1")),
            "{}",
            commit.message
        );
        assert!(commit.message.contains("Risk: SAFE"), "{}", commit.message);
        let (paths, lines) = lab.changes(&commit.sha)?;
        assert_eq!(paths, ["stacks/ebooks/main.tf"]);
        assert_eq!(
            lines,
            [
                "-          image = \"ghcr.io/advplyr/audiobookshelf:2.32.1\"",
                "+          image = \"ghcr.io/advplyr/audiobookshelf:2.33.1\"",
            ]
        );
        assert_eq!(lab.applier.applied(), std::slice::from_ref(&commit.sha));
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.33.1"));

        let words = ["ebooks", "2.32.1 → 2.33.1 starting", "SAFE", id.as_str()];
        lab.said(&words, LIMIT).await?;
        lab.said(&["ebooks", "2.32.1 → 2.33.1 done", "HTTP", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn observing_says_what_would_be_done_and_does_nothing() {
    let options = Options {
        observe: true,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let id = lab
            .upgrade("ghcr.io/linkwarden/linkwarden", "v2.10.1")
            .await?;
        lab.ended(&id, "Skipped", LIMIT).await?;
        let said = lab
            .said(&["observe: would upgrade linkwarden", &id], LIMIT)
            .await?;
        for word in [
            "v2.9.1",
            "v2.9.2, v2.9.3, v2.10.0, v2.10.1",
            "CAUTION",
            "linkwarden/main.tf",
        ] {
            assert!(said.contains(word), "{word} is missing in {said}");
        }
        assert_eq!(lab.commits(), []);
        assert_eq!(lab.cluster.jobs(), []);
        assert_eq!(lab.live("linkwarden").as_deref(), Some("v2.9.1"));
        Ok(())
    })
    .await;
}
