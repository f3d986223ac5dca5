use bowline_tests::{LIMIT, in_lab};
use testkit::lab::{Options, View};

use crate::EBOOKS;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_wait_for_a_service_only_the_newer_one_goes_on() {
    in_lab(Options::default(), async |lab| {
        lab.github
            .add_release("advplyr/audiobookshelf", "v2.34.0", "* fix: a typo");
        lab.registry.push_image("advplyr/audiobookshelf", "2.34.0");
        lab.applier.hold(true);
        let first = lab.upgrade(EBOOKS.0, "2.33.0").await?;
        lab.until("it is pushed", || lab.commits().len() == 1, LIMIT)
            .await?;
        let planned = |view: &View| view.phase == "Planned";
        let older = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.wait(&older, "is planned", planned, LIMIT).await?;
        let newer = lab.upgrade(EBOOKS.0, "2.34.0").await?;
        let view = lab.ended(&older, "Superseded", LIMIT).await?;
        let by = view.facts.last().map(|fact| fact.text.clone());
        assert_eq!(by, Some(format!("by {newer}")));
        assert_eq!(lab.view(&newer).await?.phase, "Planned");

        lab.applier.hold(false);
        lab.ended(&first, "Succeeded", LIMIT).await?;
        lab.ended(&newer, "Succeeded", LIMIT).await?;
        let subjects: Vec<_> = lab
            .commits()
            .into_iter()
            .map(|commit| commit.subject)
            .collect();
        assert_eq!(
            subjects,
            [
                "upgrade: ebooks 2.32.1 -> 2.33.0",
                "upgrade: ebooks 2.33.0 -> 2.34.0"
            ]
        );
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.34.0"));
        for id in [&first, &newer] {
            lab.said(&["ebooks", "starting", id], LIMIT).await?;
            lab.said(&["ebooks", "done", id], LIMIT).await?;
        }

        // The older one once more: never a downgrade.
        let late = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let view = lab.ended(&late, "Skipped", LIMIT).await?;
        assert!(view.reason.contains("not newer"), "{}", view.reason);
        assert_eq!(lab.commits().len(), 2);
        Ok(())
    })
    .await;
}
