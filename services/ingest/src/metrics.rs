//! What ingest counts beside the loop.

use std::sync::LazyLock;

use job::{Level, Phase, State};
use runtime::metrics::{Counters, Gauge, Gauges, Labels, counters, gauge, gauges, label};

use crate::spool::Standing;

static UPGRADES: LazyLock<Gauges> =
    LazyLock::new(|| gauges("upgrades", "Upgrades that are not over"));
static WEBHOOKS: LazyLock<Counters> = LazyLock::new(|| {
    let webhooks = counters("webhooks", "Webhooks, by the decision that was answered");
    for decision in [
        "accepted",
        "duplicate",
        "refused",
        "skipped",
        "spooled",
        "unavailable",
    ] {
        let _zero = webhooks.get_or_create(&label("decision", decision));
    }
    webhooks
});
static PENDING: LazyLock<Gauge> = LazyLock::new(|| {
    gauge(
        "announcements_pending",
        "Facts the announcer has not got to",
    )
});
static ANNOUNCED: LazyLock<Counters> = LazyLock::new(|| {
    let announced = counters("announcements", "Announcements, by what Slack made of them");
    for result in ["sent", "refused", "put_off"] {
        let _zero = announced.get_or_create(&label("result", result));
    }
    announced
});

static SPOOL_RECORDS: LazyLock<Gauge> = LazyLock::new(|| {
    gauge(
        "spool_records",
        "Requests on the disk that wait for the log",
    )
});
static SPOOL_BYTES: LazyLock<Gauge> =
    LazyLock::new(|| gauge("spool_bytes", "The size of the requests on the disk"));
static SPOOL_AGE: LazyLock<Gauge> = LazyLock::new(|| {
    gauge(
        "spool_oldest_age_seconds",
        "How long the oldest request has waited on the disk",
    )
});

/// As in a plan; none before there is one.
const RISKS: [Option<Level>; 4] = [
    None,
    Some(Level::Safe),
    Some(Level::Caution),
    Some(Level::Unknown),
];

/// Shows what has not happened yet as zero. The upgrades are counted anew from here: a projection
/// begins with none, also where one before it has ended in this process.
pub(crate) fn start() {
    for phase in Phase::ALL.into_iter().filter(|phase| !phase.is_end()) {
        for risk in RISKS {
            UPGRADES.get_or_create(&place(phase, risk)).set(0);
        }
    }
    LazyLock::force(&WEBHOOKS);
    LazyLock::force(&PENDING);
    LazyLock::force(&ANNOUNCED);
    spool(&Standing::default(), 0);
}

/// How the spool stands at this time.
pub(crate) fn spool(standing: &Standing, now_ms: i64) {
    let waited_ms = standing.oldest_ms.map_or(0, |oldest| now_ms - oldest);
    SPOOL_RECORDS.set(i64::try_from(standing.records).unwrap_or(i64::MAX));
    SPOOL_BYTES.set(i64::try_from(standing.bytes).unwrap_or(i64::MAX));
    SPOOL_AGE.set(waited_ms.max(0) / 1_000);
}

/// An upgrade was met, or moved on.
pub(crate) fn moved(before: Option<&State>, after: &State) {
    if let Some(before) = before.filter(|before| !before.phase.is_end()) {
        UPGRADES.get_or_create(&place_of(before)).dec();
    }
    if !after.phase.is_end() {
        UPGRADES.get_or_create(&place_of(after)).inc();
    }
}

fn place_of(state: &State) -> Labels {
    place(state.phase, state.plan.as_ref().map(|plan| plan.risk.level))
}

fn place(phase: Phase, risk: Option<Level>) -> Labels {
    let risk = risk.map_or_else(|| "none".to_owned(), |risk| risk.to_string().to_lowercase());
    vec![("phase", bus::trace::phase(phase)), ("risk", risk)]
}

/// A webhook was answered; `decision` is one of those that [`WEBHOOKS`] begins with.
pub(crate) fn webhook(decision: &str) {
    WEBHOOKS.get_or_create(&label("decision", decision)).inc();
}

/// How many facts the announcer has before it.
pub(crate) fn announcements_pending(facts: u64) {
    PENDING.set(i64::try_from(facts).unwrap_or(i64::MAX));
}

/// `result` is one of those that [`ANNOUNCED`] begins with.
pub(crate) fn announced(result: &str) {
    ANNOUNCED.get_or_create(&label("result", result)).inc();
}

#[cfg(test)]
mod tests {
    use job::{Body, Fact, Request, Source, UpgradeId};

    use super::*;

    #[test]
    fn a_second_start_in_one_process_counts_from_nothing() {
        let request = Request {
            repository: "acme/infra".to_owned(),
            image: "docker.io/a/b".to_owned(),
            tag: "1.0.1".to_owned(),
            chart: false,
            digest: None,
            status: "new".to_owned(),
            source: Source::Diun,
            hub_link: String::new(),
            attempt: 1,
            retry_of: None,
            lift_fence: false,
            parent: None,
            service: None,
            by: String::new(),
        };
        let fact = Fact {
            id: "1".to_owned(),
            step: 0,
            at_ms: 1,
            min_reader: 1,
            body: Body::Requested(request),
        };
        let id = UpgradeId::parse("0123456789abcdef").expect("an id");
        let state = job::fold(&id, [&fact]).expect("legal").expect("a state");
        // Where no other test of this process leaves one.
        let state = State {
            phase: Phase::UndoCiPassed,
            ..state
        };
        let counted = || UPGRADES.get_or_create(&place_of(&state)).get();
        for _start in 0..2 {
            start();
            assert_eq!(counted(), 0);
            moved(None, &state);
            assert_eq!(counted(), 1);
        }
    }
}
