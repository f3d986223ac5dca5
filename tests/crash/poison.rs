//! A message that kills its process again and again: here the verifier, of all the real services.

use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab, in_queue};
use job::Claim;
use testkit::lab::{Lab, View, told};
use wire::v1::ControlRequest;

use crate::quick;

const FAULT: &str = "TakeBaseline.before";
const PHPIPAM: &str = "phpipam/phpipam-www";

async fn is(lab: &Lab, id: &str, phase: &str) -> anyhow::Result<View> {
    lab.wait(id, phase, |view| view.phase == phase, LIMIT).await
}

fn names(view: &View) -> Vec<&str> {
    view.facts.iter().map(|fact| fact.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kills_its_process_five_times_is_set_aside_and_goes_on_when_a_person_says_so() {
    in_lab(quick(), async |lab| {
        lab.arm(FAULT)?;
        let guilty = lab.upgrade(PHPIPAM, "v1.7.3").await?;
        lab.killed_by(FAULT, LIMIT).await?;
        // It waits behind the guilty one, whose turn it is.
        let other = lab
            .upgrade("ghcr.io/advplyr/audiobookshelf", "2.33.1")
            .await?;
        is(lab, &other, "Started").await?;
        for _ in 1..5 {
            lab.arm(FAULT)?;
            ensure!(lab.revive()? == 1, "more than the verifier died");
            lab.killed_by(FAULT, LIMIT).await?;
        }
        // A sixth try would succeed.
        lab.revive()?;
        let view = is(lab, &guilty, "Parked").await?;
        let tail = ["ready", "tried", "tried", "tried", "tried", "parked"];
        ensure!(names(&view).ends_with(&tail), "{}", told(&view));
        let words = [
            "CRITICAL",
            "*phpipam* to v1.7.3 was set aside",
            "TakeBaseline was in hand each of the 5 times that the verifier crashed",
            &format!("`bowline retry {guilty}` goes on"),
        ];
        lab.said(&["phpipam", "starting", &guilty], LIMIT).await?;
        lab.said(&words, LIMIT).await?;

        // The others go on; its own service is closed.
        lab.ended(&other, "Succeeded", LIMIT).await?;
        lab.said(&["ebooks", "starting", &other], LIMIT).await?;
        lab.said(&["ebooks", "done", &other], LIMIT).await?;
        let newer = lab.upgrade(PHPIPAM, "v1.7.4").await?;
        is(lab, &newer, "Planned").await?;
        in_queue(lab, &newer, Claim::slot).await?;
        ensure!(lab.commits().len() == 1, "{:#?}", lab.commits());
        ensure!(lab.live("phpipam").as_deref() == Some("v1.7.0"));

        let retry = ControlRequest {
            id_or_prefix: guilty.clone(),
            by: "alice".to_owned(),
        };
        lab.client().await?.retry(retry).await?;
        lab.said(
            &["phpipam", "goes on where it stopped, asked by alice"],
            LIMIT,
        )
        .await?;
        lab.ended(&guilty, "Succeeded", LIMIT).await?;
        lab.said(&["phpipam", "done", &guilty], LIMIT).await?;
        lab.ended(&newer, "Succeeded", LIMIT).await?;
        lab.said(&["phpipam", "starting", &newer], LIMIT).await?;
        lab.said(&["phpipam", "done", &newer], LIMIT).await?;
        let subjects: Vec<_> = lab
            .commits()
            .into_iter()
            .map(|commit| commit.subject)
            .collect();
        let expected = [
            "upgrade: ebooks 2.32.1 -> 2.33.1",
            "upgrade: phpipam v1.7.0 -> v1.7.3",
            "upgrade: phpipam v1.7.3 -> v1.7.4",
        ];
        ensure!(subjects == expected, "{subjects:?}");
        Ok(())
    })
    .await;
}
