use std::time::{Duration, Instant};

use bowline_tests::in_lab;
use testkit::lab::{Lab, Options};

use crate::EBOOKS;

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
async fn without_nats_a_webhook_is_told_so_and_is_not_accepted() {
    let mut lab = Lab::start(Options::default()).await.unwrap();
    lab.nats.kill().await.unwrap();
    let began = Instant::now();
    let answer = lab.webhook(EBOOKS.0, EBOOKS.1, "new").await.unwrap();
    assert_eq!(
        (answer.status, answer.decision()),
        (503, "unavailable"),
        "{answer:?}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );

    lab.nats.restart().await.unwrap();
    lab.listening().await.unwrap();
    assert_eq!(lab.upgrades().await.unwrap(), []);
}
