//! What `/metrics` serves: the process, the log's own counts, and what each service adds.
//!
//! A service makes each of its metrics once, in a `static`, and names it in `docs/metrics.md`:
//!
//! ```
//! use std::sync::LazyLock;
//! static RECORDS: LazyLock<runtime::metrics::Gauge> =
//!     LazyLock::new(|| runtime::metrics::gauge("example_records", "Records that wait"));
//! RECORDS.set(3);
//! assert!(runtime::metrics::text().contains("bowline_example_records 3"));
//! ```
//!
//! A label has few values, known beforehand: never an upgrade's id, a version or an address.

mod process;

use std::sync::atomic::AtomicU64;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry};

/// Counts up.
pub type Counter = prometheus_client::metrics::counter::Counter;
/// A number that is set; whole.
pub type Gauge = prometheus_client::metrics::gauge::Gauge;
/// A number that is set; with a fraction, for seconds.
pub type FractionGauge = prometheus_client::metrics::gauge::Gauge<f64, AtomicU64>;
/// Counters by label.
pub type Counters = Family<Labels, Counter>;
/// Gauges by label.
pub type Gauges = Family<Labels, Gauge>;
/// Names and values of the labels of one series.
pub type Labels = Vec<(&'static str, String)>;

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(|| {
    let mut registry = Registry::default();
    bus::metrics::register(&mut registry);
    registry.register_collector(Box::new(process::Process));
    Mutex::new(registry)
});
static SPANS_SENT: LazyLock<Counter> =
    LazyLock::new(|| counter("telemetry_spans_sent", "Spans sent to the OTLP receiver"));
static SPANS_DROPPED: LazyLock<Counters> = LazyLock::new(|| {
    let dropped = counters("telemetry_spans_dropped", "Spans that were not sent");
    for reason in ["queue_full", "too_many", "not_sent"] {
        let _zero = dropped.get_or_create(&label("reason", reason));
    }
    dropped
});
static BUILD: LazyLock<Gauges> =
    LazyLock::new(|| gauges("build_info", "The version that runs; always 1"));

/// A counter `bowline_<name>_total`. Called once for each name.
#[must_use]
pub fn counter(name: &str, help: &str) -> Counter {
    add(name, help, Counter::default())
}

/// Counters `bowline_<name>_total` by label. Called once for each name.
#[must_use]
pub fn counters(name: &str, help: &str) -> Counters {
    add(name, help, Counters::default())
}

/// A gauge `bowline_<name>`. Called once for each name.
#[must_use]
pub fn gauge(name: &str, help: &str) -> Gauge {
    add(name, help, Gauge::default())
}

/// A gauge `bowline_<name>` for a number with a fraction. Called once for each name.
#[must_use]
pub fn fraction_gauge(name: &str, help: &str) -> FractionGauge {
    add(name, help, FractionGauge::default())
}

/// Gauges `bowline_<name>` by label. Called once for each name.
#[must_use]
pub fn gauges(name: &str, help: &str) -> Gauges {
    add(name, help, Gauges::default())
}

/// One label.
#[must_use]
pub fn label(name: &'static str, value: impl Into<String>) -> Labels {
    vec![(name, value.into())]
}

fn add<M: Metric + Clone>(name: &str, help: &str, metric: M) -> M {
    registry().register(format!("bowline_{name}"), help, metric.clone());
    metric
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says which build of which service this is, and shows what has not been counted yet as zero.
pub(crate) fn start(service: &'static str) {
    let labels = vec![
        ("service", service.to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    BUILD.get_or_create(&labels).set(1);
    LazyLock::force(&SPANS_SENT);
    LazyLock::force(&SPANS_DROPPED);
}

pub(crate) fn spans_sent(count: usize) {
    SPANS_SENT.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
}

/// `reason` is one of those that [`SPANS_DROPPED`] begins with.
pub(crate) fn spans_dropped(reason: &str, count: usize) {
    let dropped = SPANS_DROPPED.get_or_create(&label("reason", reason));
    dropped.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
}

/// Everything, in the text format of OpenMetrics, which Prometheus reads.
#[must_use]
pub fn text() -> String {
    let mut text = String::new();
    let written = encode(&mut text, &registry());
    if let Err(error) = written {
        tracing::error!(%error, "the metrics cannot be written down");
    }
    text
}

/// The answer to a scrape.
pub(crate) async fn scrape() -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], text())
}
