use bowline_tests::{LIMIT, in_lab};
use testkit::lab::Options;

fn native(image: &str, status: &str) -> String {
    format!(r#"{{"status": "{status}", "image": "{image}"}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_answered_clearly_and_leaves_nothing_half_done() {
    in_lab(Options::default(), async |lab| {
        let good = "ghcr.io/advplyr/audiobookshelf";
        let huge = format!(
            r#"{{"status": "new", "image": "{}"}}"#,
            "a".repeat(5_000_000)
        );
        for (body, status, why) in [
            ("no json".to_owned(), 400, "not JSON"),
            ("{}".to_owned(), 400, "names no image"),
            (huge, 413, "larger than"),
            (native(good, "new"), 400, "has no tag"),
            (
                native(&format!("{good}:latest"), "new"),
                200,
                "moves by itself",
            ),
            (
                native(&format!("{good}:2.33.1"), "unchanged"),
                200,
                "announces nothing",
            ),
            (native("library/postgres:17.2", "new"), 200, "skip list"),
            (native(&format!(r#"{good}:1\"}}"#), "new"), 400, "image"),
            (native(&format!(r"{good}:1\n2"), "new"), 400, "image"),
        ] {
            let answer = lab.post(&body).await?;
            assert_eq!(answer.status, status, "{why}: {answer:?}");
            assert!(answer.reason().contains(why), "{why}: {answer:?}");
            assert_ne!(answer.decision(), "accepted", "{answer:?}");
        }
        let answer = lab
            .post_to("/webhook/wrong", &native(&format!("{good}:2.33.1"), "new"))
            .await?;
        assert_eq!(answer.status, 404, "{answer:?}");

        assert_eq!(lab.upgrades().await?, []);
        assert_eq!(lab.commits(), []);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_nobody_uses_is_skipped_with_what_was_searched() {
    in_lab(Options::default(), async |lab| {
        let id = lab.upgrade("ghcr.io/nobody/nothing", "1.0.0").await?;
        let view = lab.ended(&id, "Skipped", LIMIT).await?;
        let expected = "no Terraform file names this image; 20 .tf files were searched for \
                        ghcr.io/nobody/nothing";
        assert_eq!(view.reason, expected);
        assert_eq!(lab.commits(), []);
        // Its place in the rate window is free again, and the reason may change.
        let again = lab.upgrade("ghcr.io/nobody/nothing", "1.0.0").await?;
        assert_ne!(again, id);
        lab.ended(&again, "Skipped", LIMIT).await?;
        Ok(())
    })
    .await;
}
