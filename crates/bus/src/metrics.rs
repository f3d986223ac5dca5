//! What the loop and the log count. Here it is only counted; `runtime` serves it.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use job::{Body, Cause, Command, End, Owner, Phase, State};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::trace::{phase, snake};

type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Gauges = Family<Labels, Gauge>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

#[derive(Default)]
struct Metrics {
    failures: Counters,
    naks: Counters,
    deliveries: Counters,
    undelivered: Gauges,
    unanswered: Gauges,
    appends: Counters,
    conflicts: Counter,
    connected: Gauge,
    ended: Counters,
    rollbacks: Counters,
    stuck: Counter,
    parked: Counter,
    observed: Counter<f64, AtomicU64>,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let metrics = Metrics::default();
    for end in ENDS {
        let _zero = metrics.ended.get_or_create(&one("end", ended(end)));
    }
    for cause in CAUSES {
        let _zero = metrics
            .rollbacks
            .get_or_create(&one("cause", named(&cause)));
    }
    metrics
});
static COMMANDS: LazyLock<Histograms> = LazyLock::new(|| Family::new_with_constructor(short));
static CI_WAIT: LazyLock<Histograms> = LazyLock::new(|| {
    let waits = Histograms::new_with_constructor(long);
    for of in ["upgrade", "undo"] {
        let _zero = waits.get_or_create(&one("of", of.to_owned()));
    }
    waits
});
static BACKUP: LazyLock<Histogram> = LazyLock::new(long);

const ENDS: [End; 8] = [
    End::Succeeded,
    End::Skipped,
    End::Aborted,
    End::RolledBack,
    End::Cancelled,
    End::Superseded,
    End::Split,
    End::Resolved,
];
const CAUSES: [Cause; 5] = [
    Cause::CiFailed,
    Cause::NotApplied,
    Cause::Unhealthy,
    Cause::Cancelled,
    Cause::Person,
];

/// Why a delivery is handed back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Nak {
    /// Its command waits for something.
    Wait,
    /// Its command failed.
    Failure,
    /// Its upgrade is in hand already.
    Busy,
}

/// Puts everything that this crate counts into a registry.
pub fn register(to: &mut Registry) {
    let all = &*METRICS;
    to.register(
        "bowline_command_duration_seconds",
        "How long commands took, by what came of them",
        COMMANDS.clone(),
    );
    to.register(
        "bowline_command_failures",
        "Commands that failed and are tried again",
        all.failures.clone(),
    );
    to.register(
        "bowline_deliveries",
        "Facts delivered to an owner",
        all.deliveries.clone(),
    );
    to.register(
        "bowline_naks",
        "Deliveries handed back, to come again",
        all.naks.clone(),
    );
    to.register(
        "bowline_queue_undelivered",
        "Facts that wait for a free worker of their owner",
        all.undelivered.clone(),
    );
    to.register(
        "bowline_queue_unanswered",
        "Facts that are in hand, or wait to be looked at again",
        all.unanswered.clone(),
    );
    to.register(
        "bowline_appends",
        "Facts appended by this process",
        all.appends.clone(),
    );
    to.register(
        "bowline_append_conflicts",
        "Appends that lost against another",
        all.conflicts.clone(),
    );
    to.register(
        "bowline_nats_connected",
        "Whether NATS is connected",
        all.connected.clone(),
    );
    to.register(
        "bowline_upgrades_ended",
        "Upgrades that this process ended",
        all.ended.clone(),
    );
    to.register(
        "bowline_rollbacks",
        "Undos that were asked for",
        all.rollbacks.clone(),
    );
    to.register(
        "bowline_upgrades_stuck",
        "Upgrades that got stuck",
        all.stuck.clone(),
    );
    to.register(
        "bowline_upgrades_parked",
        "Upgrades that were set aside",
        all.parked.clone(),
    );
    to.register(
        "bowline_ci_wait_seconds",
        "From the push to CI's word, or to the end of waiting for it",
        CI_WAIT.clone(),
    );
    to.register(
        "bowline_backup_duration_seconds",
        "From the wish for a backup to its end, good or bad",
        BACKUP.clone(),
    );
    to.register(
        "bowline_window_observed_seconds",
        "Time in which the health of an upgraded service was really watched",
        all.observed.clone(),
    );
}

/// A process has begun to serve an owner.
pub(crate) fn serves(owner: Owner) {
    let owner = || one("owner", owner.as_str().to_owned());
    let _zero = METRICS.deliveries.get_or_create(&owner());
    queue(&owner(), 0, 0);
    for reason in [Nak::Wait, Nak::Failure, Nak::Busy] {
        let mut labels = owner();
        labels.push(("reason", named(&reason)));
        let _zero = METRICS.naks.get_or_create(&labels);
    }
}

pub(crate) fn delivered(owner: Owner) {
    let labels = one("owner", owner.as_str().to_owned());
    METRICS.deliveries.get_or_create(&labels).inc();
}

pub(crate) fn handed_back(owner: Owner, reason: Nak) {
    let labels = vec![
        ("owner", owner.as_str().to_owned()),
        ("reason", named(&reason)),
    ];
    METRICS.naks.get_or_create(&labels).inc();
}

/// `outcome` is `answered`, `waits` or `failed`.
pub(crate) fn carried_out(owner: Owner, command: Command, outcome: &str, took: Duration) {
    let mut labels = vec![
        ("owner", owner.as_str().to_owned()),
        ("command", named(&command)),
    ];
    let failed = u64::from(outcome == "failed");
    METRICS.failures.get_or_create(&labels).inc_by(failed);
    labels.push(("outcome", outcome.to_owned()));
    COMMANDS.get_or_create(&labels).observe(took.as_secs_f64());
}

/// What an owner has before it, as the server counts it.
pub(crate) fn waiting(owner: Owner, undelivered: u64, unanswered: u64) {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let labels = one("owner", owner.as_str().to_owned());
    queue(&labels, number(undelivered), number(unanswered));
}

fn queue(labels: &Labels, undelivered: i64, unanswered: i64) {
    METRICS.undelivered.get_or_create(labels).set(undelivered);
    METRICS.unanswered.get_or_create(labels).set(unanswered);
}

pub(crate) fn connected(yes: bool) {
    METRICS.connected.set(i64::from(yes));
}

pub(crate) fn lost_an_append() {
    METRICS.conflicts.inc();
}

/// This process appended `body` to an upgrade that was `before`, and is `after`.
pub(crate) fn appended(before: Option<&State>, body: &Body, after: &State, at_ms: i64) {
    let metrics = &*METRICS;
    let fact = one("fact", body.name().to_owned());
    metrics.appends.get_or_create(&fact).inc();
    match body {
        Body::Observed { seconds, .. } => {
            metrics.observed.inc_by(f64::from(*seconds));
        }
        Body::RollbackRequested { cause, .. } => {
            metrics
                .rollbacks
                .get_or_create(&one("cause", named(cause)))
                .inc();
        }
        Body::Stuck(_) => {
            metrics.stuck.inc();
        }
        Body::Parked(_) => {
            metrics.parked.inc();
        }
        _ => {}
    }
    if let Phase::Ended(end) = after.phase {
        metrics.ended.get_or_create(&one("end", ended(end))).inc();
    }
    let Some(before) = before.filter(|before| before.phase != after.phase) else {
        return;
    };
    let passed_ms = u64::try_from(at_ms.saturating_sub(before.since_ms)).unwrap_or(0);
    let passed = Duration::from_millis(passed_ms).as_secs_f64();
    let ci = |of: &str| {
        CI_WAIT
            .get_or_create(&one("of", of.to_owned()))
            .observe(passed);
    };
    match before.phase {
        Phase::Pushed => ci("upgrade"),
        Phase::Reverted => ci("undo"),
        Phase::BackingUp => BACKUP.observe(passed),
        _ => {}
    }
}

fn one(name: &'static str, value: String) -> Labels {
    vec![(name, value)]
}

fn named(value: &dyn std::fmt::Debug) -> String {
    snake(&format!("{value:?}"))
}

fn ended(end: End) -> String {
    phase(Phase::Ended(end))
}

/// For what takes milliseconds to minutes.
fn short() -> Histogram {
    Histogram::new([0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0])
}

/// For what takes seconds to hours.
fn long() -> Histogram {
    Histogram::new([
        1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_named_and_explained() {
        let mut registry = Registry::default();
        register(&mut registry);
        serves(Owner::Undo);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "# TYPE bowline_naks counter",
            "bowline_naks_total{owner=\"undo\",reason=\"busy\"} 0",
            "bowline_upgrades_ended_total{end=\"rolled_back\"} 0",
            "bowline_rollbacks_total{cause=\"unhealthy\"} 0",
            "bowline_queue_unanswered{owner=\"undo\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
