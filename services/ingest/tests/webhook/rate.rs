//! The rate window.

use std::time::Duration;

use anyhow::Context as _;
use job::Phase;

use crate::harness::{Ingest, native};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn the_sixth_waits_for_the_window_and_those_behind_it_keep_their_order() -> anyhow::Result<()>
{
    let ingest = Ingest::with(|settings| {
        settings.rate.max_upgrades_per_window = 5;
        settings.rate.window = 6 * HOUR;
    })
    .await?;
    for number in 1..=5 {
        ingest
            .opened(&format!("docker.io/a/b{number}"), "1.0.0")
            .await?;
    }
    let mut held = Vec::new();
    for number in 6..=8 {
        let answer = ingest
            .post(&native(&format!("docker.io/a/b{number}"), "1.0.0", "new"))
            .await?;
        assert_eq!(answer.decision(), (202, "accepted"));
        ingest.reaches(&answer.id()?, Phase::Held).await?;
        held.push(answer.id()?);
    }
    ingest.clock.on(5 * HOUR)?;
    let seventh = held.get(1).context("a seventh")?;
    ingest.reaches(seventh, Phase::Held).await?;
    ingest.clock.on(HOUR)?;
    let mut places = Vec::new();
    for id in &held {
        places.push(ingest.reaches(id, Phase::Admitted).await?.sequence());
    }
    assert!(places.is_sorted(), "{places:?}");
    Ok(())
}
