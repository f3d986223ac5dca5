//! What the end-to-end and the crash tests share: a lab that is checked when a test is through.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::{Bucket, JetStream, Log as _, Settings};
use job::{Claim, Phase, State, UpgradeId};
use testkit::lab::{Lab, Options};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// How long an upgrade of one step may take here; the machine may be busy.
pub const LIMIT: Duration = Duration::from_secs(60);

/// So many labs at once in one process: `cargo test` would start all of them together.
static LABS: Semaphore = Semaphore::const_new(2);

/// Runs a test in a lab of its own, and checks that it left nothing over.
///
/// # Panics
/// When the test fails; the lab then shows the logs of all processes.
pub async fn in_lab(options: Options, test: impl AsyncFnOnce(&Lab) -> anyhow::Result<()>) {
    in_changing_lab(options, async |lab: &mut Lab| test(lab).await).await;
}

/// As [`in_lab`], for tests that stop and start what is around Bowline.
///
/// # Panics
/// As [`in_lab`].
#[expect(clippy::panic, reason = "this is how a test fails")]
pub async fn in_changing_lab(
    options: Options,
    test: impl AsyncFnOnce(&mut Lab) -> anyhow::Result<()>,
) {
    if let Err(error) = try_in_lab(options, test).await {
        panic!("{error:#}");
    }
}

/// As [`in_lab`], for a test that is part of a larger one.
///
/// # Errors
/// The test fails; the error ends with the logs of all processes.
pub async fn try_in_lab(
    options: Options,
    test: impl AsyncFnOnce(&mut Lab) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let _place = LABS.acquire().await?;
    let mut lab = Lab::start(options)
        .await
        .context("the lab does not start")?;
    let outcome = match test(&mut lab).await {
        Ok(()) => finish(&lab).await.context("the test left something over"),
        failed => failed,
    };
    outcome.map_err(|error| anyhow::anyhow!("{error:#}\n{}", lab.logs()))
}

/// The log of a lab, as its services see it.
///
/// # Errors
/// NATS does not answer.
pub async fn log_of(lab: &Lab) -> anyhow::Result<JetStream> {
    let (url, token) = lab.nats_address()?;
    let settings = Settings {
        token,
        ..Settings::new("lab")
    };
    Ok(JetStream::connect(&url, settings).await?)
}

/// Waits until an upgrade stands in the queue behind whoever has a claim: its service's slot, or its
/// repository's turn at CI.
///
/// # Errors
/// It does not within the limit.
pub async fn in_queue(
    lab: &Lab,
    id: &str,
    claim: impl FnOnce(&State) -> Option<Claim>,
) -> anyhow::Result<()> {
    let log = log_of(lab).await?;
    let id = UpgradeId::parse(id)?;
    let history = log.read(&id).await?.context("an upgrade has no log")?;
    let claim = claim(&history.state).context("it has no such claim yet")?;
    let asked = async {
        while !bus::queue(&log, &claim).await?.contains(&id) {
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    let in_time = timeout(LIMIT, asked).await;
    in_time.with_context(|| format!("it never asked for {}", claim.key()))?
}

/// Waits until an upgrade's health window is open, and stops its verifier in it: the window neither
/// goes on nor ends before [`Lab::wake`]. To be called before the upgrade is pushed.
///
/// # Errors
/// The window does not open within the limit.
pub async fn stop_in_window(lab: &Lab, id: &str) -> anyhow::Result<()> {
    const STOP: &str = "Watch.late";
    let (log, id) = (log_of(lab).await?, UpgradeId::parse(id)?);
    let open = async {
        loop {
            // The next thing that it has to say of a window is kept back,
            lab.arm(STOP)?;
            lab.wake()?;
            while !lab.fired(STOP) || lab.paused().is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
            // and comes after this.
            let history = log.read(&id).await?.context("it has no log")?;
            let state = history.state;
            if state.phase == Phase::Watching && state.healthy_since_ms.is_some() {
                return anyhow::Ok(());
            }
        }
    };
    let in_time = timeout(LIMIT, open).await;
    in_time.context("its window never opened")?
}

/// Fails on unread announcements, unacknowledged work, upgrades that are not over, and claims or
/// locks that are still held. What is stuck may keep its service's slot.
async fn finish(lab: &Lab) -> anyhow::Result<()> {
    lab.nothing_left().await?;
    let log = log_of(lab).await?;
    for view in lab.upgrades().await? {
        let id = UpgradeId::parse(&view.id)?;
        let history = log.read(&id).await?.context("an upgrade has no log")?;
        let state = &history.state;
        let stuck = state.phase == Phase::Stuck;
        ensure!(
            stuck || matches!(state.phase, Phase::Ended(_)),
            "{id} is {:?}",
            state.phase
        );
        let slot = Claim::slot(state);
        let claims = [slot.clone(), Claim::backup(state), Some(Claim::turn(state))];
        for claim in claims.into_iter().flatten() {
            let holder = bus::holder(&log, &claim).await?;
            let kept = stuck && Some(&claim) == slot.as_ref();
            ensure!(
                kept || holder.is_none(),
                "{} is still held by {holder:?}",
                claim.key()
            );
        }
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let locks = log.list(Bucket::Locks).await?;
        if locks.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "locks are left over: {locks:?}");
        sleep(Duration::from_millis(50)).await;
    }
}
