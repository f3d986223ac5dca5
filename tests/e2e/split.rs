use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_lab};
use testkit::kubernetes::Behaviour;
use testkit::lab::{Lab, Options, View};

use crate::EBOOKS;

fn twins() -> Options {
    Options {
        twin: true,
        ..Options::default()
    }
}

/// The parts that the upgrade became, by service; each has a service once it is planned.
async fn parts(lab: &Lab, parent: &str) -> anyhow::Result<[View; 2]> {
    lab.ended(parent, "Split", LIMIT).await?;
    let mut parts = Vec::new();
    for view in lab.upgrades().await? {
        if view.id != parent {
            let planned = |view: &View| !view.service.is_empty();
            parts.push(lab.wait(&view.id, "is planned", planned, LIMIT).await?);
        }
    }
    parts.sort_by(|a, b| a.service.cmp(&b.service));
    let parts = <[View; 2]>::try_from(parts);
    parts.map_err(|parts| anyhow::anyhow!("not two parts: {parts:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_two_services_becomes_one_upgrade_for_each() {
    in_lab(twins(), async |lab| {
        lab.applier.hold(true);
        let parent = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let parts = parts(lab, &parent).await?;
        for (part, service) in parts.iter().zip(["ebooks", "podcasts"]) {
            assert_eq!(part.service, service);
        }
        // While a part is open, the same webhook opens nothing.
        let again = lab.bulk(EBOOKS.0, EBOOKS.1).await?;
        assert_eq!(again.decision(), "duplicate", "{again:?}");
        assert!(again.reason().contains("its part"), "{again:?}");
        lab.applier.hold(false);

        for part in &parts {
            lab.ended(&part.id, "Succeeded", LIMIT).await?;
            let service = part.service.as_str();
            lab.said(&[service, "starting", &part.id], LIMIT).await?;
            lab.said(&[service, "done", &part.id], LIMIT).await?;
            assert_eq!(lab.live(service).as_deref(), Some(EBOOKS.1), "{service}");
            let subject = format!("upgrade: {service} 2.32.1 -> 2.33.1");
            let commits = lab.commits();
            let commit = commits.iter().find(|commit| commit.subject == subject);
            let commit = commit.with_context(|| format!("no `{subject}` in {commits:#?}"))?;
            let (paths, lines) = lab.changes(&commit.sha)?;
            assert_eq!(paths, [format!("stacks/{service}/main.tf")]);
            ensure!(lines.len() == 2, "{lines:#?}");
            let trailer = format!("Upgrade-Id: {}/1", part.id);
            assert!(commit.message.contains(&trailer), "{}", commit.message);
        }
        assert_eq!(lab.commits().len(), 2);
        let late = lab.webhook(EBOOKS.0, EBOOKS.1, "new").await?;
        assert_eq!(
            (late.decision(), late.id()),
            ("duplicate", parent.as_str()),
            "{late:?}"
        );
        assert_eq!(lab.upgrades().await?.len(), 3);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_fail_are_undone_each_by_itself_and_their_webhook_is_refused() {
    in_lab(twins(), async |lab| {
        lab.cluster
            .image_behaviour(&format!("{}:{}", EBOOKS.0, EBOOKS.1), Behaviour::CrashLoop);
        let parent = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let [first, second] = parts(lab, &parent).await?;
        let first = lab.ended(&first.id, "RolledBack", LIMIT);
        let second = lab.ended(&second.id, "RolledBack", LIMIT);
        for part in [first.await?, second.await?] {
            let service = part.service.as_str();
            for words in ["starting", "rolling back to 2.32.1", "rolled back, 2.32.1"] {
                lab.said(&[service, words, &part.id], LIMIT).await?;
            }
            assert_eq!(lab.live(service).as_deref(), Some("2.32.1"), "{service}");
            assert_eq!(lab.written(service).as_deref(), Some("2.32.1"), "{service}");
        }
        lab.said(&["CRITICAL", "2 upgrades", "undone"], LIMIT)
            .await?;
        assert_eq!(lab.commits().len(), 4);
        let again = lab.webhook(EBOOKS.0, EBOOKS.1, "new").await?;
        assert_eq!(again.decision(), "refused", "{again:?}");
        Ok(())
    })
    .await;
}
