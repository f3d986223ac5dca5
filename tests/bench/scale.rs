//! More analyzers on the same machine, with a GitHub that takes its time.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::{StreamExt as _, TryStreamExt as _};
use testkit::figures::Figures;
use testkit::lab::{Lab, Options};

use crate::memory::{LIMIT, processor_time};

const CROWD: usize = 200;
const LATENCY: Duration = Duration::from_millis(200);

pub(crate) async fn out(figures: &mut Figures) -> anyhow::Result<()> {
    let options = Options {
        observe: true,
        crowd: CROWD,
        max_upgrades: 10_000,
        without: vec!["analyzer", "executor", "verifier"],
        ..Options::default()
    };
    let lab = Lab::start(options).await?;
    lab.github.latency(LATENCY);
    let mut one = None;
    for (analyzers, version) in [(1, "1.1.0"), (2, "1.2.0"), (4, "1.3.0")] {
        let asked = futures::stream::iter(0..CROWD).map(async |number| {
            let (_, image) = Lab::of_crowd(number);
            lab.upgrade(&image, version).await
        });
        let ids: Vec<String> = asked.buffer_unordered(8).try_collect().await?;
        all(&lab, &ids, "Admitted").await?;
        let before = lab.github.requests();
        for _ in 0..analyzers {
            lab.replica("analyzer")?;
        }
        let asked = || lab.github.requests() > before;
        lab.until("GitHub is asked", asked, LIMIT).await?;
        let (began, before_ms) = (Instant::now(), used_ms(&lab)?);
        all(&lab, &ids, "Ended").await?;
        let took = began.elapsed().as_secs_f64();
        let cores = (used_ms(&lab)? - before_ms) / took / f64::from(analyzers);
        let rate = f64::from(u32::try_from(CROWD)?) / took;
        let one = *one.get_or_insert(rate);
        let asked = lab.github.requests() - before;
        let name = format!("scale: {analyzers} analyzers");
        let than = format!(
            "{:.2} times one; {asked} requests to GitHub; {cores:.0} thousandths of a core each",
            rate / one
        );
        figures.add(&name, rate, "upgrades/s", &than);
        for _ in 0..analyzers {
            lab.kill9("analyzer")?;
        }
    }
    Ok(())
}

/// Processor time that all analyzers have used so far.
fn used_ms(lab: &Lab) -> anyhow::Result<f64> {
    let processes = lab.process_ids();
    let analyzers = processes.iter().filter(|(name, _)| name == "analyzer");
    let mut sum = Duration::ZERO;
    for (_, id) in analyzers {
        sum += processor_time(*id)?;
    }
    Ok(sum.as_secs_f64() * 1_000.0)
}

/// Waits until all of these are in a phase that begins so.
async fn all(lab: &Lab, ids: &[String], phase: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let views = lab.upgrades().await?;
        let there = views.iter().filter(|view| view.phase.starts_with(phase));
        if there.filter(|view| ids.contains(&view.id)).count() == ids.len() {
            return Ok(());
        }
        ensure!(began.elapsed() < LIMIT, "not all are {phase}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
