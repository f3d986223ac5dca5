//! What Uptime Kuma's monitors say about an upgrade: whose they are, and which of their beats count.
//!
//! A beat from before the version was live proves nothing, whatever it says. Only a monitor that
//! was UP before, and is DOWN in a beat that counts, speaks against the upgrade; everything else
//! that is not UP is unknown, and unknown is never failure.

use std::collections::BTreeMap;

use job::{MonitorState, Monitors};

use crate::health::Health;
use crate::ports::{Monitor, Reading, Unknown};

/// So many of the last beats tell a monitor's interval.
const BEATS_FOR_INTERVAL: usize = 12;

/// What the judgement rests on besides the monitors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since<'a> {
    /// The version was healthy in the cluster for the first time, in milliseconds since the Unix
    /// epoch; none if it was not yet.
    pub(crate) live_ms: Option<i64>,
    /// The window that is open began then.
    pub(crate) healthy_ms: Option<i64>,
    /// The first reading that this process took in the window.
    pub(crate) first: Option<&'a Reading>,
    /// A monitor's interval where its beats do not tell.
    pub(crate) interval_ms: i64,
    /// A window is lengthened by this at most.
    pub(crate) wait_at_most_ms: i64,
}

/// What the monitors say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Good, unless one of them speaks against the upgrade.
    pub(crate) health: Health,
    /// By how much the window is lengthened for the slowest that has not beaten in it.
    pub(crate) wait_ms: i64,
    /// One line for each, for the report.
    pub(crate) lines: Vec<String>,
}

/// The service's monitors, and the names of those that are missing.
pub(crate) fn of_service<'a>(
    monitors: &'a [Monitor],
    wanted: &Monitors,
    service: &str,
) -> (Vec<&'a Monitor>, Vec<String>) {
    if wanted.names.is_empty() {
        return (guessed(monitors, &wanted.hosts, service), Vec::new());
    }
    let mut found: Vec<&Monitor> = Vec::new();
    let mut missing = Vec::new();
    for name in &wanted.names {
        let before = found.len();
        let same = |monitor: &&Monitor| monitor.name.trim() == name.trim();
        let new: Vec<_> = monitors.iter().filter(same).collect();
        found.extend(
            new.into_iter()
                .filter(|new| !found.contains(new))
                .collect::<Vec<_>>(),
        );
        if found.len() == before && !found.iter().any(same) {
            missing.push(name.trim().to_owned());
        }
    }
    (found, missing)
}

/// Those that look at one of the hosts; else those of the service's name that look at nothing we
/// know to be another's.
fn guessed<'a>(monitors: &'a [Monitor], hosts: &[String], service: &str) -> Vec<&'a Monitor> {
    let ours = |monitor: &Monitor| {
        let host = monitor.host.as_deref();
        host.is_some_and(|host| hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)))
    };
    let named = |monitor: &Monitor| plain(&monitor.name) == plain(service);
    let by_host: Vec<_> = monitors.iter().filter(|monitor| ours(monitor)).collect();
    if by_host.iter().any(|monitor| named(monitor)) {
        // Another of the same name belongs to somebody else.
        return by_host;
    }
    let by_name = monitors
        .iter()
        .filter(|monitor| named(monitor) && !ours(monitor));
    by_host.iter().copied().chain(by_name).collect()
}

/// A name without what people spell differently: `Open WebUI` is `open-webui`.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|char| char.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// A monitor's key in the baseline: names need not be unique.
pub(crate) fn key(monitor: &Monitor) -> String {
    match (monitor.id, &monitor.host) {
        (Some(id), _) => format!("{} #{id}", monitor.name),
        (None, Some(host)) => format!("{} ({host})", monitor.name),
        (None, None) => monitor.name.clone(),
    }
}

/// What the service's monitors say before the push.
pub(crate) fn baseline(
    reading: &Reading,
    wanted: &Monitors,
    service: &str,
) -> BTreeMap<String, MonitorState> {
    let (found, _) = of_service(&reading.monitors, wanted, service);
    found
        .into_iter()
        .filter_map(|monitor| Some((key(monitor), monitor.last?)))
        .collect()
}

/// Judges the service's monitors.
pub(crate) fn judge(
    reading: &Result<&Reading, Unknown>,
    wanted: &Monitors,
    service: &str,
    before: &BTreeMap<String, MonitorState>,
    since: Since<'_>,
) -> Said {
    let mut said = Said {
        health: Health::Good,
        wait_ms: 0,
        lines: Vec::new(),
    };
    let reading = match reading {
        Ok(reading) => reading,
        Err(Unknown(why)) => {
            said.lines.push(format!("Uptime Kuma: unknown, {why}"));
            return said;
        }
    };
    let (found, missing) = of_service(&reading.monitors, wanted, service);
    if found.is_empty() && missing.is_empty() {
        said.lines
            .push(format!("Uptime Kuma: no monitor of {service}"));
    }
    for monitor in found {
        let name = &monitor.name;
        let known = before.get(&key(monitor)).copied();
        let word = match one(monitor, reading, known, since) {
            Word::Passed => "UP".to_owned(),
            Word::Down => {
                let why = format!("Uptime Kuma: {name} is DOWN, and was not before the upgrade");
                said.health = said.health.and(Health::Bad {
                    why,
                    definite: false,
                });
                "DOWN".to_owned()
            }
            Word::NotYet => {
                let wait_ms = interval_ms(monitor, since.interval_ms).saturating_mul(2);
                said.wait_ms = said.wait_ms.max(wait_ms.min(since.wait_at_most_ms));
                "unknown, no beat since the version is healthy".to_owned()
            }
            Word::Unknown(why) => format!("unknown, {why}"),
        };
        said.lines.push(format!("Uptime Kuma: {name} {word}"));
    }
    for name in missing {
        said.lines.push(format!(
            "Uptime Kuma: {name} unknown, there is no such monitor"
        ));
    }
    said
}

/// What one monitor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// UP in a beat of the window.
    Passed,
    /// DOWN since the version is live, and not before.
    Down,
    /// Its next beat will tell.
    NotYet,
    /// Nothing that counts.
    Unknown(&'static str),
}

fn one(
    monitor: &Monitor,
    reading: &Reading,
    before: Option<MonitorState>,
    since: Since<'_>,
) -> Word {
    let counts = |from_ms: Option<i64>| {
        from_ms.is_some_and(|from_ms| beat_since(monitor, reading, from_ms, since))
    };
    match monitor.last {
        None => Word::Unknown("it has not beaten yet"),
        Some(MonitorState::Maintenance) => Word::Unknown("it is in maintenance"),
        Some(MonitorState::Pending) => Word::NotYet,
        Some(MonitorState::Up) if counts(since.healthy_ms) => Word::Passed,
        Some(MonitorState::Down) if before == Some(MonitorState::Down) => {
            Word::Unknown("it was DOWN before the upgrade as well")
        }
        Some(MonitorState::Down) if counts(since.live_ms) => {
            if before == Some(MonitorState::Up) || was_up(monitor, since.live_ms) {
                Word::Down
            } else {
                Word::Unknown("it is DOWN, and what it said before the upgrade is not known")
            }
        }
        Some(MonitorState::Up | MonitorState::Down) => Word::NotYet,
    }
}

/// Whether the last thing it said was said after that moment.
fn beat_since(monitor: &Monitor, reading: &Reading, from_ms: i64, since: Since<'_>) -> bool {
    if let Some(last) = monitor.beats.last() {
        return last.at_ms > from_ms;
    }
    // Without times: what was the same for a whole interval was said again, and what has changed
    // within the window was said in it.
    if reading.at_ms > from_ms.saturating_add(since.interval_ms) {
        return true;
    }
    let first = since.first.filter(|first| first.at_ms >= from_ms);
    let first = first.and_then(|first| first.monitors.iter().find(|one| key(one) == key(monitor)));
    first.is_some_and(|first| first.mark != monitor.mark)
}

fn was_up(monitor: &Monitor, live_ms: Option<i64>) -> bool {
    let up = |state| state == MonitorState::Up;
    live_ms.is_some_and(|live_ms| {
        let mut beats = monitor.beats.iter();
        beats.any(|beat| beat.at_ms > live_ms && up(beat.state))
    })
}

/// The middle one of the pauses between its last beats.
fn interval_ms(monitor: &Monitor, otherwise: i64) -> i64 {
    let skipped = monitor.beats.len().saturating_sub(BEATS_FOR_INTERVAL);
    let last: Vec<i64> = monitor
        .beats
        .iter()
        .skip(skipped)
        .map(|beat| beat.at_ms)
        .collect();
    let mut pauses: Vec<i64> = last
        .iter()
        .zip(last.iter().skip(1))
        .map(|(one, next)| next.saturating_sub(*one))
        .filter(|pause| *pause > 0)
        .collect();
    pauses.sort_unstable();
    pauses.get(pauses.len() / 2).copied().unwrap_or(otherwise)
}

#[cfg(test)]
mod tests;
