//! Logs and traces. Logs go to standard error, so that standard output stays for answers; traces go
//! to an OTLP receiver, if one is configured.
//!
//! Every process has a trace to write down, whether or not it sends it: so log lines of all services
//! can be put together by their trace.

mod export;
mod json;
mod outside;
mod processor;

use std::io::{self, IsTerminal as _};
use std::sync::Once;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::settings::{Log, LogFormat, Settings};
pub use export::{StartError, Traces};
pub use outside::{effect, outside};
use processor::Processor;

static STARTED: Once = Once::new();

/// The crates whose spans are worth a place in a trace.
const OURS: [&str; 6] = [
    "bus", "runtime", "ingest", "analyzer", "executor", "verifier",
];

/// Starts logging and tracing. Only the first call in a process has an effect. Nothing is sent
/// before [`Traces::start`].
///
/// # Errors
///
/// The log's filter cannot be understood.
pub fn init(service: &'static str, settings: &Settings) -> Result<Traces, ParseError> {
    let filter = EnvFilter::try_new(&settings.log.filter)?;
    let resource = resource(service, &settings.instance);
    let sending = settings.telemetry.otlp_endpoint.is_some();
    let (processor, spans) = Processor::new(sending.then_some(settings.telemetry.otlp_queue));
    STARTED.call_once(|| {
        let share = Sampler::TraceIdRatioBased(settings.telemetry.sample_ratio);
        let tracer = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(share)))
            .with_resource(resource.clone())
            .with_span_processor(processor)
            .build()
            .tracer("bowline");
        let traced = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(ours).with_max_level_hint(LevelFilter::INFO));
        // An error means that a test or a host program has set its own: then that one stays.
        let _already_set = tracing_subscriber::registry()
            .with(traced)
            .with(lines(service, &settings.log, filter))
            .try_init();
    });
    Ok(Traces::new(spans, resource))
}

/// Log lines. Our spans are seen by every line, whatever the filter says of their level.
fn lines<S>(
    service: &'static str,
    log: &Log,
    filter: EnvFilter,
) -> Box<dyn Layer<S> + Send + Sync + 'static>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let spans: FilterFn<fn(&Metadata<'_>) -> bool> = FilterFn::new(
        (|metadata| metadata.is_span() && ours(metadata)) as fn(&Metadata<'_>) -> bool,
    )
    .with_max_level_hint(LevelFilter::INFO);
    let filter = filter.or(spans);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match log.format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(json::Line { service })
            .with_filter(filter)
            .boxed(),
    }
}

fn ours(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO && OURS.contains(&name)
}

fn resource(service: &'static str, instance: &str) -> Resource {
    Resource::builder()
        .with_service_name(service)
        .with_attribute(opentelemetry::KeyValue::new("service.namespace", "bowline"))
        .with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            env!("CARGO_PKG_VERSION"),
        ))
        .with_attribute(opentelemetry::KeyValue::new(
            "bowline.instance",
            instance.to_owned(),
        ))
        .build()
}

/// Whether a filter can be understood.
pub(crate) fn check_filter(filter: &str) -> Result<(), ParseError> {
    EnvFilter::try_new(filter).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_is_no_error() {
        let mut settings = Settings::default();
        let _first = init("one", &settings).unwrap();
        settings.log.format = LogFormat::Json;
        let _second = init("two", &settings).unwrap();
    }

    #[test]
    fn a_filter_of_levels_and_targets_is_understood() {
        check_filter("info,bus=debug").unwrap();
        assert!(check_filter("bus=loud").is_err());
    }
}
