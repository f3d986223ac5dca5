//! How soon a killed service goes on.

use std::time::{Duration, Instant};

use anyhow::ensure;
use job::Owner;
use testkit::figures::Figures;
use testkit::lab::Lab;

use crate::facts::Facts;
use crate::memory::{LIMIT, spawn};

/// What was in hand at the kill is delivered again after this; the default.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(30);
/// So many upgrades are asked for before each kill.
const BATCH: usize = 12;

/// Kills each service with upgrades before it, starts it at once, and waits.
pub(crate) async fn of_each_service(
    lab: &Lab,
    facts: &Facts,
    first: usize,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    ingest(lab, figures).await?;
    let owners = [
        ("analyzer", Owner::Analyzer),
        ("executor", Owner::Executor),
        ("verifier", Owner::Verifier),
    ];
    for (round, (service, owner)) in owners.into_iter().enumerate() {
        for number in 0..BATCH {
            let number = first + round * BATCH + number;
            lab.upgrade(&Lab::of_crowd(number).1, "1.1.0").await?;
        }
        let before = busy(facts, owner).await?;
        lab.kill9(service)?;
        spawn(lab, service)?;
        let began = Instant::now();
        let again = facts.by(owner, began).await? - began;
        let ms = again.as_secs_f64() * 1_000.0;
        let name = format!("recovery of {service}: its next fact");
        figures.add(&name, ms, "ms", "from its start after kill -9");
        if let Some(last) = facts.all_beyond(&before, began).await? {
            let name = format!("recovery of {service}: the last one before it goes on");
            let than = format!("of {}; ack_wait is {} s", before.len(), ACK_WAIT.as_secs());
            figures.add(&name, (last - began).as_secs_f64(), "s", &than);
        }
    }
    Ok(())
}

/// Waits until the owner has stated something, and has more before it.
async fn busy(facts: &Facts, owner: Owner) -> anyhow::Result<Vec<job::UpgradeId>> {
    let asked = Instant::now();
    facts.by(owner, asked).await?;
    loop {
        let before = facts.addressed_to(owner);
        if !before.is_empty() {
            return Ok(before);
        }
        ensure!(asked.elapsed() < LIMIT, "nothing is addressed to {owner:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Nothing waits for ingest but those who ask it.
async fn ingest(lab: &Lab, figures: &mut Figures) -> anyhow::Result<()> {
    lab.kill9("ingest")?;
    lab.spawn("ingest")?;
    let began = Instant::now();
    let image = Lab::of_crowd(0).1;
    while lab.upgrade(&image, "1.2.0").await.is_err() {
        ensure!(began.elapsed() < LIMIT, "ingest takes no webhook");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ms = began.elapsed().as_secs_f64() * 1_000.0;
    let name = "recovery of ingest: a webhook is in the log";
    figures.add(name, ms, "ms", "from its start after kill -9");
    Ok(())
}
