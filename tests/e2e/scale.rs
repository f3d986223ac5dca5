//! More analyzers analyse more: each upgrade once, on one token's budget.

use std::time::Duration;

use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab};
use futures::{StreamExt as _, TryStreamExt as _};
use testkit::lab::{Lab, Options, View, told};
use tokio::time::{Instant, sleep};

/// An analyzer works on so many upgrades at once.
const WORKERS: usize = 4;
/// A round of many; the machine may be busy.
const ROUND: Duration = Duration::from_secs(300);

/// Only what the analyzers need, and none of them yet.
fn options(crowd: usize) -> Options {
    Options {
        observe: true,
        crowd,
        max_upgrades: 10_000,
        ack_wait: Duration::from_secs(30),
        without: vec!["analyzer", "executor", "verifier"],
        ..Options::default()
    }
}

/// What a round of upgrades took.
struct Round {
    /// From GitHub's first request to the last end.
    took: Duration,
    /// The most requests that GitHub had open at once.
    peak: usize,
    /// GitHub's requests by path.
    asked: Vec<String>,
}

/// Asks for these versions of everybody in the crowd.
async fn ask(lab: &Lab, crowd: usize, versions: &[&str]) -> anyhow::Result<Vec<String>> {
    let wanted = (0..crowd).flat_map(|number| versions.iter().map(move |tag| (number, *tag)));
    let asked = futures::stream::iter(wanted).map(async |(number, tag)| {
        let (_, image) = Lab::of_crowd(number);
        lab.upgrade(&image, tag).await
    });
    asked.buffer_unordered(8).try_collect().await
}

/// Waits until all of these are as wanted.
async fn all(
    lab: &Lab,
    ids: &[String],
    what: &str,
    wanted: impl Fn(&View) -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + ROUND;
    loop {
        let views = lab.upgrades().await?;
        let there = views
            .iter()
            .filter(|view| ids.contains(&view.id) && wanted(view));
        let there = there.count();
        if there == ids.len() {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{there} of {} within {ROUND:?}: {what}",
            ids.len()
        );
        sleep(Duration::from_millis(300)).await;
    }
}

/// Lets so many analyzers do a round, and checks that each upgrade was analysed once.
async fn round(
    lab: &Lab,
    crowd: usize,
    versions: &[&str],
    analyzers: usize,
) -> anyhow::Result<Round> {
    let ids = ask(lab, crowd, versions).await?;
    all(lab, &ids, "is admitted", |view| view.phase == "Admitted").await?;
    let before = lab.github.requests();
    lab.github.take_peak();
    for _ in 0..analyzers {
        lab.replica("analyzer")?;
    }
    let asked = || lab.github.requests() > before;
    lab.until("GitHub is asked", asked, LIMIT).await?;
    let began = Instant::now();
    all(lab, &ids, "is over", over).await?;
    let took = began.elapsed();
    let peak = lab.github.take_peak();
    for _ in 0..analyzers {
        lab.kill9("analyzer")?;
    }
    analysed_once(lab, &ids).await?;
    lab.read_all();
    let asked = lab.github.request_log().split_off(before);
    Ok(Round { took, peak, asked })
}

fn over(view: &View) -> bool {
    view.phase.starts_with("Ended")
}

/// None of these was analysed twice.
async fn analysed_once(lab: &Lab, ids: &[String]) -> anyhow::Result<()> {
    for id in ids {
        let view = lab.view(id).await?;
        let names: Vec<&str> = view.facts.iter().map(|fact| fact.name.as_str()).collect();
        ensure!(
            names == ["requested", "admitted", "planned", "skipped"],
            "analysed otherwise than once: {}",
            told(&view)
        );
    }
    Ok(())
}

/// Rounds with more and more analyzers, each with new versions of everybody. Returns the most
/// requests that were open at once and the upgrades per second of each.
#[expect(clippy::print_stdout, reason = "the figures are for whoever runs it")]
async fn rounds(
    lab: &Lab,
    crowd: usize,
    counts: &[(usize, &[&str])],
) -> anyhow::Result<Vec<(usize, f64)>> {
    let mut figures: Vec<(usize, f64)> = Vec::new();
    for (analyzers, versions) in counts {
        let upgrades = crowd * versions.len();
        let spent = lab.github.spent();
        let round = round(lab, crowd, versions, *analyzers).await?;
        for number in 0..crowd {
            let path = format!("/repos/crowd/app-{number:03}/");
            let times = round.asked.iter().filter(|url| url.starts_with(&path));
            let times = times.count();
            ensure!(
                times == versions.len(),
                "{path} was asked for {times} times"
            );
        }
        ensure!(round.asked.len() == upgrades, "{:?}", round.asked);
        // The lists do not change, so that nobody pays for one again that any of them has read.
        let spent = lab.github.spent() - spent;
        let first = figures.is_empty();
        let most = if first { upgrades } else { 0 };
        ensure!(
            spent <= u64::try_from(most)? && (!first || spent >= u64::try_from(crowd)?),
            "the token paid for {spent}"
        );
        let rate = f64::from(u32::try_from(upgrades)?) / round.took.as_secs_f64();
        let one = figures.first().map_or(rate, |(_, rate)| *rate);
        println!(
            "{analyzers} analyzers: {upgrades} upgrades at {rate:.1}/s, {:.2} times one; at most \
             {} requests open at once",
            rate / one,
            round.peak
        );
        // More are open than fewer analyzers can have, and not more than these can.
        ensure!(
            (analyzers / 2 * WORKERS + 1..=analyzers * WORKERS).contains(&round.peak),
            "{analyzers} analyzers had {} requests open at once",
            round.peak
        );
        figures.push((round.peak, rate));
    }
    Ok(figures)
}

/// Seen in what is in hand at once, because a busy machine says little by the clock.
#[tokio::test(flavor = "multi_thread")]
async fn two_analyzers_share_the_work_and_the_budget() {
    const CROWD: usize = 24;
    in_lab(options(CROWD), async |lab| {
        lab.github.latency(Duration::from_secs(1));
        rounds(lab, CROWD, &[(1, &["1.1.0"]), (2, &["1.2.0"])]).await?;
        Ok(())
    })
    .await;
}

/// GitHub takes 2 s, so that what this machine can compute does not matter. With 200 ms, which is
/// what `cargo xtask bench pipeline` gives to optimised programs, two analyzers without
/// optimisation fill two cores: one, two and four of them did 5.4, 9.4 and 8.8 upgrades a second.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask full"]
async fn more_analyzers_do_two_hundred_upgrades_faster() {
    const CROWD: usize = 50;
    in_lab(options(CROWD), async |lab| {
        lab.github.latency(Duration::from_secs(2));
        let counts: [(usize, &[&str]); 3] = [
            (1, &["1.1.0", "1.2.0", "1.3.0", "1.4.0"]),
            (2, &["1.5.0", "1.6.0", "1.7.0", "1.8.0"]),
            (4, &["1.9.0", "1.10.0", "1.11.0", "1.12.0"]),
        ];
        let figures = rounds(lab, CROWD, &counts).await?;
        let (one, two, four) = (figures[0].1, figures[1].1, figures[2].1);
        ensure!(two > 1.2 * one, "{one:.1}/s by one, {two:.1}/s by two");
        ensure!(four > 1.2 * two, "{two:.1}/s by two, {four:.1}/s by four");
        Ok(())
    })
    .await;
}

/// Each process learns of the limit with what it has in hand, and then none asks until the reset.
#[tokio::test(flavor = "multi_thread")]
async fn all_analyzers_wait_for_the_reset_of_the_limit() {
    const CROWD: usize = 40;
    const ANALYZERS: usize = 2;
    in_lab(options(CROWD), async |lab| {
        for _ in 0..ANALYZERS {
            lab.replica("analyzer")?;
        }
        let first = ask(lab, ANALYZERS * WORKERS, &["1.1.0"]).await?;
        all(lab, &first, "is over", over).await?;
        let before = lab.github.requests();

        lab.github.primary_limit(Duration::from_secs(6));
        let ids = ask(lab, CROWD, &["1.2.0"]).await?;
        all(lab, &ids, "is over", over).await?;
        analysed_once(lab, &ids).await?;
        let refused = lab.github.limited();
        ensure!(
            (1..=ANALYZERS * WORKERS).contains(&refused),
            "asked {refused} times while limited"
        );
        let asked = lab.github.requests() - before;
        ensure!(asked == CROWD + refused, "asked {asked} times in all");
        lab.read_all();
        Ok(())
    })
    .await;
}
