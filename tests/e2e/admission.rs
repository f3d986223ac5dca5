use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use bowline_tests::{LIMIT, in_lab};
use testkit::lab::{Lab, Options};

const WINDOW: Duration = Duration::from_secs(15);
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

fn committed_at(lab: &Lab, sha: &str) -> anyhow::Result<u64> {
    let time = testkit::git::git(
        &lab.git.bare_path(),
        ["log", "-1", "--format=%ct", sha],
        b"",
    )?;
    Ok(String::from_utf8(time)?.trim().parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sixth_is_held_until_the_window_reopens() {
    let options = Options {
        max_upgrades: 5,
        rate_window: WINDOW,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let began = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut ids = Vec::new();
        for (service, image, tag) in SIX {
            let id = lab.upgrade(image, tag).await?;
            // Each in turn, so that it is the sixth that is one too many.
            lab.wait(
                &id,
                "passed the gate",
                |view| view.phase != "Requested",
                LIMIT,
            )
            .await?;
            ids.push((service, id));
        }
        let (_, sixth) = ids.last().context("six")?;
        lab.wait(sixth, "is held", |view| view.phase == "Held", LIMIT)
            .await?;
        for (_, id) in &ids {
            lab.ended(id, "Succeeded", LIMIT).await?;
        }

        let commits = lab.commits();
        assert_eq!(commits.len(), 6, "{commits:#?}");
        let last = &commits[5];
        assert_eq!(last.subject, "upgrade: linkwarden v2.9.1 -> v2.9.2");
        let waited = committed_at(lab, &last.sha)?.saturating_sub(began);
        assert!(waited + 1 >= WINDOW.as_secs(), "committed after {waited} s");
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
