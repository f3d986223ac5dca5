//! What Uptime Kuma's monitors say about an upgrade: whose they are, and which of their beats count.
//!
//! A beat from before the version was live proves nothing, whatever it says. Only a monitor that
//! was UP before, and is DOWN in a beat that counts, speaks against the upgrade; everything else
//! that is not UP is unknown, and unknown is never failure.

mod sources;

use std::collections::BTreeMap;

use job::{MonitorState, Monitors};

use crate::health::Health;
use crate::ports::{Monitor, Reading, Source, Unknown};

pub(crate) use self::sources::{complete, lacks};

/// So many of the last beats tell a monitor's interval.
const BEATS_FOR_INTERVAL: usize = 12;
/// Within so many of its intervals a monitor has beaten: a check that hangs takes long as well.
const INTERVALS: i64 = 2;

/// What the judgement rests on besides the monitors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since<'a> {
    /// The version was healthy in the cluster for the first time, in milliseconds since the Unix
    /// epoch; none if it was not yet.
    pub(crate) live_ms: Option<i64>,
    /// The window that is open began then.
    pub(crate) healthy_ms: Option<i64>,
    /// What this process knows of the beats of monitors without times, by key.
    pub(crate) marks: &'a BTreeMap<String, Mark>,
    /// Since when this process reads a monitor as DOWN, by its key.
    pub(crate) down: &'a BTreeMap<String, i64>,
    /// A monitor's interval where its beats do not tell.
    pub(crate) interval_ms: i64,
    /// A window is lengthened by this at most.
    pub(crate) wait_at_most_ms: i64,
}

/// What the readings of a monitor without times tell of its last beat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    mark: String,
    /// When it was read last, in milliseconds since the Unix epoch.
    read_ms: i64,
    /// Its last beat came after this, as it has changed since.
    after_ms: Option<i64>,
}

impl Mark {
    fn read(monitor: &Monitor, read_ms: i64, known: Option<&Mark>) -> Mark {
        let after_ms = known.and_then(|known| {
            if known.mark == monitor.mark {
                known.after_ms
            } else {
                Some(known.read_ms)
            }
        });
        Mark {
            mark: monitor.mark.clone(),
            read_ms,
            after_ms,
        }
    }
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
    /// What is known of the beats of those without times now.
    pub(crate) marks: BTreeMap<String, Mark>,
    /// Since when those are read as DOWN that speak against the upgrade, by key.
    pub(crate) down: BTreeMap<String, i64>,
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
        marks: since.marks.clone(),
        down: BTreeMap::new(),
    };
    let reading = match reading {
        Ok(reading) => reading,
        Err(Unknown(why)) => {
            said.lines.push(format!("Uptime Kuma: unknown, {why}"));
            return said;
        }
    };
    if let Some(note) = &reading.note {
        said.lines.push(format!("Uptime Kuma: {note}"));
    }
    let (found, missing) = of_service(&reading.monitors, wanted, service);
    if found.is_empty() && missing.is_empty() {
        said.lines
            .push(format!("Uptime Kuma: no monitor of {service}"));
    }
    for monitor in found {
        let key = key(monitor);
        let known = before.get(&key).copied();
        let interval_ms = interval_ms(monitor, since.interval_ms);
        let mut after_ms = None;
        if monitor.source == Source::Metrics {
            let mark = Mark::read(monitor, reading.at_ms, since.marks.get(&key));
            after_ms = mark.after_ms;
            said.marks.insert(key.clone(), mark);
        }
        let counts = |from_ms: i64| {
            // What stays the same may be old until it must have been said again.
            let again_ms = since.interval_ms.saturating_mul(INTERVALS);
            match monitor.beats.last() {
                Some(last) => last.at_ms > from_ms,
                None => {
                    after_ms.is_some_and(|after_ms| after_ms >= from_ms)
                        || reading.at_ms > from_ms.saturating_add(again_ms)
                }
            }
        };
        let word = match one(monitor, known, since, counts) {
            Word::Passed => "UP".to_owned(),
            Word::Down => {
                let name = &monitor.name;
                let since_ms = since.down.get(&key).copied().unwrap_or(reading.at_ms);
                // Its next beat, and a while for the check itself.
                let next_ms = interval_ms.saturating_add(interval_ms / 4);
                said.health = said.health.and(Health::Down {
                    why: format!("Uptime Kuma: {name} is DOWN, and was not before the upgrade"),
                    since_ms,
                    patience_ms: next_ms.min(since.wait_at_most_ms),
                });
                said.down.insert(key, since_ms);
                "DOWN".to_owned()
            }
            Word::NotYet(why) => {
                let wait_ms = interval_ms.saturating_mul(INTERVALS);
                said.wait_ms = said.wait_ms.max(wait_ms.min(since.wait_at_most_ms));
                why.to_owned()
            }
            Word::Unknown(why) => format!("unknown, {why}"),
        };
        let from = match monitor.source {
            Source::Page => "",
            Source::Metrics => " (/metrics)",
        };
        said.lines
            .push(format!("Uptime Kuma: {} {word}{from}", monitor.name));
    }
    let why = if reading.all {
        "there is no such monitor"
    } else {
        "it is not on the status page"
    };
    let missing = missing.iter();
    said.lines
        .extend(missing.map(|name| format!("Uptime Kuma: {name} unknown, {why}")));
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
    NotYet(&'static str),
    /// Nothing that counts.
    Unknown(&'static str),
}

/// `counts` tells whether the last thing it said was said after that moment.
fn one(
    monitor: &Monitor,
    before: Option<MonitorState>,
    since: Since<'_>,
    counts: impl Fn(i64) -> bool,
) -> Word {
    match monitor.last {
        None => Word::Unknown("it has not beaten yet"),
        Some(MonitorState::Maintenance) => Word::Unknown("it is in maintenance"),
        Some(MonitorState::Pending) => Word::NotYet("PENDING, retries are left"),
        Some(MonitorState::Up) if since.healthy_ms.is_some_and(&counts) => Word::Passed,
        Some(MonitorState::Down) if before == Some(MonitorState::Down) => {
            Word::Unknown("it was DOWN before the upgrade as well")
        }
        Some(MonitorState::Down) if since.live_ms.is_some_and(&counts) => {
            if before == Some(MonitorState::Up) || was_up(monitor, since.live_ms) {
                Word::Down
            } else {
                Word::Unknown("it is DOWN, and what it said before the upgrade is not known")
            }
        }
        Some(MonitorState::Up | MonitorState::Down) => {
            Word::NotYet("unknown, no beat since the version is healthy")
        }
    }
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
