//! Which ended spans are sent: those of a command wait for its end, for only then it is known
//! whether anything had happened.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::trace::{DELIVERY, EFFECT, OUTCOME, WAITS};
use opentelemetry::trace::{SpanId, TraceContextExt as _};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::metrics;

/// So many spans of one command are held back at most.
const HELD: usize = 512;

/// Holds the spans below a process's own topmost one back until that has ended. If it says that
/// nothing came of it, all of them are forgotten, unless one changed something outside: a look that is repeated each few seconds for
/// hours would drown what counts.
#[derive(Debug)]
pub(super) struct Processor {
    sender: Option<Sender<SpanData>>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// The topmost span of every span that has not ended.
    top: HashMap<SpanId, SpanId>,
    /// What has ended below a topmost span that has not.
    held: HashMap<SpanId, Vec<SpanData>>,
}

impl Processor {
    /// A processor whose spans are received at the other end; without a queue they are not kept.
    pub(super) fn new(queue: Option<usize>) -> (Processor, Option<Receiver<SpanData>>) {
        let (sender, receiver) = queue.map(|size| channel(size.max(1))).unzip();
        let processor = Processor {
            sender,
            open: Mutex::default(),
        };
        (processor, receiver)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never waits: what does not fit is dropped.
    fn send(&self, span: SpanData) {
        if let Some(sender) = &self.sender
            && sender.try_send(span).is_err()
        {
            metrics::spans_dropped("queue_full", 1);
        }
    }
}

impl Open {
    fn began(&mut self, id: SpanId, parent: Option<SpanId>) {
        let top = parent.and_then(|parent| self.top.get(&parent)).copied();
        let top = top.unwrap_or_else(|| {
            self.held.insert(id, Vec::new());
            id
        });
        self.top.insert(id, top);
    }

    /// What can be sent now.
    fn ended(&mut self, span: SpanData) -> Vec<SpanData> {
        let id = span.span_context.span_id();
        let top = self.top.remove(&id).unwrap_or(id);
        if top == id {
            let mut held = self.held.remove(&id).unwrap_or_default();
            if is_nothing(&span) && !held.iter().any(is_effect) {
                return Vec::new();
            }
            held.push(span);
            return held;
        }
        match self.held.get_mut(&top) {
            Some(held) if held.len() < HELD => held.push(span),
            Some(_) => metrics::spans_dropped("too_many", 1),
            // It outlived its command.
            None => return vec![span],
        }
        Vec::new()
    }
}

fn is_nothing(span: &SpanData) -> bool {
    let waits = |value: &Value| matches!(value, Value::String(text) if text.as_str() == WAITS);
    span.name == DELIVERY || attribute(span, OUTCOME).is_some_and(waits)
}

fn is_effect(span: &SpanData) -> bool {
    attribute(span, EFFECT).is_some()
}

fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    let mut found = span.attributes.iter();
    // Set twice, the later one counts.
    let found = found.rfind(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| &attribute.value)
}

impl SpanProcessor for Processor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if self.sender.is_none() {
            return;
        }
        let parent = context.span();
        let parent = parent.span_context();
        let parent = (parent.is_valid() && !parent.is_remote()).then(|| parent.span_id());
        let id = opentelemetry::trace::Span::span_context(span).span_id();
        self.lock().began(id, parent);
    }

    fn on_end(&self, span: SpanData) {
        if self.sender.is_none() {
            return;
        }
        let ready = self.lock().ended(span);
        for span in ready {
            self.send(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceId, TraceState};
    use std::time::SystemTime;

    use super::*;

    pub(in crate::telemetry) fn span(id: u64, outcome: &'static str) -> SpanData {
        SpanData {
            span_context: SpanContext::new(
                TraceId::from(1_u128),
                SpanId::from(id),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "x".into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: vec![KeyValue::new(OUTCOME, outcome)],
            dropped_attributes_count: 0,
            events: opentelemetry_sdk::trace::SpanEvents::default(),
            links: opentelemetry_sdk::trace::SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: opentelemetry::InstrumentationScope::default(),
        }
    }

    fn ids(spans: &[SpanData]) -> Vec<SpanId> {
        spans
            .iter()
            .map(|span| span.span_context.span_id())
            .collect()
    }

    #[test]
    fn a_look_at_nothing_takes_everything_below_it_along() {
        let (one, two, three) = (SpanId::from(1), SpanId::from(2), SpanId::from(3));
        for (outcome, expected) in [("pushed", vec![three, two, one]), (WAITS, vec![])] {
            let mut open = Open::default();
            open.began(one, None);
            open.began(two, Some(one));
            open.began(three, Some(two));
            assert_eq!(ids(&open.ended(span(3, ""))), []);
            assert_eq!(ids(&open.ended(span(2, ""))), []);
            assert_eq!(ids(&open.ended(span(1, outcome))), expected);
            assert!(open.top.is_empty() && open.held.is_empty());
        }
    }

    #[test]
    fn a_look_that_changed_something_is_kept() {
        let (one, two) = (SpanId::from(1), SpanId::from(2));
        let mut open = Open::default();
        open.began(one, None);
        open.began(two, Some(one));
        let mut push = span(2, "");
        push.attributes.push(KeyValue::new(EFFECT, true));
        assert_eq!(ids(&open.ended(push)), []);
        assert_eq!(ids(&open.ended(span(1, WAITS))), [two, one]);
    }

    #[test]
    fn a_span_that_outlives_its_command_is_sent_alone() {
        let (one, two) = (SpanId::from(1), SpanId::from(2));
        let mut open = Open::default();
        open.began(one, None);
        open.began(two, Some(one));
        assert_eq!(ids(&open.ended(span(1, ""))), [one]);
        assert_eq!(ids(&open.ended(span(2, ""))), [two]);
    }

    #[test]
    fn a_full_queue_drops_and_does_not_wait() {
        let (processor, receiver) = Processor::new(Some(2));
        for id in 1..=5 {
            processor.on_end(span(id, ""));
        }
        assert_eq!(receiver.unwrap().len(), 2);
    }
}
