use bowline_tests::{LIMIT, in_lab};
use bus::{Bucket, JetStream, Log as _};
use testkit::kubernetes::Behaviour;
use testkit::lab::Options;

use crate::EBOOKS;

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_rolled_back_is_not_passed_again_until_a_person_wants_it() {
    in_lab(Options::default(), async |lab| {
        let crashing = format!("{}:{}", EBOOKS.0, EBOOKS.1);
        lab.cluster.image_behaviour(&crashing, Behaviour::CrashLoop);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "RolledBack", LIMIT).await?;
        for words in ["starting", "rolling back to 2.32.1", "rolled back, 2.32.1"] {
            lab.said(&["ebooks", words, &id], LIMIT).await?;
        }
        let log = JetStream::connect(&lab.nats.url(), bus::Settings::new("lab")).await?;
        assert_eq!(log.list(Bucket::Fences).await?.len(), 1);
        let again = lab.webhook(EBOOKS.0, EBOOKS.1, "new").await?;
        assert_eq!(again.decision(), "refused", "{again:?}");

        // A newer version whose way leads over the fenced one.
        let notes = "## Breaking changes\n* the scanner was rewritten";
        lab.github
            .add_release("advplyr/audiobookshelf", "v2.34.0", notes);
        lab.registry.push_image("advplyr/audiobookshelf", "2.34.0");
        let over = lab.upgrade(EBOOKS.0, "2.34.0").await?;
        let view = lab.ended(&over, "Skipped", LIMIT).await?;
        assert!(
            view.reason.contains("2.33.1 was rolled back before"),
            "{}",
            view.reason
        );
        assert_eq!(lab.commits().len(), 2, "nothing was pushed since");

        lab.cluster.image_behaviour(&crashing, Behaviour::Healthy);
        let retried = lab.ask(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&retried, "Succeeded", LIMIT).await?;
        assert_eq!(lab.live("ebooks").as_deref(), Some(EBOOKS.1));
        assert_eq!(log.list(Bucket::Fences).await?, [], "the fence is lifted");
        lab.said(&["ebooks", "starting", &retried], LIMIT).await?;
        lab.said(&["ebooks", "done", &retried], LIMIT).await?;
        Ok(())
    })
    .await;
}
