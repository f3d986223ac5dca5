use std::time::Duration;

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_lab};
use testkit::lab::{Options, View};

use crate::EBOOKS;

const SIX: [(&str, &str, &str); 6] = [
    ("ebooks", "ghcr.io/advplyr/audiobookshelf", "2.33.1"),
    ("phpipam", "phpipam/phpipam-www", "v1.7.1"),
    ("open-webui", "ghcr.io/open-webui/open-webui", "v0.7.3"),
    (
        "paperless-ngx",
        "ghcr.io/paperless-ngx/paperless-ngx",
        "2.17.0",
    ),
    ("matrix", "matrixdotorg/synapse", "v1.126.0"),
    ("linkwarden", "ghcr.io/linkwarden/linkwarden", "v2.9.2"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_sixth_is_held_until_a_person_opens_the_window() {
    let options = Options {
        max_upgrades: 5,
        // It does not open by itself.
        rate_window: Duration::from_secs(6 * 3_600),
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let mut ids = Vec::new();
        for (service, image, tag) in SIX {
            let id = lab.upgrade(image, tag).await?;
            // Each in turn, so that it is the sixth that is one too many.
            let asked = |view: &View| view.phase != "Requested";
            lab.wait(&id, "passed the gate", asked, LIMIT).await?;
            ids.push((service, id));
        }
        let (_, sixth) = ids.last().context("six")?;
        for (_, id) in ids.iter().take(5) {
            lab.ended(id, "Succeeded", LIMIT).await?;
        }
        // Ends open no place: whoever has started keeps it.
        let view = lab.view(sixth).await?;
        ensure!(view.phase == "Held", "{}", testkit::lab::told(&view));
        assert_eq!(lab.commits().len(), 5, "{:#?}", lab.commits());
        let reset = lab.bowline(&["limits", "reset"]).await?;
        ensure!(reset.code == Some(0), "{reset:?}");
        lab.ended(sixth, "Succeeded", LIMIT).await?;

        let commits = lab.commits();
        assert_eq!(commits.len(), 6, "{commits:#?}");
        assert_eq!(commits[5].subject, "upgrade: linkwarden v2.9.1 -> v2.9.2");
        for (service, _, tag) in SIX {
            assert_eq!(lab.live(service).as_deref(), Some(tag), "{service}");
        }
        for (service, id) in &ids {
            lab.said(&[service, "starting", id], LIMIT).await?;
            lab.said(&[service, "done", id], LIMIT).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_too_many_is_let_in_when_the_window_reopens_by_itself() {
    let window = Duration::from_secs(5);
    let options = Options {
        max_upgrades: 1,
        rate_window: window,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        // Both are there before the first one opens the window.
        lab.close_inbox("ingest").await?;
        let ids = [
            ("ebooks", lab.upgrade(EBOOKS.0, EBOOKS.1).await?),
            (
                "phpipam",
                lab.upgrade("phpipam/phpipam-www", "v1.7.1").await?,
            ),
        ];
        lab.open_inbox("ingest").await?;
        let (mut first_asked_ms, mut second_let_in_ms) = (None, None);
        for (service, id) in &ids {
            let view = lab.ended(id, "Succeeded", LIMIT).await?;
            let at = |name: &str| {
                let fact = view.facts.iter().find(|fact| fact.name == name);
                fact.map(|fact| fact.at_ms)
            };
            if at("held").is_some() {
                second_let_in_ms = at("admitted");
            } else {
                // The window began later than this.
                first_asked_ms = at("requested");
            }
            lab.said(&[service, "starting", id], LIMIT).await?;
            lab.said(&[service, "done", id], LIMIT).await?;
        }
        let first = first_asked_ms.context("both were held")?;
        let second = second_let_in_ms.context("none was held")?;
        let between = Duration::from_millis(u64::try_from(second - first)?);
        ensure!(between >= window, "let in after {between:?}");
        Ok(())
    })
    .await;
}
