//! A status page and `/metrics`: what the one does not tell of a service's monitors, the other may.

use std::sync::Arc;

use job::Monitors;

use super::of_service;
use crate::ports::{Monitor, Reading, Unknown};

/// Whether a reading leaves something open about the service's monitors.
pub(crate) fn lacks(
    reading: &Result<Arc<Reading>, Unknown>,
    wanted: &Monitors,
    service: &str,
) -> bool {
    let Ok(reading) = reading else { return true };
    let (found, missing) = of_service(&reading.monitors, wanted, service);
    found.is_empty() || !missing.is_empty()
}

/// The reading of a status page, and from `/metrics` what it lacks about the service.
pub(crate) fn complete(
    page: Result<Arc<Reading>, Unknown>,
    metrics: &Result<Arc<Reading>, Unknown>,
    wanted: &Monitors,
    service: &str,
) -> Result<Arc<Reading>, Unknown> {
    let with = |reading: &Reading, note| Reading {
        note: Some(note),
        ..reading.clone()
    };
    let both = match (page, metrics) {
        (Ok(page), Ok(metrics)) => joined(&page, metrics, wanted, service),
        (Ok(page), Err(Unknown(why))) => with(&page, format!("/metrics unknown, {why}")),
        (Err(Unknown(why)), Ok(metrics)) => with(
            metrics,
            format!("the status page could not be read, so /metrics was: {why}"),
        ),
        (Err(Unknown(page)), Err(Unknown(metrics))) => {
            return Err(Unknown(format!("{page}; and /metrics: {metrics}")));
        }
    };
    Ok(Arc::new(both))
}

/// The page's monitors, and those of the service that it does not show.
fn joined(page: &Reading, metrics: &Reading, wanted: &Monitors, service: &str) -> Reading {
    let (on_page, _) = of_service(&page.monitors, wanted, service);
    let names: Vec<&str> = on_page.iter().map(|monitor| monitor.name.trim()).collect();
    let mut monitors = page.monitors.clone();
    let (found, _) = of_service(&metrics.monitors, wanted, service);
    for monitor in found {
        let same = |one: &&mut Monitor| one.id.is_some() && one.id == monitor.id;
        match monitors.iter_mut().find(same) {
            // The page need not show the address by which it is ours.
            Some(shown) => shown.host.clone_from(&monitor.host),
            None if names.contains(&monitor.name.trim()) => {}
            None => monitors.push(monitor.clone()),
        }
    }
    Reading {
        // What was read last is not older than this.
        at_ms: page.at_ms.min(metrics.at_ms),
        monitors,
        all: metrics.all,
        note: None,
    }
}
