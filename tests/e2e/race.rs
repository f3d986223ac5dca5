use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab};
use testkit::lab::Options;

use crate::EBOOKS;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_webhook_in_both_shapes_at_once_is_one_upgrade() {
    in_lab(Options::default(), async |lab| {
        let (image, tag) = EBOOKS;
        let (a, b, c, d) = tokio::try_join!(
            lab.webhook(image, tag, "new"),
            lab.bulk(image, tag),
            lab.webhook(image, tag, "update"),
            lab.bulk(image, tag),
        )?;
        let answers = [a, b, c, d];
        let accepted = answers
            .iter()
            .filter(|answer| answer.decision() == "accepted")
            .count();
        assert_eq!(accepted, 1, "{answers:?}");
        let id = answers[0].id().to_owned();
        for answer in &answers {
            ensure!(answer.status < 300 && answer.id() == id, "{answers:?}");
        }
        lab.ended(&id, "Succeeded", LIMIT).await?;
        assert_eq!(lab.commits().len(), 1);
        assert_eq!(lab.upgrades().await?.len(), 1);
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "done", &id], LIMIT).await?;

        let late = lab.webhook(image, tag, "new").await?;
        assert_eq!(
            (late.decision(), late.id()),
            ("duplicate", id.as_str()),
            "{late:?}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_and_a_stranger_on_one_branch_take_no_line_of_each_other() {
    let options = Options {
        turns: false,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let stranger = lab.git.someone_else();
        lab.git.before_receive(move || {
            stranger.commit("README.md", b"# homelab, tidied\n", "tidy the README");
        });
        let (ebooks, webui) = tokio::try_join!(
            lab.upgrade(EBOOKS.0, EBOOKS.1),
            lab.upgrade("ghcr.io/open-webui/open-webui", "v0.7.3"),
        )?;
        lab.ended(&ebooks, "Succeeded", LIMIT).await?;
        lab.ended(&webui, "Succeeded", LIMIT).await?;

        let commits = lab.commits();
        ensure!(commits.len() == 3, "{commits:#?}");
        for (subject, path, old, new) in [
            (
                "upgrade: ebooks 2.32.1 -> 2.33.1",
                "stacks/ebooks/main.tf",
                "2.32.1",
                "2.33.1",
            ),
            (
                "upgrade: open-webui v0.7.2 -> v0.7.3",
                "stacks/open-webui/main.tf",
                "v0.7.2",
                "v0.7.3",
            ),
            ("tidy the README", "README.md", "", "tidied"),
        ] {
            let commit = commits.iter().find(|commit| commit.subject == subject);
            let Some(commit) = commit else {
                anyhow::bail!("no `{subject}` in {commits:#?}")
            };
            let (paths, lines) = lab.changes(&commit.sha)?;
            assert_eq!(paths, [path]);
            if subject.starts_with("upgrade") {
                ensure!(lines.len() == 2, "{lines:#?}");
                assert!(
                    lines[0].starts_with('-') && lines[0].contains(old),
                    "{lines:#?}"
                );
                assert!(
                    lines[1].starts_with('+') && lines[1].contains(new),
                    "{lines:#?}"
                );
            }
        }
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.33.1"));
        assert_eq!(lab.live("open-webui").as_deref(), Some("v0.7.3"));
        for (service, id) in [("ebooks", &ebooks), ("open-webui", &webui)] {
            lab.said(&[service, "starting", id], LIMIT).await?;
            lab.said(&[service, "done", id], LIMIT).await?;
        }
        Ok(())
    })
    .await;
}
