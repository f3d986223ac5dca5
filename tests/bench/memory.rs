//! What each process needs: memory without work and at most with fifty upgrades under way, and
//! processor time for each of these.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testkit::figures::Figures;
use testkit::lab::{Lab, Options, SERVICES};

use crate::facts::Facts;
use crate::recovery;

/// Nothing here takes longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);
/// So many are under way at once,
const LOAD: usize = 50;
/// and so many services are there for later.
const CROWD: usize = 100;
/// So long each is watched: all of them are in their windows before the first one is through.
const WINDOW: Duration = Duration::from_secs(30);

/// The lab looks much more often than an installation does; here it looks as often as fifty windows
/// at once allow.
fn pace(service: &str) -> Vec<(&'static str, String)> {
    let verifier = [
        ("BOWLINE_CI__POLL", "1s"),
        ("BOWLINE_VERIFY__INTERVAL", "2s"),
        ("BOWLINE_VERIFY__OBSERVED_EVERY", "10s"),
    ];
    let paced = verifier.into_iter().filter(|_| service == "verifier");
    paced
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

/// Starts a service at this pace.
pub(crate) fn spawn(lab: &Lab, service: &str) -> anyhow::Result<()> {
    lab.spawn_with(service, &pace(service))
}

pub(crate) async fn and_recovery(figures: &mut Figures) -> anyhow::Result<()> {
    let options = Options {
        crowd: CROWD,
        max_upgrades: 10_000,
        turns: false,
        windows: (WINDOW, WINDOW, WINDOW),
        settle: Duration::from_secs(120),
        ci_appear_within: Duration::from_secs(120),
        ci_patience: Duration::from_secs(240),
        ack_wait: recovery::ACK_WAIT,
        without: vec!["verifier"],
        ..Options::default()
    };
    let lab = Lab::start(options).await?;
    spawn(&lab, "verifier")?;
    // Each has had one upgrade, so that what is built at first use is there.
    let first = lab.upgrade(&Lab::of_crowd(0).1, "1.1.0").await?;
    lab.ended(&first, "Succeeded", LIMIT).await?;
    let processes = processes(&lab)?;
    for (name, id) in &processes {
        let name = format!("memory without work: {name}");
        figures.add(&name, mebibytes(*id, "VmRSS")?, "MiB", "");
    }
    let (began, mut before) = (Instant::now(), Vec::new());
    for (_, id) in &processes {
        before.push(processor_time(*id)?);
    }
    for number in 1..=LOAD {
        lab.upgrade(&Lab::of_crowd(number).1, "1.1.0").await?;
    }
    let most = load(&lab).await?;
    for ((name, id), before) in processes.iter().zip(before) {
        let used = (processor_time(*id)? - before).as_secs_f64() * 1_000.0;
        let name = format!("processor time an upgrade: {name}");
        let cores = used / began.elapsed().as_secs_f64();
        let than = format!("{cores:.0} thousandths of a core meanwhile");
        figures.add(&name, used / f64::from(u32::try_from(LOAD)?), "ms", &than);
    }
    for (name, id) in &processes {
        let name = format!("memory at most under load: {name}");
        let than = format!("up to {most} upgrades under way");
        figures.add(&name, mebibytes(*id, "VmHWM")?, "MiB", &than);
    }
    let facts = Facts::of(&lab).await?;
    recovery::of_each_service(&lab, &facts, LOAD + 1, figures).await
}

/// Waits until all are over: the most that were under way at once.
async fn load(lab: &Lab) -> anyhow::Result<usize> {
    let (began, mut most) = (Instant::now(), 0);
    loop {
        let upgrades = lab.upgrades().await?;
        let open = upgrades
            .iter()
            .filter(|view| !view.phase.starts_with("Ended"));
        let open = open.count();
        most = most.max(open);
        if open == 0 {
            let good = upgrades
                .iter()
                .filter(|view| view.phase.contains("Succeeded"));
            ensure!(good.count() == upgrades.len(), "an upgrade did not succeed");
            return Ok(most);
        }
        ensure!(began.elapsed() < LIMIT, "{open} upgrades do not end");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Ours and the log's server, by name.
pub(crate) fn processes(lab: &Lab) -> anyhow::Result<Vec<(String, u32)>> {
    let mut processes = lab.process_ids();
    processes.sort_by_key(|(name, _)| SERVICES.iter().position(|service| service == name));
    let server = lab.nats.process_id().context("nats-server has ended")?;
    processes.push(("nats-server".to_owned(), server));
    Ok(processes)
}

/// Processor time that a process has used so far, its own and the kernel's for it.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    /// The kernel tells programs of this many ticks a second, whatever it counts in itself.
    const TICKS: u64 = 100;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, which may hold anything, ends with the last bracket; two of what follows are asked
    // for.
    let (_, rest) = stat.rsplit_once(')').context("no name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| -> anyhow::Result<u64> {
        let field = fields.get(at).context("a short line")?;
        Ok(field.parse()?)
    };
    let (user, system) = (ticks(11)?, ticks(12)?);
    Ok(Duration::from_millis((user + system) * 1_000 / TICKS))
}

/// What the kernel says about a process, in MiB.
pub(crate) fn mebibytes(process: u32, key: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kibibytes: u32 = line
        .and_then(|line| line.trim_start_matches(':').trim().strip_suffix(" kB"))
        .with_context(|| format!("no {key} of {process}"))?
        .trim()
        .parse()?;
    Ok(f64::from(kibibytes) / 1_024.0)
}
