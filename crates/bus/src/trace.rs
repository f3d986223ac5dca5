//! The trace of an upgrade: every fact carries the span that made it, as a W3C `traceparent`.
//!
//! The span that appended the first fact is the upgrade's own. Every command is its child, with a
//! link to the span whose fact led to the command: see `ARCHITECTURE.md` for the reason.

use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId};
use opentelemetry::{Context, KeyValue, trace::TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{Delivery, History, WorkError};
use job::{Command, Owner, UpgradeId};

/// The header that a fact travels with.
pub(crate) const HEADER: &str = "traceparent";

/// No error is longer than this in a trace; the log has the whole of it.
const LONGEST: usize = 500;

/// The attribute that says what came of a command.
pub const OUTCOME: &str = "bowline.outcome";
/// Its value where nothing came of it: such a span is kept only if something below it is an
/// [`EFFECT`].
pub const WAITS: &str = "waits";
/// The attribute of a call that changed something outside.
pub const EFFECT: &str = "bowline.effect";
/// The span around one delivery, for logs only: its commands have spans of their own.
pub const DELIVERY: &str = "delivery";

/// The current span, as the value of a `traceparent` header; none where nothing is traced.
#[must_use]
pub fn here() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            span.trace_id(),
            span.span_id(),
            span.trace_flags().to_u8()
        )
    })
}

/// Makes `span` the child of what a `traceparent` header names; one that cannot be read is as none.
///
/// Only before the span is entered for the first time.
pub fn adopt(span: &Span, traceparent: Option<&str>) {
    if let Some(parent) = traceparent.and_then(parse) {
        set_parent(span, parent);
    }
}

/// Makes `span` a part of the upgrade's trace, caused by its newest fact up to the `n`th.
///
/// Only before the span is entered for the first time.
pub fn join(span: &Span, history: &History, n: u64) {
    set_parent(span, own_span(history));
    let mut up_to_n = history.entries.iter().filter(|entry| entry.n <= n);
    let cause = up_to_n.next_back().filter(|entry| entry.n > 1);
    let cause = cause.and_then(|entry| entry.traceparent.as_deref());
    if let Some(cause) = cause.and_then(parse) {
        span.add_link(cause);
    }
    describe(span, history);
}

/// Nothing came of it, so that it need not be a part of the trace.
pub fn waits(span: &Span) {
    span.set_attribute(OUTCOME, WAITS);
}

/// Marks what the span stands for as failed.
pub fn failed(span: &Span, error: &dyn std::fmt::Display) {
    let text: String = error.to_string().chars().take(LONGEST).collect();
    span.set_status(Status::error(text));
}

/// The span of one command, before its first await.
pub(crate) fn command(
    owner: Owner,
    delivery: &Delivery,
    history: &History,
    command: Command,
    now_ms: i64,
) -> Span {
    let name = snake(&format!("{command:?}"));
    let span = tracing::info_span!("command", command = name);
    join(&span, history, u64::MAX);
    span.set_attribute("bowline.owner", owner.as_str());
    let looks = i64::try_from(delivery.redelivered.saturating_add(1)).unwrap_or(i64::MAX);
    span.set_attribute("bowline.looks", looks);
    let since_ms = history
        .entries
        .last()
        .map_or(now_ms, |entry| entry.fact.at_ms);
    span.set_attribute("bowline.waited_ms", now_ms.saturating_sub(since_ms));
    span.context().span().update_name(name);
    span
}

/// What the current command's answer was.
pub(crate) fn answered(history: &History) {
    let span = Span::current();
    if let Some(entry) = history.entries.last() {
        span.set_attribute(OUTCOME, entry.fact.body.name());
    }
    span.set_attribute("bowline.phase", phase(history.state.phase));
}

/// What came of the current command, where that is no fact of its own.
pub(crate) fn ended_as(outcome: &'static str) {
    Span::current().set_attribute(OUTCOME, outcome);
}

/// The error of a command that will be tried again.
pub(crate) fn gave_up(span: &Span, error: &WorkError) {
    span.set_attribute(OUTCOME, "failed");
    failed(span, error);
}

/// `CamelCase` as `snake_case`.
pub(crate) fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The name of a phase in attributes and labels.
#[must_use]
pub fn phase(phase: job::Phase) -> String {
    match phase {
        job::Phase::Ended(end) => snake(&format!("{end:?}")),
        open => snake(&format!("{open:?}")),
    }
}

fn describe(span: &Span, history: &History) {
    let state = &history.state;
    let service = state.plan.as_ref().map_or("", |plan| plan.service.as_str());
    for attribute in [
        KeyValue::new("upgrade.id", history.id.to_string()),
        KeyValue::new("bowline.image", state.request.image.clone()),
        KeyValue::new("bowline.tag", state.request.tag.clone()),
        KeyValue::new("bowline.service", service.to_owned()),
        KeyValue::new("bowline.step", i64::from(state.step)),
    ] {
        span.set_attribute(attribute.key, attribute.value);
    }
}

fn set_parent(span: &Span, parent: SpanContext) {
    // An error means that nothing is traced here.
    let _untraced = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// The upgrade's own span: that of its first fact, or, if that has none, one that every process
/// derives alike.
fn own_span(history: &History) -> SpanContext {
    let first = history.entries.first();
    first
        .and_then(|entry| entry.traceparent.as_deref())
        .and_then(parse)
        .unwrap_or_else(|| derived(&history.id))
}

fn derived(id: &UpgradeId) -> SpanContext {
    let trace = TraceId::from_hex(&format!("{id}{id}")).unwrap_or(TraceId::INVALID);
    let span = SpanId::from_hex(id.as_str()).unwrap_or(SpanId::INVALID);
    SpanContext::new(
        trace,
        span,
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    )
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.trim().split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (span, flags) = (parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let legal = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    // A later version may say more; the first one has exactly these.
    if !legal || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()? & 1),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let good = format!("00-{trace}-b7ad6b7169203331-01");
        let read = parse(&good).unwrap();
        assert_eq!(read.trace_id().to_string(), trace);
        assert_eq!(read.span_id().to_string(), "b7ad6b7169203331");
        assert!(read.is_sampled() && read.is_remote());
        assert!(parse(&format!("01-{trace}-b7ad6b7169203331-00-more")).is_some());
        for bad in [
            "",
            "00-1-2-3",
            &format!("{good}-more"),
            &good.replace("00-", "ff-"),
            &good.to_uppercase(),
            &good.replace(trace, &"0".repeat(32)),
            &good.replace("b7ad6b7169203331", &"0".repeat(16)),
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_derived_span_is_the_same_everywhere_and_valid() {
        let id = UpgradeId::derive("i", "r", "redis", "7", 1);
        assert!(derived(&id).is_valid());
        assert_eq!(derived(&id), derived(&id));
    }

    #[test]
    fn names_are_snake_case() {
        assert_eq!(snake("TakeSlots"), "take_slots");
        assert_eq!(phase(job::Phase::CiPassed), "ci_passed");
        assert_eq!(
            phase(job::Phase::Ended(job::End::RolledBack)),
            "rolled_back"
        );
    }
}
